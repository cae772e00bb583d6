-- +goose Up

-- What is counted of a position: its declarations by state.
CREATE INDEX declarations_by_position ON declarations (position_id, state, submitted_at) WHERE state <> 'draft';
