package fund

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"diresco/internal/kernel/operation"
	"diresco/internal/platform/due"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	// Decided is told what became of claims by itself, in the transaction in which it did.
	Decided func(ctx context.Context, decisions []Decision) error
}

// Service has the use cases of funds. It is the due.Source of what falls due in them.
type Service struct {
	run       *operation.Runner
	repo      repository
	decided   func(ctx context.Context, decisions []Decision) error
	mostMoves int
	// looked is the second in which CatchUp looked last.
	looked atomic.Pointer[time.Time]
}

// NewService returns the service. Until Tell names somebody, nobody is told what became of claims.
func NewService(d Deps) *Service {
	s := &Service{run: d.Runner, repo: repository{d.Runner.DB}, decided: d.Decided, mostMoves: mostMoves}
	if s.decided == nil {
		s.decided = func(context.Context, []Decision) error { return nil }
	}
	return s
}

// Tell names who is told what became of claims. Call it before the service is used.
func (s *Service) Tell(decided func(ctx context.Context, decisions []Decision) error) {
	s.decided = decided
}

// Missing returns those of the codes that are no fund.
func (s *Service) Missing(ctx context.Context, codes []string) ([]string, error) {
	if len(codes) == 0 {
		return nil, nil
	}
	return s.repo.missing(ctx, codes)
}

// New is a fund to be made.
type New struct{ Code, Title string }

// Ensure makes the funds that are not there yet, in the context's transaction. Each begins with an
// empty budget.
func (s *Service) Ensure(ctx context.Context, funds ...New) error {
	now := s.run.Clock.Now()
	var rows []fundRow
	for _, f := range funds {
		rows = append(rows, fundRow{f.Code, f.Title, now})
	}
	slices.SortFunc(rows, func(a, b fundRow) int { return strings.Compare(a.Code, b.Code) })
	return s.repo.add(ctx, rows)
}

// catchUp does what fell due in a fund up to the instant, some of it in each transaction.
func (s *Service) catchUp(ctx context.Context, code string, until time.Time) error {
	for {
		states, err := s.repo.states(ctx, []string{code})
		if err != nil || len(states) == 0 || !states[0].due(later(until, states[0].At)) {
			return err
		}
		if err := s.run.DB.InTx(ctx, func(ctx context.Context) error { return s.settle(ctx, code, until) }); err != nil {
			return err
		}
	}
}

// CatchUp does what fell due by now in all funds. What is read is thereby right whether or not the
// worker ran. Within a second it looks once: terms end at midnight. In a transaction it does
// nothing, since funds are locked first.
func (s *Service) CatchUp(ctx context.Context) error {
	now := s.run.Clock.Now()
	last := s.looked.Load()
	if s.run.DB.WithinTx(ctx) || last != nil && now.Truncate(time.Second).Equal(*last) {
		return nil
	}
	if err := s.catchUpAll(ctx); err != nil {
		return err
	}
	now = now.Truncate(time.Second)
	s.looked.Store(&now)
	return nil
}

// settle does some of what fell due in a fund, in the context's transaction.
func (s *Service) settle(ctx context.Context, code string, until time.Time) error {
	b, err := s.Lock(ctx, until, []string{code})
	if err != nil {
		return err
	}
	b.Settle(until)
	return s.Finish(ctx, b)
}

// Finish saves a book and tells what became of claims by itself.
func (s *Service) Finish(ctx context.Context, b *Book) error {
	if err := b.Save(ctx); err != nil {
		return err
	}
	if decisions := b.Decisions(); len(decisions) > 0 {
		return s.decided(ctx, decisions)
	}
	return nil
}

// Name implements due.Source.
func (*Service) Name() string { return "fund.due" }

// Next implements due.Source.
func (s *Service) Next(ctx context.Context, after due.Cursor, until time.Time) (time.Time, bool, error) {
	states, err := s.repo.dueCodes(ctx, until)
	if err != nil || len(states) == 0 {
		return time.Time{}, false, err
	}
	earliest := until
	for _, state := range states {
		for _, at := range []*time.Time{state.NextEnd, state.NextReady} {
			if at != nil && at.Before(earliest) {
				earliest = *at
			}
		}
	}
	if !earliest.After(after.At) {
		// One that was overlooked is due now.
		earliest = until
	}
	return earliest, true, nil
}

// Do implements due.Source. What has moved is not due any more, so the cursor need not tell.
func (s *Service) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	states, err := s.repo.dueCodes(ctx, until)
	if err != nil || len(states) == 0 {
		return due.Through(until), err
	}
	// One fund in a transaction: the others are free meanwhile.
	if err := s.settle(ctx, states[0].FundCode, until); err != nil {
		return after, err
	}
	return after, nil
}
