-- +goose Up

-- An application's request to be let in by somebody: what it asks, how far it has come, and the codes and references that stand for it. Those that
-- are drawn by chance are kept as SHA-256, the one that people type as a keyed digest.
CREATE TABLE oauth_flows (
    id text PRIMARY KEY,
    application_id text NOT NULL REFERENCES applications (id),
    -- A flow in the browser, or one of a program that shows a code to be typed elsewhere.
    kind text NOT NULL CHECK (kind IN ('browser', 'device')),
    -- What was pushed waits for the browser, what is a device's for its code to be typed.
    state text NOT NULL CHECK (state IN ('pushed', 'open', 'approved', 'denied')),
    redirect_uri text,
    -- What the application wants back with the answer.
    client_state text,
    code_challenge text,
    -- JSON arrays: scopes, and authorization details.
    scopes text NOT NULL,
    details text NOT NULL,
    language text NOT NULL,
    request_hash text UNIQUE,
    -- Of the secret that the browser keeps in which the flow began.
    binding_hash text,
    code_hash text UNIQUE,
    code_expires_at timestamp,
    device_hash text UNIQUE,
    user_mac text UNIQUE,
    -- A device asks every so many seconds, and not before.
    poll_interval integer NOT NULL DEFAULT 0,
    poll_after timestamp,
    -- Who typed the code, or let the application in.
    person_id text REFERENCES people (id),
    consent_id text REFERENCES consents (id),
    redeemed_at timestamp,
    created_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    CHECK (CASE WHEN kind = 'browser' THEN redirect_uri IS NOT NULL AND code_challenge IS NOT NULL ELSE device_hash IS NOT NULL AND user_mac IS NOT NULL END),
    CHECK (state <> 'approved' OR (person_id IS NOT NULL AND consent_id IS NOT NULL)),
    CHECK (redeemed_at IS NULL OR state = 'approved')
);
CREATE INDEX oauth_flows_by_end ON oauth_flows (expires_at);
CREATE INDEX oauth_flows_by_consent ON oauth_flows (consent_id) WHERE consent_id IS NOT NULL;

-- The assertions by which applications have proved who they are, until they expire: each is good once.
CREATE TABLE oauth_assertions (
    application_id text NOT NULL REFERENCES applications (id),
    -- SHA-256 of the assertion's id.
    id_hash text NOT NULL,
    expires_at timestamp NOT NULL,
    PRIMARY KEY (application_id, id_hash)
);
CREATE INDEX oauth_assertions_by_end ON oauth_assertions (expires_at);
