-- +goose Up
-- Texts that repeat in every delivery: destinations, routes, models, revisions.
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- The part of a record's key that it shares with many others.
CREATE TABLE scopes (
    id          INTEGER PRIMARY KEY,
    source      TEXT NOT NULL,
    company_id  TEXT NOT NULL,
    integration TEXT NOT NULL,
    model       TEXT NOT NULL,
    UNIQUE (source, company_id, integration, model)
) STRICT;

CREATE TABLE records (
    id          INTEGER PRIMARY KEY,
    scope       INTEGER NOT NULL,
    platform_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    deleted     INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL, -- microseconds since the Unix epoch, here and below
    state       BLOB NOT NULL,
    UNIQUE (scope, platform_id)
) STRICT;

CREATE TABLE deliveries (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    destination  INTEGER NOT NULL, -- names
    model        INTEGER NOT NULL, -- names
    route        INTEGER NOT NULL, -- names
    revision     INTEGER NOT NULL, -- names
    record_id    INTEGER,          -- of a record; null for a change or an event
    event_seq    INTEGER,          -- of a change or an event; null for a record
    idx          INTEGER,          -- of a change; negative for an event
    batch        INTEGER NOT NULL,
    state        INTEGER NOT NULL, -- 0 waiting, 1 delivered, 2 dead
    wanted       INTEGER NOT NULL,
    delivered    INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL DEFAULT 0,
    suspect      INTEGER NOT NULL DEFAULT 0,
    first_fail   INTEGER,          -- less the pauses until then (table clocks)
    due          INTEGER NOT NULL DEFAULT 0, -- 0: now
    since        INTEGER NOT NULL, -- when it last began to wait
    delivered_at INTEGER,
    error_kind   TEXT,
    code         TEXT,
    message      TEXT
) STRICT;

CREATE UNIQUE INDEX deliveries_record ON deliveries (record_id, destination) WHERE record_id IS NOT NULL;
CREATE UNIQUE INDEX deliveries_append ON deliveries (event_seq, idx, destination) WHERE event_seq IS NOT NULL;
-- Only what waits is in these, so that claims stay cheap whatever was delivered.
CREATE INDEX deliveries_ready ON deliveries (destination, batch, id, suspect) WHERE state = 0 AND due = 0;
CREATE INDEX deliveries_due ON deliveries (destination, due) WHERE state = 0 AND due > 0;
CREATE INDEX deliveries_due_batch ON deliveries (destination, batch, due) WHERE state = 0 AND due > 0;

CREATE TABLE dead_letters (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id INTEGER,          -- null for a change without a key
    destination TEXT NOT NULL,
    route       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    source      TEXT NOT NULL,
    company_id  TEXT NOT NULL,
    integration TEXT NOT NULL,
    model       TEXT NOT NULL,
    platform_id TEXT NOT NULL,
    event_seq   INTEGER NOT NULL, -- 0 for a record
    event_id    TEXT NOT NULL,
    idx         INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    error_kind  TEXT NOT NULL,
    code        TEXT NOT NULL,
    message     TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    state       TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX dead_letters_unkeyed ON dead_letters (event_seq, idx, destination) WHERE delivery_id IS NULL;
CREATE INDEX dead_letters_open ON dead_letters (id) WHERE state = 'open';
CREATE INDEX dead_letters_delivery ON dead_letters (delivery_id) WHERE state = 'open' AND delivery_id IS NOT NULL;
CREATE INDEX dead_letters_event ON dead_letters (event_seq) WHERE state = 'open' AND event_seq > 0;

-- How far a batch is applied. What was counted of it is kept so that a chunk
-- that is applied again is not counted again.
CREATE TABLE batches (
    id            INTEGER PRIMARY KEY,
    applied       INTEGER NOT NULL DEFAULT 0,
    counted_seq   INTEGER NOT NULL DEFAULT 0,
    counted_index INTEGER NOT NULL DEFAULT -1
) STRICT;

-- Deliveries by the batch that booked them last; what a batch delivered stays
-- counted there.
CREATE TABLE batch_counts (
    batch       INTEGER NOT NULL,
    destination INTEGER NOT NULL,
    model       INTEGER NOT NULL,
    waiting     INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,
    dead        INTEGER NOT NULL,
    PRIMARY KEY (batch, destination, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery_counts (
    destination INTEGER NOT NULL,
    model       INTEGER NOT NULL,
    waiting     INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,
    dead        INTEGER NOT NULL,
    PRIMARY KEY (destination, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE model_counts (
    model     TEXT PRIMARY KEY,
    changes   INTEGER NOT NULL,
    changed   INTEGER NOT NULL,
    unchanged INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pauses (
    destination TEXT PRIMARY KEY,
    reason      TEXT NOT NULL,
    message     TEXT NOT NULL,
    since       INTEGER NOT NULL,
    until       INTEGER -- null: until somebody resumes it
) STRICT, WITHOUT ROWID;

-- How long a destination has been paused in all, pauses that are over.
CREATE TABLE clocks (
    destination TEXT PRIMARY KEY,
    paused      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For reading with a shell.
CREATE VIEW delivery_list AS
SELECT d.id, n.name AS destination, m.name AS model, r.name AS route,
       s.source, s.company_id, s.integration, k.platform_id, d.event_seq, d.idx, d.batch,
       CASE d.state WHEN 0 THEN 'waiting' WHEN 1 THEN 'delivered' ELSE 'dead' END AS state,
       d.wanted, d.delivered, d.attempts, d.due, d.error_kind, d.code
FROM deliveries d
JOIN names n ON n.id = d.destination
JOIN names m ON m.id = d.model
JOIN names r ON r.id = d.route
LEFT JOIN records k ON k.id = d.record_id
LEFT JOIN scopes s ON s.id = k.scope;
