-- +goose Up

-- One row: what this database is for. A sandbox's database and a real one never mix.
CREATE TABLE installation (
    id integer PRIMARY KEY CHECK (id = 1),
    kind text NOT NULL CHECK (kind IN ('production', 'sandbox')),
    clock_offset_us integer NOT NULL DEFAULT 0,
    created_at timestamp NOT NULL
);

-- Public halves of every key that ever signed: a receipt outlives the rotation of its key.
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('session', 'receipt')),
    jwk text NOT NULL,
    created_at timestamp NOT NULL
);

CREATE TABLE offices (
    code text PRIMARY KEY CHECK (length(code) = 4),
    title text NOT NULL
);

CREATE TABLE people (
    id text PRIMARY KEY,
    tax_code text NOT NULL UNIQUE,
    given_name text NOT NULL,
    family_name text NOT NULL,
    user_class text NOT NULL CHECK (user_class IN ('citizen', 'institutional_intermediary', 'operator', 'contact_centre', 'administrator')),
    credential_level text NOT NULL CHECK (credential_level IN ('ordinary', 'dispositive')),
    office_code text REFERENCES offices (code),
    identity_confirmed_at timestamp,
    suspended_at timestamp,
    created_at timestamp NOT NULL,
    CHECK (user_class <> 'operator' OR office_code IS NOT NULL)
);

CREATE TABLE contacts (
    id text PRIMARY KEY,
    person_id text NOT NULL REFERENCES people (id),
    kind text NOT NULL CHECK (kind IN ('mobile', 'email', 'pec', 'postal')),
    value text NOT NULL,
    verified_at timestamp,
    created_at timestamp NOT NULL,
    UNIQUE (person_id, kind, value)
);
