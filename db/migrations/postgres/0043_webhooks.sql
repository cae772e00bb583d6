-- +goose Up

-- Endpoints of applications to which events are sent. Types of events are a JSON array, empty for all. The private key is sealed.
CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES applications (id),
    url text NOT NULL CHECK (url <> ''),
    event_types text NOT NULL,
    state text NOT NULL CHECK (state IN ('enabled', 'disabled')),
    disabled_reason text CHECK (disabled_reason IN ('owner', 'gone', 'failing')),
    disabled_at timestamptz,
    -- Since when it has only failed.
    failing_since timestamptz,
    private_key text NOT NULL,
    public_key text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    removed_at timestamptz,
    CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL)),
    CHECK ((state = 'disabled') = (disabled_at IS NOT NULL))
);
CREATE INDEX webhooks_by_application ON webhooks (application_id, created_at, id) WHERE removed_at IS NULL;

-- The secrets with which messages are signed, sealed. One that was followed by another is good until it expires.
CREATE TABLE webhook_secrets (
    id uuid PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks (id),
    sealed text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX webhook_secrets_by_webhook ON webhook_secrets (webhook_id, created_at);

-- The way of an event to an endpoint: once for each. What an event is about refers to nothing, as in the trail.
CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks (id),
    event_id uuid NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    contributor_id uuid,
    position_id uuid,
    delegate_id uuid,
    person_id uuid,
    service text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'cancelled')),
    tries integer NOT NULL,
    -- When it may be tried; of what a process has in its hands, when that loses it.
    next_at timestamptz NOT NULL,
    deadline_at timestamptz,
    lease_owner text,
    -- The replay that had it sent again last.
    replay_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (webhook_id, event_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at, id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (webhook_id, created_at, id) WHERE state IN ('failed', 'cancelled');

-- What replays came to, as their repeats are told.
CREATE TABLE webhook_replays (
    id uuid PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks (id),
    count integer NOT NULL,
    -- How far it came, where there was more.
    until_at timestamptz,
    created_at timestamptz NOT NULL
);

-- The attempts to deliver, with how the answer begins. They go with their delivery.
CREATE TABLE webhook_attempts (
    id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    at timestamptz NOT NULL,
    outcome text NOT NULL,
    -- 0 where nothing was answered.
    status integer NOT NULL,
    duration_ms integer NOT NULL,
    answer text,
    PRIMARY KEY (delivery_id, id)
);
