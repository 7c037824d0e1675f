-- records into a new table

CREATE TABLE IF NOT EXISTS `project.rootfi.invoices` (
	`_company_id` STRING NOT NULL,
	`_integration_type` STRING NOT NULL,
	`_platform_id` STRING NOT NULL,
	`_version` INT64 NOT NULL,
	`_deleted_at` TIMESTAMP,
	`_synced_at` TIMESTAMP,
	`amount` BIGNUMERIC,
	`due_at` TIMESTAMP,
	`extra` STRING,
	`lines` STRING,
	`memo` STRING,
	`paid` BOOL,
	PRIMARY KEY (`_company_id`, `_integration_type`, `_platform_id`) NOT ENFORCED
)
CLUSTER BY `_company_id`, `_integration_type`, `_platform_id`;

MERGE INTO `project.rootfi.invoices` AS t
USING (SELECT JSON_VALUE(r, '$[0]') AS c1, JSON_VALUE(r, '$[1]') AS c2, JSON_VALUE(r, '$[2]') AS c3, CAST(JSON_VALUE(r, '$[3]') AS INT64) AS c4, CAST(JSON_VALUE(r, '$[4]') AS TIMESTAMP) AS c5, CAST(JSON_VALUE(r, '$[5]') AS BIGNUMERIC) AS c6, JSON_VALUE(r, '$[6]') AS c7, JSON_VALUE(r, '$[7]') AS c8, JSON_VALUE(r, '$[8]') AS m FROM UNNEST(JSON_QUERY_ARRAY(@rows1)) AS r) AS s
ON t.`_company_id` = s.c1 AND t.`_integration_type` = s.c2 AND t.`_platform_id` = s.c3
WHEN MATCHED AND t.`_version` <= s.c4 THEN UPDATE SET `_version` = s.c4, `_deleted_at` = s.c5, `amount` = CASE WHEN SUBSTR(s.m, 6, 1) = '1' THEN s.c6 ELSE t.`amount` END, `extra` = CASE WHEN SUBSTR(s.m, 7, 1) = '1' THEN s.c7 ELSE t.`extra` END, `memo` = CASE WHEN SUBSTR(s.m, 8, 1) = '1' THEN s.c8 ELSE t.`memo` END, `_synced_at` = CURRENT_TIMESTAMP()
WHEN NOT MATCHED THEN INSERT (`_company_id`, `_integration_type`, `_platform_id`, `_version`, `_deleted_at`, `amount`, `extra`, `memo`, `_synced_at`) VALUES (s.c1, s.c2, s.c3, s.c4, s.c5, s.c6, s.c7, s.c8, CURRENT_TIMESTAMP());

-- records, hard deletes

CREATE TABLE IF NOT EXISTS `project.rootfi.invoices_tombstones` (
	`_company_id` STRING NOT NULL,
	`_integration_type` STRING NOT NULL,
	`_platform_id` STRING NOT NULL,
	`_version` INT64 NOT NULL,
	`_deleted_at` TIMESTAMP,
	`_synced_at` TIMESTAMP,
	PRIMARY KEY (`_company_id`, `_integration_type`, `_platform_id`) NOT ENFORCED
)
CLUSTER BY `_company_id`, `_integration_type`, `_platform_id`;

CREATE TABLE IF NOT EXISTS `project.rootfi.invoices` (
	`_company_id` STRING NOT NULL,
	`_integration_type` STRING NOT NULL,
	`_platform_id` STRING NOT NULL,
	`_version` INT64 NOT NULL,
	`_deleted_at` TIMESTAMP,
	`_synced_at` TIMESTAMP,
	`amount` BIGNUMERIC,
	`due_at` TIMESTAMP,
	`lines` STRING,
	`memo` STRING,
	`paid` BOOL,
	PRIMARY KEY (`_company_id`, `_integration_type`, `_platform_id`) NOT ENFORCED
)
CLUSTER BY `_company_id`, `_integration_type`, `_platform_id`;

