-- +goose Up
-- Of the configuration that applied the batch last (names); 0: not known.
ALTER TABLE batches ADD COLUMN revision bigint NOT NULL DEFAULT 0;

-- Elements of a record's lists that the destination may have, by object (JSON).
ALTER TABLE deliveries ADD COLUMN children text;
-- Since when it waits for a parent, less the pauses until then (table clocks).
ALTER TABLE deliveries ADD COLUMN blocked timestamptz;

-- Who waits for which record at which destination. A row may be left behind when
-- the one that waits has gone on; the parent's next delivery removes it.
CREATE TABLE parents (
    destination bigint NOT NULL, -- names
    scope       bigint NOT NULL,
    platform_id text NOT NULL,
    delivery_id bigint NOT NULL,
    PRIMARY KEY (destination, scope, platform_id, delivery_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Events that no route takes.
CREATE TABLE unrouted (
    event_seq bigint PRIMARY KEY
);

-- The version before reads no configuration that uses any of this. Where only
-- some instances have one that does, what waits for a parent may wait for its
-- moment.
UPDATE ledger_schema SET version = 3, compatible_from = 2;
