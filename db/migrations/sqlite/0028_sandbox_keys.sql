-- +goose Up

-- The keys of a sandbox that was given a database and no directory: they would be lost with each process. Nothing but a sandbox writes here.
CREATE TABLE sandbox_keys (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    signing_keys TEXT NOT NULL,
    data_keys    TEXT NOT NULL
);
