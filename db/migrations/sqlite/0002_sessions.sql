-- +goose Up

CREATE TABLE pins (
    person_id text PRIMARY KEY REFERENCES people (id),
    hash text NOT NULL,
    -- True for the 16 characters that were issued, until the holder changes them.
    initial boolean NOT NULL,
    changed_at timestamp NOT NULL,
    -- The holder must change the PIN from this instant on.
    change_due_at timestamp NOT NULL,
    -- An initial PIN that was not used by this instant is expired.
    unused_expires_at timestamp,
    first_access_at timestamp,
    revoked_at timestamp
);

-- The generated PIN that its holder has not confirmed yet: one for each person.
CREATE TABLE pin_rotations (
    person_id text PRIMARY KEY REFERENCES people (id),
    id text NOT NULL UNIQUE,
    session_id text NOT NULL,
    hash text NOT NULL,
    expires_at timestamp NOT NULL
);

-- One row for each kind of secret and (keyed digest of the) subject, whether or not the subject exists.
CREATE TABLE attempts (
    kind text NOT NULL,
    subject text NOT NULL,
    -- Whether the subject was a registered person at the last try: a stranger's row is dropped after a while.
    known boolean NOT NULL,
    failures integer NOT NULL CHECK (failures >= 0),
    in_flight integer NOT NULL CHECK (in_flight >= 0),
    -- Attempts still in flight at this instant were lost with their process: they count as wrong, and begin a new epoch,
    -- so that one that settles all the same is not counted twice.
    epoch integer NOT NULL,
    lease_until timestamp NOT NULL,
    locked_until timestamp,
    last_at timestamp NOT NULL,
    PRIMARY KEY (kind, subject)
);

-- Wrong secrets by the address they came from, kept for the ten minutes that count.
CREATE TABLE address_failures (
    id text PRIMARY KEY,
    address text NOT NULL,
    at timestamp NOT NULL
);
CREATE INDEX address_failures_by_address ON address_failures (address, at);

CREATE TABLE sessions (
    id text PRIMARY KEY,
    person_id text NOT NULL REFERENCES people (id),
    login_method text NOT NULL CHECK (login_method IN ('pin', 'spid', 'cie', 'cns')),
    pin_change_required boolean NOT NULL,
    created_at timestamp NOT NULL,
    authenticated_at timestamp NOT NULL,
    last_seen_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    ended_at timestamp,
    end_reason text,
    refresh_generation integer NOT NULL,
    refresh_hash text NOT NULL,
    -- What the last renewal used, so that its exact repeat can be answered the same.
    renewed_at timestamp,
    renewed_hash text,
    renewed_key text
);
CREATE INDEX sessions_live_by_person ON sessions (person_id) WHERE ended_at IS NULL;
