-- +goose Up

-- The timeline of a contributor is read from what every change records anyway. What is recorded of a filing, or of a draft, is left out: filings are
-- read from the declarations, so that none of them costs an entry of an index here. Whoever reads by this writes the same condition.
CREATE INDEX audit_records_by_contributor ON audit_records (contributor_id, subject_kind, at, id)
    WHERE operation NOT IN ('draftDeclaration', 'submitDeclaration', 'fileDeclarationBatch', 'changeDeclaration', 'discardDeclaration');
