-- +goose Up

-- A fund: the row that is locked while something moves in it. What it has stands in its entries.
CREATE TABLE funds (
    code text PRIMARY KEY CHECK (code <> ''),
    title text NOT NULL CHECK (title <> ''),
    created_at timestamp NOT NULL
);

-- The ledger of a fund, with the totals after each entry. The latest one is the state. Amounts are cents of a euro.
CREATE TABLE fund_entries (
    fund_code text NOT NULL REFERENCES funds (code),
    number integer NOT NULL CHECK (number > 0),
    at timestamp NOT NULL,
    kind text NOT NULL CHECK (kind IN ('budget', 'reserved', 'released', 'lapsed', 'spent', 'returned')),
    subject_id text CHECK ((subject_id IS NULL) = (kind = 'budget')),
    amount bigint NOT NULL CHECK (amount >= 0),
    budget bigint NOT NULL CHECK (budget >= 0),
    reserved bigint NOT NULL CHECK (reserved >= 0),
    spent bigint NOT NULL CHECK (spent >= 0),
    person_id text REFERENCES people (id),
    reason text,
    PRIMARY KEY (fund_code, number),
    CHECK (reserved + spent <= budget)
);
CREATE INDEX fund_entries_of_budget ON fund_entries (fund_code, number) WHERE kind = 'budget';
-- +goose StatementBegin
CREATE TRIGGER fund_entries_are_final_updated BEFORE UPDATE ON fund_entries FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of fund_entries are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER fund_entries_are_final_deleted BEFORE DELETE ON fund_entries FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of fund_entries are final');
END;
-- +goose StatementEnd

-- Who asks for money of a fund, by rank. It is served in the order of priority_date and rank.
CREATE TABLE fund_claims (
    fund_code text NOT NULL REFERENCES funds (code),
    rank integer NOT NULL CHECK (rank > 0),
    subject_id text NOT NULL UNIQUE,
    amount bigint NOT NULL CHECK (amount >= 0),
    filed_at timestamp NOT NULL,
    -- YYYY-MM-DD: the day of hire for what a deferred batch ranks by it, else the last day there is.
    priority_date text NOT NULL CHECK (length(priority_date) = 10),
    -- When it may first be decided; what is not complete yet has none.
    ready_at timestamp,
    state text NOT NULL CHECK (state IN ('pending', 'waiting', 'reserved', 'spent', 'closed')),
    ends_at timestamp CHECK ((ends_at IS NOT NULL) = (state IN ('waiting', 'reserved'))),
    hire_days integer NOT NULL,
    hire_working integer NOT NULL,
    term_days integer NOT NULL,
    term_working integer NOT NULL,
    PRIMARY KEY (fund_code, rank)
);
CREATE INDEX fund_claims_queue ON fund_claims (fund_code, priority_date, rank) WHERE state IN ('pending', 'waiting');
CREATE INDEX fund_claims_waiting ON fund_claims (fund_code, priority_date, rank) WHERE state = 'waiting';
CREATE INDEX fund_claims_ready ON fund_claims (fund_code, ready_at, priority_date, rank) WHERE state = 'pending' AND ready_at IS NOT NULL;
CREATE INDEX fund_claims_ending ON fund_claims (fund_code, ends_at, rank) WHERE state IN ('waiting', 'reserved');

-- An older program would file reservations without claiming money for them.
UPDATE schema_compatibility SET oldest_program = 35;
