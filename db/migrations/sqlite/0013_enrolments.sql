-- +goose Up

-- Requests for access to a contributor: SC65 (natural-person employers, legal representatives) and RA012 (services of
-- public bodies). Each is protocolled, and decided by the office.
CREATE TABLE enrolments (
    id text PRIMARY KEY,
    form text NOT NULL CHECK (form IN ('SC65', 'RA012')),
    person_id text NOT NULL REFERENCES people (id),
    contributor_id text NOT NULL REFERENCES contributors (id),
    office_code text NOT NULL REFERENCES offices (code),
    -- Service codes as a JSON array; none with SC65.
    services text NOT NULL,
    notes text,
    protocol_number text NOT NULL,
    digest text NOT NULL,
    -- Filed with ordinary credentials, whatever became of it since.
    awaited boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('submitted', 'awaiting_credentials', 'accepted', 'not_accepted', 'lapsed')),
    submitted_at timestamp NOT NULL,
    decided_by text REFERENCES people (id),
    decided_at timestamp,
    reason text,
    version integer NOT NULL,
    CHECK ((state IN ('accepted', 'not_accepted')) = (decided_at IS NOT NULL)),
    CHECK ((form = 'SC65') = (services = '[]'))
);
-- One that is open for each person, contributor and form.
CREATE UNIQUE INDEX enrolments_open ON enrolments (person_id, contributor_id, form) WHERE state IN ('submitted', 'awaiting_credentials');
CREATE INDEX enrolments_by_person ON enrolments (person_id, submitted_at, id);
CREATE INDEX enrolments_by_office ON enrolments (office_code, submitted_at, id);
CREATE INDEX enrolments_by_office_state ON enrolments (office_code, state, submitted_at, id);
CREATE INDEX enrolments_awaiting ON enrolments (submitted_at, id) WHERE state = 'awaiting_credentials';

-- Whoever has a role at the contributor was enabled on 2023-03-31 for the services of public bodies, and need not ask again.
ALTER TABLE contributors ADD COLUMN enabled_2023 boolean NOT NULL DEFAULT false;
