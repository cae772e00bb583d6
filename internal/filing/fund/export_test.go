package fund

import (
	"context"
	"time"
)

// SetMostMoves sets how many claims one transaction moves.
func (s *Service) SetMostMoves(n int) { s.mostMoves = n }

// CatchUpTo does what fell due in a fund.
func (s *Service) CatchUpTo(ctx context.Context, code string, until time.Time) error {
	return s.catchUp(ctx, code, until)
}

// Some does some of what fell due in a fund.
func (s *Service) Some(ctx context.Context, code string, until time.Time) error {
	return s.run.DB.InTx(ctx, func(ctx context.Context) error { return s.settle(ctx, code, until) })
}

// LockToServe locks a fund for what makes money free.
func (s *Service) LockToServe(ctx context.Context, until time.Time, code string) (*Book, error) {
	return s.lock(ctx, until, []string{code}, nil, true)
}
