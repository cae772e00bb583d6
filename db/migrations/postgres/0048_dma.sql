-- +goose Up

-- Monthly lists of public employees (DMA, UNIEMENS ListaPosPA) that were protocolled. Each is kept as a file.
CREATE TABLE dma_submissions (
    id uuid PRIMARY KEY,
    contributor_id uuid NOT NULL REFERENCES contributors (id),
    position_id uuid NOT NULL REFERENCES positions (id),
    office_code text NOT NULL REFERENCES offices (code),
    -- YYYY-MM.
    period text NOT NULL,
    -- A list of variations alone: there may be many of a month.
    variations_only boolean NOT NULL,
    -- How it came: compiled by hand, or as a file.
    form text NOT NULL CHECK (form IN ('compiled', 'xml')),
    size bigint NOT NULL,
    -- What it counts and adds up, as JSON.
    totals text NOT NULL,
    person_id uuid NOT NULL REFERENCES people (id),
    acting_as text NOT NULL,
    right_id uuid NOT NULL,
    application_id uuid REFERENCES applications (id),
    supersedes_id uuid REFERENCES dma_submissions (id),
    protocol_number text NOT NULL,
    digest text NOT NULL,
    -- Filed with ordinary credentials, whatever became of it since.
    awaited boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('awaiting_credentials', 'submitted', 'lapsed', 'superseded')),
    submitted_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer NOT NULL
);
-- One that counts for each position and month, and one that waits to.
CREATE UNIQUE INDEX dma_submissions_counting ON dma_submissions (position_id, period) WHERE state = 'submitted' AND NOT variations_only;
CREATE UNIQUE INDEX dma_submissions_waiting ON dma_submissions (position_id, period)
    WHERE state = 'awaiting_credentials' AND NOT variations_only;
CREATE INDEX dma_submissions_by_position ON dma_submissions (position_id, submitted_at, id);
CREATE INDEX dma_submissions_awaiting ON dma_submissions (submitted_at, id) WHERE state = 'awaiting_credentials';
CREATE INDEX dma_submissions_awaiting_of ON dma_submissions (person_id) WHERE state = 'awaiting_credentials';

-- What the register may say of an amortisation plan: how many instalments it has and how many are paid, how much each is,
-- and when the last is due.
ALTER TABLE public_body_data ADD COLUMN instalments integer;
ALTER TABLE public_body_data ADD COLUMN instalments_paid integer;
ALTER TABLE public_body_data ADD COLUMN instalment_amount text;
ALTER TABLE public_body_data ADD COLUMN ends_on text;
ALTER TABLE staged_public_body_data ADD COLUMN instalments integer;
ALTER TABLE staged_public_body_data ADD COLUMN instalments_paid integer;
ALTER TABLE staged_public_body_data ADD COLUMN instalment_amount text;
ALTER TABLE staged_public_body_data ADD COLUMN ends_on text;
