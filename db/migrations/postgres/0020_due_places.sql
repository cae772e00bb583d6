-- +goose Up

-- Many events may be due at one instant and are done some at a time: up to which of those, in the order of their ids. The last id stands
-- for all.
ALTER TABLE due_marks ADD COLUMN done_id uuid NOT NULL DEFAULT 'ffffffff-ffff-ffff-ffff-ffffffffffff';