MERGE INTO `project.rootfi.invoices_tombstones` AS t
USING (SELECT JSON_VALUE(r, '$[0]') AS c1, JSON_VALUE(r, '$[1]') AS c2, JSON_VALUE(r, '$[2]') AS c3, CAST(JSON_VALUE(r, '$[3]') AS INT64) AS c4, CAST(JSON_VALUE(r, '$[4]') AS TIMESTAMP) AS c5 FROM UNNEST(JSON_QUERY_ARRAY(@rows1)) AS r) AS s
ON t.`_company_id` = s.c1 AND t.`_integration_type` = s.c2 AND t.`_platform_id` = s.c3
WHEN MATCHED AND t.`_version` <= s.c4 THEN UPDATE SET `_version` = s.c4, `_deleted_at` = s.c5, `_synced_at` = CURRENT_TIMESTAMP()
WHEN NOT MATCHED THEN INSERT (`_company_id`, `_integration_type`, `_platform_id`, `_version`, `_deleted_at`, `_synced_at`) VALUES (s.c1, s.c2, s.c3, s.c4, s.c5, CURRENT_TIMESTAMP());

MERGE INTO `project.rootfi.invoices` AS t
USING (SELECT JSON_VALUE(r, '$[0]') AS c1, JSON_VALUE(r, '$[1]') AS c2, JSON_VALUE(r, '$[2]') AS c3, CAST(JSON_VALUE(r, '$[3]') AS INT64) AS c4 FROM UNNEST(JSON_QUERY_ARRAY(@rows1)) AS r) AS s
ON t.`_company_id` = s.c1 AND t.`_integration_type` = s.c2 AND t.`_platform_id` = s.c3
WHEN MATCHED AND t.`_version` <= s.c4 THEN DELETE;

MERGE INTO `project.rootfi.invoices` AS t
USING (SELECT r.* FROM (SELECT JSON_VALUE(r, '$[0]') AS c1, JSON_VALUE(r, '$[1]') AS c2, JSON_VALUE(r, '$[2]') AS c3, CAST(JSON_VALUE(r, '$[3]') AS INT64) AS c4, CAST(JSON_VALUE(r, '$[4]') AS TIMESTAMP) AS c5, CAST(JSON_VALUE(r, '$[5]') AS BIGNUMERIC) AS c6 FROM UNNEST(JSON_QUERY_ARRAY(@rows1)) AS r) AS r
	LEFT JOIN `project.rootfi.invoices_tombstones` AS d ON d.`_company_id` = r.c1 AND d.`_integration_type` = r.c2 AND d.`_platform_id` = r.c3 AND d.`_version` > r.c4
	WHERE d.`_company_id` IS NULL) AS s
ON t.`_company_id` = s.c1 AND t.`_integration_type` = s.c2 AND t.`_platform_id` = s.c3
WHEN MATCHED AND t.`_version` <= s.c4 THEN UPDATE SET `_version` = s.c4, `_deleted_at` = s.c5, `amount` = s.c6, `_synced_at` = CURRENT_TIMESTAMP()
WHEN NOT MATCHED THEN INSERT (`_company_id`, `_integration_type`, `_platform_id`, `_version`, `_deleted_at`, `amount`, `_synced_at`) VALUES (s.c1, s.c2, s.c3, s.c4, s.c5, s.c6, CURRENT_TIMESTAMP());

MERGE INTO `project.rootfi.invoices_tombstones` AS t
USING (SELECT JSON_VALUE(r, '$[0]') AS c1, JSON_VALUE(r, '$[1]') AS c2, JSON_VALUE(r, '$[2]') AS c3, CAST(JSON_VALUE(r, '$[3]') AS INT64) AS c4 FROM UNNEST(JSON_QUERY_ARRAY(@rows1)) AS r) AS s
ON t.`_company_id` = s.c1 AND t.`_integration_type` = s.c2 AND t.`_platform_id` = s.c3
WHEN MATCHED AND t.`_version` <= s.c4 THEN DELETE;

-- changes

