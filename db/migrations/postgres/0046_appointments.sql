-- +goose Up

-- Where an office is and when it is open. Its code and title come with the positions that are imported; this is kept here.
ALTER TABLE offices ADD COLUMN street text;
ALTER TABLE offices ADD COLUMN postal_code text;
ALTER TABLE offices ADD COLUMN town text;
ALTER TABLE offices ADD COLUMN province text;
ALTER TABLE offices ADD COLUMN phone text;
-- The opening hours: a JSON array of {weekday, opens, closes}, times by the clocks of Rome.
ALTER TABLE offices ADD COLUMN hours text NOT NULL DEFAULT '[]';
-- Counts the changes of what is kept here.
ALTER TABLE offices ADD COLUMN version integer NOT NULL DEFAULT 1;

-- The hours that an office offers (agenda appuntamenti), each for one appointment at one of its desks.
CREATE TABLE appointment_slots (
    id uuid PRIMARY KEY,
    office_code text NOT NULL REFERENCES offices (code),
    desk integer NOT NULL CHECK (desk > 0),
    channel text NOT NULL CHECK (channel IN ('counter', 'phone', 'video')),
    -- The topics of tickets that it is for, as a JSON array of codes; a heading stands for those below it.
    topics text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    published_by uuid REFERENCES people (id),
    published_at timestamptz NOT NULL,
    withdrawn_by uuid REFERENCES people (id),
    withdrawn_at timestamptz,
    withdrawal_reason text,
    CHECK (ends_at > starts_at),
    CHECK ((withdrawn_at IS NULL) = (withdrawal_reason IS NULL))
);
-- Publishing asks for overlaps under a lock; that two begin at once at one desk cannot be at all.
CREATE UNIQUE INDEX appointment_slots_at_desk ON appointment_slots (office_code, desk, starts_at) WHERE withdrawn_at IS NULL;
CREATE INDEX appointment_slots_by_office ON appointment_slots (office_code, starts_at, id);

CREATE TABLE appointments (
    id uuid PRIMARY KEY,
    slot_id uuid NOT NULL REFERENCES appointment_slots (id),
    -- Who booked it.
    person_id uuid NOT NULL REFERENCES people (id),
    -- NULL for what is the person's own.
    contributor_id uuid REFERENCES contributors (id),
    topic text NOT NULL REFERENCES ticket_topics (code),
    ticket_id uuid REFERENCES tickets (id),
    phone text NOT NULL,
    notes text NOT NULL,
    right_id uuid,
    acting_as text,
    application_id uuid REFERENCES applications (id),
    state text NOT NULL CHECK (state IN ('booked', 'confirmed', 'cancelled', 'expired')),
    booked_at timestamptz NOT NULL,
    -- Until when it is held unconfirmed: after that a row that is still booked has expired.
    confirm_by timestamptz NOT NULL,
    confirmed_at timestamptz,
    ended_at timestamptz,
    -- NULL also for what expired.
    ended_by uuid REFERENCES people (id),
    -- What the office said when it withdrew the slot.
    withdrawal_reason text,
    -- When its person is reminded, if confirmed; NULL where that would not be before it.
    remind_at timestamptz,
    attended boolean,
    attended_by uuid REFERENCES people (id),
    attended_at timestamptz,
    -- How often it was changed, as calendars count it (RFC 5545, SEQUENCE).
    sequence integer NOT NULL,
    version integer NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((contributor_id IS NULL) = (right_id IS NULL)),
    CHECK ((right_id IS NULL) = (acting_as IS NULL)),
    CHECK (state <> 'confirmed' OR confirmed_at IS NOT NULL),
    CHECK ((state IN ('cancelled', 'expired')) = (ended_at IS NOT NULL)),
    CHECK (withdrawal_reason IS NULL OR state = 'cancelled'),
    CHECK ((attended IS NULL) = (attended_at IS NULL))
);
-- Two people never hold one slot.
CREATE UNIQUE INDEX appointments_one_a_slot ON appointments (slot_id) WHERE state IN ('booked', 'confirmed');
CREATE INDEX appointments_by_slot ON appointments (slot_id);
CREATE INDEX appointments_by_person ON appointments (person_id, booked_at, id);
CREATE INDEX appointments_open_by_person ON appointments (person_id, id) WHERE state IN ('booked', 'confirmed');
CREATE INDEX appointments_by_contributor ON appointments (contributor_id, booked_at, id) WHERE contributor_id IS NOT NULL;
CREATE INDEX appointments_unconfirmed ON appointments (confirm_by, id) WHERE state = 'booked';
CREATE INDEX appointments_to_remind ON appointments (remind_at, id) WHERE state = 'confirmed';
