-- +goose Up

-- Where both halves of a PIN went, as the decision chose. What was served before went where the request itself says.
ALTER TABLE pin_requests ADD COLUMN first_channel text;
ALTER TABLE pin_requests ADD COLUMN first_to text;
ALTER TABLE pin_requests ADD COLUMN second_channel text;
ALTER TABLE pin_requests ADD COLUMN second_to text;

-- The revocations of other people's PINs by who works here, with their reason.
CREATE TABLE pin_revocations (
    id text PRIMARY KEY,
    person_id text NOT NULL REFERENCES people (id),
    revoked_by text NOT NULL REFERENCES people (id),
    reason text NOT NULL CHECK (reason IN ('requested', 'lost', 'stolen', 'misused', 'wrong_person')),
    revoked_at timestamp NOT NULL
);
CREATE INDEX pin_revocations_by_staff ON pin_revocations (revoked_by, revoked_at);
