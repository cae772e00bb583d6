-- +goose Up

-- The keys of a sandbox that was given a database and no directory: they would be lost with each process. Nothing but a sandbox writes here.
CREATE TABLE sandbox_keys (
    id           smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    signing_keys text NOT NULL,
    data_keys    text NOT NULL
);
