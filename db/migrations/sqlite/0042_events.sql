-- +goose Up

-- On PostgreSQL, in which transaction a record was written. Here the order of the rows is that of the commits.
ALTER TABLE audit_records ADD COLUMN xact_id integer NOT NULL DEFAULT 0;

-- What happened, for software that wants to know: made of audit records after their commit, by one appender at a time, without a gap in the
-- position. No personal data, and no references: what it is about may be gone.
CREATE TABLE events (
    position bigint PRIMARY KEY,
    -- That of the audit record; a second event of one record has one that is made of it.
    id text NOT NULL UNIQUE,
    type text NOT NULL,
    at timestamp NOT NULL,
    contributor_id text,
    position_id text,
    -- Empty where none is needed.
    service text NOT NULL,
    delegate_id text,
    person_id text,
    application_id text,
    subject_kind text NOT NULL,
    subject_id text NOT NULL
);
CREATE INDEX events_by_contributor ON events (contributor_id, position) WHERE contributor_id IS NOT NULL;
CREATE INDEX events_by_delegate ON events (delegate_id, position) WHERE delegate_id IS NOT NULL;
CREATE INDEX events_by_person ON events (person_id, position) WHERE person_id IS NOT NULL;
CREATE INDEX events_by_time ON events (at, position);

-- How far the feed has come. Who appends holds the row.
CREATE TABLE event_feed (
    id integer PRIMARY KEY CHECK (id = 0),
    -- The newest that was given.
    position bigint NOT NULL,
    -- What the last look saw, on PostgreSQL.
    snapshot text,
    -- The last row of audit_records that a look saw.
    last_row bigint NOT NULL,
    -- Records up to this one are no events, or are such no more.
    since text
);
INSERT INTO event_feed (id, position, last_row, since) SELECT 0, 0, COALESCE((SELECT MAX(rowid) FROM audit_records), 0), (SELECT id FROM audit_records ORDER BY id DESC LIMIT 1);
