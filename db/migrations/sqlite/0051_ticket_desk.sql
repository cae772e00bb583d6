-- +goose Up

-- From when a ticket that was closed waits again, and from when any waits. The latter is a column, since SQLite takes no range of an index of
-- expressions from a comparison of rows.
ALTER TABLE tickets ADD COLUMN reopened_at timestamp;
ALTER TABLE tickets ADD COLUMN waits_from timestamp GENERATED ALWAYS AS (COALESCE(reopened_at, opened_at)) VIRTUAL;

-- An administrator sets topics too: how often that was, and whether a topic is offered no more.
ALTER TABLE ticket_topics ADD COLUMN revision integer NOT NULL DEFAULT 0;
ALTER TABLE ticket_topics ADD COLUMN retired boolean NOT NULL DEFAULT false;

-- The queue of an office in the order of waiting, and its tickets in one state.
CREATE INDEX tickets_waiting ON tickets (office_code, waits_from, id) WHERE state <> 'closed';
CREATE INDEX tickets_by_office_state ON tickets (office_code, state, waits_from, id);
CREATE INDEX tickets_by_operator ON tickets (assigned_to, waits_from, id) WHERE assigned_to IS NOT NULL;
CREATE INDEX tickets_by_protocol_number ON tickets (protocol_number);

-- The ready-made answers of an office.
CREATE TABLE reply_templates (
    office_code text NOT NULL REFERENCES offices (code),
    code text NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    -- NULL for any topic.
    topic text REFERENCES ticket_topics (code),
    version integer NOT NULL,
    updated_at timestamp NOT NULL,
    updated_by text NOT NULL REFERENCES people (id),
    PRIMARY KEY (office_code, code)
);
