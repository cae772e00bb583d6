-- +goose Up

-- Browsers log in with a card as they do at a provider: the login is begun, and the card's own address answers it.
CREATE TABLE new_federated_logins (
    id text PRIMARY KEY,
    provider_id text NOT NULL,
    protocol text NOT NULL CHECK (protocol IN ('saml', 'openid-connect', 'certificate')),
    -- What was asked for.
    level smallint NOT NULL CHECK (level BETWEEN 1 AND 3),
    state_hash text NOT NULL UNIQUE,
    -- That of the page with a form for the provider; NULL where the browser is sent straight there.
    ticket_hash text UNIQUE,
    sealed_attempt text NOT NULL,
    return_url text NOT NULL,
    code_challenge text NOT NULL,
    begun_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    answered_at timestamp,
    -- What the answer gave; NULL until a good one came.
    login_method text CHECK (login_method IN ('spid', 'cie', 'cns')),
    login_level smallint,
    sealed_claims text,
    code_hash text UNIQUE,
    code_expires_at timestamp,
    redeemed_at timestamp,
    person_id text REFERENCES people (id)
);
INSERT INTO new_federated_logins (id, provider_id, protocol, level, state_hash, ticket_hash, sealed_attempt, return_url, code_challenge, begun_at,
    expires_at, answered_at, login_method, login_level, sealed_claims, code_hash, code_expires_at, redeemed_at, person_id)
    SELECT id, provider_id, protocol, level, state_hash, ticket_hash, sealed_attempt, return_url, code_challenge, begun_at,
    expires_at, answered_at, login_method, login_level, sealed_claims, code_hash, code_expires_at, redeemed_at, person_id
    FROM federated_logins;
DROP TABLE federated_logins;
ALTER TABLE new_federated_logins RENAME TO federated_logins;
CREATE INDEX federated_logins_by_end ON federated_logins (expires_at);
