-- +goose Up

-- By what a declaration was superseded: written in the transaction that makes it so, there before the other one is. What was superseded before is carried over from
-- the one that was filed, or else completed, at that instant.
ALTER TABLE declarations ADD COLUMN superseded_by_id uuid REFERENCES declarations (id) DEFERRABLE INITIALLY DEFERRED;
UPDATE declarations d SET superseded_by_id = (SELECT n.id FROM declarations n WHERE n.supersedes_id = d.id AND n.state <> 'draft'
    ORDER BY CASE WHEN n.submitted_at = d.updated_at THEN 0
        WHEN EXISTS (SELECT 1 FROM audit_records a WHERE a.subject_id = CAST(n.id AS text) AND a.operation = 'completeDeclaration' AND a.at = d.updated_at) THEN 1
        ELSE 2 END, n.submitted_at, n.id LIMIT 1)
WHERE d.state = 'superseded';

-- The filters of an office: each is a range of an index in the order of its list.
CREATE INDEX declarations_by_office_type ON declarations (office_code, type, listed_at, id) WHERE state <> 'draft';
CREATE INDEX declarations_by_office_state ON declarations (office_code, state, listed_at, id) WHERE state <> 'draft';
CREATE INDEX declarations_by_operator ON declarations (office_code, state, assigned_to, listed_at, id) WHERE state = 'in_charge';
-- What ends by itself are the few that wait.
CREATE INDEX declarations_by_office_end ON declarations (office_code, listed_at, id, ends_at) WHERE ends_at IS NOT NULL;
