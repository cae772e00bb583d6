-- +goose Up

-- A delivery of which nobody knows whether it was taken has a state of its own and is repeated twice at most. repeats counts
-- that; delay_notice is the id of the channel's first word that it is still under way.
CREATE TABLE new_deliveries (
    -- Also the id that the message carries outside: a repeat has the same.
    id text PRIMARY KEY,
    message_id text NOT NULL REFERENCES outbox (id),
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
    delay_notice text
);
INSERT INTO new_deliveries (id, message_id, person_id, kind, channel, recipient, locale, state, attempts, next_at, lease_until, lease_owner, deadline_at, provider_ref,
    last_error, created_at, updated_at)
    SELECT id, message_id, person_id, kind, channel, recipient, locale, state, attempts, next_at, lease_until, lease_owner, deadline_at, provider_ref,
    last_error, created_at, updated_at
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
CREATE INDEX deliveries_by_message ON deliveries (message_id);
CREATE INDEX deliveries_by_state ON deliveries (state, channel, created_at, id);
CREATE INDEX deliveries_by_time ON deliveries (created_at, id);
CREATE INDEX deliveries_by_provider_ref ON deliveries (provider_ref) WHERE provider_ref IS NOT NULL;
CREATE INDEX delivery_attempts_by_delivery ON delivery_attempts (delivery_id, at, id);
CREATE INDEX deliveries_due ON deliveries (channel, next_at, id) WHERE (state = 'queued' OR state = 'unconfirmed' AND repeats < 2);
-- A secret is erased when its message was sent, or at its deadline.
CREATE INDEX outbox_sealed ON outbox (deadline_at) WHERE sealed IS NOT NULL;
