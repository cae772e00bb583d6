-- +goose Up

-- The log of the trail: a Merkle tree (RFC 9162) over audit records and entries of the register, in the order in which they were sealed. A leaf is
-- a digest over salt and row, so the log says nothing of the row.
CREATE TABLE log_entries (
    position bigint PRIMARY KEY,
    -- audit: of audit_records, by id; register: of protocol_entries with its receipt, by subject_id.
    kind text NOT NULL CHECK (kind IN ('audit', 'register')),
    row_id text NOT NULL,
    salt blob NOT NULL,
    digest blob NOT NULL,
    UNIQUE (row_id, kind)
);
-- +goose StatementBegin
CREATE TRIGGER log_entries_are_final_updated BEFORE UPDATE ON log_entries FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of log_entries are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_entries_are_final_deleted BEFORE DELETE ON log_entries FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of log_entries are final');
END;
-- +goose StatementEnd

-- The tree's hashes, 256 of a level in a row; the last row of a level may have fewer.
CREATE TABLE log_tiles (
    level integer NOT NULL,
    number bigint NOT NULL,
    hashes blob NOT NULL,
    PRIMARY KEY (level, number)
);

-- How far each office's part of the register is sealed.
CREATE TABLE log_offices (
    office_code text PRIMARY KEY,
    year integer NOT NULL,
    number integer NOT NULL
);

-- How far the log has come. Who seals changes the row first.
CREATE TABLE log_state (
    id integer PRIMARY KEY CHECK (id = 0),
    revision bigint NOT NULL,
    size bigint NOT NULL,
    -- On PostgreSQL: transactions before this one are sealed.
    mark text,
    behind text,
    -- The last row of audit_records that is sealed.
    last_row bigint NOT NULL,
    -- The day on which records without a time were sealed last; they are sealed once a day, together.
    day text NOT NULL,
    -- The newest signed checkpoint; empty before the first.
    checkpoint text NOT NULL
);
INSERT INTO log_state (id, revision, size, last_row, day, checkpoint) VALUES (0, 0, 0, 0, '', '');

ALTER TABLE sandbox_keys ADD COLUMN audit_keys text;
