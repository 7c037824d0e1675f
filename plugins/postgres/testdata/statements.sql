-- records into a new table

CREATE TABLE IF NOT EXISTS "rootfi"."invoices" (
	"_company_id" text NOT NULL,
	"_integration_type" text NOT NULL,
	"_platform_id" text NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" timestamptz,
	"_synced_at" timestamptz,
	"amount" numeric,
	"due_at" timestamptz,
	"extra" text,
	"lines" jsonb,
	"memo" text,
	"paid" boolean,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

INSERT INTO "rootfi"."invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "memo", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::bigint, r.c5::timestamptz, r.c6, now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS r(c1, c2, c3, c4, c5, c6)
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "memo" = excluded."memo", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

INSERT INTO "rootfi"."invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "extra", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::bigint, r.c5::timestamptz, r.c6::numeric, r.c7, now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) AS r(c1, c2, c3, c4, c5, c6, c7)
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "amount" = excluded."amount", "extra" = excluded."extra", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

-- records, hard deletes

CREATE TABLE IF NOT EXISTS "rootfi"."invoices_tombstones" (
	"_company_id" text NOT NULL,
	"_integration_type" text NOT NULL,
	"_platform_id" text NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" timestamptz,
	"_synced_at" timestamptz,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

CREATE TABLE IF NOT EXISTS "rootfi"."invoices" (
	"_company_id" text NOT NULL,
	"_integration_type" text NOT NULL,
	"_platform_id" text NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" timestamptz,
	"_synced_at" timestamptz,
	"amount" numeric,
	"due_at" timestamptz,
	"lines" jsonb,
	"memo" text,
	"paid" boolean,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

INSERT INTO "rootfi"."invoices_tombstones" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::bigint, r.c5::timestamptz, now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS r(c1, c2, c3, c4, c5)
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

DELETE FROM "rootfi"."invoices" AS t
USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS r(c1, c2, c3, c4)
WHERE t."_company_id" = r.c1 AND t."_integration_type" = r.c2 AND t."_platform_id" = r.c3 AND t."_version" <= r.c4::bigint;

INSERT INTO "rootfi"."invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::bigint, r.c5::timestamptz, r.c6::numeric, now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS r(c1, c2, c3, c4, c5, c6)
WHERE NOT EXISTS (SELECT 1 FROM "rootfi"."invoices_tombstones" AS d WHERE d."_company_id" = r.c1 AND d."_integration_type" = r.c2 AND d."_platform_id" = r.c3 AND d."_version" > r.c4::bigint)
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "amount" = excluded."amount", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

DELETE FROM "rootfi"."invoices_tombstones" AS t
USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS r(c1, c2, c3, c4)
WHERE t."_company_id" = r.c1 AND t."_integration_type" = r.c2 AND t."_platform_id" = r.c3 AND t."_version" <= r.c4::bigint;

-- changes

CREATE TABLE IF NOT EXISTS "rootfi"."invoices_changes" (
	"_idempotency_key" text NOT NULL,
	"_source" text,
	"_company_id" text,
	"_integration_type" text,
	"_model" text,
	"_platform_id" text,
	"_event_id" text,
	"_event_kind" text,
	"_operation" text,
	"_sequence" bigint,
	"_occurred_at" timestamptz,
	"_synced_at" timestamptz,
	"body" jsonb,
	PRIMARY KEY ("_idempotency_key")
);

INSERT INTO "rootfi"."invoices_changes" AS t ("_idempotency_key", "_source", "_company_id", "_integration_type", "_model", "_platform_id", "_event_id", "_event_kind", "_operation", "_sequence", "_occurred_at", "body", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4, r.c5, r.c6, r.c7, r.c8, r.c9, r.c10::bigint, r.c11::timestamptz, r.c12::jsonb, now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[]) AS r(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12)
WHERE true
ON CONFLICT ("_idempotency_key") DO NOTHING;

-- a new column

ALTER TABLE "rootfi"."invoices" ADD COLUMN IF NOT EXISTS "extra" jsonb;

-- a wider column: number

ALTER TABLE "rootfi"."invoices" ALTER COLUMN "amount" TYPE text USING "amount"::text;

-- a wider column: boolean

ALTER TABLE "rootfi"."invoices" ALTER COLUMN "paid" TYPE text USING "paid"::text;

-- a wider column: timestamp

ALTER TABLE "rootfi"."invoices" ALTER COLUMN "due_at" TYPE text USING to_char("due_at" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

