-- records into a new table

CREATE TABLE IF NOT EXISTS "invoices" (
	"_company_id" varchar(255) NOT NULL,
	"_integration_type" varchar(255) NOT NULL,
	"_platform_id" varchar(255) NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" datetime(6),
	"_synced_at" datetime(6),
	"amount" decimal(65,30),
	"due_at" datetime(6),
	"extra" longtext,
	"lines" longtext COMMENT 'JSON',
	"memo" longtext,
	"paid" tinyint(1),
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

INSERT INTO "invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "memo", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4, STR_TO_DATE(r.c5, '%Y-%m-%dT%H:%i:%s.%fZ'), r.c6, UTC_TIMESTAMP(6)
FROM JSON_TABLE(?, '$[*]' COLUMNS (c1 LONGTEXT CHARACTER SET utf8mb4 PATH '$[0]', c2 LONGTEXT CHARACTER SET utf8mb4 PATH '$[1]', c3 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]', c4 LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]', c5 LONGTEXT CHARACTER SET utf8mb4 PATH '$[4]', c6 LONGTEXT CHARACTER SET utf8mb4 PATH '$[5]')) AS r
ON DUPLICATE KEY UPDATE "_deleted_at" = IF(VALUES("_version") >= "invoices"."_version", VALUES("_deleted_at"), "invoices"."_deleted_at"), "memo" = IF(VALUES("_version") >= "invoices"."_version", VALUES("memo"), "invoices"."memo"), "_synced_at" = IF(VALUES("_version") >= "invoices"."_version", VALUES("_synced_at"), "invoices"."_synced_at"), "_version" = IF(VALUES("_company_id") = "invoices"."_company_id" AND VALUES("_integration_type") = "invoices"."_integration_type" AND VALUES("_platform_id") = "invoices"."_platform_id", GREATEST(VALUES("_version"), "invoices"."_version"), NULL);

INSERT INTO "invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "extra", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4, STR_TO_DATE(r.c5, '%Y-%m-%dT%H:%i:%s.%fZ'), r.c6, r.c7, UTC_TIMESTAMP(6)
FROM JSON_TABLE(?, '$[*]' COLUMNS (c1 LONGTEXT CHARACTER SET utf8mb4 PATH '$[0]', c2 LONGTEXT CHARACTER SET utf8mb4 PATH '$[1]', c3 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]', c4 LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]', c5 LONGTEXT CHARACTER SET utf8mb4 PATH '$[4]', c6 LONGTEXT CHARACTER SET utf8mb4 PATH '$[5]', c7 LONGTEXT CHARACTER SET utf8mb4 PATH '$[6]')) AS r
ON DUPLICATE KEY UPDATE "_deleted_at" = IF(VALUES("_version") >= "invoices"."_version", VALUES("_deleted_at"), "invoices"."_deleted_at"), "amount" = IF(VALUES("_version") >= "invoices"."_version", VALUES("amount"), "invoices"."amount"), "extra" = IF(VALUES("_version") >= "invoices"."_version", VALUES("extra"), "invoices"."extra"), "_synced_at" = IF(VALUES("_version") >= "invoices"."_version", VALUES("_synced_at"), "invoices"."_synced_at"), "_version" = IF(VALUES("_company_id") = "invoices"."_company_id" AND VALUES("_integration_type") = "invoices"."_integration_type" AND VALUES("_platform_id") = "invoices"."_platform_id", GREATEST(VALUES("_version"), "invoices"."_version"), NULL);

-- records, hard deletes

