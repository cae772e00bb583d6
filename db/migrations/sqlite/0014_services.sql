-- +goose Up

-- The catalogue of services. It is data: a new one needs no new program.
CREATE TABLE services (
    code text PRIMARY KEY,
    -- The program brings newer versions of what it ships; what was changed here since stays until then.
    version integer NOT NULL,
    title_it text NOT NULL,
    title_en text NOT NULL,
    section text NOT NULL,
    -- For whom: a JSON object of user classes, contributor kinds, schemes of positions, and rights; an empty list stands for all.
    audience text NOT NULL,
    -- The service that a right must cover; empty where any right will do, or none is needed.
    right_service text,
    -- A JSON array of {rel, href, method}; {contributor_id} and {position_id} stand for what is chosen.
    links text NOT NULL,
    withdrawn_at timestamp
);

-- The ways to use a service, each open for a time: from opens_at on, or always; until before closes_at, or for ever.
CREATE TABLE service_channels (
    service_code text NOT NULL REFERENCES services (code),
    channel text NOT NULL,
    opens_at timestamp,
    closes_at timestamp,
    href text NOT NULL,
    PRIMARY KEY (service_code, channel),
    CHECK (opens_at < closes_at)
);

-- How people arranged their menus.
CREATE TABLE menus (
    person_id text PRIMARY KEY REFERENCES people (id),
    -- A JSON array of {service_code, pinned, settings}.
    entries text NOT NULL,
    version integer NOT NULL,
    updated_at timestamp NOT NULL
);
