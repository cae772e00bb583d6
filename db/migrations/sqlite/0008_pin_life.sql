-- +goose Up

-- Codes that are good once: recovery, revocation, verification of a contact.
CREATE TABLE one_time_codes (
    id text PRIMARY KEY,
    purpose text NOT NULL,
    -- The person, contact or delegation that the code is about.
    subject_id text NOT NULL,
    mac_key text NOT NULL,
    mac text NOT NULL,
    created_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    used_at timestamp,
    -- When a newer code, or a change of what it is about, took its place.
    ended_at timestamp
);
CREATE UNIQUE INDEX one_time_codes_live ON one_time_codes (purpose, subject_id) WHERE used_at IS NULL AND ended_at IS NULL;
CREATE INDEX one_time_codes_by_subject ON one_time_codes (purpose, subject_id, created_at);

-- The register of persons (anagrafe), as it was imported.
CREATE TABLE register_people (
    tax_code text PRIMARY KEY,
    given_name text NOT NULL,
    family_name text NOT NULL,
    birth_date text NOT NULL,
    birth_place text NOT NULL,
    street text NOT NULL,
    postal_code text NOT NULL,
    town text NOT NULL,
    province text NOT NULL,
    -- The office (sede) that is competent for the residence.
    office_code text REFERENCES offices (code),
    updated_at timestamp NOT NULL
);

CREATE TABLE pin_requests (
    -- 128 random bits, base64url: whoever knows it may see the request.
    id text PRIMARY KEY,
    tax_code text NOT NULL,
    given_name text NOT NULL,
    family_name text NOT NULL,
    birth_date text NOT NULL,
    birth_place text NOT NULL,
    street text NOT NULL,
    postal_code text NOT NULL,
    town text NOT NULL,
    province text NOT NULL,
    phone text,
    -- A JSON array of {kind, value}.
    contacts text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'served', 'refused')),
    -- Why it waits; for the contact centre alone.
    waits_because text CHECK (waits_because IN ('not_in_register', 'data_differ', 'has_pin')),
    -- Whom it was served to.
    person_id text REFERENCES people (id),
    first_message_id text,
    second_message_id text,
    -- The operator of the contact centre who filed it for a caller.
    filed_by text REFERENCES people (id),
    decided_by text REFERENCES people (id),
    decided_at timestamp,
    reason text,
    version integer NOT NULL,
    created_at timestamp NOT NULL,
    CHECK ((state = 'served') = (person_id IS NOT NULL))
);
CREATE INDEX pin_requests_by_state ON pin_requests (state, created_at, id);
CREATE INDEX pin_requests_by_time ON pin_requests (created_at, id);
CREATE INDEX pin_requests_by_tax_code ON pin_requests (tax_code, created_at);

CREATE TABLE pin_upgrades (
    id text PRIMARY KEY,
    person_id text NOT NULL REFERENCES people (id),
    office_code text NOT NULL REFERENCES offices (code),
    protocol_number text NOT NULL,
    digest text NOT NULL,
    document_kind text NOT NULL CHECK (document_kind IN ('identity_card', 'passport', 'driving_licence')),
    document_number text NOT NULL,
    issued_by text NOT NULL,
    issued_on text NOT NULL,
    expires_on text NOT NULL,
    -- A JSON array of {number, file_name, media_type, size, digest}; the files are in the blob store.
    attachments text NOT NULL,
    state text NOT NULL CHECK (state IN ('submitted', 'accepted', 'not_accepted')),
    submitted_at timestamp NOT NULL,
    decided_by text REFERENCES people (id),
    decided_at timestamp,
    reason text,
    version integer NOT NULL,
    CHECK ((state = 'submitted') = (decided_at IS NULL))
);
-- One that waits for its decision for each person.
CREATE UNIQUE INDEX pin_upgrades_waiting ON pin_upgrades (person_id) WHERE state = 'submitted';
CREATE INDEX pin_upgrades_by_person ON pin_upgrades (person_id, submitted_at, id);
CREATE INDEX pin_upgrades_by_office ON pin_upgrades (office_code, submitted_at, id);

-- What waits for dispositive credentials, to be completed or to lapse.
CREATE INDEX declarations_awaiting ON declarations (submitted_at, id) WHERE state = 'awaiting_credentials';
CREATE INDEX declarations_awaiting_by_person ON declarations (person_id, submitted_at, id) WHERE state = 'awaiting_credentials';

CREATE INDEX people_by_class ON people (user_class, family_name, id);

-- Why a person was suspended, for whoever decides about readmission.
ALTER TABLE people ADD COLUMN suspension_reason text;
ALTER TABLE people ADD COLUMN version integer NOT NULL DEFAULT 1;

-- The message that takes the second half of an initial PIN to its holder: the PIN expires unused some time after that was
-- sent, and another PIN's letter does not count.
ALTER TABLE pins ADD COLUMN second_half_id text;
