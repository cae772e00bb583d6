-- +goose Up

-- Up to which instant each kind of due event was done.
CREATE TABLE due_marks (
    source text PRIMARY KEY,
    done_until timestamptz NOT NULL
);

-- What has been over for long is forgotten.
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
