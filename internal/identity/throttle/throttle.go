// Package throttle is the one limiter for every secret that can be guessed.
//
// An attempt is counted before the secret is looked at, in a statement of its own, and settled
// afterwards: however many arrive together, no more are evaluated than are allowed. Subjects are
// kept as keyed digests, whether or not such a person exists, so that nobody learns who is
// registered.
package throttle

import (
	"time"

	"diresco/internal/platform/fault"
)

// Kind is a kind of secret. Each has its own counter for a subject, shared by every operation that
// asks for that secret.
type Kind string

// The kinds of secret.
const (
	// PIN is a person's PIN: at login, at re-authentication and at the confirmation of a new one.
	PIN Kind = "pin"
	// RecoveryCode is the code that recovers a lost PIN.
	RecoveryCode Kind = "recovery-code"
	// RevocationCode is the code that revokes a PIN without a login.
	RevocationCode Kind = "revocation-code"
	// ContactCode is the code that verifies a contact.
	ContactCode Kind = "contact-code"
	// CounterPINCode is the code with which its holder confirms a PIN from the counter.
	CounterPINCode Kind = "counter-pin-code"
	// DelegationOTP is the code that activates a delegation, counted for an intermediary and a
	// contributor.
	DelegationOTP Kind = "delegation-otp"
	// DeviceUserCode is the code that a device shows, counted for who types it.
	DeviceUserCode Kind = "device-user-code"
)

// refusal is what a locked subject answers with: pin-locked is about the PIN alone.
func (k Kind) refusal() fault.Code {
	if k == PIN {
		return fault.PINLocked
	}
	return fault.RateLimited
}

// INPS PIN rules: 10 wrong PINs in a row inhibit access for 5 minutes. Each further wrong one costs
// 5 more until the right one is entered.
const (
	// MaxFailures is how many wrong attempts in a row begin a lockout. Never more than that are
	// evaluated together.
	MaxFailures = 10
	// Lockout is how long the subject must wait after the tenth wrong attempt and after each
	// further one.
	Lockout = 5 * time.Minute
	// Lease is how long an attempt may stay unsettled before it counts as wrong.
	Lease = 30 * time.Second
	// NotifyEvery is after how many wrong attempts in a row, and each time as many more, the person
	// is told.
	NotifyEvery = 100
)

// Outcome is how an attempt ended.
type Outcome int

// The outcomes.
const (
	// Wrong counts.
	Wrong Outcome = iota
	// Right sets the counter to zero.
	Right
	// Abandoned means that the secret was not evaluated: nothing counts.
	Abandoned
)

// Verdict is what may be done with an attempt that arrives.
type Verdict int

// The verdicts.
const (
	// Granted: evaluate it.
	Granted Verdict = iota
	// Locked: refuse it; the subject must wait.
	Locked
	// Occupied: attempts that are being evaluated decide whether this one may be; ask again.
	Occupied
)

// State is what is known about the attempts at one subject's secret. The zero value is a subject
// that nobody tried.
type State struct {
	Failures int
	InFlight int
	// Epoch tells attempts that were lost from those that came after them.
	Epoch       int
	LeaseUntil  time.Time
	LockedUntil *time.Time
}

// Reserve decides about one more attempt. When it is granted, the new state counts it as in flight;
// otherwise the state is as before. The duration is how long a locked subject must wait.
func (s State) Reserve(now time.Time) (State, Verdict, time.Duration) {
	next := s
	if s.InFlight > 0 && !s.LeaseUntil.After(now) {
		next.Failures += s.InFlight
		next.InFlight = 0
		next.Epoch++
		if next.Failures >= MaxFailures {
			until := s.LeaseUntil.Add(Lockout)
			next.LockedUntil = &until
		}
	}
	switch {
	case next.Failures+next.InFlight < MaxFailures:
	case next.InFlight > 0:
		return s, Occupied, 0
	case next.LockedUntil != nil && next.LockedUntil.After(now):
		return s, Locked, next.LockedUntil.Sub(now)
	}
	next.InFlight++
	next.LeaseUntil = now.Add(Lease)
	next.LockedUntil = nil
	return next, Granted, 0
}

// Settle ends an attempt that was reserved in the given epoch. It reports false, and changes
// nothing, when the attempt was given up as lost before.
func (s State) Settle(epoch int, outcome Outcome, now time.Time) (State, bool) {
	if epoch != s.Epoch || s.InFlight == 0 {
		return s, false
	}
	s.InFlight--
	switch outcome {
	case Wrong:
		s.Failures++
		if s.Failures >= MaxFailures {
			until := now.Add(Lockout)
			s.LockedUntil = &until
		}
	case Right:
		s.Failures, s.LockedUntil = 0, nil
	case Abandoned:
	}
	return s, true
}
