-- +goose Up

-- The whole document of a type: its title in English too and, as a JSON object, the rules that have no column. Types published
-- before have only an Italian title, and the rules that hold without a word.
ALTER TABLE declaration_types ADD COLUMN title_en text NOT NULL DEFAULT '';
ALTER TABLE declaration_types ADD COLUMN rules text NOT NULL DEFAULT '{}';

-- The register's mark of a contributor that has not paid what was due. A line of an import says 1, 0 or nothing.
ALTER TABLE contributors ADD COLUMN irregular boolean NOT NULL DEFAULT false;
ALTER TABLE staged_contributors ADD COLUMN regular text;
