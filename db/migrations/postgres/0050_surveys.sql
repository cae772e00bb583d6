-- +goose Up

-- Satisfaction surveys. All counts of one stand in one row, so that no order of rows says which of them changed last, and nothing says when.
CREATE TABLE surveys (
    id uuid PRIMARY KEY,
    -- The words in both languages, and the questions with their options, as JSON.
    title text NOT NULL,
    questions text NOT NULL,
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    -- Where it was ended before its time.
    closed_at timestamptz,
    published_at timestamptz NOT NULL,
    -- How often each option was chosen, by question, as JSON: all of it, and what may be shown.
    counts text NOT NULL,
    shown text NOT NULL,
    CHECK (opens_at < closes_at)
);
CREATE INDEX surveys_by_opening ON surveys (opens_at, id);

-- Who took part in a survey that is open: a digest of person and survey under a key that is not in the database. It is dropped with the survey's end.
CREATE TABLE survey_participations (
    survey_id uuid NOT NULL,
    mac text NOT NULL,
    PRIMARY KEY (survey_id, mac)
);
