-- +goose Up

-- What a person gave to one application, from the instant on and for 12 months at most. It lives while it has not ended (ended_at) and its
-- end (expires_at) has not come.
CREATE TABLE consents (
    id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES people (id),
    application_id uuid NOT NULL REFERENCES applications (id),
    -- JSON arrays: what the application may ask for, and the services ("*" for all).
    scopes text NOT NULL,
    services text NOT NULL,
    -- It is about all contributors over which the person has a right, those to come included; else about those of consent_contributors.
    every_contributor boolean NOT NULL,
    given_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    CHECK (expires_at > given_at),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX consents_by_person ON consents (person_id, given_at, id) WHERE ended_at IS NULL;
CREATE INDEX consents_by_application ON consents (application_id, id) WHERE ended_at IS NULL;
CREATE INDEX consents_by_end ON consents (expires_at, id) WHERE ended_at IS NULL;

-- The contributors that a consent names.
CREATE TABLE consent_contributors (
    consent_id uuid NOT NULL REFERENCES consents (id),
    contributor_id uuid NOT NULL REFERENCES contributors (id),
    PRIMARY KEY (consent_id, contributor_id)
);
CREATE INDEX consent_contributors_by_contributor ON consent_contributors (contributor_id, consent_id);

-- The contributors that took themselves out of a consent, which names them or is about all: for them it is as if it had ended.
CREATE TABLE consent_exclusions (
    consent_id uuid NOT NULL REFERENCES consents (id),
    contributor_id uuid NOT NULL REFERENCES contributors (id),
    excluded_at timestamptz NOT NULL,
    PRIMARY KEY (consent_id, contributor_id)
);

-- The session of an application, which acts by a consent; there is one for each consent at most. NULL for a session of a person.
ALTER TABLE sessions ADD COLUMN consent_id uuid REFERENCES consents (id);
CREATE UNIQUE INDEX sessions_by_consent ON sessions (consent_id) WHERE consent_id IS NOT NULL;

-- By which application something was done; NULL where the person did it themselves. No references: traces refer to nothing, and what
-- has one is never deleted.
ALTER TABLE audit_records ADD COLUMN application_id uuid;
ALTER TABLE access_log ADD COLUMN application_id uuid;
ALTER TABLE declarations ADD COLUMN application_id uuid;
ALTER TABLE declaration_batches ADD COLUMN application_id uuid;

-- An older program would file what an application left to it without asking for the consent, and end grants as if they were logins.
UPDATE schema_compatibility SET oldest_program = 39;
