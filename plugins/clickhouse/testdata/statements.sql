-- records into a new table

CREATE TABLE IF NOT EXISTS "rootfi"."invoices" (
	"_company_id" String,
	"_integration_type" String,
	"_platform_id" String,
	"_version" UInt64,
	"_deleted_at" Nullable(DateTime64(6, 'UTC')),
	"_synced_at" Nullable(DateTime64(6, 'UTC')),
	"amount" Nullable(Decimal(38, 18)),
	"due_at" Nullable(DateTime64(6, 'UTC')),
	"extra" Nullable(String),
	"lines" Nullable(String) COMMENT 'JSON',
	"memo" Nullable(String),
	"paid" Nullable(Bool)
) ENGINE = ReplacingMergeTree("_version")
ORDER BY ("_company_id", "_integration_type", "_platform_id");

DROP TABLE IF EXISTS "rootfi"."invoices_current";

CREATE VIEW IF NOT EXISTS "rootfi"."invoices_current" AS SELECT * FROM "rootfi"."invoices" FINAL WHERE "_deleted_at" IS NULL;

INSERT INTO "rootfi"."invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "memo", "_synced_at")
SELECT _sluice_new_1, _sluice_new_2, _sluice_new_3, _sluice_new_4, _sluice_new_5, _sluice_new_6, now64(6, 'UTC')
FROM (SELECT assumeNotNull(_sluice_1) AS _sluice_new_1, assumeNotNull(_sluice_2) AS _sluice_new_2, assumeNotNull(_sluice_3) AS _sluice_new_3, toUInt64(assumeNotNull(_sluice_4)) AS _sluice_new_4, parseDateTime64BestEffort(_sluice_5, 6, 'UTC') AS _sluice_new_5, _sluice_6 AS _sluice_new_6 FROM _sluice_rows)
ANY LEFT JOIN (SELECT "_company_id" AS _sluice_new_1, "_integration_type" AS _sluice_new_2, "_platform_id" AS _sluice_new_3, "_version" AS _sluice_old FROM "rootfi"."invoices" FINAL WHERE ("_company_id", "_integration_type", "_platform_id") IN (SELECT assumeNotNull(_sluice_1), assumeNotNull(_sluice_2), assumeNotNull(_sluice_3) FROM _sluice_rows)) USING (_sluice_new_1, _sluice_new_2, _sluice_new_3)
WHERE _sluice_old <= _sluice_new_4;

INSERT INTO "rootfi"."invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "extra", "_synced_at")
SELECT _sluice_new_1, _sluice_new_2, _sluice_new_3, _sluice_new_4, _sluice_new_5, _sluice_new_6, _sluice_new_7, now64(6, 'UTC')
FROM (SELECT assumeNotNull(_sluice_1) AS _sluice_new_1, assumeNotNull(_sluice_2) AS _sluice_new_2, assumeNotNull(_sluice_3) AS _sluice_new_3, toUInt64(assumeNotNull(_sluice_4)) AS _sluice_new_4, parseDateTime64BestEffort(_sluice_5, 6, 'UTC') AS _sluice_new_5, if(isNull(_sluice_6), NULL, CAST(ifNull(_sluice_6, '0') AS Decimal(38, 18))) AS _sluice_new_6, _sluice_7 AS _sluice_new_7 FROM _sluice_rows)
ANY LEFT JOIN (SELECT "_company_id" AS _sluice_new_1, "_integration_type" AS _sluice_new_2, "_platform_id" AS _sluice_new_3, "_version" AS _sluice_old FROM "rootfi"."invoices" FINAL WHERE ("_company_id", "_integration_type", "_platform_id") IN (SELECT assumeNotNull(_sluice_1), assumeNotNull(_sluice_2), assumeNotNull(_sluice_3) FROM _sluice_rows)) USING (_sluice_new_1, _sluice_new_2, _sluice_new_3)
WHERE _sluice_old <= _sluice_new_4;

-- records, soft deletes

CREATE TABLE IF NOT EXISTS "rootfi"."invoices" (
	"_company_id" String,
	"_integration_type" String,
	"_platform_id" String,
	"_version" UInt64,
	"_deleted_at" Nullable(DateTime64(6, 'UTC')),
	"_synced_at" Nullable(DateTime64(6, 'UTC')),
	"amount" Nullable(Decimal(38, 18)),
	"due_at" Nullable(DateTime64(6, 'UTC')),
	"lines" Nullable(String) COMMENT 'JSON',
	"memo" Nullable(String),
	"paid" Nullable(Bool)
) ENGINE = ReplacingMergeTree("_version")
ORDER BY ("_company_id", "_integration_type", "_platform_id");

DROP TABLE IF EXISTS "rootfi"."invoices_current";

CREATE VIEW IF NOT EXISTS "rootfi"."invoices_current" AS SELECT * FROM "rootfi"."invoices" FINAL WHERE "_deleted_at" IS NULL;

INSERT INTO "rootfi"."invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "_synced_at")
SELECT _sluice_new_1, _sluice_new_2, _sluice_new_3, _sluice_new_4, _sluice_new_5, now64(6, 'UTC')
FROM (SELECT assumeNotNull(_sluice_1) AS _sluice_new_1, assumeNotNull(_sluice_2) AS _sluice_new_2, assumeNotNull(_sluice_3) AS _sluice_new_3, toUInt64(assumeNotNull(_sluice_4)) AS _sluice_new_4, parseDateTime64BestEffort(_sluice_5, 6, 'UTC') AS _sluice_new_5 FROM _sluice_rows)
ANY LEFT JOIN (SELECT "_company_id" AS _sluice_new_1, "_integration_type" AS _sluice_new_2, "_platform_id" AS _sluice_new_3, "_version" AS _sluice_old FROM "rootfi"."invoices" FINAL WHERE ("_company_id", "_integration_type", "_platform_id") IN (SELECT assumeNotNull(_sluice_1), assumeNotNull(_sluice_2), assumeNotNull(_sluice_3) FROM _sluice_rows)) USING (_sluice_new_1, _sluice_new_2, _sluice_new_3)
WHERE _sluice_old <= _sluice_new_4;

