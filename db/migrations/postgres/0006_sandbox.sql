-- +goose Up

-- The sandbox's own tables stay empty anywhere else. They hold test PINs in clear on purpose.
CREATE TABLE sandbox_people (
    person_id uuid PRIMARY KEY REFERENCES people (id),
    pin text NOT NULL,
    description text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE sandbox_messages (
    id uuid PRIMARY KEY,
    channel text NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    sent_at timestamptz NOT NULL
);
CREATE INDEX sandbox_messages_by_time ON sandbox_messages (sent_at, id);
