-- +goose Up

-- A message of which it is known where it goes when it is promised, and that goes to one recipient, has no row but its delivery.
CREATE TABLE new_deliveries (
    -- Also the id that the message carries outside: a repeat has the same.
    id text PRIMARY KEY,
    message_id text REFERENCES outbox (id),
    person_id text,
    kind text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('sms', 'email', 'pec', 'letter')),
    recipient text NOT NULL,
    locale text NOT NULL CHECK (locale IN ('it', 'en')),
    state text NOT NULL CHECK (state IN ('queued', 'sent', 'delivered', 'handed_over', 'failed', 'dead', 'unconfirmed')),
    attempts integer NOT NULL,
    next_at timestamp NOT NULL,
    -- While a worker is at it; afterwards another may take it.
    lease_until timestamp,
    lease_owner text,
    deadline_at timestamp NOT NULL,
    provider_ref text,
    last_error text,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    repeats integer NOT NULL DEFAULT 0,
    delay_notice text,
    data text,
    CHECK ((message_id IS NULL) = (data IS NOT NULL) AND (data IS NULL OR person_id IS NOT NULL))
);
INSERT INTO new_deliveries (id, message_id, person_id, kind, channel, recipient, locale, state, attempts, next_at, lease_until, lease_owner, deadline_at, provider_ref,
    last_error, created_at, updated_at, repeats, delay_notice)
    SELECT id, message_id, person_id, kind, channel, recipient, locale, state, attempts, next_at, lease_until, lease_owner, deadline_at, provider_ref,
    last_error, created_at, updated_at, repeats, delay_notice
    FROM deliveries;
CREATE TABLE new_attempts (
    id text PRIMARY KEY,
    delivery_id text NOT NULL REFERENCES new_deliveries (id),
    at timestamp NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('sent', 'delivered', 'handed_over', 'deferred', 'failed', 'unconfirmed', 'delayed')),
    reason text
);
INSERT INTO new_attempts (id, delivery_id, at, outcome, reason) SELECT id, delivery_id, at, outcome, reason FROM delivery_attempts;
DROP TABLE delivery_attempts;
DROP TABLE deliveries;
ALTER TABLE new_deliveries RENAME TO deliveries;
ALTER TABLE new_attempts RENAME TO delivery_attempts;
CREATE INDEX deliveries_by_message ON deliveries (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX deliveries_by_person ON deliveries (person_id, created_at, id) WHERE message_id IS NULL;
-- Deliveries are listed in the order of their ids, which is that in which they were made.
CREATE INDEX deliveries_by_state ON deliveries (state, channel, id);
CREATE INDEX deliveries_by_provider_ref ON deliveries (provider_ref) WHERE provider_ref IS NOT NULL;
CREATE INDEX delivery_attempts_by_delivery ON delivery_attempts (delivery_id, at, id);
CREATE INDEX deliveries_due ON deliveries (channel, next_at, id) WHERE (state = 'queued' OR state = 'unconfirmed' AND repeats < 2);
