-- +goose Up

-- A delivery of which nobody knows whether it was taken has a state of its own and is repeated twice at most. repeats counts
-- that; delay_notice is the id of the channel's first word that it is still under way.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state_check
    CHECK (state IN ('queued', 'sent', 'delivered', 'handed_over', 'failed', 'dead', 'unconfirmed'));
ALTER TABLE deliveries ADD COLUMN repeats integer NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN delay_notice text;
ALTER TABLE delivery_attempts DROP CONSTRAINT delivery_attempts_outcome_check;
ALTER TABLE delivery_attempts ADD CONSTRAINT delivery_attempts_outcome_check
    CHECK (outcome IN ('sent', 'delivered', 'handed_over', 'deferred', 'failed', 'unconfirmed', 'delayed'));
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (channel, next_at, id) WHERE (state = 'queued' OR state = 'unconfirmed' AND repeats < 2);
-- A secret is erased when its message was sent, or at its deadline.
CREATE INDEX outbox_sealed ON outbox (deadline_at) WHERE sealed IS NOT NULL;
