-- records into a new table

CREATE TABLE IF NOT EXISTS "invoices" (
	"_company_id" TEXT NOT NULL,
	"_integration_type" TEXT NOT NULL,
	"_platform_id" TEXT NOT NULL,
	"_version" INTEGER NOT NULL,
	"_deleted_at" TIMESTAMP TEXT,
	"_synced_at" TIMESTAMP TEXT,
	"amount" DECIMAL TEXT,
	"due_at" TIMESTAMP TEXT,
	"extra" TEXT,
	"lines" JSON TEXT,
	"memo" TEXT,
	"paid" BOOLEAN,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

INSERT INTO "invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "memo", "_synced_at")
SELECT ?1, ?2, ?3, ?4, ?5, ?6, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "memo" = excluded."memo", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

INSERT INTO "invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "extra", "_synced_at")
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "amount" = excluded."amount", "extra" = excluded."extra", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

-- records, hard deletes

CREATE TABLE IF NOT EXISTS "invoices_tombstones" (
	"_company_id" TEXT NOT NULL,
	"_integration_type" TEXT NOT NULL,
	"_platform_id" TEXT NOT NULL,
	"_version" INTEGER NOT NULL,
	"_deleted_at" TIMESTAMP TEXT,
	"_synced_at" TIMESTAMP TEXT,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

CREATE TABLE IF NOT EXISTS "invoices" (
	"_company_id" TEXT NOT NULL,
	"_integration_type" TEXT NOT NULL,
	"_platform_id" TEXT NOT NULL,
	"_version" INTEGER NOT NULL,
	"_deleted_at" TIMESTAMP TEXT,
	"_synced_at" TIMESTAMP TEXT,
	"amount" DECIMAL TEXT,
	"due_at" TIMESTAMP TEXT,
	"lines" JSON TEXT,
	"memo" TEXT,
	"paid" BOOLEAN,
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
);

INSERT INTO "invoices_tombstones" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "_synced_at")
SELECT ?1, ?2, ?3, ?4, ?5, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')
WHERE true
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

DELETE FROM "invoices" AS t
WHERE t."_company_id" = ?1 AND t."_integration_type" = ?2 AND t."_platform_id" = ?3 AND t."_version" <= ?4;

INSERT INTO "invoices" AS t ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "_synced_at")
SELECT ?1, ?2, ?3, ?4, ?5, ?6, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')
WHERE NOT EXISTS (SELECT 1 FROM "invoices_tombstones" AS d WHERE d."_company_id" = ?1 AND d."_integration_type" = ?2 AND d."_platform_id" = ?3 AND d."_version" > ?4)
ON CONFLICT ("_company_id", "_integration_type", "_platform_id") DO UPDATE SET "_version" = excluded."_version", "_deleted_at" = excluded."_deleted_at", "amount" = excluded."amount", "_synced_at" = excluded."_synced_at"
WHERE t."_version" <= excluded."_version";

DELETE FROM "invoices_tombstones" AS t
WHERE t."_company_id" = ?1 AND t."_integration_type" = ?2 AND t."_platform_id" = ?3 AND t."_version" <= ?4;

-- changes

CREATE TABLE IF NOT EXISTS "invoices_changes" (
	"_idempotency_key" TEXT NOT NULL,
	"_source" TEXT,
	"_company_id" TEXT,
	"_integration_type" TEXT,
	"_model" TEXT,
	"_platform_id" TEXT,
	"_event_id" TEXT,
	"_event_kind" TEXT,
	"_operation" TEXT,
	"_sequence" INTEGER,
	"_occurred_at" TIMESTAMP TEXT,
	"_synced_at" TIMESTAMP TEXT,
	"body" JSON TEXT,
	PRIMARY KEY ("_idempotency_key")
);

INSERT INTO "invoices_changes" AS t ("_idempotency_key", "_source", "_company_id", "_integration_type", "_model", "_platform_id", "_event_id", "_event_kind", "_operation", "_sequence", "_occurred_at", "body", "_synced_at")
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')
WHERE true
ON CONFLICT ("_idempotency_key") DO NOTHING;

-- a new column

ALTER TABLE "invoices" ADD COLUMN "extra" JSON TEXT;

-- a wider column: number

ALTER TABLE "invoices" ADD COLUMN "_sluice_aside" TEXT;

UPDATE "invoices" SET "_sluice_aside" = "amount";

ALTER TABLE "invoices" DROP COLUMN "amount";

ALTER TABLE "invoices" RENAME COLUMN "_sluice_aside" TO "amount";

-- a wider column: boolean

ALTER TABLE "invoices" ADD COLUMN "_sluice_aside" TEXT;

UPDATE "invoices" SET "_sluice_aside" = CASE "paid" WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE "paid" END;

ALTER TABLE "invoices" DROP COLUMN "paid";

ALTER TABLE "invoices" RENAME COLUMN "_sluice_aside" TO "paid";

-- a wider column: timestamp

ALTER TABLE "invoices" ADD COLUMN "_sluice_aside" TEXT;

UPDATE "invoices" SET "_sluice_aside" = "due_at";

ALTER TABLE "invoices" DROP COLUMN "due_at";

ALTER TABLE "invoices" RENAME COLUMN "_sluice_aside" TO "due_at";

