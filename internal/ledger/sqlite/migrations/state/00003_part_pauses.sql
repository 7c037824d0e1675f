-- +goose Up
-- Objects and accounts of a destination that are not tried for a while; the rest
-- of it goes on.
CREATE TABLE part_pauses (
    destination TEXT NOT NULL,
    scope       TEXT NOT NULL,
    part        TEXT NOT NULL,
    message     TEXT NOT NULL,
    since       INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    PRIMARY KEY (destination, scope, part)
) STRICT, WITHOUT ROWID;
