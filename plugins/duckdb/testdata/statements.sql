-- records into a new table

CREATE TABLE IF NOT EXISTS "rootfi"."invoices" (
	"_company_id" VARCHAR NOT NULL,
	"_integration_type" VARCHAR NOT NULL,
	"_platform_id" VARCHAR NOT NULL,
	"_version" BIGINT NOT NULL,
	"_deleted_at" TIMESTAMP WITH TIME ZONE,
	"_synced_at" TIMESTAMP WITH TIME ZONE,
	"amount" DECIMAL(38,18),
	"due_at" TIMESTAMP WITH TIME ZONE,
	"extra" VARCHAR,
	"lines" JSON,
	"memo" VARCHAR,
	"paid" BOOLEAN,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

INSERT INTO "rootfi"."invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "memo", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::BIGINT, r.c5::TIMESTAMP WITH TIME ZONE, r.c6, now()
FROM (SELECT unnest(from_json($1, '["VARCHAR"]')) AS c1, unnest(from_json($2, '["VARCHAR"]')) AS c2, unnest(from_json($3, '["VARCHAR"]')) AS c3, unnest(from_json($4, '["VARCHAR"]')) AS c4, unnest(from_json($5, '["VARCHAR"]')) AS c5, unnest(from_json($6, '["VARCHAR"]')) AS c6) AS r
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "memo" = excluded."memo", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

INSERT INTO "rootfi"."invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "extra", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::BIGINT, r.c5::TIMESTAMP WITH TIME ZONE, r.c6::DECIMAL(38,18), r.c7, now()
FROM (SELECT unnest(from_json($1, '["VARCHAR"]')) AS c1, unnest(from_json($2, '["VARCHAR"]')) AS c2, unnest(from_json($3, '["VARCHAR"]')) AS c3, unnest(from_json($4, '["VARCHAR"]')) AS c4, unnest(from_json($5, '["VARCHAR"]')) AS c5, unnest(from_json($6, '["VARCHAR"]')) AS c6, unnest(from_json($7, '["VARCHAR"]')) AS c7) AS r
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "amount" = excluded."amount", "extra" = excluded."extra", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

-- records, hard deletes

CREATE TABLE IF NOT EXISTS "rootfi"."invoices_tombstones" (
	"_company_id" VARCHAR NOT NULL,
	"_integration_type" VARCHAR NOT NULL,
	"_platform_id" VARCHAR NOT NULL,
	"_version" BIGINT NOT NULL,
	"_deleted_at" TIMESTAMP WITH TIME ZONE,
	"_synced_at" TIMESTAMP WITH TIME ZONE,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

CREATE TABLE IF NOT EXISTS "rootfi"."invoices" (
	"_company_id" VARCHAR NOT NULL,
	"_integration_type" VARCHAR NOT NULL,
	"_platform_id" VARCHAR NOT NULL,
	"_version" BIGINT NOT NULL,
	"_deleted_at" TIMESTAMP WITH TIME ZONE,
	"_synced_at" TIMESTAMP WITH TIME ZONE,
	"amount" DECIMAL(38,18),
	"due_at" TIMESTAMP WITH TIME ZONE,
	"lines" JSON,
	"memo" VARCHAR,
	"paid" BOOLEAN,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

INSERT INTO "rootfi"."invoices_tombstones" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::BIGINT, r.c5::TIMESTAMP WITH TIME ZONE, now()
FROM (SELECT unnest(from_json($1, '["VARCHAR"]')) AS c1, unnest(from_json($2, '["VARCHAR"]')) AS c2, unnest(from_json($3, '["VARCHAR"]')) AS c3, unnest(from_json($4, '["VARCHAR"]')) AS c4, unnest(from_json($5, '["VARCHAR"]')) AS c5) AS r
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

DELETE FROM "rootfi"."invoices" AS t
USING (SELECT unnest(from_json($1, '["VARCHAR"]')) AS c1, unnest(from_json($2, '["VARCHAR"]')) AS c2, unnest(from_json($3, '["VARCHAR"]')) AS c3, unnest(from_json($4, '["VARCHAR"]')) AS c4) AS r
WHERE t."_company_id" = r.c1 AND t."_integration_type" = r.c2 AND t."_platform_id" = r.c3 AND t."_version" <= r.c4::BIGINT;

INSERT INTO "rootfi"."invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::BIGINT, r.c5::TIMESTAMP WITH TIME ZONE, r.c6::DECIMAL(38,18), now()
FROM (SELECT unnest(from_json($1, '["VARCHAR"]')) AS c1, unnest(from_json($2, '["VARCHAR"]')) AS c2, unnest(from_json($3, '["VARCHAR"]')) AS c3, unnest(from_json($4, '["VARCHAR"]')) AS c4, unnest(from_json($5, '["VARCHAR"]')) AS c5, unnest(from_json($6, '["VARCHAR"]')) AS c6) AS r
WHERE NOT EXISTS (SELECT 1 FROM "rootfi"."invoices_tombstones" AS d WHERE d."_company_id" = r.c1 AND d."_integration_type" = r.c2 AND d."_platform_id" = r.c3 AND d."_version" > r.c4::BIGINT)
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "amount" = excluded."amount", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

DELETE FROM "rootfi"."invoices_tombstones" AS t
USING (SELECT unnest(from_json($1, '["VARCHAR"]')) AS c1, unnest(from_json($2, '["VARCHAR"]')) AS c2, unnest(from_json($3, '["VARCHAR"]')) AS c3, unnest(from_json($4, '["VARCHAR"]')) AS c4) AS r
WHERE t."_company_id" = r.c1 AND t."_integration_type" = r.c2 AND t."_platform_id" = r.c3 AND t."_version" <= r.c4::BIGINT;

-- changes

CREATE TABLE IF NOT EXISTS "rootfi"."invoices_changes" (
	"_idempotency_key" VARCHAR NOT NULL,
	"_source" VARCHAR,
	"_company_id" VARCHAR,
	"_integration_type" VARCHAR,
	"_model" VARCHAR,
	"_platform_id" VARCHAR,
	"_event_id" VARCHAR,
	"_event_kind" VARCHAR,
	"_operation" VARCHAR,
	"_sequence" BIGINT,
	"_occurred_at" TIMESTAMP WITH TIME ZONE,
	"_synced_at" TIMESTAMP WITH TIME ZONE,
	"body" JSON,
	PRIMARY KEY ("_idempotency_key")
);

INSERT INTO "rootfi"."invoices_changes" AS t ("_idempotency_key", "_source", "_company_id", "_integration_type", "_model", "_platform_id", "_event_id", "_event_kind", "_operation", "_sequence", "_occurred_at", "body", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4, r.c5, r.c6, r.c7, r.c8, r.c9, r.c10::BIGINT, r.c11::TIMESTAMP WITH TIME ZONE, r.c12::JSON, now()
FROM (SELECT unnest(from_json($1, '["VARCHAR"]')) AS c1, unnest(from_json($2, '["VARCHAR"]')) AS c2, unnest(from_json($3, '["VARCHAR"]')) AS c3, unnest(from_json($4, '["VARCHAR"]')) AS c4, unnest(from_json($5, '["VARCHAR"]')) AS c5, unnest(from_json($6, '["VARCHAR"]')) AS c6, unnest(from_json($7, '["VARCHAR"]')) AS c7, unnest(from_json($8, '["VARCHAR"]')) AS c8, unnest(from_json($9, '["VARCHAR"]')) AS c9, unnest(from_json($10, '["VARCHAR"]')) AS c10, unnest(from_json($11, '["VARCHAR"]')) AS c11, unnest(from_json($12, '["VARCHAR"]')) AS c12) AS r
WHERE true
ON CONFLICT ("_idempotency_key") DO NOTHING;

-- a new column

ALTER TABLE "rootfi"."invoices" ADD COLUMN IF NOT EXISTS "extra" JSON;

-- a wider column: number

ALTER TABLE "rootfi"."invoices" ALTER COLUMN "amount" TYPE VARCHAR USING rtrim(rtrim("amount"::VARCHAR, '0'), '.');

-- a wider column: boolean

ALTER TABLE "rootfi"."invoices" ALTER COLUMN "paid" TYPE VARCHAR USING "paid"::VARCHAR;

-- a wider column: timestamp

ALTER TABLE "rootfi"."invoices" ALTER COLUMN "due_at" TYPE VARCHAR USING strftime("due_at" AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ');

