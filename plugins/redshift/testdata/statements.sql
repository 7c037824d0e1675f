-- records into a new table

CREATE TABLE IF NOT EXISTS "rootfi"."invoices" (
	"_company_id" varchar(65535) NOT NULL,
	"_integration_type" varchar(65535) NOT NULL,
	"_platform_id" varchar(65535) NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" timestamptz,
	"_synced_at" timestamptz,
	"amount" decimal(38,18),
	"due_at" timestamptz,
	"extra" varchar(65535),
	"lines" varchar(65535),
	"memo" varchar(65535),
	"paid" boolean,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

CREATE TEMP TABLE sluice_rows (c1 varchar(16), c2 varchar(16), c3 varchar(16), c4 varchar(16), c5 varchar(16), c6 varchar(16), c7 varchar(16), c8 varchar(16), m varchar(8));

INSERT INTO sluice_rows VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

UPDATE "rootfi"."invoices" SET "_version" = r.c4::bigint, "_deleted_at" = r.c5::timestamptz, "amount" = CASE WHEN SUBSTR(r.m, 6, 1) = '1' THEN r.c6::decimal(38,18) ELSE "rootfi"."invoices"."amount" END, "extra" = CASE WHEN SUBSTR(r.m, 7, 1) = '1' THEN r.c7 ELSE "rootfi"."invoices"."extra" END, "memo" = CASE WHEN SUBSTR(r.m, 8, 1) = '1' THEN r.c8 ELSE "rootfi"."invoices"."memo" END, "_synced_at" = GETDATE()
FROM sluice_rows AS r
WHERE "rootfi"."invoices"."_company_id" = r.c1 AND "rootfi"."invoices"."_integration_type" = r.c2 AND "rootfi"."invoices"."_platform_id" = r.c3 AND "rootfi"."invoices"."_version" <= r.c4::bigint;

INSERT INTO "rootfi"."invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "extra", "memo", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::bigint, r.c5::timestamptz, r.c6::decimal(38,18), r.c7, r.c8, GETDATE()
FROM sluice_rows AS r LEFT JOIN "rootfi"."invoices" AS t ON t."_company_id" = r.c1 AND t."_integration_type" = r.c2 AND t."_platform_id" = r.c3
WHERE t."_company_id" IS NULL;

DROP TABLE sluice_rows;

-- records, hard deletes

CREATE TABLE IF NOT EXISTS "rootfi"."invoices_tombstones" (
	"_company_id" varchar(65535) NOT NULL,
	"_integration_type" varchar(65535) NOT NULL,
	"_platform_id" varchar(65535) NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" timestamptz,
	"_synced_at" timestamptz,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

CREATE TABLE IF NOT EXISTS "rootfi"."invoices" (
	"_company_id" varchar(65535) NOT NULL,
	"_integration_type" varchar(65535) NOT NULL,
	"_platform_id" varchar(65535) NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" timestamptz,
	"_synced_at" timestamptz,
	"amount" decimal(38,18),
	"due_at" timestamptz,
	"lines" varchar(65535),
	"memo" varchar(65535),
	"paid" boolean,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

CREATE TEMP TABLE sluice_rows (c1 varchar(16), c2 varchar(16), c3 varchar(16), c4 varchar(16), c5 varchar(32));

INSERT INTO sluice_rows VALUES ($1, $2, $3, $4, $5);

UPDATE "rootfi"."invoices_tombstones" SET "_version" = r.c4::bigint, "_deleted_at" = r.c5::timestamptz, "_synced_at" = GETDATE()
FROM sluice_rows AS r
WHERE "rootfi"."invoices_tombstones"."_company_id" = r.c1 AND "rootfi"."invoices_tombstones"."_integration_type" = r.c2 AND "rootfi"."invoices_tombstones"."_platform_id" = r.c3 AND "rootfi"."invoices_tombstones"."_version" <= r.c4::bigint;

INSERT INTO "rootfi"."invoices_tombstones" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::bigint, r.c5::timestamptz, GETDATE()
FROM sluice_rows AS r LEFT JOIN "rootfi"."invoices_tombstones" AS t ON t."_company_id" = r.c1 AND t."_integration_type" = r.c2 AND t."_platform_id" = r.c3
WHERE t."_company_id" IS NULL;

DROP TABLE sluice_rows;

CREATE TEMP TABLE sluice_rows (c1 varchar(16), c2 varchar(16), c3 varchar(16), c4 varchar(16));

INSERT INTO sluice_rows VALUES ($1, $2, $3, $4);

DELETE FROM "rootfi"."invoices" USING sluice_rows AS r
WHERE "rootfi"."invoices"."_company_id" = r.c1 AND "rootfi"."invoices"."_integration_type" = r.c2 AND "rootfi"."invoices"."_platform_id" = r.c3 AND "rootfi"."invoices"."_version" <= r.c4::bigint;

DROP TABLE sluice_rows;

CREATE TEMP TABLE sluice_rows (c1 varchar(16), c2 varchar(16), c3 varchar(16), c4 varchar(16), c5 varchar(16), c6 varchar(16));

INSERT INTO sluice_rows VALUES ($1, $2, $3, $4, $5, $6);

DELETE FROM sluice_rows USING "rootfi"."invoices_tombstones" WHERE "rootfi"."invoices_tombstones"."_company_id" = sluice_rows.c1 AND "rootfi"."invoices_tombstones"."_integration_type" = sluice_rows.c2 AND "rootfi"."invoices_tombstones"."_platform_id" = sluice_rows.c3 AND "rootfi"."invoices_tombstones"."_version" > sluice_rows.c4::bigint;

UPDATE "rootfi"."invoices" SET "_version" = r.c4::bigint, "_deleted_at" = r.c5::timestamptz, "amount" = r.c6::decimal(38,18), "_synced_at" = GETDATE()
FROM sluice_rows AS r
WHERE "rootfi"."invoices"."_company_id" = r.c1 AND "rootfi"."invoices"."_integration_type" = r.c2 AND "rootfi"."invoices"."_platform_id" = r.c3 AND "rootfi"."invoices"."_version" <= r.c4::bigint;

INSERT INTO "rootfi"."invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4::bigint, r.c5::timestamptz, r.c6::decimal(38,18), GETDATE()
FROM sluice_rows AS r LEFT JOIN "rootfi"."invoices" AS t ON t."_company_id" = r.c1 AND t."_integration_type" = r.c2 AND t."_platform_id" = r.c3
WHERE t."_company_id" IS NULL;

DROP TABLE sluice_rows;

CREATE TEMP TABLE sluice_rows (c1 varchar(16), c2 varchar(16), c3 varchar(16), c4 varchar(16));

INSERT INTO sluice_rows VALUES ($1, $2, $3, $4);

DELETE FROM "rootfi"."invoices_tombstones" USING sluice_rows AS r
WHERE "rootfi"."invoices_tombstones"."_company_id" = r.c1 AND "rootfi"."invoices_tombstones"."_integration_type" = r.c2 AND "rootfi"."invoices_tombstones"."_platform_id" = r.c3 AND "rootfi"."invoices_tombstones"."_version" <= r.c4::bigint;

DROP TABLE sluice_rows;

-- changes

CREATE TABLE IF NOT EXISTS "rootfi"."invoices_changes" (
	"_idempotency_key" varchar(65535) NOT NULL,
	"_source" varchar(65535),
	"_company_id" varchar(65535),
	"_integration_type" varchar(65535),
	"_model" varchar(65535),
	"_platform_id" varchar(65535),
	"_event_id" varchar(65535),
	"_event_kind" varchar(65535),
	"_operation" varchar(65535),
	"_sequence" bigint,
	"_occurred_at" timestamptz,
	"_synced_at" timestamptz,
	"body" varchar(65535),
	PRIMARY KEY ("_idempotency_key")
);

CREATE TEMP TABLE sluice_rows (c1 varchar(16), c2 varchar(16), c3 varchar(16), c4 varchar(16), c5 varchar(16), c6 varchar(16), c7 varchar(16), c8 varchar(16), c9 varchar(16), c10 varchar(16), c11 varchar(32), c12 varchar(16));

INSERT INTO sluice_rows VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

INSERT INTO "rootfi"."invoices_changes" ("_idempotency_key", "_source", "_company_id", "_integration_type", "_model", "_platform_id", "_event_id", "_event_kind", "_operation", "_sequence", "_occurred_at", "body", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4, r.c5, r.c6, r.c7, r.c8, r.c9, r.c10::bigint, r.c11::timestamptz, r.c12, GETDATE()
FROM sluice_rows AS r LEFT JOIN "rootfi"."invoices_changes" AS t ON t."_idempotency_key" = r.c1
WHERE t."_idempotency_key" IS NULL;

DROP TABLE sluice_rows;

-- a new column

ALTER TABLE "rootfi"."invoices" ADD COLUMN "extra" varchar(65535);

-- a wider column: number

ALTER TABLE "rootfi"."invoices" ADD COLUMN "_sluice_aside" varchar(65535);

UPDATE "rootfi"."invoices" SET "_sluice_aside" = TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM "amount"::varchar(64)));

ALTER TABLE "rootfi"."invoices" DROP COLUMN "amount";

ALTER TABLE "rootfi"."invoices" RENAME COLUMN "_sluice_aside" TO "amount";

-- a wider column: boolean

ALTER TABLE "rootfi"."invoices" ADD COLUMN "_sluice_aside" varchar(65535);

UPDATE "rootfi"."invoices" SET "_sluice_aside" = CASE WHEN "paid" THEN 'true' WHEN NOT "paid" THEN 'false' END;

ALTER TABLE "rootfi"."invoices" DROP COLUMN "paid";

ALTER TABLE "rootfi"."invoices" RENAME COLUMN "_sluice_aside" TO "paid";

-- a wider column: timestamp

ALTER TABLE "rootfi"."invoices" ADD COLUMN "_sluice_aside" varchar(65535);

UPDATE "rootfi"."invoices" SET "_sluice_aside" = TO_CHAR("due_at" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

ALTER TABLE "rootfi"."invoices" DROP COLUMN "due_at";

ALTER TABLE "rootfi"."invoices" RENAME COLUMN "_sluice_aside" TO "due_at";

