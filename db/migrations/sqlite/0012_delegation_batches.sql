-- +goose Up

-- Many delegations that an intermediary drafts at once (caricamento massivo). They are worked off in the background, one
-- item in one transaction, the oldest batch first.
CREATE TABLE delegation_batches (
    id text PRIMARY KEY,
    delegate_id text NOT NULL REFERENCES delegates (id),
    -- Who sent it, and drafts them.
    person_id text NOT NULL REFERENCES people (id),
    state text NOT NULL CHECK (state IN ('queued', 'running', 'done')),
    items_total integer NOT NULL CHECK (items_total BETWEEN 1 AND 1000),
    items_done integer NOT NULL CHECK (items_done BETWEEN 0 AND items_total),
    -- The request, for the traces of what it drafts.
    session_id text NOT NULL,
    request_id text NOT NULL,
    address text NOT NULL,
    created_at timestamp NOT NULL,
    CHECK ((state = 'done') = (items_done = items_total))
);
CREATE INDEX delegation_batches_open ON delegation_batches (created_at, id) WHERE state <> 'done';

CREATE TABLE delegation_batch_items (
    batch_id text NOT NULL REFERENCES delegation_batches (id),
    line integer NOT NULL,
    position_number text NOT NULL,
    scope text NOT NULL,
    -- Service codes as a JSON array.
    services text NOT NULL,
    exclusive boolean NOT NULL,
    valid_until timestamp,
    signatory_id text,
    state text NOT NULL CHECK (state IN ('pending', 'filed', 'refused')),
    delegation_id text REFERENCES delegations (id),
    reason text,
    -- How often it failed for no fault of its own.
    failures integer NOT NULL,
    PRIMARY KEY (batch_id, line),
    CHECK ((state = 'filed') = (delegation_id IS NOT NULL)),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
);
CREATE INDEX delegation_batch_items_pending ON delegation_batch_items (batch_id, line) WHERE state = 'pending';
CREATE INDEX delegation_batch_items_by_delegation ON delegation_batch_items (delegation_id) WHERE delegation_id IS NOT NULL;
