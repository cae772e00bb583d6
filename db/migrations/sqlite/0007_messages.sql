-- +goose Up

-- A message is promised in a transaction (queued) and later given to its recipients (routed), one delivery each.
CREATE TABLE messages (
    id text PRIMARY KEY,
    kind text NOT NULL,
    person_id text,
    -- Where it goes when that is not chosen among the person's contacts: a code to a contact that is not verified yet.
    channel text CHECK (channel IN ('sms', 'email', 'pec', 'letter')),
    recipient text,
    data text NOT NULL,
    -- What is secret in it, encrypted, until it was sent.
    sealed text,
    state text NOT NULL CHECK (state IN ('queued', 'routed')),
    created_at timestamp NOT NULL,
    -- After this instant nothing is sent any more.
    deadline_at timestamp NOT NULL,
    CHECK ((channel IS NULL) = (recipient IS NULL)),
    CHECK (person_id IS NOT NULL OR recipient IS NOT NULL),
    CHECK (sealed IS NULL OR recipient IS NOT NULL)
);
INSERT INTO messages (id, kind, person_id, data, state, created_at, deadline_at)
    SELECT id, kind, person_id, data, CASE state WHEN 'sent' THEN 'routed' ELSE 'queued' END, created_at, strftime('%Y-%m-%d %H:%M:%f+00:00', created_at, '+3 days') FROM outbox;
DROP TABLE outbox;
ALTER TABLE messages RENAME TO outbox;
CREATE INDEX outbox_queued ON outbox (created_at, id) WHERE state = 'queued';
CREATE INDEX outbox_by_person ON outbox (person_id, created_at, id);

CREATE TABLE deliveries (
    -- Also the id that the message carries outside: a repeat has the same.
    id text PRIMARY KEY,
    message_id text NOT NULL REFERENCES outbox (id),
    person_id text,
    kind text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('sms', 'email', 'pec', 'letter')),
    recipient text NOT NULL,
    locale text NOT NULL CHECK (locale IN ('it', 'en')),
    state text NOT NULL CHECK (state IN ('queued', 'sent', 'delivered', 'handed_over', 'failed', 'dead')),
    attempts integer NOT NULL,
    next_at timestamp NOT NULL,
    -- While a worker is at it; afterwards another may take it.
    lease_until timestamp,
    lease_owner text,
    deadline_at timestamp NOT NULL,
    provider_ref text,
    last_error text,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL
);
-- One channel that is down must not cost the others anything.
CREATE INDEX deliveries_due ON deliveries (channel, next_at, id) WHERE state = 'queued';
CREATE INDEX deliveries_by_message ON deliveries (message_id);
CREATE INDEX deliveries_by_state ON deliveries (state, channel, created_at, id);
CREATE INDEX deliveries_by_time ON deliveries (created_at, id);
CREATE INDEX deliveries_by_provider_ref ON deliveries (provider_ref) WHERE provider_ref IS NOT NULL;

CREATE TABLE delivery_attempts (
    id text PRIMARY KEY,
    delivery_id text NOT NULL REFERENCES deliveries (id),
    at timestamp NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('sent', 'delivered', 'handed_over', 'deferred', 'failed')),
    reason text
);
CREATE INDEX delivery_attempts_by_delivery ON delivery_attempts (delivery_id, at, id);

ALTER TABLE contacts ADD COLUMN bounced_at timestamp;
-- From when a verified contact counts for recovering a PIN: at once if it came with the registration, else 24 hours later.
ALTER TABLE contacts ADD COLUMN recovery_from timestamp;
UPDATE contacts SET recovery_from = verified_at;

CREATE TABLE notification_preferences (
    person_id text PRIMARY KEY REFERENCES people (id),
    language text NOT NULL CHECK (language IN ('it', 'en')),
    preferred_channel text CHECK (preferred_channel IN ('email', 'pec', 'sms')),
    -- A JSON array of categories.
    muted text NOT NULL,
    version integer NOT NULL,
    updated_at timestamp NOT NULL
);

CREATE INDEX pins_by_change_due ON pins (change_due_at) WHERE revoked_at IS NULL;
CREATE INDEX pins_by_unused_expiry ON pins (unused_expires_at) WHERE unused_expires_at IS NOT NULL AND revoked_at IS NULL;

CREATE INDEX audit_records_by_person ON audit_records (person_id, at, id);

-- A letter as the print house would get it.
ALTER TABLE sandbox_messages ADD COLUMN letter blob;
