-- +goose Up

-- The receipt stands in the line of the register that it is about. receipts is not read or written from here on; a later release
-- drops it.
ALTER TABLE protocol_entries ADD COLUMN jws text;
-- What was filed was then in this state and version: a repeat of the request is answered from this.
ALTER TABLE protocol_entries ADD COLUMN filed_state text;
ALTER TABLE protocol_entries ADD COLUMN filed_version integer;
ALTER TABLE protocol_entries DISABLE TRIGGER protocol_entries_are_final;
UPDATE protocol_entries e SET jws = x.jws, filed_state = x.state, filed_version = x.version FROM receipts x WHERE x.declaration_id = e.subject_id;
ALTER TABLE protocol_entries ENABLE TRIGGER protocol_entries_are_final;
-- A program of before would file without one.
ALTER TABLE protocol_entries ADD CONSTRAINT protocol_entries_receipt CHECK ((jws IS NULL) = (filed_state IS NULL) AND
    (jws IS NULL) = (filed_version IS NULL) AND (kind <> 'declaration' OR jws IS NOT NULL));

UPDATE schema_compatibility SET oldest_program = 56;
