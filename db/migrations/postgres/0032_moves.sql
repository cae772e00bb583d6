-- +goose Up

-- When an import last brought another residence of somebody, or the first one of somebody registered here. Letters with half of a PIN
-- are not sent there at once, since one administrator alone could have written it.
ALTER TABLE register_people ADD COLUMN moved_at timestamptz;

ALTER TABLE pin_requests DROP CONSTRAINT pin_requests_waits_because_check;
ALTER TABLE pin_requests ADD CONSTRAINT pin_requests_waits_because_check
    CHECK (waits_because IN ('not_in_register', 'data_differ', 'has_pin', 'recently_moved'));
