-- +goose Up

-- What ended a delegation: the contributor, the intermediary, or another one that took its place. What was written for want of
-- words is no reason that somebody gave.
ALTER TABLE delegations ADD COLUMN end_cause text CHECK (end_cause IN ('contributor', 'intermediary', 'replacement'));
UPDATE delegations SET end_cause = CASE
    WHEN end_reason = 'replaced' THEN 'replacement'
    WHEN end_reason = 'revoked_by_contributor' THEN 'contributor'
    WHEN end_reason = 'revoked_by_delegate' THEN 'intermediary'
    WHEN EXISTS (SELECT 1 FROM contributor_roles r WHERE r.person_id = delegations.ended_by AND r.contributor_id = delegations.contributor_id) THEN 'contributor'
    ELSE 'intermediary' END
WHERE state = 'revoked';
UPDATE delegations SET end_reason = NULL WHERE end_reason IN ('revoked_by_delegate', 'revoked_by_contributor', 'replaced', 'discarded');
