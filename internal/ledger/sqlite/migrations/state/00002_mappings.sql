-- +goose Up
-- Elements of a record's lists that the destination may have, by object (JSON).
ALTER TABLE deliveries ADD COLUMN children TEXT;
-- Since when it waits for a parent, less the pauses until then (table clocks).
ALTER TABLE deliveries ADD COLUMN blocked INTEGER;

-- Who waits for which record at which destination. A row may be left behind when
-- the one that waits has gone on; the parent's next delivery removes it.
CREATE TABLE parents (
    destination INTEGER NOT NULL, -- names
    scope       INTEGER NOT NULL,
    platform_id TEXT NOT NULL,
    delivery_id INTEGER NOT NULL,
    PRIMARY KEY (destination, scope, platform_id, delivery_id)
) STRICT, WITHOUT ROWID;

-- Events that no route takes.
CREATE TABLE unrouted (
    event_seq INTEGER PRIMARY KEY
) STRICT;

-- Of the configuration that applied the batch last (names); 0: not known.
ALTER TABLE batches ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
