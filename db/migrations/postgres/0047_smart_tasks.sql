-- +goose Up

-- Where the intermediary and the employee are reached about what they do for this contributor, as it is shown beside the delegation
-- or the role. They are not the contacts of a person, and nothing is sent there.
ALTER TABLE delegations ADD COLUMN contact_email text;
ALTER TABLE delegations ADD COLUMN contact_phone text;
ALTER TABLE contributor_roles ADD COLUMN contact_email text;
ALTER TABLE contributor_roles ADD COLUMN contact_phone text;

-- Where notices of rectification (note di rettifica) about a position go, as the register of positions says.
CREATE TABLE rectification_contacts (
    id uuid PRIMARY KEY,
    position_id uuid NOT NULL REFERENCES positions (id),
    kind text NOT NULL CHECK (kind IN ('email', 'pec', 'mobile')),
    value text NOT NULL,
    state text NOT NULL CHECK (state IN ('unverified', 'verified', 'bounced')),
    updated_at timestamptz NOT NULL,
    -- Set when it was deleted on request. The register brings it back only by saying that it is verified.
    deleted_at timestamptz,
    UNIQUE (position_id, kind, value)
);

-- The contacts in a file of positions, at most one of each kind in a line.
ALTER TABLE staged_positions ADD COLUMN email_id uuid;
ALTER TABLE staged_positions ADD COLUMN email text;
ALTER TABLE staged_positions ADD COLUMN email_state text;
ALTER TABLE staged_positions ADD COLUMN pec_id uuid;
ALTER TABLE staged_positions ADD COLUMN pec text;
ALTER TABLE staged_positions ADD COLUMN pec_state text;
ALTER TABLE staged_positions ADD COLUMN mobile_id uuid;
ALTER TABLE staged_positions ADD COLUMN mobile text;
ALTER TABLE staged_positions ADD COLUMN mobile_state text;

-- What the system is asked to decide by itself. Each is a ticket of the kind smart_task too, with the same id.
CREATE TABLE smart_tasks (
    id uuid PRIMARY KEY REFERENCES tickets (id),
    contributor_id uuid NOT NULL REFERENCES contributors (id),
    type text NOT NULL,
    -- What is asked, as JSON that meets the schema of the type.
    content text NOT NULL,
    state text NOT NULL CHECK (state IN ('submitted', 'taken_in_charge', 'under_examination', 'accepted', 'not_accepted')),
    -- Who asked, by which right, and the request, for the trace of what is done.
    person_id uuid NOT NULL REFERENCES people (id),
    right_id uuid NOT NULL,
    session_id uuid NOT NULL,
    request_id text NOT NULL,
    address text NOT NULL,
    submitted_at timestamptz NOT NULL,
    taken_at timestamptz,
    examined_at timestamptz,
    decided_at timestamptz,
    -- What was checked and why it was not accepted, as JSON lists.
    checks text NOT NULL,
    reasons text NOT NULL,
    -- How often the examination failed for no fault of the request.
    failures integer NOT NULL,
    lease_owner text,
    lease_until timestamptz,
    CHECK ((state IN ('accepted', 'not_accepted')) = (decided_at IS NOT NULL)),
    CHECK ((state = 'not_accepted') = (reasons <> '[]'))
);
CREATE INDEX smart_tasks_open ON smart_tasks (submitted_at, id) WHERE decided_at IS NULL;
CREATE INDEX smart_tasks_by_contributor ON smart_tasks (contributor_id, submitted_at, id);

-- To whom a type is open. One without a row is open to everybody.
CREATE TABLE smart_task_access (
    type text PRIMARY KEY,
    open_to text NOT NULL CHECK (open_to IN ('everybody', 'group')),
    version integer NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The people of the group, by tax code.
CREATE TABLE smart_task_members (
    type text NOT NULL REFERENCES smart_task_access (type),
    tax_code text NOT NULL,
    PRIMARY KEY (type, tax_code)
);
