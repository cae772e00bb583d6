-- +goose Up

-- Logins with a national identity, from when they are begun until the code that opens the session is redeemed. State, ticket and code are kept as
-- their SHA-256; what is sealed is encrypted: what goes to the provider, and what it said of the person.
CREATE TABLE federated_logins (
    id uuid PRIMARY KEY,
    provider_id text NOT NULL,
    protocol text NOT NULL CHECK (protocol IN ('saml', 'openid-connect')),
    -- What was asked for.
    level smallint NOT NULL CHECK (level BETWEEN 1 AND 3),
    state_hash text NOT NULL UNIQUE,
    -- That of the page with a form for the provider; NULL where the browser is sent straight there.
    ticket_hash text UNIQUE,
    sealed_attempt text NOT NULL,
    return_url text NOT NULL,
    code_challenge text NOT NULL,
    begun_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    answered_at timestamptz,
    -- What the answer gave; NULL until a good one came.
    login_method text CHECK (login_method IN ('spid', 'cie', 'cns')),
    login_level smallint,
    sealed_claims text,
    code_hash text UNIQUE,
    code_expires_at timestamptz,
    redeemed_at timestamptz,
    person_id uuid REFERENCES people (id)
);
CREATE INDEX federated_logins_by_end ON federated_logins (expires_at);

-- Identifiers of answers that were seen, as their SHA-256: none is taken twice.
CREATE TABLE federated_answers (
    digest text PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
CREATE INDEX federated_answers_by_time ON federated_answers (seen_at);

-- How a session was begun or raised last, beside the method; NULL for a PIN.
ALTER TABLE sessions ADD COLUMN login_level smallint;
ALTER TABLE sessions ADD COLUMN login_provider text;

-- How the person had logged in who gave a consent: what is done by it is as good as that.
ALTER TABLE consents ADD COLUMN login_method text NOT NULL DEFAULT 'pin';
ALTER TABLE consents ADD COLUMN login_level smallint;
ALTER TABLE consents ADD COLUMN login_provider text;

-- The first login with a national identity. credential_level stays that of the PIN.
ALTER TABLE people ADD COLUMN digital_identity_at timestamptz;

-- How the person had logged in; NULL where nobody had, and before this was kept.
ALTER TABLE audit_records ADD COLUMN login_method text;
ALTER TABLE audit_records ADD COLUMN login_level smallint;
ALTER TABLE audit_records ADD COLUMN login_provider text;

-- An older program would take what is done in such a session for what an ordinary PIN did.
UPDATE schema_compatibility SET oldest_program = 52;
