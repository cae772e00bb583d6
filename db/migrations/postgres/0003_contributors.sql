-- +goose Up

CREATE TABLE contributors (
    id uuid PRIMARY KEY,
    tax_code text NOT NULL UNIQUE,
    legal_name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('company', 'public_body', 'self_employed', 'household')),
    created_at timestamptz NOT NULL
);
CREATE INDEX contributors_by_legal_name ON contributors (legal_name, id);

CREATE TABLE positions (
    id uuid PRIMARY KEY,
    contributor_id uuid NOT NULL REFERENCES contributors (id),
    number text NOT NULL UNIQUE CHECK (length(number) = 10),
    scheme text NOT NULL,
    office_code text NOT NULL REFERENCES offices (code),
    state text NOT NULL CHECK (state IN ('active', 'ceased')),
    created_at timestamptz NOT NULL,
    UNIQUE (contributor_id, id)
);
CREATE INDEX positions_by_office ON positions (office_code, contributor_id);

CREATE TABLE contributor_roles (
    id uuid PRIMARY KEY,
    contributor_id uuid NOT NULL REFERENCES contributors (id),
    person_id uuid NOT NULL REFERENCES people (id),
    role text NOT NULL CHECK (role IN ('legal_representative', 'employee_delegate', 'employer', 'user_administrator')),
    -- Service codes as a JSON array; ["*"] stands for all, those to come included.
    services text NOT NULL,
    granted_at timestamptz NOT NULL,
    withdrawn_at timestamptz
);
CREATE UNIQUE INDEX contributor_roles_live ON contributor_roles (person_id, contributor_id, role) WHERE withdrawn_at IS NULL;
