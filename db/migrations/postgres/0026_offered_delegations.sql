-- +goose Up

-- When a code first went to the contributor. What an intermediary drafted and never sent is nothing to the contributor; what was
-- sent once is listed ever after. Codes are kept, so they tell of what was drafted before.
ALTER TABLE delegations ADD COLUMN offered_at timestamptz;
UPDATE delegations SET offered_at = coalesce((SELECT MIN(o.sent_at) FROM delegation_otps o WHERE o.delegation_id = delegations.id), activated_at);
CREATE INDEX delegations_by_contributor_offered ON delegations (contributor_id, drafted_at, id)
    WHERE (offered_at IS NOT NULL OR activated_at IS NOT NULL OR state IN ('pending', 'active'));
CREATE INDEX delegations_open ON delegations (delegate_id, contributor_id) WHERE state IN ('draft', 'pending');
CREATE INDEX declarations_drafts ON declarations (contributor_id, person_id) WHERE state = 'draft';
