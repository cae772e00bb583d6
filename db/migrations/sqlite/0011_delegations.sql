-- +goose Up

-- Intermediaries (intermediari) as their professional register (albo) or association census lists them: a professional is a
-- person with this tax code, an organisation is used by people with a role there; a firm (studio associato) is never a delegate.
CREATE TABLE delegates (
    id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('professional', 'firm', 'association', 'caf', 'patronato')),
    tax_code text NOT NULL UNIQUE,
    legal_name text NOT NULL,
    register_code text NOT NULL,
    registration_number text NOT NULL,
    listed_at timestamp NOT NULL,
    -- While it is not on its list any more, its delegations are suspended.
    struck_off_at timestamp,
    updated_at timestamp NOT NULL
);

CREATE TABLE delegate_roles (
    id text PRIMARY KEY,
    delegate_id text NOT NULL REFERENCES delegates (id),
    person_id text NOT NULL REFERENCES people (id),
    role text NOT NULL CHECK (role IN ('legal_representative', 'employee_delegate', 'user_administrator')),
    services text NOT NULL,
    granted_by text REFERENCES people (id),
    granted_at timestamp NOT NULL,
    withdrawn_at timestamp
);
CREATE UNIQUE INDEX delegate_roles_live ON delegate_roles (person_id, delegate_id, role) WHERE withdrawn_at IS NULL;
CREATE INDEX delegate_roles_by_delegate ON delegate_roles (delegate_id, granted_at, id);

CREATE TABLE delegations (
    id text PRIMARY KEY,
    delegate_id text NOT NULL REFERENCES delegates (id),
    contributor_id text NOT NULL REFERENCES contributors (id),
    -- What the form and its OTP are known by outside.
    reference_code text NOT NULL UNIQUE,
    scope text NOT NULL CHECK (scope IN ('total', 'partial')),
    -- Service codes as a JSON array; ["*"] stands for all, those to come included.
    services text NOT NULL,
    exclusive boolean NOT NULL,
    -- Expired from this instant on, whatever the state says.
    valid_until timestamp,
    signatory_id text NOT NULL REFERENCES people (id),
    state text NOT NULL CHECK (state IN ('draft', 'pending', 'active', 'revoked')),
    drafted_by text NOT NULL REFERENCES people (id),
    drafted_at timestamp NOT NULL,
    activated_by text REFERENCES people (id),
    activated_at timestamp,
    ended_by text REFERENCES people (id),
    ended_at timestamp,
    end_reason text,
    version integer NOT NULL,
    updated_at timestamp NOT NULL,
    CHECK ((scope = 'total') = (services = '["*"]')),
    CHECK (state <> 'active' OR activated_at IS NOT NULL),
    CHECK ((state = 'revoked') = (ended_at IS NOT NULL))
);
CREATE INDEX delegations_active ON delegations (contributor_id, delegate_id) WHERE state = 'active';
CREATE INDEX delegations_active_by_delegate ON delegations (delegate_id, contributor_id) WHERE state = 'active';
CREATE INDEX delegations_by_contributor ON delegations (contributor_id, drafted_at, id);
CREATE INDEX delegations_by_delegate ON delegations (delegate_id, drafted_at, id);
CREATE INDEX delegations_by_delegate_state ON delegations (delegate_id, state, drafted_at, id);
CREATE INDEX delegations_by_delegate_contributor ON delegations (delegate_id, contributor_id, drafted_at, id);
CREATE INDEX delegations_expiring ON delegations (valid_until, id) WHERE state = 'active' AND valid_until IS NOT NULL;

CREATE TABLE delegation_positions (
    delegation_id text NOT NULL REFERENCES delegations (id),
    contributor_id text NOT NULL,
    position_id text NOT NULL,
    PRIMARY KEY (delegation_id, position_id),
    FOREIGN KEY (contributor_id, position_id) REFERENCES positions (contributor_id, id)
);
CREATE INDEX delegation_positions_by_position ON delegation_positions (position_id, delegation_id);

CREATE TABLE delegation_otps (
    id text PRIMARY KEY,
    delegation_id text NOT NULL REFERENCES delegations (id),
    contributor_id text NOT NULL,
    mac_key text NOT NULL,
    -- Over the digits, the contributor, the intermediary and the positions.
    mac text NOT NULL,
    tries integer NOT NULL CHECK (tries BETWEEN 0 AND 5),
    channel text NOT NULL,
    recipient text NOT NULL,
    sent_by text NOT NULL REFERENCES people (id),
    sent_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    used_at timestamp,
    ended_at timestamp
);
CREATE UNIQUE INDEX delegation_otps_live ON delegation_otps (delegation_id) WHERE used_at IS NULL AND ended_at IS NULL;
CREATE INDEX delegation_otps_by_contributor ON delegation_otps (contributor_id, sent_at);
CREATE INDEX delegation_otps_by_delegation ON delegation_otps (delegation_id, sent_at);

-- Who of an intermediary's people works with its delegations.
CREATE TABLE sub_delegations (
    id text PRIMARY KEY,
    delegate_id text NOT NULL REFERENCES delegates (id),
    person_id text NOT NULL REFERENCES people (id),
    -- All delegations of the intermediary, those to come included, or those listed.
    every boolean NOT NULL,
    services text NOT NULL,
    valid_until timestamp,
    granted_by text NOT NULL REFERENCES people (id),
    granted_at timestamp NOT NULL,
    revoked_by text REFERENCES people (id),
    revoked_at timestamp,
    version integer NOT NULL
);
CREATE INDEX sub_delegations_live ON sub_delegations (person_id, delegate_id) WHERE revoked_at IS NULL;
CREATE INDEX sub_delegations_by_delegate ON sub_delegations (delegate_id, granted_at, id);
CREATE INDEX sub_delegations_by_person ON sub_delegations (person_id, granted_at, id);

CREATE TABLE sub_delegation_items (
    sub_delegation_id text NOT NULL REFERENCES sub_delegations (id),
    delegation_id text NOT NULL REFERENCES delegations (id),
    PRIMARY KEY (sub_delegation_id, delegation_id)
);
CREATE INDEX sub_delegation_items_by_delegation ON sub_delegation_items (delegation_id, sub_delegation_id);

-- Every look-up of a contributor by an intermediary, for the contributor to see.
CREATE TABLE delegation_lookups (
    id text PRIMARY KEY,
    -- Empty where there was none with the tax code.
    contributor_id text REFERENCES contributors (id),
    delegate_id text NOT NULL REFERENCES delegates (id),
    person_id text NOT NULL REFERENCES people (id),
    at timestamp NOT NULL
);
CREATE INDEX delegation_lookups_by_person ON delegation_lookups (person_id, at);
CREATE INDEX delegation_lookups_by_contributor ON delegation_lookups (contributor_id, at, id);

-- The certified e-mail (domicilio digitale) to which the system writes.
ALTER TABLE contributors ADD COLUMN pec text;
ALTER TABLE contributor_roles ADD COLUMN granted_by text REFERENCES people (id);
CREATE INDEX contributor_roles_by_contributor ON contributor_roles (contributor_id, granted_at, id);
