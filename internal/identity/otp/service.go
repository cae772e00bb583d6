package otp

import (
	"cmp"
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/throttle"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

// Codes makes and redeems codes.
type Codes struct {
	db        *db.DB
	clock     clock.Clock
	keys      *keyring.DataKeys
	limiter   *throttle.Limiter
	addresses *throttle.AddressLimit
	random    io.Reader
	repo      repository
}

// New returns the codes of a database; they are drawn from random.
func New(d *db.DB, c clock.Clock, keys *keyring.DataKeys, l *throttle.Limiter, a *throttle.AddressLimit, random io.Reader) *Codes {
	return &Codes{db: d, clock: c, keys: keys, limiter: l, addresses: a, random: random, repo: repository{d}}
}

// Make draws a code inside the context's transaction. It ends the subject's live one, if there is
// one.
func (c *Codes) Make(ctx context.Context, i Issue) (secret.Text, error) {
	code, err := c.draw(i.Purpose)
	if err != nil {
		return "", err
	}
	now := c.clock.Now()
	if err := c.repo.end(ctx, i.Purpose, i.SubjectID, now); err != nil {
		return "", err
	}
	id := uuid.Must(uuid.NewV7())
	key, mac := c.keys.MAC(i.Purpose.Label, parts(id, code.Reveal(), i.Bound)...)
	return code, c.repo.add(ctx, i, row{ID: id, MACKey: key, MAC: mac, ExpiresAt: now.Add(i.Purpose.Life)}, now)
}

// Made counts the codes of a purpose and subject that were made after the instant, live or not.
func (c *Codes) Made(ctx context.Context, p Purpose, subjectID uuid.UUID, after time.Time) (int, error) {
	return c.repo.made(ctx, p, subjectID, after)
}

// End makes the live code of a purpose and subject worthless, inside the context's transaction.
func (c *Codes) End(ctx context.Context, p Purpose, subjectID uuid.UUID) error {
	return c.repo.end(ctx, p, subjectID, c.clock.Now())
}

// Redeem uses a code up and runs effect with it in one transaction.
//
// The order is: the address's limit, the live code, a reserved attempt, the comparison, the attempt
// settled. So the limiter is asked at every redemption, however long ago the code was made, and
// nothing counts that was not compared. When effect fails, the code is as good as before and the
// try does not count. It must not be called inside a transaction.
//
// Faults, for every purpose:
//   - rate-limited while the name must wait, or the address sent too many wrong ones.
//   - busy when other attempts of the name took too long.
//
// For a purpose without tries of its own:
//   - code-invalid for a code that is wrong, used, ended or expired; it counts as a wrong attempt.
//
// For a purpose with tries, where ErrNoCode tells that there is no code:
//   - otp-invalid for a wrong code, with how many tries it has left.
//   - otp-exhausted when it has none left.
//   - otp-expired when its life is over.
func (c *Codes) Redeem(ctx context.Context, r Redemption, effect func(ctx context.Context) error) (err error) {
	if err := c.addresses.Check(ctx, r.Address); err != nil {
		return err
	}
	var live row
	if r.Purpose.Tries == 0 {
		if live, err = c.repo.live(ctx, r.Purpose, r.SubjectID); err != nil {
			return err
		}
	}
	attempt, err := c.limiter.Reserve(ctx, r.Purpose.Kind, throttle.Subject{Name: r.Name, PersonID: r.PersonID})
	if err != nil {
		return err
	}
	// It stays at this when something panics: the code was not used.
	outcome := throttle.Abandoned
	defer func() {
		if failed := c.settle(ctx, attempt, outcome, r.Address); failed != nil {
			err = failed
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Purpose.Tries == 0 {
		outcome, err = c.redeemFound(ctx, r, live, effect)
	} else {
		outcome, err = c.redeemCounted(ctx, r, effect)
	}
	return err
}

// settle ends an attempt. It returns an error only after a wrong try: nobody may learn that a code
// was wrong before the try counts.
func (c *Codes) settle(ctx context.Context, attempt *throttle.Attempt, outcome throttle.Outcome, address string) error {
	if outcome == throttle.Wrong {
		_, err := attempt.Settle(ctx, outcome, func(ctx context.Context) error { return c.addresses.Record(ctx, address) })
		return err
	}
	// An effect stands already: a counter that could not be set back must not make it look undone.
	// An attempt that could not be given back counts as wrong once its lease is over.
	_, _ = attempt.Settle(ctx, outcome, nil)
	return nil
}

// redeemFound compares with the code that was found, and only then locks what the effect changes.
func (c *Codes) redeemFound(ctx context.Context, r Redemption, live row, effect func(ctx context.Context) error) (throttle.Outcome, error) {
	if right := c.matches(live, r) && c.clock.Now().Before(live.ExpiresAt); !right {
		return throttle.Wrong, fault.New(fault.CodeInvalid)
	}
	err := c.db.InTx(ctx, func(ctx context.Context) error {
		if r.Before != nil {
			if err := r.Before(ctx); err != nil {
				return err
			}
		}
		return c.use(ctx, r, live.ID, c.clock.Now(), effect)
	})
	if err != nil {
		return throttle.Abandoned, err
	}
	return throttle.Right, nil
}

// redeemCounted counts a try at the live code and compares, in the transaction that locks what the
// code is about. A wrong try stays; whatever else goes wrong takes it back.
func (c *Codes) redeemCounted(ctx context.Context, r Redemption, effect func(ctx context.Context) error) (throttle.Outcome, error) {
	// Whoever goes away before the answer must not take back that the code was wrong.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), throttle.Lease)
	defer cancel()
	var wrong error
	err := c.db.InTx(ctx, func(ctx context.Context) error {
		if r.Before != nil {
			if err := r.Before(ctx); err != nil {
				return err
			}
		}
		now := c.clock.Now()
		live, err := c.countTry(ctx, r, now)
		if err != nil {
			return err
		}
		if c.matches(live, r) {
			return c.use(ctx, r, live.ID, now, effect)
		}
		if r.Wrong != nil {
			if err := r.Wrong(ctx); err != nil {
				return err
			}
		}
		left := r.Purpose.Tries - live.Tries
		wrong = &fault.Fault{Code: fault.OTPInvalid, TriesLeft: &left}
		return nil
	})
	switch {
	case wrong != nil:
		return throttle.Wrong, cmp.Or(err, wrong)
	case err != nil:
		return throttle.Abandoned, err
	default:
		return throttle.Right, nil
	}
}

// countTry adds one to the tries at the live code, before anybody looks at it, and returns it.
func (c *Codes) countTry(ctx context.Context, r Redemption, now time.Time) (row, error) {
	live, found, err := c.repo.countTry(ctx, r.Purpose, r.SubjectID, now)
	if err != nil || found {
		return live, err
	}
	last, made, err := c.repo.last(ctx, r.Purpose, r.SubjectID)
	switch {
	case err != nil:
		return row{}, err
	case made && last.Tries >= r.Purpose.Tries:
		return row{}, fault.New(fault.OTPExhausted)
	case !made, last.UsedAt != nil, last.EndedAt != nil:
		return row{}, ErrNoCode
	default:
		return row{}, fault.New(fault.OTPExpired)
	}
}

// use marks a code that was right as used and runs the effect.
func (c *Codes) use(ctx context.Context, r Redemption, id uuid.UUID, now time.Time, effect func(ctx context.Context) error) error {
	used, err := c.repo.use(ctx, r.Purpose, id, now)
	if err != nil {
		return err
	}
	if !used {
		return fault.New(fault.CodeInvalid)
	}
	return effect(ctx)
}

// matches compares a code in constant time; for a stranger it does the same work in vain.
func (c *Codes) matches(live row, r Redemption) bool {
	var bound [][]byte
	if r.Bound != nil {
		bound = r.Bound()
	}
	key, mac := live.MACKey, live.MAC
	if live.ID == uuid.Nil {
		key, mac = c.keys.MAC(r.Purpose.Label, parts(live.ID, "nobody's", bound)...)
	}
	return c.keys.CheckMAC(key, mac, r.Purpose.Label, parts(live.ID, secret.Normalise(r.Code), bound)...) && live.ID != uuid.Nil
}

// Forget drops the codes of the shared table that have been worthless for the given time.
func (c *Codes) Forget(ctx context.Context, after time.Duration) error {
	return c.repo.forget(ctx, c.clock.Now().Add(-after))
}
