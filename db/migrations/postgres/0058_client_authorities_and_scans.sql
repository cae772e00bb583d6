-- +goose Up

-- A confidential application may prove by a certificate of a trusted authority which one it is. It has no keys then, and the one name in the certificate
-- by which it is known, as JSON.
ALTER TABLE applications ADD COLUMN certificate_name text;
ALTER TABLE applications DROP CONSTRAINT applications_token_endpoint_auth_method_check;
ALTER TABLE applications ADD CHECK (token_endpoint_auth_method IN ('none', 'private_key_jwt', 'self_signed_tls_client_auth', 'tls_client_auth'));
ALTER TABLE applications ADD CHECK ((token_endpoint_auth_method = 'tls_client_auth') = (certificate_name IS NOT NULL));
ALTER TABLE applications DROP CONSTRAINT applications_check1;
ALTER TABLE applications ADD CHECK (
    CASE WHEN token_endpoint_auth_method IN ('none', 'tls_client_auth') THEN jwks IS NULL AND jwks_uri = '' ELSE (jwks IS NULL) <> (jwks_uri = '') END
);

-- Files that users sent, by what they belong to, where a scanner is configured. They are handed out once it has found nothing in them.
CREATE TABLE file_scans (
    -- That of the ticket, the request or the document.
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    contributor_id uuid REFERENCES contributors (id),
    -- Where the files lie, as a JSON array.
    keys text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'clean', 'refused')),
    held_at timestamptz NOT NULL,
    -- When they are tried next, and how often that went wrong.
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    -- What the scanner found.
    finding text,
    ended_at timestamptz,
    lease_owner text,
    lease_until timestamptz,
    CHECK ((state = 'waiting') = (ended_at IS NULL)),
    CHECK ((state = 'refused') = (finding IS NOT NULL))
);
CREATE INDEX file_scans_due ON file_scans (due_at, id) WHERE state = 'waiting';