CREATE TABLE IF NOT EXISTS `project.rootfi.invoices_changes` (
	`_idempotency_key` STRING NOT NULL,
	`_source` STRING,
	`_company_id` STRING,
	`_integration_type` STRING,
	`_model` STRING,
	`_platform_id` STRING,
	`_event_id` STRING,
	`_event_kind` STRING,
	`_operation` STRING,
	`_sequence` INT64,
	`_occurred_at` TIMESTAMP,
	`_synced_at` TIMESTAMP,
	`body` STRING,
	PRIMARY KEY (`_idempotency_key`) NOT ENFORCED
)
CLUSTER BY `_idempotency_key`;

MERGE INTO `project.rootfi.invoices_changes` AS t
USING (SELECT JSON_VALUE(r, '$[0]') AS c1, JSON_VALUE(r, '$[1]') AS c2, JSON_VALUE(r, '$[2]') AS c3, JSON_VALUE(r, '$[3]') AS c4, JSON_VALUE(r, '$[4]') AS c5, JSON_VALUE(r, '$[5]') AS c6, JSON_VALUE(r, '$[6]') AS c7, JSON_VALUE(r, '$[7]') AS c8, JSON_VALUE(r, '$[8]') AS c9, CAST(JSON_VALUE(r, '$[9]') AS INT64) AS c10, CAST(JSON_VALUE(r, '$[10]') AS TIMESTAMP) AS c11, JSON_VALUE(r, '$[11]') AS c12 FROM UNNEST(JSON_QUERY_ARRAY(@rows1)) AS r) AS s
ON t.`_idempotency_key` = s.c1
WHEN NOT MATCHED THEN INSERT (`_idempotency_key`, `_source`, `_company_id`, `_integration_type`, `_model`, `_platform_id`, `_event_id`, `_event_kind`, `_operation`, `_sequence`, `_occurred_at`, `body`, `_synced_at`) VALUES (s.c1, s.c2, s.c3, s.c4, s.c5, s.c6, s.c7, s.c8, s.c9, s.c10, s.c11, s.c12, CURRENT_TIMESTAMP());

-- a new column

ALTER TABLE `project.rootfi.invoices` ADD COLUMN IF NOT EXISTS `extra` STRING;

-- a wider column: number

ALTER TABLE `project.rootfi.invoices` DROP COLUMN IF EXISTS `_sluice_aside`;

ALTER TABLE `project.rootfi.invoices` ADD COLUMN `_sluice_aside` STRING;

UPDATE `project.rootfi.invoices` SET `_sluice_aside` = CAST(`amount` AS STRING) WHERE TRUE;

ALTER TABLE `project.rootfi.invoices` RENAME COLUMN `amount` TO `_sluice_aside`, RENAME COLUMN `_sluice_aside` TO `amount`;

ALTER TABLE `project.rootfi.invoices` DROP COLUMN `_sluice_aside`;

-- a wider column: boolean

ALTER TABLE `project.rootfi.invoices` DROP COLUMN IF EXISTS `_sluice_aside`;

ALTER TABLE `project.rootfi.invoices` ADD COLUMN `_sluice_aside` STRING;

UPDATE `project.rootfi.invoices` SET `_sluice_aside` = CAST(`paid` AS STRING) WHERE TRUE;

ALTER TABLE `project.rootfi.invoices` RENAME COLUMN `paid` TO `_sluice_aside`, RENAME COLUMN `_sluice_aside` TO `paid`;

ALTER TABLE `project.rootfi.invoices` DROP COLUMN `_sluice_aside`;

-- a wider column: timestamp

ALTER TABLE `project.rootfi.invoices` DROP COLUMN IF EXISTS `_sluice_aside`;

ALTER TABLE `project.rootfi.invoices` ADD COLUMN `_sluice_aside` STRING;

UPDATE `project.rootfi.invoices` SET `_sluice_aside` = FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', `due_at`) WHERE TRUE;

ALTER TABLE `project.rootfi.invoices` RENAME COLUMN `due_at` TO `_sluice_aside`, RENAME COLUMN `_sluice_aside` TO `due_at`;

ALTER TABLE `project.rootfi.invoices` DROP COLUMN `_sluice_aside`;

