-- +goose Up

-- Since when a consent reaches no contributor: its giver has no right over any that it is about. NULL where it reached one at the last look. A
-- consent ends by that only after a while, since a right may come back: an intermediary that was struck off is entered again.
ALTER TABLE consents ADD COLUMN unreached_since timestamptz;
