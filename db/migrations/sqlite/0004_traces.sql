-- +goose Up

CREATE TABLE idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    operation text NOT NULL,
    request_mac text NOT NULL,
    resource_id text,
    created_at timestamp NOT NULL,
    -- The answer, added after commit; while it is missing, a replay renders the resource.
    status integer,
    headers text,
    body blob,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- One row for every changing operation, written in its transaction and never changed.
CREATE TABLE audit_records (
    id text PRIMARY KEY,
    at timestamp NOT NULL,
    operation text NOT NULL,
    person_id text,
    session_id text,
    contributor_id text,
    acting_as text,
    right_id text,
    subject_kind text,
    subject_id text,
    outcome text NOT NULL,
    request_id text NOT NULL,
    address text NOT NULL
);
CREATE INDEX audit_records_by_subject ON audit_records (subject_id);

-- Reads of what is another's, refusals and failed logins: append-only, written in groups off the request's path.
CREATE TABLE access_log (
    id text PRIMARY KEY,
    at timestamp NOT NULL,
    operation text NOT NULL,
    person_id text,
    session_id text,
    contributor_id text,
    subject_id text,
    outcome text NOT NULL,
    request_id text NOT NULL,
    address text NOT NULL
);
CREATE INDEX access_log_by_time ON access_log (at);

-- Work promised in a transaction: messages to people.
CREATE TABLE outbox (
    id text PRIMARY KEY,
    kind text NOT NULL,
    person_id text NOT NULL,
    data text NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'sent')),
    created_at timestamp NOT NULL,
    sent_at timestamp
);
CREATE INDEX outbox_queued ON outbox (created_at, id) WHERE state = 'queued';
