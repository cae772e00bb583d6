-- +goose Up

-- What was erased of the trail: leaves whose rows have no more than is left of them, with the digest of that, and the audit record of the erasure,
-- which commits to all that it erased.
CREATE TABLE log_erasures (
    position bigint PRIMARY KEY,
    digest blob NOT NULL,
    record_id text NOT NULL
);
CREATE INDEX log_erasures_by_record ON log_erasures (record_id, position);
-- +goose StatementBegin
CREATE TRIGGER log_erasures_are_final_updated BEFORE UPDATE ON log_erasures FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of log_erasures are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_erasures_are_final_deleted BEFORE DELETE ON log_erasures FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of log_erasures are final');
END;
-- +goose StatementEnd

-- Rows are final but for what an erasure names; what was done, when and with which outcome stays.
DROP TRIGGER audit_records_are_final_updated;
-- +goose StatementBegin
CREATE TRIGGER audit_records_are_final_updated BEFORE UPDATE ON audit_records FOR EACH ROW
WHEN NOT ((NEW.id, NEW.at, NEW.operation, NEW.outcome) = (OLD.id, OLD.at, OLD.operation, OLD.outcome)
    AND NEW.person_id IS NULL AND NEW.session_id IS NULL AND NEW.address = 'erased'
    AND EXISTS (SELECT 1 FROM log_erasures x JOIN log_entries l ON l.position = x.position WHERE l.row_id = OLD.id AND l.kind = 'audit'))
BEGIN
    SELECT RAISE(ABORT, 'rows of audit_records are final');
END;
-- +goose StatementEnd
DROP TRIGGER log_entries_are_final_updated;
-- +goose StatementBegin
CREATE TRIGGER log_entries_are_final_updated BEFORE UPDATE ON log_entries FOR EACH ROW
WHEN NOT (length(NEW.salt) = 0
    AND (NEW.position, NEW.kind, NEW.row_id, NEW.digest) = (OLD.position, OLD.kind, OLD.row_id, OLD.digest)
    AND EXISTS (SELECT 1 FROM log_erasures x WHERE x.position = OLD.position))
BEGIN
    SELECT RAISE(ABORT, 'rows of log_entries are final');
END;
-- +goose StatementEnd

-- The newest checkpoint that each witness cosigned: the log's, with the witness's line behind it.
CREATE TABLE log_cosignatures (
    witness text PRIMARY KEY,
    size bigint NOT NULL,
    checkpoint text NOT NULL
);

-- The trail is searched by time.
CREATE INDEX audit_records_by_time ON audit_records (at);
