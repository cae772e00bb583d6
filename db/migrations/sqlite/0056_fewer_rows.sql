-- +goose Up

-- The receipt stands in the line of the register that it is about.
CREATE TABLE new_protocol_entries (
    office_code text NOT NULL,
    year integer NOT NULL,
    number integer NOT NULL CHECK (number BETWEEN 1 AND 9999999),
    at timestamp NOT NULL,
    kind text NOT NULL,
    subject_id text NOT NULL UNIQUE,
    digest text NOT NULL,
    jws text,
    -- What was filed was then in this state and version: a repeat of the request is answered from this.
    filed_state text,
    filed_version integer,
    PRIMARY KEY (office_code, year, number),
    CHECK ((jws IS NULL) = (filed_state IS NULL) AND (jws IS NULL) = (filed_version IS NULL) AND (kind <> 'declaration' OR jws IS NOT NULL))
);
INSERT INTO new_protocol_entries (office_code, year, number, at, kind, subject_id, digest, jws, filed_state, filed_version)
    SELECT e.office_code, e.year, e.number, e.at, e.kind, e.subject_id, e.digest, x.jws, x.state, x.version
    FROM protocol_entries e LEFT JOIN receipts x ON x.declaration_id = e.subject_id;

DROP TRIGGER protocol_entries_are_final_updated;
DROP TRIGGER protocol_entries_are_final_deleted;
DROP TABLE protocol_entries;
ALTER TABLE new_protocol_entries RENAME TO protocol_entries;
-- +goose StatementBegin
CREATE TRIGGER protocol_entries_are_final_updated BEFORE UPDATE ON protocol_entries FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of protocol_entries are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER protocol_entries_are_final_deleted BEFORE DELETE ON protocol_entries FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of protocol_entries are final');
END;
-- +goose StatementEnd

DROP TABLE receipts;

-- A program of before would file without one. One process has the database, so nobody has to go on beside another.
UPDATE schema_compatibility SET oldest_program = 56;
