package throttle

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

const (
	firstPoll   = 5 * time.Millisecond
	longestPoll = 50 * time.Millisecond
	longestWait = 2 * time.Second
	// statementTimeout bounds what must be written even for a request that has gone away.
	statementTimeout = 10 * time.Second
	// retention is how long a counter at zero, or of a subject that is nobody's, outlives the last
	// try.
	retention = 30 * 24 * time.Hour
)

// ManyWrongTries is the kind of message that tells a person of wrong attempts; its data is
// {"tries": n}.
var ManyWrongTries = outbox.Declare(outbox.Kind{Name: "pin.many_wrong_tries", Audience: outbox.EveryContact})

// Subject is whose secret is tried.
type Subject struct {
	// Name identifies the subject, for a PIN the exact upper-cased tax code. Only a keyed digest of
	// it is stored, so a rotation of the data keys begins the counters anew.
	Name secret.Text
	// PersonID is the registered person, if there is one.
	PersonID uuid.UUID
}

// Limiter grants attempts at secrets and counts the wrong ones.
type Limiter struct {
	db     *db.DB
	clock  clock.Clock
	keys   *keyring.DataKeys
	outbox *outbox.Outbox
	repo   repository
}

// NewLimiter returns the limiter of a database.
func NewLimiter(d *db.DB, c clock.Clock, keys *keyring.DataKeys, o *outbox.Outbox) *Limiter {
	return &Limiter{db: d, clock: c, keys: keys, outbox: o, repo: repository{d}}
}

// Attempt is one evaluation of a secret that was granted. Settle it.
type Attempt struct {
	limiter *Limiter
	key     key
	subject Subject
	epoch   int
}

// Counter is what stands after an attempt was settled.
type Counter struct {
	// Failures are the wrong attempts in a row.
	Failures int
	// LockedUntil is when the next attempt will be evaluated; nil for at once.
	LockedUntil *time.Time
}

// Reserve grants one evaluation and counts it as in flight. While only attempts that are being
// evaluated stand in the way it waits, two seconds at most. It must not be called inside a
// transaction: the reservation has to stand at once. It returns these faults:
//   - fault.Busy: those attempts took too long, and nothing was counted;
//   - fault.PINLocked, with the time to wait: the subject is locked out of its PIN;
//   - fault.RateLimited, with the time to wait: the subject is locked out of another secret.
func (l *Limiter) Reserve(ctx context.Context, kind Kind, subject Subject) (*Attempt, error) {
	digest := l.keys.Lasting("attempts "+string(kind), []byte(subject.Name.Reveal()))[0].MAC
	k := key{kind, digest}
	patience := time.NewTimer(longestWait)
	defer patience.Stop()
	for poll := firstPoll; ; {
		attempt, err := l.reserve(ctx, k, subject)
		if err != nil || attempt != nil {
			return attempt, err
		}
		// Looking is cheaper than trying: on SQLite a try is a turn at the one writer.
		for verdict := Occupied; verdict == Occupied; {
			var wait time.Duration
			if verdict, wait, err = l.look(ctx, k); err != nil {
				return nil, err
			}
			if verdict == Locked {
				return nil, fault.After(kind.refusal(), wait)
			}
			if err := pause(ctx, poll, patience.C); err != nil {
				return nil, err
			}
			poll = min(2*poll, longestPoll)
		}
	}
}

// reserve makes one try and returns nil when it is not granted. A request that goes away in the
// middle of it does not leave a reservation that nobody knows of.
func (l *Limiter) reserve(ctx context.Context, k key, subject Subject) (*Attempt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	epoch, granted, err := l.repo.reserve(ctx, k, subject.PersonID != uuid.Nil, l.clock.Now())
	if err != nil || !granted {
		return nil, err
	}
	return &Attempt{limiter: l, key: k, subject: subject, epoch: epoch}, nil
}

// look tells what would become of an attempt now, without making one.
func (l *Limiter) look(ctx context.Context, k key) (Verdict, time.Duration, error) {
	state, err := l.repo.read(ctx, k)
	if err != nil {
		return Occupied, 0, err
	}
	_, verdict, wait := state.Reserve(l.clock.Now())
	return verdict, wait, nil
}

// pause waits a little, and returns an error when patience or the request ends before that.
func pause(ctx context.Context, d time.Duration, patience <-chan time.Time) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-patience:
		return fault.After(fault.Busy, longestWait)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Settle ends the attempt in a transaction of its own, even when the request was cancelled already.
//
// What else belongs to the outcome goes into also, which runs in that transaction; it may be nil.
// When the attempt was given up as lost before, because its lease ran out, it has counted as wrong.
// It returns fault.Busy for a right attempt that was given up before.
func (a *Attempt) Settle(ctx context.Context, outcome Outcome, also func(ctx context.Context) error) (Counter, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	l := a.limiter
	var counter Counter
	err := l.db.InTx(ctx, func(ctx context.Context) error {
		now := l.clock.Now()
		after, settled, err := l.repo.settle(ctx, a.key, a.epoch, outcome, now)
		if err != nil {
			return err
		}
		if !settled && outcome == Right {
			return fault.After(fault.Busy, time.Second)
		}
		counter = after
		if err := a.notify(ctx, outcome, after, now); err != nil || also == nil {
			return err
		}
		return also(ctx)
	})
	return counter, err
}

// notify promises a message to a person whose secret was tried so many times.
func (a *Attempt) notify(ctx context.Context, outcome Outcome, c Counter, now time.Time) error {
	if a.key.kind != PIN || outcome != Wrong || c.Failures == 0 || c.Failures%NotifyEvery != 0 || a.subject.PersonID == uuid.Nil {
		return nil
	}
	message, err := outbox.NewMessage(ManyWrongTries, a.subject.PersonID, map[string]int{"tries": c.Failures}, now)
	if err != nil {
		return err
	}
	return a.limiter.outbox.Add(ctx, message)
}

// Purge forgets the subjects that are nobody's, and the counters at zero, 30 days after the last
// try.
func (l *Limiter) Purge(ctx context.Context) error {
	return l.repo.purge(ctx, l.clock.Now().Add(-retention))
}
