package sandbox

import (
	"context"
	"time"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/installation"
)

const (
	// longestJump is how many years the clock goes at once.
	longestJump = 20
	// furthest is how far the clock can be ahead of real time, in years.
	furthest = 100
)

// Clock returns the sandbox's time.
func (s *Service) Clock() Time {
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.timeNow()
}

// timeNow is Clock for those who hold the turn.
func (s *Service) timeNow() Time { return Time{Now: s.clock.Now(), Offset: s.clock.Offset()} }

// Move moves the clock of the whole program forwards. It stays moved over a restart.
//
// What falls due until then is done on the way, at its instant, in order of time. What merely
// expires is a question of what time it is, so it follows by itself.
//
// It returns these faults:
//   - fault.Invalid with fault.FieldBackwards: the move leads backwards;
//   - fault.Invalid with fault.FieldTooFar: it is of more than 20 years, or leads more than 100
//     years ahead of real time;
//   - fault.Forbidden: the sandbox is public.
func (s *Service) Move(ctx context.Context, in Move) (Time, error) {
	if s.public {
		return Time{}, fault.New(fault.Forbidden)
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	offset, committed := s.clock.Offset(), false
	before := offset
	defer func() {
		if !committed {
			s.clock.Set(before)
		}
	}()
	_, err := operation.Do(ctx, s.run, access.Actor{}, "clock", func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.SubjectKind = "clock"
		if _, err := installation.Lock(ctx, s.db); err != nil {
			return struct{}{}, err
		}
		now := s.clock.Now()
		target, err := in.target(now)
		if err == nil && target.After(calendar.AddMonths(now.Add(-offset), 12*furthest)) {
			err = in.refuse("too-far")
		}
		if err == nil {
			err = s.walk(ctx, target)
		}
		if err != nil {
			return struct{}{}, err
		}
		offset += target.Sub(now)
		if err := installation.SetClock(ctx, s.db, offset); err != nil {
			return struct{}{}, err
		}
		// The key counts from the new time. Otherwise a repeat after a jump of more than its life
		// would jump again.
		return struct{}{}, s.claimAgain(ctx, "clock", clock.NewManual(target))
	}, func(context.Context, string) (struct{}, error) { return struct{}{}, nil })
	if err != nil {
		return Time{}, err
	}
	committed = true
	s.clock.Set(offset)
	return s.timeNow(), nil
}

// walk does what falls due until the target, each at its instant. It hands over what is promised on
// the way.
func (s *Service) walk(ctx context.Context, target time.Time) error {
	err := s.due.Walk(ctx, target, func(ctx context.Context, instant time.Time) error {
		if err := s.HandOver(ctx); err != nil {
			return err
		}
		// What fell due while nobody moved the clock is done late, never by a clock that goes back.
		if ahead := instant.Sub(s.clock.Now()); ahead > 0 {
			s.clock.Set(s.clock.Offset() + ahead)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.HandOver(ctx)
}

// claimAgain takes the request's idempotency key anew, dated by another clock, in the context's
// transaction.
func (s *Service) claimAgain(ctx context.Context, resourceID string, at clock.Clock) error {
	claim := idempotency.ClaimOf(ctx)
	if claim == nil {
		return nil
	}
	if err := s.run.Keys.Release(ctx, claim); err != nil {
		return err
	}
	return idempotency.NewStore(s.db, at, nil).Take(ctx, idempotency.Want{Claim: claim, ResourceID: resourceID})
}

// target is the instant that the move leads to.
func (m Move) target(now time.Time) (time.Time, error) {
	if (m.Advance == "") == (m.Now == nil) {
		return time.Time{}, fault.InvalidFields(fault.Field{Pointer: "", Code: fault.FieldVariant})
	}
	target := now
	if m.Now != nil {
		target = clock.Normal(*m.Now)
	} else {
		period, err := ParsePeriod(m.Advance)
		if err != nil {
			return time.Time{}, m.refuse("format")
		}
		if period.negative() {
			return time.Time{}, m.refuse("backwards")
		}
		var near bool
		if target, near = period.After(now); !near {
			return time.Time{}, m.refuse("too-far")
		}
	}
	if target.Before(now) {
		return time.Time{}, m.refuse("backwards")
	}
	if target.After(calendar.AddMonths(now, 12*longestJump)) {
		return time.Time{}, m.refuse("too-far")
	}
	return target, nil
}

func (m Move) refuse(code string) error {
	pointer := "/advance"
	if m.Now != nil {
		pointer = "/now"
	}
	return fault.InvalidFields(fault.Field{Pointer: pointer, Code: code})
}
