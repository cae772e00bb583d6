-- +goose Up

-- The order in which lists over many contributors are walked.
CREATE INDEX declarations_by_time ON declarations (listed_at, id);
