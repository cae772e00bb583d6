-- +goose Up

-- Which applications get tokens that are bound to a key, or to a certificate, and nothing else.
ALTER TABLE applications ADD COLUMN dpop_bound_access_tokens boolean NOT NULL DEFAULT false;
ALTER TABLE applications ADD COLUMN tls_client_certificate_bound_access_tokens boolean NOT NULL DEFAULT false;

-- A confidential application may prove by a certificate of its own which one it is.
ALTER TABLE applications DROP CONSTRAINT applications_token_endpoint_auth_method_check;
ALTER TABLE applications ADD CHECK (token_endpoint_auth_method IN ('none', 'private_key_jwt', 'self_signed_tls_client_auth'));

-- The key that the tokens of a flow are bound to: the thumbprint of a public key (RFC 7638), where the application named one at its begin.
ALTER TABLE oauth_flows ADD COLUMN dpop_jkt text;

-- The key and the certificate without which the refresh token of a public application is good for nothing.
ALTER TABLE sessions ADD COLUMN bound_key text;
ALTER TABLE sessions ADD COLUMN bound_certificate text;

-- The proofs of possession that were shown (DPoP), until they expire: each is good once. They are written by every request with a bound
-- token and live for two minutes, so they need not outlive a crash.
CREATE UNLOGGED TABLE dpop_proofs (
    -- SHA-256 of the key's thumbprint and the proof's id.
    proof_hash text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX dpop_proofs_by_end ON dpop_proofs (expires_at);