CREATE TABLE IF NOT EXISTS "invoices_tombstones" (
	"_company_id" varchar(255) NOT NULL,
	"_integration_type" varchar(255) NOT NULL,
	"_platform_id" varchar(255) NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" datetime(6),
	"_synced_at" datetime(6),
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS "invoices" (
	"_company_id" varchar(255) NOT NULL,
	"_integration_type" varchar(255) NOT NULL,
	"_platform_id" varchar(255) NOT NULL,
	"_version" bigint NOT NULL,
	"_deleted_at" datetime(6),
	"_synced_at" datetime(6),
	"amount" decimal(65,30),
	"due_at" datetime(6),
	"lines" longtext COMMENT 'JSON',
	"memo" longtext,
	"paid" tinyint(1),
	PRIMARY KEY ("_company_id", "_integration_type", "_platform_id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

INSERT INTO "invoices_tombstones" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4, STR_TO_DATE(r.c5, '%Y-%m-%dT%H:%i:%s.%fZ'), UTC_TIMESTAMP(6)
FROM JSON_TABLE(?, '$[*]' COLUMNS (c1 LONGTEXT CHARACTER SET utf8mb4 PATH '$[0]', c2 LONGTEXT CHARACTER SET utf8mb4 PATH '$[1]', c3 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]', c4 LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]', c5 LONGTEXT CHARACTER SET utf8mb4 PATH '$[4]')) AS r
ON DUPLICATE KEY UPDATE "_deleted_at" = IF(VALUES("_version") >= "invoices_tombstones"."_version", VALUES("_deleted_at"), "invoices_tombstones"."_deleted_at"), "_synced_at" = IF(VALUES("_version") >= "invoices_tombstones"."_version", VALUES("_synced_at"), "invoices_tombstones"."_synced_at"), "_version" = IF(VALUES("_company_id") = "invoices_tombstones"."_company_id" AND VALUES("_integration_type") = "invoices_tombstones"."_integration_type" AND VALUES("_platform_id") = "invoices_tombstones"."_platform_id", GREATEST(VALUES("_version"), "invoices_tombstones"."_version"), NULL);

DELETE t FROM "invoices" AS t JOIN JSON_TABLE(?, '$[*]' COLUMNS (c1 LONGTEXT CHARACTER SET utf8mb4 PATH '$[0]', c2 LONGTEXT CHARACTER SET utf8mb4 PATH '$[1]', c3 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]', c4 LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]')) AS r
ON t."_company_id" = r.c1 COLLATE utf8mb4_nopad_bin AND t."_integration_type" = r.c2 COLLATE utf8mb4_nopad_bin AND t."_platform_id" = r.c3 COLLATE utf8mb4_nopad_bin AND t."_version" <= CAST(r.c4 AS SIGNED);

INSERT INTO "invoices" ("_company_id", "_integration_type", "_platform_id", "_version", "_deleted_at", "amount", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4, STR_TO_DATE(r.c5, '%Y-%m-%dT%H:%i:%s.%fZ'), r.c6, UTC_TIMESTAMP(6)
FROM JSON_TABLE(?, '$[*]' COLUMNS (c1 LONGTEXT CHARACTER SET utf8mb4 PATH '$[0]', c2 LONGTEXT CHARACTER SET utf8mb4 PATH '$[1]', c3 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]', c4 LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]', c5 LONGTEXT CHARACTER SET utf8mb4 PATH '$[4]', c6 LONGTEXT CHARACTER SET utf8mb4 PATH '$[5]')) AS r
WHERE NOT EXISTS (SELECT 1 FROM "invoices_tombstones" AS d WHERE d."_company_id" = r.c1 COLLATE utf8mb4_nopad_bin AND d."_integration_type" = r.c2 COLLATE utf8mb4_nopad_bin AND d."_platform_id" = r.c3 COLLATE utf8mb4_nopad_bin AND d."_version" > CAST(r.c4 AS SIGNED))
ON DUPLICATE KEY UPDATE "_deleted_at" = IF(VALUES("_version") >= "invoices"."_version", VALUES("_deleted_at"), "invoices"."_deleted_at"), "amount" = IF(VALUES("_version") >= "invoices"."_version", VALUES("amount"), "invoices"."amount"), "_synced_at" = IF(VALUES("_version") >= "invoices"."_version", VALUES("_synced_at"), "invoices"."_synced_at"), "_version" = IF(VALUES("_company_id") = "invoices"."_company_id" AND VALUES("_integration_type") = "invoices"."_integration_type" AND VALUES("_platform_id") = "invoices"."_platform_id", GREATEST(VALUES("_version"), "invoices"."_version"), NULL);

DELETE t FROM "invoices_tombstones" AS t JOIN JSON_TABLE(?, '$[*]' COLUMNS (c1 LONGTEXT CHARACTER SET utf8mb4 PATH '$[0]', c2 LONGTEXT CHARACTER SET utf8mb4 PATH '$[1]', c3 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]', c4 LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]')) AS r
ON t."_company_id" = r.c1 COLLATE utf8mb4_nopad_bin AND t."_integration_type" = r.c2 COLLATE utf8mb4_nopad_bin AND t."_platform_id" = r.c3 COLLATE utf8mb4_nopad_bin AND t."_version" <= CAST(r.c4 AS SIGNED);

