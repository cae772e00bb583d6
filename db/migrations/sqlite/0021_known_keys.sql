-- +goose Up

-- The data keys that this database knows, never the keys themselves: a process that has not got all that are in use does not start.
CREATE TABLE data_keys (
    id text PRIMARY KEY,
    -- A keyed digest that tells two keys with one id apart.
    check_value text NOT NULL,
    created_at timestamp NOT NULL,
    -- Since when something may be written with it; null until every process knows it.
    used_at timestamp,
    -- Since when no process needs it any more.
    retired_at timestamp
);

-- The processes that serve this database, and the ids of the keys that each knows.
CREATE TABLE processes (
    id text PRIMARY KEY,
    name text NOT NULL,
    data_keys text NOT NULL,
    signing_keys text NOT NULL,
    started_at timestamp NOT NULL,
    seen_at timestamp NOT NULL
);

-- Signing keys that are believed no more: what they signed counts only if the register has it.
CREATE TABLE signing_key_revocations (
    kid text PRIMARY KEY REFERENCES signing_keys (kid),
    revoked_at timestamp NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    created_at timestamp NOT NULL
);
-- +goose StatementBegin
CREATE TRIGGER signing_key_revocations_are_final_updated BEFORE UPDATE ON signing_key_revocations FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of signing_key_revocations are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signing_key_revocations_are_final_deleted BEFORE DELETE ON signing_key_revocations FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of signing_key_revocations are final');
END;
-- +goose StatementEnd

-- Numbers that were left out on purpose, after a database was restored: what was lost may have had them.
CREATE TABLE protocol_reserves (
    office_code text NOT NULL REFERENCES offices (code),
    year integer NOT NULL,
    first_number integer NOT NULL CHECK (first_number >= 1),
    last_number integer NOT NULL CHECK (last_number BETWEEN first_number AND 9999999),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    at timestamp NOT NULL,
    PRIMARY KEY (office_code, year, first_number)
);
-- +goose StatementBegin
CREATE TRIGGER protocol_reserves_are_final_updated BEFORE UPDATE ON protocol_reserves FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of protocol_reserves are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER protocol_reserves_are_final_deleted BEFORE DELETE ON protocol_reserves FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of protocol_reserves are final');
END;
-- +goose StatementEnd
