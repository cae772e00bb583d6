-- +goose Up

-- What is counted of a position is counted among the declarations of its contributor, by the index of their states.
DROP INDEX declarations_by_position;
DROP INDEX declarations_by_contributor_state;
CREATE INDEX declarations_by_contributor_state ON declarations (contributor_id, state, listed_at, id, position_id);
