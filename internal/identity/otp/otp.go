// Package otp keeps codes that are good once: to recover or revoke a PIN, to verify a contact. A code is stored as a
// keyed digest, there is one live code for each purpose and subject, and it is compared only after the attempt was counted
// by the one limiter for secrets that can be guessed.
package otp

import (
	"context"
	"io"
	"time"

	"diresco/db"
	"diresco/internal/identity/throttle"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"

	"github.com/google/uuid"
)

// CodeLength is how many characters a code has.
const CodeLength = 8

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

// Make draws a code for a purpose and subject inside the context's transaction. It ends the live one, if there is one.
func (c *Codes) Make(ctx context.Context, purpose throttle.Kind, subjectID uuid.UUID, life time.Duration) (secret.Text, error) {
	code, err := secret.Draw(c.random, CodeLength)
	if err != nil {
		return "", err
	}
	now := c.clock.Now()
	if err := c.repo.end(ctx, purpose, subjectID, now); err != nil {
		return "", err
	}
	id := uuid.Must(uuid.NewV7())
	key, mac := c.keys.MAC(purposeOf(purpose), id[:], []byte(code.Reveal()))
	return code, c.repo.add(ctx, row{ID: id, Purpose: string(purpose), SubjectID: subjectID, MACKey: key, MAC: mac, CreatedAt: now, ExpiresAt: now.Add(life)})
}

// Made counts the codes of a purpose and subject that were made after the instant, live or not.
func (c *Codes) Made(ctx context.Context, purpose throttle.Kind, subjectID uuid.UUID, after time.Time) (int, error) {
	return c.repo.made(ctx, purpose, subjectID, after)
}

// End makes the live code of a purpose and subject worthless, inside the context's transaction.
func (c *Codes) End(ctx context.Context, purpose throttle.Kind, subjectID uuid.UUID) error {
	return c.repo.end(ctx, purpose, subjectID, c.clock.Now())
}

// Redemption is somebody's try at a code.
type Redemption struct {
	Purpose throttle.Kind
	// Name is whose attempts are counted, such as the exact upper-cased tax code, whether or not such a subject exists.
	Name secret.Text
	// PersonID is the registered person behind the name, if there is one.
	PersonID uuid.UUID
	// SubjectID is what the code is about; uuid.Nil for a stranger, for whom no code is right.
	SubjectID uuid.UUID
	Code      secret.Text
	Address   string
	// Before runs first in the transaction that uses the code; it may be nil. It locks what the effect changes, where others
	// lock that before they end the code.
	Before func(ctx context.Context) error
}

// Redeem uses a code up and runs effect with it in one transaction. A code that is wrong, used, ended or expired is
// fault.CodeInvalid and counts as a try; it returns fault.RateLimited while the subject must wait or too many wrong ones came from
// the address. A stranger's try costs the same. When effect fails, the code is as good as before and the try does not count.
// It must not be called inside a transaction.
func (c *Codes) Redeem(ctx context.Context, r Redemption, effect func(ctx context.Context) error) error {
	if err := c.addresses.Check(ctx, r.Address); err != nil {
		return err
	}
	live, err := c.repo.live(ctx, r.Purpose, r.SubjectID)
	if err != nil {
		return err
	}
	attempt, err := c.limiter.Reserve(ctx, r.Purpose, throttle.Subject{Name: r.Name, PersonID: r.PersonID})
	if err != nil {
		return err
	}
	settled := false
	defer func() {
		if !settled {
			// The code was not used. If even this fails, the attempt counts as wrong once its lease is over.
			_, _ = attempt.Settle(ctx, throttle.Abandoned, nil)
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	right := c.matches(live, r) && c.clock.Now().Before(live.ExpiresAt)
	if !right {
		settled = true
		if _, err := attempt.Settle(ctx, throttle.Wrong, func(ctx context.Context) error { return c.addresses.Record(ctx, r.Address) }); err != nil {
			return err
		}
		return fault.New(fault.CodeInvalid)
	}
	err = c.db.InTx(ctx, func(ctx context.Context) error {
		if r.Before != nil {
			if err := r.Before(ctx); err != nil {
				return err
			}
		}
		now := c.clock.Now()
		used, err := c.repo.use(ctx, live.ID, now)
		if err != nil {
			return err
		}
		if !used {
			return fault.New(fault.CodeInvalid)
		}
		return effect(ctx)
	})
	if err != nil {
		return err
	}
	settled = true
	// The effect stands already; a counter that could not be set back must not make it look undone.
	_, _ = attempt.Settle(ctx, throttle.Right, nil)
	return nil
}

// matches compares a code in constant time; for a stranger it does the same work in vain.
func (c *Codes) matches(live row, r Redemption) bool {
	key, mac := live.MACKey, live.MAC
	if live.ID == uuid.Nil {
		key, mac = c.keys.MAC(purposeOf(r.Purpose), live.ID[:], []byte("nobody's"))
	}
	return c.keys.CheckMAC(key, mac, purposeOf(r.Purpose), live.ID[:], []byte(secret.Normalise(r.Code))) && live.ID != uuid.Nil
}

func purposeOf(k throttle.Kind) string { return "one-time code " + string(k) }

// Forget drops codes that have been worthless for the given time.
func (c *Codes) Forget(ctx context.Context, after time.Duration) error {
	return c.repo.forget(ctx, c.clock.Now().Add(-after))
}