INSERT INTO "rootfi"."invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "_synced_at")
SELECT _sluice_new_1, _sluice_new_2, _sluice_new_3, _sluice_new_4, _sluice_new_5, _sluice_new_6, now64(6, 'UTC')
FROM (SELECT assumeNotNull(_sluice_1) AS _sluice_new_1, assumeNotNull(_sluice_2) AS _sluice_new_2, assumeNotNull(_sluice_3) AS _sluice_new_3, toUInt64(assumeNotNull(_sluice_4)) AS _sluice_new_4, parseDateTime64BestEffort(_sluice_5, 6, 'UTC') AS _sluice_new_5, if(isNull(_sluice_6), NULL, CAST(ifNull(_sluice_6, '0') AS Decimal(38, 18))) AS _sluice_new_6 FROM _sluice_rows)
ANY LEFT JOIN (SELECT "_company_id" AS _sluice_new_1, "_integration_type" AS _sluice_new_2, "_platform_id" AS _sluice_new_3, "_version" AS _sluice_old FROM "rootfi"."invoices" FINAL WHERE ("_company_id", "_integration_type", "_platform_id") IN (SELECT assumeNotNull(_sluice_1), assumeNotNull(_sluice_2), assumeNotNull(_sluice_3) FROM _sluice_rows)) USING (_sluice_new_1, _sluice_new_2, _sluice_new_3)
WHERE _sluice_old <= _sluice_new_4;

-- changes

CREATE TABLE IF NOT EXISTS "rootfi"."invoices_changes" (
	"_idempotency_key" String,
	"_source" Nullable(String),
	"_company_id" Nullable(String),
	"_integration_type" Nullable(String),
	"_model" Nullable(String),
	"_platform_id" Nullable(String),
	"_event_id" Nullable(String),
	"_event_kind" Nullable(String),
	"_operation" Nullable(String),
	"_sequence" Nullable(UInt64),
	"_occurred_at" Nullable(DateTime64(6, 'UTC')),
	"_synced_at" Nullable(DateTime64(6, 'UTC')),
	"body" Nullable(String) COMMENT 'JSON'
) ENGINE = ReplacingMergeTree
ORDER BY ("_idempotency_key");

INSERT INTO "rootfi"."invoices_changes" ("_idempotency_key", "_source", "_company_id", "_integration_type", "_model", "_platform_id", "_event_id", "_event_kind", "_operation", "_sequence", "_occurred_at", "body", "_synced_at")
SELECT _sluice_new_1, _sluice_new_2, _sluice_new_3, _sluice_new_4, _sluice_new_5, _sluice_new_6, _sluice_new_7, _sluice_new_8, _sluice_new_9, _sluice_new_10, _sluice_new_11, _sluice_new_12, now64(6, 'UTC')
FROM (SELECT assumeNotNull(_sluice_1) AS _sluice_new_1, _sluice_2 AS _sluice_new_2, _sluice_3 AS _sluice_new_3, _sluice_4 AS _sluice_new_4, _sluice_5 AS _sluice_new_5, _sluice_6 AS _sluice_new_6, _sluice_7 AS _sluice_new_7, _sluice_8 AS _sluice_new_8, _sluice_9 AS _sluice_new_9, if(isNull(_sluice_10), NULL, CAST(ifNull(_sluice_10, '0') AS UInt64)) AS _sluice_new_10, parseDateTime64BestEffort(_sluice_11, 6, 'UTC') AS _sluice_new_11, _sluice_12 AS _sluice_new_12 FROM _sluice_rows)
WHERE _sluice_new_1 NOT IN (SELECT "_idempotency_key" FROM "rootfi"."invoices_changes" WHERE ("_idempotency_key") IN (SELECT assumeNotNull(_sluice_1) FROM _sluice_rows));

-- a new column

ALTER TABLE "rootfi"."invoices" ADD COLUMN "extra" Nullable(String) COMMENT 'JSON';

DROP TABLE IF EXISTS "rootfi"."invoices_current";

CREATE VIEW IF NOT EXISTS "rootfi"."invoices_current" AS SELECT * FROM "rootfi"."invoices" FINAL WHERE "_deleted_at" IS NULL;

-- a wider column: number

ALTER TABLE "rootfi"."invoices" MODIFY COLUMN "amount" Nullable(String);

DROP TABLE IF EXISTS "rootfi"."invoices_current";

CREATE VIEW IF NOT EXISTS "rootfi"."invoices_current" AS SELECT * FROM "rootfi"."invoices" FINAL WHERE "_deleted_at" IS NULL;

-- a wider column: boolean

ALTER TABLE "rootfi"."invoices" MODIFY COLUMN "paid" Nullable(String);

DROP TABLE IF EXISTS "rootfi"."invoices_current";

CREATE VIEW IF NOT EXISTS "rootfi"."invoices_current" AS SELECT * FROM "rootfi"."invoices" FINAL WHERE "_deleted_at" IS NULL;

-- a wider column: timestamp

ALTER TABLE "rootfi"."invoices" MODIFY COLUMN "due_at" Nullable(String);

DROP TABLE IF EXISTS "rootfi"."invoices_current";

CREATE VIEW IF NOT EXISTS "rootfi"."invoices_current" AS SELECT * FROM "rootfi"."invoices" FINAL WHERE "_deleted_at" IS NULL;

