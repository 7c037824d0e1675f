-- +goose Up
-- Objects and accounts of a destination that are not tried for a while; the rest
-- of it goes on.
CREATE TABLE part_pauses (
    destination text NOT NULL,
    scope       text NOT NULL,
    part        text NOT NULL,
    message     text NOT NULL,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    PRIMARY KEY (destination, scope, part)
);

-- The version before tries such a part again, and is asked to wait again.
UPDATE ledger_schema SET version = 4, compatible_from = 3;
