package idempotency

import (
	"context"
)

// ReplayOf tells, without claiming it, whether a key was taken. It returns a *Replay when the same
// request succeeded before, fault.IdempotencyKeyReused when the key belongs to another request, and
// nil otherwise. It is for operations that must look at something that the first request used up
// before they come to Take. A nil claim was never seen.
func (s *Store) ReplayOf(ctx context.Context, c *Claim) error {
	if c == nil {
		return nil
	}
	var taken []int
	err := s.db.From(ctx).Raw(
		"SELECT 1 FROM idempotency_keys WHERE scope = ? AND key = ? AND created_at > ?", c.Scope, c.Key, s.clock.Now().Add(-Lifetime),
	).Scan(&taken).Error
	if err != nil || len(taken) == 0 {
		return err
	}
	return s.before(ctx, c)
}
