-- +goose Up

-- What tickets are about, in two levels: those without a parent are headings, only the others are chosen. They come with the program. The fixed
-- office is a code that this installation may not have, so it refers to nothing.
CREATE TABLE ticket_topics (
    code text PRIMARY KEY,
    version integer NOT NULL,
    parent_code text REFERENCES ticket_topics (code),
    place integer NOT NULL,
    title_it text NOT NULL,
    title_en text NOT NULL,
    office_code text,
    -- Whether an appointment on it may be booked without a ticket.
    appointments boolean NOT NULL
);

-- Two-way communication (comunicazione bidirezionale), and the requests that the system decides by itself, which stand among it.
CREATE TABLE tickets (
    id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('request', 'smart_task')),
    contributor_id text NOT NULL REFERENCES contributors (id),
    -- NULL for what is about the whole contributor.
    position_id text REFERENCES positions (id),
    office_code text NOT NULL REFERENCES offices (code),
    topic text NOT NULL REFERENCES ticket_topics (code),
    -- The section of the dossier from which it was written.
    section text,
    subject text NOT NULL,
    text text NOT NULL,
    -- Whether those who act for some positions alone learn of it only if they asked: it may be about what another intermediary does.
    reserved boolean NOT NULL DEFAULT false,
    -- Where its opener is told of it.
    email text,
    phone text,
    person_id text NOT NULL REFERENCES people (id),
    right_id text NOT NULL,
    acting_as text NOT NULL,
    application_id text REFERENCES applications (id),
    -- What is known of its files, as a JSON array; they lie in one archive.
    attachments text NOT NULL,
    archive_digest text,
    archive_size integer,
    protocol_number text NOT NULL,
    digest text NOT NULL,
    opened_at timestamp NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'in_charge', 'closed')),
    -- When it came to its office, where that is not the first one.
    routed_at timestamp,
    -- NULL also for what the system has in charge.
    assigned_to text REFERENCES people (id),
    assigned_at timestamp,
    outcome text CHECK (outcome IN ('accepted', 'not_accepted', 'informed')),
    closing_text text,
    -- NULL also for what the system closed.
    closed_by text REFERENCES people (id),
    closed_at timestamp,
    reminded_at timestamp,
    version integer NOT NULL,
    updated_at timestamp NOT NULL,
    CHECK (kind <> 'request' OR email IS NOT NULL OR phone IS NOT NULL),
    CHECK ((state = 'in_charge') = (assigned_at IS NOT NULL)),
    CHECK (assigned_to IS NULL OR assigned_at IS NOT NULL),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((closed_at IS NULL) = (outcome IS NULL)),
    CHECK ((closed_at IS NULL) = (closing_text IS NULL)),
    CHECK ((attachments = '[]') = (archive_digest IS NULL)),
    CHECK ((archive_digest IS NULL) = (archive_size IS NULL))
);
CREATE INDEX tickets_by_contributor ON tickets (contributor_id, opened_at, id);
CREATE INDEX tickets_by_state ON tickets (contributor_id, state, opened_at, id);
CREATE INDEX tickets_by_position ON tickets (position_id, opened_at, id) WHERE position_id IS NOT NULL;
CREATE INDEX tickets_opened ON tickets (opened_at, id);
CREATE INDEX tickets_open_by_person ON tickets (person_id, contributor_id) WHERE state <> 'closed';

-- What is said about a ticket after it was opened, by the contributor's side and by the office. Internal comments are the office's alone.
CREATE TABLE ticket_comments (
    id text PRIMARY KEY,
    ticket_id text NOT NULL REFERENCES tickets (id),
    author_id text NOT NULL REFERENCES people (id),
    application_id text REFERENCES applications (id),
    by_office boolean NOT NULL,
    visibility text NOT NULL CHECK (visibility IN ('visible', 'internal')),
    text text NOT NULL,
    at timestamp NOT NULL,
    CHECK (by_office OR visibility = 'visible')
);
CREATE INDEX ticket_comments_by_ticket ON ticket_comments (ticket_id, at, id);

-- Representatives whom a register named have every service that is not of public bodies alone, as the next import gives it.
UPDATE contributor_roles SET services = '["declarations","delegations","dossier"]'
WHERE role = 'legal_representative' AND services = '["declarations","delegations"]' AND withdrawn_at IS NULL;