-- changes

CREATE TABLE IF NOT EXISTS "invoices_changes" (
	"_idempotency_key" varchar(765) NOT NULL,
	"_source" longtext,
	"_company_id" longtext,
	"_integration_type" longtext,
	"_model" longtext,
	"_platform_id" longtext,
	"_event_id" longtext,
	"_event_kind" longtext,
	"_operation" longtext,
	"_sequence" bigint,
	"_occurred_at" datetime(6),
	"_synced_at" datetime(6),
	"body" longtext COMMENT 'JSON',
	PRIMARY KEY ("_idempotency_key")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

INSERT INTO "invoices_changes" ("_idempotency_key", "_source", "_company_id", "_integration_type", "_model", "_platform_id", "_event_id", "_event_kind", "_operation", "_sequence", "_occurred_at", "body", "_synced_at")
SELECT r.c1, r.c2, r.c3, r.c4, r.c5, r.c6, r.c7, r.c8, r.c9, r.c10, STR_TO_DATE(r.c11, '%Y-%m-%dT%H:%i:%s.%fZ'), r.c12, UTC_TIMESTAMP(6)
FROM JSON_TABLE(?, '$[*]' COLUMNS (c1 LONGTEXT CHARACTER SET utf8mb4 PATH '$[0]', c2 LONGTEXT CHARACTER SET utf8mb4 PATH '$[1]', c3 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]', c4 LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]', c5 LONGTEXT CHARACTER SET utf8mb4 PATH '$[4]', c6 LONGTEXT CHARACTER SET utf8mb4 PATH '$[5]', c7 LONGTEXT CHARACTER SET utf8mb4 PATH '$[6]', c8 LONGTEXT CHARACTER SET utf8mb4 PATH '$[7]', c9 LONGTEXT CHARACTER SET utf8mb4 PATH '$[8]', c10 LONGTEXT CHARACTER SET utf8mb4 PATH '$[9]', c11 LONGTEXT CHARACTER SET utf8mb4 PATH '$[10]', c12 LONGTEXT CHARACTER SET utf8mb4 PATH '$[11]')) AS r
ON DUPLICATE KEY UPDATE "_idempotency_key" = IF(VALUES("_idempotency_key") = "invoices_changes"."_idempotency_key", "invoices_changes"."_idempotency_key", NULL);

-- a new column

ALTER TABLE "invoices" ADD COLUMN "extra" longtext COMMENT 'JSON';

-- a wider column: number

ALTER TABLE "invoices" MODIFY COLUMN "amount" longtext;

UPDATE "invoices" SET "amount" = TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM "amount")) WHERE "amount" LIKE '%.%';

-- a wider column: boolean

ALTER TABLE "invoices" MODIFY COLUMN "paid" longtext;

UPDATE "invoices" SET "paid" = IF("paid" = '0', 'false', 'true') WHERE "paid" IN ('0', '1');

-- a wider column: timestamp

ALTER TABLE "invoices" MODIFY COLUMN "due_at" longtext;

UPDATE "invoices" SET "due_at" = CONCAT(REPLACE("due_at", ' ', 'T'), 'Z') WHERE "due_at" LIKE '____-__-__ __:__:__.______';

