-- +goose Up

CREATE TABLE contributors (
    id text PRIMARY KEY,
    tax_code text NOT NULL UNIQUE,
    legal_name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('company', 'public_body', 'self_employed', 'household')),
    created_at timestamp NOT NULL
);
CREATE INDEX contributors_by_legal_name ON contributors (legal_name, id);

CREATE TABLE positions (
    id text PRIMARY KEY,
    contributor_id text NOT NULL REFERENCES contributors (id),
    number text NOT NULL UNIQUE CHECK (length(number) = 10),
    scheme text NOT NULL,
    office_code text NOT NULL REFERENCES offices (code),
    state text NOT NULL CHECK (state IN ('active', 'ceased')),
    created_at timestamp NOT NULL,
    UNIQUE (contributor_id, id)
);
CREATE INDEX positions_by_office ON positions (office_code, contributor_id);

CREATE TABLE contributor_roles (
    id text PRIMARY KEY,
    contributor_id text NOT NULL REFERENCES contributors (id),
    person_id text NOT NULL REFERENCES people (id),
    role text NOT NULL CHECK (role IN ('legal_representative', 'employee_delegate', 'employer', 'user_administrator')),
    -- Service codes as a JSON array; ["*"] stands for all, those to come included.
    services text NOT NULL,
    granted_at timestamp NOT NULL,
    withdrawn_at timestamp
);
CREATE UNIQUE INDEX contributor_roles_live ON contributor_roles (person_id, contributor_id, role) WHERE withdrawn_at IS NULL;
