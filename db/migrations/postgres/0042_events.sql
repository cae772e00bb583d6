-- +goose Up

-- In which transaction a record was written, so that the feed of events finds those that were committed since its last look, however late. What
-- stands there already is no event.
ALTER TABLE audit_records ADD COLUMN xact_id xid8 NOT NULL DEFAULT '0';
ALTER TABLE audit_records ALTER COLUMN xact_id SET DEFAULT pg_current_xact_id();
CREATE INDEX audit_records_by_xact ON audit_records (xact_id);

-- What happened, for software that wants to know: made of audit records after their commit, by one appender at a time, without a gap in the
-- position. No personal data, and no references: what it is about may be gone.
CREATE TABLE events (
    position bigint PRIMARY KEY,
    -- That of the audit record; a second event of one record has one that is made of it.
    id uuid NOT NULL UNIQUE,
    type text NOT NULL,
    at timestamptz NOT NULL,
    contributor_id uuid,
    position_id uuid,
    -- Empty where none is needed.
    service text NOT NULL,
    delegate_id uuid,
    person_id uuid,
    application_id uuid,
    subject_kind text NOT NULL,
    subject_id text NOT NULL
);
CREATE INDEX events_by_contributor ON events (contributor_id, position) WHERE contributor_id IS NOT NULL;
CREATE INDEX events_by_delegate ON events (delegate_id, position) WHERE delegate_id IS NOT NULL;
CREATE INDEX events_by_person ON events (person_id, position) WHERE person_id IS NOT NULL;
CREATE INDEX events_by_time ON events (at, position);

-- How far the feed has come. Who appends holds the row.
CREATE TABLE event_feed (
    id smallint PRIMARY KEY CHECK (id = 0),
    -- The newest that was given.
    position bigint NOT NULL,
    -- What the last look saw: a pg_snapshot; NULL before the first.
    snapshot text,
    -- The same on SQLite: the last row of audit_records.
    last_row bigint NOT NULL,
    -- Records up to this one are no events, or are such no more.
    since uuid
);
INSERT INTO event_feed (id, position, last_row, since) SELECT 0, 0, 0, (SELECT id FROM audit_records ORDER BY id DESC LIMIT 1);
