-- +goose Up

-- Who was enabled on 2023-03-31 has a role that says so.
ALTER TABLE contributors DROP COLUMN enabled_2023;
