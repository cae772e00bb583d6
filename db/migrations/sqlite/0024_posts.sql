-- +goose Up

-- The administrator who gave somebody the post of an administrator that no second one has confirmed yet; nothing to confirm is NULL.
ALTER TABLE people ADD COLUMN post_given_by text REFERENCES people (id);
