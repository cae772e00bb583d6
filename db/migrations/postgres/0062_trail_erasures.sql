-- +goose Up

-- What was erased of the trail: leaves whose rows have no more than is left of them, with the digest of that, and the audit record of the erasure,
-- which commits to all that it erased.
CREATE TABLE log_erasures (
    position bigint PRIMARY KEY,
    digest bytea NOT NULL,
    record_id uuid NOT NULL
);
CREATE INDEX log_erasures_by_record ON log_erasures (record_id, position);
CREATE TRIGGER log_erasures_are_final BEFORE UPDATE OR DELETE ON log_erasures FOR EACH ROW EXECUTE FUNCTION refuse_outside_sandbox();

-- Rows are final but for what an erasure names; what was done, when and with which outcome stays.
-- +goose StatementBegin
CREATE FUNCTION refuse_but_erase() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox') THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF TG_TABLE_NAME = 'log_entries' THEN
            IF length(NEW.salt) = 0
                AND (NEW.position, NEW.kind, NEW.row_id, NEW.digest) = (OLD.position, OLD.kind, OLD.row_id, OLD.digest)
                AND EXISTS (SELECT 1 FROM log_erasures x WHERE x.position = OLD.position) THEN
                RETURN NEW;
            END IF;
        ELSIF (NEW.id, NEW.at, NEW.operation, NEW.outcome, NEW.xact_id) = (OLD.id, OLD.at, OLD.operation, OLD.outcome, OLD.xact_id)
            AND NEW.person_id IS NULL AND NEW.session_id IS NULL AND NEW.address = 'erased'
            AND EXISTS (SELECT 1 FROM log_erasures x JOIN log_entries l ON l.position = x.position WHERE l.row_id = OLD.id AND l.kind = 'audit') THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'rows of % are final', TG_TABLE_NAME;
END
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
DROP TRIGGER audit_records_are_final ON audit_records;
CREATE TRIGGER audit_records_are_final BEFORE UPDATE OR DELETE ON audit_records FOR EACH ROW EXECUTE FUNCTION refuse_but_erase();
DROP TRIGGER log_entries_are_final ON log_entries;
CREATE TRIGGER log_entries_are_final BEFORE UPDATE OR DELETE ON log_entries FOR EACH ROW EXECUTE FUNCTION refuse_but_erase();

-- The newest checkpoint that each witness cosigned: the log's, with the witness's line behind it.
CREATE TABLE log_cosignatures (
    witness text PRIMARY KEY,
    size bigint NOT NULL,
    checkpoint text NOT NULL
);

-- The trail is searched by time. It is written in that order, so an index of blocks is enough, and costs who writes next to nothing.
CREATE INDEX audit_records_by_time ON audit_records USING brin (at) WITH (autosummarize = on);
