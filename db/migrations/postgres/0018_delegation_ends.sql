-- +goose Up

-- Which side ended a delegation: the contributor, the intermediary, or a newer one that took its place. What was written for want of
-- words is no reason that somebody gave.
ALTER TABLE delegations ADD COLUMN ended_side text CHECK (ended_side IN ('contributor', 'intermediary', 'newer'));
UPDATE delegations SET ended_side = CASE
    WHEN end_reason = 'replaced' THEN 'newer'
    WHEN end_reason = 'revoked_by_contributor' THEN 'contributor'
    WHEN end_reason = 'revoked_by_delegate' THEN 'intermediary'
    WHEN EXISTS (SELECT 1 FROM contributor_roles r WHERE r.person_id = delegations.ended_by AND r.contributor_id = delegations.contributor_id) THEN 'contributor'
    ELSE 'intermediary' END
WHERE state = 'revoked';
UPDATE delegations SET end_reason = NULL WHERE end_reason IN ('revoked_by_delegate', 'revoked_by_contributor', 'replaced', 'discarded');
