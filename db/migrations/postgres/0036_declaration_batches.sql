-- +goose Up

-- Many declarations that somebody sends at once, as payroll programs do. They are filed in the background, in groups, the oldest
-- batch first.
CREATE TABLE declaration_batches (
    id uuid PRIMARY KEY,
    contributor_id uuid NOT NULL REFERENCES contributors (id),
    -- Who sent it, and files them.
    person_id uuid NOT NULL REFERENCES people (id),
    -- The right by which it was sent: those who have it see the batch too.
    right_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'cancelled')),
    all_or_nothing boolean NOT NULL,
    items_total integer NOT NULL CHECK (items_total BETWEEN 1 AND 1000),
    -- The request, for the traces of what it files.
    session_id uuid NOT NULL,
    request_id text NOT NULL,
    address text NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    -- Which worker files it, and until when others leave it alone.
    lease_owner text,
    lease_until timestamptz,
    CHECK ((state IN ('done', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX declaration_batches_open ON declaration_batches (created_at, id) WHERE finished_at IS NULL;
CREATE INDEX declaration_batches_by_contributor ON declaration_batches (contributor_id, created_at, id);

CREATE TABLE declaration_batch_items (
    batch_id uuid NOT NULL REFERENCES declaration_batches (id),
    line integer NOT NULL,
    reference text NOT NULL,
    type text NOT NULL,
    position_id uuid NOT NULL,
    step text NOT NULL,
    reservation_id uuid,
    supersedes_id uuid,
    right_id uuid,
    -- Empty once it is known what became of the item: what was filed stands in the declaration.
    content text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'filed', 'refused', 'cancelled')),
    -- What was filed or, of a duplicate, what had been filed before.
    declaration_id uuid REFERENCES declarations (id),
    -- Why it was refused, as a JSON object.
    problem text,
    -- How often it failed for no fault of its own.
    failures integer NOT NULL,
    PRIMARY KEY (batch_id, line),
    UNIQUE (batch_id, reference),
    CHECK (state <> 'filed' OR declaration_id IS NOT NULL),
    CHECK ((state = 'refused') = (problem IS NOT NULL)),
    CHECK (state = 'pending' OR content = '')
);
CREATE INDEX declaration_batch_items_pending ON declaration_batch_items (batch_id, line) WHERE state = 'pending';
CREATE INDEX declaration_batch_items_by_declaration ON declaration_batch_items (declaration_id) WHERE declaration_id IS NOT NULL;

-- What somebody has filed in batches for a contributor, by their own references: each is filed once.
CREATE TABLE declaration_references (
    person_id uuid NOT NULL REFERENCES people (id),
    contributor_id uuid NOT NULL REFERENCES contributors (id),
    reference text NOT NULL,
    declaration_id uuid NOT NULL REFERENCES declarations (id),
    PRIMARY KEY (person_id, contributor_id, reference)
);
CREATE UNIQUE INDEX declaration_references_by_declaration ON declaration_references (declaration_id);
