-- +goose Up

-- PINs that were issued at a counter. Each is ordinary until dispositive_at, or until somebody else confirmed it.
CREATE TABLE counter_pins (
    id text PRIMARY KEY,
    person_id text NOT NULL REFERENCES people (id),
    issued_by text NOT NULL REFERENCES people (id),
    issued_at timestamp NOT NULL,
    dispositive_at timestamp NOT NULL,
    -- How it became dispositive, and who of the staff saw to it; nobody where the time did.
    confirmation text CHECK (confirmation IN ('second_person', 'code', 'time')),
    confirmed_by text REFERENCES people (id),
    confirmed_at timestamp,
    -- The copy of the document that was shown: where its files are in the blob store, and a JSON array of
    -- {number, file_name, media_type, size, digest}.
    document_id text,
    attachments text NOT NULL,
    CHECK ((confirmation IS NULL) = (confirmed_at IS NULL)),
    CHECK (document_id IS NOT NULL OR attachments = '[]')
);
CREATE INDEX counter_pins_by_staff ON counter_pins (issued_by, issued_at);
CREATE INDEX counter_pins_by_person ON counter_pins (person_id, issued_at);
CREATE INDEX counter_pins_waiting ON counter_pins (dispositive_at, id) WHERE confirmed_at IS NULL;

-- Which of them the PIN is, through all its changes; nothing for a PIN that came in halves.
ALTER TABLE pins ADD COLUMN counter_pin_id text;
