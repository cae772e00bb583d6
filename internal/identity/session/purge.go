package session

import (
	"context"
	"time"
)

// endedKept is how long a session is remembered after the latest instant at which it could have
// lived.
const endedKept = 30 * 24 * time.Hour

// Purge forgets sessions that have been over for 30 days. What was done in them stays on record.
func (s *Service) Purge(ctx context.Context) error {
	return s.repo.purge(ctx, s.run.Clock.Now().Add(-endedKept))
}

func (r repository) purge(ctx context.Context, until time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("DELETE FROM sessions WHERE expires_at <= ?", until).Error
	})
}
