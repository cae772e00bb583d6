-- +goose Up

-- Which applications get tokens that are bound to a key, and nothing else.
ALTER TABLE applications ADD COLUMN dpop_bound_access_tokens boolean NOT NULL DEFAULT false;

-- The key that the tokens of a flow are bound to: the thumbprint of a public key (RFC 7638), where the application named one at its begin.
ALTER TABLE oauth_flows ADD COLUMN dpop_jkt text;

-- The key without which the refresh token of a public application is good for nothing.
ALTER TABLE sessions ADD COLUMN bound_key text;

-- The proofs of possession that were shown (DPoP), until they expire: each is good once. They are written by every request with a bound
-- token, and live for two minutes.
CREATE TABLE dpop_proofs (
    -- SHA-256 of the key's thumbprint and the proof's id.
    proof_hash text PRIMARY KEY,
    expires_at timestamp NOT NULL
);
CREATE INDEX dpop_proofs_by_end ON dpop_proofs (expires_at);
