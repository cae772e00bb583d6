-- +goose Up

-- Browsers log in with a card as they do at a provider: the login is begun, and the card's own address answers it.
ALTER TABLE federated_logins DROP CONSTRAINT federated_logins_protocol_check;
ALTER TABLE federated_logins ADD CONSTRAINT federated_logins_protocol_check CHECK (protocol IN ('saml', 'openid-connect', 'certificate'));
