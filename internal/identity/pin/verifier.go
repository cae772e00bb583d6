package pin

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/session"
	"diresco/internal/identity/throttle"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// Verifier tells whether a PIN is right. It is the only way to ask, so that no way goes round the
// limits.
type Verifier struct {
	repo      repository
	clock     clock.Clock
	hasher    *Hasher
	limiter   *throttle.Limiter
	addresses *throttle.AddressLimit
}

var _ session.PINs = (*Verifier)(nil)

// NewVerifier returns a verifier.
func NewVerifier(d *db.DB, c clock.Clock, h *Hasher, l *throttle.Limiter, a *throttle.AddressLimit) *Verifier {
	return &Verifier{repo: repository{d}, clock: c, hasher: h, limiter: l, addresses: a}
}

// Verify implements session.PINs. Whoever has no usable PIN (strangers, people without a PIN or
// with a revoked one, the suspended) costs the same work and gets the same answer as a wrong PIN.
func (v *Verifier) Verify(ctx context.Context, taxCode string, pin secret.Text, address string) (session.Verified, error) {
	name, lookUp := taxCode, ""
	if code, err := taxcode.Parse(taxCode); err == nil {
		name, lookUp = code.Clear(), code.Clear()
	}
	return v.login(ctx, pin, address, func(ctx context.Context) (credential, error) {
		c, err := v.repo.byTaxCode(ctx, lookUp)
		c.TaxCode = name
		return c, err
	})
}

// VerifyPerson implements session.PINs.
func (v *Verifier) VerifyPerson(ctx context.Context, personID uuid.UUID, pin secret.Text, address string) (session.Verified, error) {
	return v.login(ctx, pin, address, func(ctx context.Context) (credential, error) {
		return v.repo.byPerson(ctx, personID)
	})
}

func (v *Verifier) login(
	ctx context.Context, pin secret.Text, address string, find func(context.Context) (credential, error),
) (session.Verified, error) {
	var who credential
	right, err := v.try(ctx, pin, address, func(ctx context.Context) (target, error) {
		var err error
		who, err = find(ctx)
		t := target{name: who.TaxCode, personID: who.PersonID, owner: who.PersonID}
		if who.usable() {
			t.hash = who.Hash
		}
		return t, err
	})
	if err != nil {
		return session.Verified{}, err
	}
	if !right {
		return session.Verified{}, fault.New(fault.InvalidCredentials)
	}
	changeRequired, err := who.admit(v.clock.Now())
	if err != nil {
		return session.Verified{}, err
	}
	return session.Verified{
		PersonID: who.PersonID, CredentialLevel: who.CredentialLevel, PINChangeRequired: changeRequired,
		PINChangedAt: clock.Normal(*who.ChangedAt),
	}, nil
}

// StillValid implements session.PINs.
func (v *Verifier) StillValid(ctx context.Context, verified session.Verified) error {
	valid, err := v.repo.stillValid(ctx, verified.PersonID, verified.PINChangedAt)
	if err == nil && !valid {
		err = fault.New(fault.InvalidCredentials)
	}
	return err
}

// target is what a PIN is tried at.
type target struct {
	// name is whose attempts are counted: the exact upper-cased tax code, or whatever was sent
	// instead.
	name     string
	personID uuid.UUID
	// hash is empty where no PIN is right.
	hash string
	// owner is set where hash is the person's PIN, so that a hash made at an older cost is
	// replaced.
	owner uuid.UUID
}

// try is the one way in which a PIN is compared. It goes in this order:
//   - a place among the hashers, since waiting must count nothing;
//   - the address;
//   - the attempt, counted before the PIN is looked at;
//   - the hash;
//   - the outcome.
func (v *Verifier) try(
	ctx context.Context, pin secret.Text, address string, find func(context.Context) (target, error),
) (right bool, err error) {
	slot, err := v.hasher.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer slot.release()
	if err := v.addresses.Check(ctx, address); err != nil {
		return false, err
	}
	t, err := find(ctx)
	if err != nil {
		return false, err
	}
	attempt, err := v.limiter.Reserve(ctx, throttle.PIN, throttle.Subject{Name: secret.Text(t.name), PersonID: t.personID})
	if err != nil {
		return false, err
	}
	settled := false
	defer func() {
		if !settled {
			// The PIN was not compared. If even this fails, the attempt counts as wrong once its
			// lease is over.
			_, _ = attempt.Settle(ctx, throttle.Abandoned, nil)
		}
	}()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	hash := t.hash
	if hash == "" {
		hash = v.hasher.dummy
	}
	normal := secret.Normalise(pin)
	matches, current, err := slot.matches(hash, normal)
	if err != nil {
		return false, err
	}
	right = matches && t.hash != ""
	upgraded := ""
	if right && !current && t.owner != uuid.Nil {
		if upgraded, err = slot.hash(normal); err != nil {
			return false, err
		}
	}
	slot.release()
	settled = true
	if !right {
		_, err := attempt.Settle(ctx, throttle.Wrong, func(ctx context.Context) error { return v.addresses.Record(ctx, address) })
		return false, err
	}
	_, err = attempt.Settle(ctx, throttle.Right, func(ctx context.Context) error {
		if upgraded == "" {
			return nil
		}
		return v.repo.upgradeHash(ctx, t.owner, t.hash, upgraded)
	})
	return err == nil, err
}
