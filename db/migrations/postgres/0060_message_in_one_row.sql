-- +goose Up

-- A message of which it is known where it goes when it is promised, and that goes to one recipient, has no row but its delivery. Programs of before
-- send what they find in a row of its own, and leave the others until a program of now takes them.
ALTER TABLE deliveries ALTER COLUMN message_id DROP NOT NULL;
ALTER TABLE deliveries ADD COLUMN data text;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_message CHECK ((message_id IS NULL) = (data IS NOT NULL) AND (data IS NULL OR person_id IS NOT NULL));
CREATE INDEX deliveries_by_person ON deliveries (person_id, created_at, id) WHERE message_id IS NULL;
DROP INDEX deliveries_by_message;
CREATE INDEX deliveries_by_message ON deliveries (message_id) WHERE message_id IS NOT NULL;

-- Deliveries are listed in the order of their ids, which is that in which they were made.
DROP INDEX deliveries_by_time;
DROP INDEX deliveries_by_state;
CREATE INDEX deliveries_by_state ON deliveries (state, channel, id);
