-- +goose Up

-- A confidential application may prove by a certificate of a trusted authority which one it is. What refers to an application finds it again when it is
-- inserted.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE kept_applications AS SELECT * FROM applications;
DROP TABLE applications;
CREATE TABLE applications (
    id text PRIMARY KEY,
    client_id text NOT NULL UNIQUE CHECK (client_id <> ''),
    display_name text NOT NULL CHECK (display_name <> ''),
    kind text NOT NULL CHECK (kind IN ('public', 'confidential')),
    token_endpoint_auth_method text NOT NULL CHECK (token_endpoint_auth_method IN ('none', 'private_key_jwt', 'self_signed_tls_client_auth', 'tls_client_auth')),
    redirect_uris text NOT NULL,
    -- The keys of a confidential application, or where they are fetched.
    jwks text,
    jwks_uri text NOT NULL,
    scopes text NOT NULL,
    contact_email text NOT NULL,
    logo_uri text NOT NULL,
    state text NOT NULL CHECK (state IN ('submitted', 'approved', 'refused', 'suspended')),
    -- What is to replace the above once it is approved, as JSON.
    pending text,
    -- Who registered it.
    person_id text NOT NULL REFERENCES people (id),
    -- The organisation that it belongs to; without one it is the person's own.
    contributor_id text REFERENCES contributors (id),
    delegate_id text REFERENCES delegates (id),
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    -- Since when it, or its pending change, waits for a decision.
    submitted_at timestamp NOT NULL,
    version integer NOT NULL DEFAULT 1,
    decided_by text REFERENCES people (id),
    decided_at timestamp,
    decision_reason text,
    removed_at timestamp,
    -- Whether its tokens are bound to a key, or to a certificate, and to nothing else.
    dpop_bound_access_tokens boolean NOT NULL DEFAULT false,
    tls_client_certificate_bound_access_tokens boolean NOT NULL DEFAULT false,
    -- The name by which its certificate of a trusted authority is known, as JSON.
    certificate_name text,
    CHECK ((token_endpoint_auth_method = 'tls_client_auth') = (certificate_name IS NOT NULL)),
    CHECK ((kind = 'public') = (token_endpoint_auth_method = 'none')),
    CHECK (CASE WHEN token_endpoint_auth_method IN ('none', 'tls_client_auth') THEN jwks IS NULL AND jwks_uri = '' ELSE (jwks IS NULL) <> (jwks_uri = '') END),
    CHECK (contributor_id IS NULL OR delegate_id IS NULL)
);
INSERT INTO applications (
    id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, jwks, jwks_uri, scopes, contact_email, logo_uri, state, pending, person_id, contributor_id, delegate_id, created_at, updated_at, submitted_at, version, decided_by, decided_at, decision_reason, removed_at, dpop_bound_access_tokens,
    tls_client_certificate_bound_access_tokens
) SELECT id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, jwks, jwks_uri, scopes, contact_email, logo_uri, state, pending, person_id, contributor_id, delegate_id, created_at, updated_at, submitted_at, version, decided_by, decided_at, decision_reason, removed_at, dpop_bound_access_tokens,
    tls_client_certificate_bound_access_tokens FROM kept_applications;
DROP TABLE kept_applications;
CREATE INDEX applications_by_person ON applications (person_id, created_at, id) WHERE removed_at IS NULL;
CREATE INDEX applications_by_contributor ON applications (contributor_id, created_at, id) WHERE removed_at IS NULL AND contributor_id IS NOT NULL;
CREATE INDEX applications_by_delegate ON applications (delegate_id, created_at, id) WHERE removed_at IS NULL AND delegate_id IS NOT NULL;
CREATE INDEX applications_at_office ON applications (submitted_at, id) WHERE removed_at IS NULL;

-- Files that users sent, by what they belong to, where a scanner is configured. They are handed out once it has found nothing in them.
CREATE TABLE file_scans (
    -- That of the ticket, the request or the document.
    id text PRIMARY KEY,
    kind text NOT NULL,
    contributor_id text REFERENCES contributors (id),
    -- Where the files lie, as a JSON array.
    keys text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'clean', 'refused')),
    held_at timestamp NOT NULL,
    -- When they are tried next, and how often that went wrong.
    due_at timestamp NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    -- What the scanner found.
    finding text,
    ended_at timestamp,
    lease_owner text,
    lease_until timestamp,
    CHECK ((state = 'waiting') = (ended_at IS NULL)),
    CHECK ((state = 'refused') = (finding IS NOT NULL))
);
CREATE INDEX file_scans_due ON file_scans (due_at, id) WHERE state = 'waiting';
