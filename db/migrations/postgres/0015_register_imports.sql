-- +goose Up

-- Files of registers, and how far their import has come.
CREATE TABLE register_imports (
    id uuid PRIMARY KEY,
    register text NOT NULL CHECK (register IN ('people', 'albi', 'associations', 'contributors', 'positions', 'public_body_data')),
    format text NOT NULL CHECK (format IN ('jsonl', 'csv')),
    digest text NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    -- What is to be done next; "none" is the end, after what it told and what is left of it is cleared away.
    step text NOT NULL CHECK (step IN ('check', 'adopt', 'apply', 'leave', 'tell', 'clean', 'none')),
    -- How far that has come: the last key that was applied.
    reached text NOT NULL,
    rows_read integer NOT NULL,
    lines_total integer,
    lines_done integer NOT NULL,
    -- The first lines that are wrong, as JSON.
    errors text NOT NULL,
    imported_by uuid NOT NULL REFERENCES people (id),
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    lease_owner text,
    lease_until timestamptz,
    CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'failed')))
);
CREATE INDEX register_imports_by_time ON register_imports (created_at, id);
CREATE INDEX register_imports_unfinished ON register_imports (created_at, id) WHERE step <> 'none';
CREATE INDEX register_imports_by_register ON register_imports (register, created_at, id) WHERE state <> 'failed';

-- Lines that were checked and are not applied yet. The key is what a line is known by in its register.
CREATE TABLE staged_people (
    import_id uuid NOT NULL REFERENCES register_imports (id),
    key text NOT NULL,
    line integer NOT NULL,
    given_name text NOT NULL,
    family_name text NOT NULL,
    birth_date text NOT NULL,
    birth_place text NOT NULL,
    street text NOT NULL,
    postal_code text NOT NULL,
    town text NOT NULL,
    province text NOT NULL,
    office_code text,
    PRIMARY KEY (import_id, key)
);

CREATE TABLE staged_delegates (
    import_id uuid NOT NULL REFERENCES register_imports (id),
    key text NOT NULL,
    line integer NOT NULL,
    -- The id of the intermediary if it is a new one.
    id uuid NOT NULL,
    kind text NOT NULL,
    tax_code text NOT NULL,
    legal_name text NOT NULL,
    register_code text NOT NULL,
    registration_number text NOT NULL,
    PRIMARY KEY (import_id, key)
);

CREATE TABLE staged_contributors (
    import_id uuid NOT NULL REFERENCES register_imports (id),
    key text NOT NULL,
    line integer NOT NULL,
    id uuid NOT NULL,
    role_id uuid NOT NULL,
    legal_name text NOT NULL,
    kind text NOT NULL,
    legal_representative_tax_code text,
    -- 1 or 0; empty where the line does not say.
    enabled_2023 text,
    PRIMARY KEY (import_id, key)
);

CREATE TABLE staged_positions (
    import_id uuid NOT NULL REFERENCES register_imports (id),
    key text NOT NULL,
    line integer NOT NULL,
    id uuid NOT NULL,
    contributor_tax_code text NOT NULL,
    scheme text NOT NULL,
    office_code text NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (import_id, key)
);

CREATE TABLE staged_public_body_data (
    import_id uuid NOT NULL REFERENCES register_imports (id),
    key text NOT NULL,
    line integer NOT NULL,
    id uuid NOT NULL,
    position_number text NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    date text NOT NULL,
    amount text NOT NULL,
    currency text NOT NULL,
    description text NOT NULL,
    PRIMARY KEY (import_id, key)
);

-- The registers on which an intermediary is or was: whoever is on none any more is struck off.
CREATE TABLE delegate_registrations (
    delegate_id uuid NOT NULL REFERENCES delegates (id),
    register_code text NOT NULL,
    registration_number text NOT NULL,
    listed_at timestamptz NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (delegate_id, register_code)
);
CREATE INDEX delegate_registrations_live ON delegate_registrations (register_code, delegate_id) WHERE left_at IS NULL;

-- Intermediaries whose clients are still to be told that delegations were suspended, or are good again.
CREATE TABLE register_notices (
    import_id uuid NOT NULL REFERENCES register_imports (id),
    delegate_id uuid NOT NULL REFERENCES delegates (id),
    kind text NOT NULL CHECK (kind IN ('suspended', 'resumed')),
    -- The last contributor who was told, and whether all were.
    told_until uuid,
    told_at timestamptz,
    PRIMARY KEY (import_id, delegate_id)
);
CREATE INDEX register_notices_untold ON register_notices (import_id, delegate_id) WHERE told_at IS NULL;

-- What public bodies paid, owe and pay back, by position.
CREATE TABLE public_body_data (
    id uuid PRIMARY KEY,
    position_id uuid NOT NULL REFERENCES positions (id),
    kind text NOT NULL CHECK (kind IN ('payment', 'debit_note', 'amortisation_plan')),
    reference text NOT NULL,
    -- YYYY-MM-DD.
    date text NOT NULL,
    -- A decimal number with a point.
    amount text NOT NULL,
    currency text NOT NULL,
    description text NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (position_id, kind, reference)
);
CREATE INDEX public_body_data_by_position ON public_body_data (position_id, kind, date, id);
