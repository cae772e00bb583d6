-- +goose Up

-- Which programs may run on this schema: those that know at least this version of it. A migration that older programs cannot bear
-- raises it to its own number; one that only adds leaves it alone.
CREATE TABLE schema_compatibility (
    id integer PRIMARY KEY CHECK (id = 1),
    oldest_program integer NOT NULL
);
INSERT INTO schema_compatibility (id, oldest_program) VALUES (1, 29);
