-- +goose Up

-- Software of others that people may let act for them. Redirect URIs, scopes and key sets are JSON.
CREATE TABLE applications (
    id uuid PRIMARY KEY,
    client_id text NOT NULL UNIQUE CHECK (client_id <> ''),
    display_name text NOT NULL CHECK (display_name <> ''),
    kind text NOT NULL CHECK (kind IN ('public', 'confidential')),
    token_endpoint_auth_method text NOT NULL CHECK (token_endpoint_auth_method IN ('none', 'private_key_jwt')),
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
    person_id uuid NOT NULL REFERENCES people (id),
    -- The organisation that it belongs to; without one it is the person's own.
    contributor_id uuid REFERENCES contributors (id),
    delegate_id uuid REFERENCES delegates (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Since when it, or its pending change, waits for a decision.
    submitted_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    decided_by uuid REFERENCES people (id),
    decided_at timestamptz,
    decision_reason text,
    removed_at timestamptz,
    CHECK ((kind = 'public') = (token_endpoint_auth_method = 'none')),
    CHECK (CASE WHEN kind = 'public' THEN jwks IS NULL AND jwks_uri = '' ELSE (jwks IS NULL) <> (jwks_uri = '') END),
    CHECK (contributor_id IS NULL OR delegate_id IS NULL)
);
CREATE INDEX applications_by_person ON applications (person_id, created_at, id) WHERE removed_at IS NULL;
CREATE INDEX applications_by_contributor ON applications (contributor_id, created_at, id) WHERE removed_at IS NULL AND contributor_id IS NOT NULL;
CREATE INDEX applications_by_delegate ON applications (delegate_id, created_at, id) WHERE removed_at IS NULL AND delegate_id IS NOT NULL;
CREATE INDEX applications_at_office ON applications (submitted_at, id) WHERE removed_at IS NULL;
