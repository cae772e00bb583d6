-- +goose Up

-- When an import last brought another residence of somebody, or the first one of somebody registered here. Letters with half of a PIN
-- are not sent there at once, since one administrator alone could have written it.
ALTER TABLE register_people ADD COLUMN moved_at timestamp;

-- SQLite cannot change a condition, so the column is made anew.
ALTER TABLE pin_requests ADD COLUMN waits_for text CHECK (waits_for IN ('not_in_register', 'data_differ', 'has_pin', 'recently_moved'));
UPDATE pin_requests SET waits_for = waits_because;
ALTER TABLE pin_requests DROP COLUMN waits_because;
ALTER TABLE pin_requests RENAME COLUMN waits_for TO waits_because;
