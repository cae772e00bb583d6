-- +goose Up

-- What is counted of a position: its declarations by state, and its tickets that are not closed.
CREATE INDEX declarations_by_position ON declarations (position_id, state, submitted_at) WHERE state <> 'draft';
CREATE INDEX tickets_open_by_position ON tickets (position_id) WHERE state <> 'closed';
