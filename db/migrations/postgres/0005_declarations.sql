-- +goose Up

CREATE TABLE declaration_types (
    code text NOT NULL,
    version integer NOT NULL,
    title text NOT NULL,
    legal_reference text NOT NULL,
    steps text NOT NULL,
    opens_at timestamptz NOT NULL,
    closes_at timestamptz,
    worker_field text NOT NULL,
    content_schema text NOT NULL,
    content_example text NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (code, version)
);

CREATE TABLE declarations (
    id uuid PRIMARY KEY,
    contributor_id uuid NOT NULL,
    position_id uuid NOT NULL,
    office_code text NOT NULL,
    type text NOT NULL,
    type_version integer NOT NULL,
    step text NOT NULL CHECK (step IN ('single', 'reservation', 'confirmation')),
    state text NOT NULL CHECK (state IN ('draft', 'submitted', 'in_charge', 'awaiting_credentials', 'accepted', 'provisionally_not_accepted',
        'not_accepted', 'confirmed', 'lapsed', 'withdrawn', 'superseded')),
    -- Canonical JSON (RFC 8785) as text: jsonb would reorder its keys and the digest could not be made again.
    content text NOT NULL,
    worker_tax_code text,
    person_id uuid NOT NULL REFERENCES people (id),
    acting_as text NOT NULL,
    right_id uuid NOT NULL,
    supersedes_id uuid REFERENCES declarations (id),
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Where it stands in lists: submission, or creation while it is a draft.
    listed_at timestamptz NOT NULL,
    submitted_at timestamptz,
    protocol_number text,
    digest text,
    FOREIGN KEY (contributor_id, position_id) REFERENCES positions (contributor_id, id),
    FOREIGN KEY (type, type_version) REFERENCES declaration_types (code, version),
    CHECK ((state = 'draft') = (submitted_at IS NULL)),
    CHECK ((submitted_at IS NULL) = (protocol_number IS NULL)),
    CHECK ((submitted_at IS NULL) = (digest IS NULL))
);
CREATE INDEX declarations_by_contributor ON declarations (contributor_id, listed_at, id);
CREATE INDEX declarations_by_contributor_type ON declarations (contributor_id, type, listed_at, id);
CREATE INDEX declarations_by_contributor_state ON declarations (contributor_id, state, listed_at, id);
CREATE INDEX declarations_by_office ON declarations (office_code, listed_at, id) WHERE state <> 'draft';
CREATE INDEX declarations_by_worker ON declarations (worker_tax_code, contributor_id, listed_at, id) WHERE worker_tax_code IS NOT NULL;
CREATE INDEX declarations_by_superseded ON declarations (supersedes_id) WHERE supersedes_id IS NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION declarations_submitted_is_final() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'a submitted declaration is never changed';
END
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER declarations_submitted_is_final BEFORE UPDATE OF contributor_id, position_id, office_code, type, type_version, step, content,
    worker_tax_code, person_id, acting_as, right_id, supersedes_id, created_at, submitted_at, protocol_number, digest ON declarations
    FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION declarations_submitted_is_final();

-- One row for each office: the last number and instant given there.
CREATE TABLE protocol_counters (
    office_code text PRIMARY KEY REFERENCES offices (code),
    year integer NOT NULL,
    last_number integer NOT NULL,
    last_at timestamptz NOT NULL
);

-- The register (registro di protocollo): written once, never changed.
CREATE TABLE protocol_entries (
    office_code text NOT NULL,
    year integer NOT NULL,
    number integer NOT NULL CHECK (number BETWEEN 1 AND 9999999),
    at timestamptz NOT NULL,
    kind text NOT NULL,
    subject_id uuid NOT NULL UNIQUE,
    digest text NOT NULL,
    PRIMARY KEY (office_code, year, number)
);

CREATE TABLE receipts (
    declaration_id uuid PRIMARY KEY,
    jws text NOT NULL,
    -- What the declaration was when it was filed: a repeat of the request is answered from this.
    state text NOT NULL,
    version integer NOT NULL
);
