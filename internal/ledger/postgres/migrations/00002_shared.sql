-- +goose Up
-- What one instance does for all, until the moment.
CREATE TABLE tasks (
    name     text PRIMARY KEY,
    instance text NOT NULL,
    until    timestamptz NOT NULL -- by the clock of this server, here and below
) WITH (fillfactor = 50);

-- When the next write to a destination with a rate limit may begin.
CREATE TABLE paces (
    destination text PRIMARY KEY,
    next        timestamptz NOT NULL
) WITH (fillfactor = 50);

UPDATE ledger_schema SET version = 2;
