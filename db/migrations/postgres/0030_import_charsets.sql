-- +goose Up

-- How the sender of a CSV says that it is written; "" is UTF-8.
ALTER TABLE register_imports ADD COLUMN charset text NOT NULL DEFAULT '';
