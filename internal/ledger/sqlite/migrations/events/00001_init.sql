-- +goose Up
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY, -- given out by the writer; never used twice
    source      TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    hash        TEXT,                -- the id as derived from the body; null for an id of the payload
    kind        TEXT NOT NULL,
    format      TEXT NOT NULL,
    created_at  INTEGER,             -- microseconds since the Unix epoch, here and below
    received_at INTEGER NOT NULL,
    company_id  TEXT NOT NULL,
    integration TEXT NOT NULL,
    model       TEXT NOT NULL,
    operation   TEXT NOT NULL,
    sync_id     TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    status      TEXT NOT NULL,
    sync_type   TEXT NOT NULL,
    records     INTEGER NOT NULL,
    body        BLOB NOT NULL,
    UNIQUE (source, event_id)
) STRICT;

CREATE INDEX events_hash ON events (source, hash, seq) WHERE hash IS NOT NULL;

CREATE TABLE batches (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    first_seq  INTEGER NOT NULL, -- 0 for a batch without events
    last_seq   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    done       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX batches_range ON batches (last_seq, first_seq);
CREATE INDEX batches_undone ON batches (id) WHERE done = 0;

-- One row. Events up to claimed_seq have been given to batches. It outlives
-- both, so no sequence number comes back after retention removed them.
CREATE TABLE cursor (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    claimed_seq INTEGER NOT NULL
) STRICT;

INSERT INTO cursor (id, claimed_seq) VALUES (1, 0);
