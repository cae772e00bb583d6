package consent_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// TestConsent_ManyAtOnceAreTenAtMost: each sees those before it.
func TestConsent_ManyAtOnceAreTenAtMost(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		n := w.new(w.rep)
		world.Parallel(consent.MostAtOnce+6, func(int) {
			if err := w.DB.InTx(ctx, func(ctx context.Context) error {
				_, err := w.consents.Give(ctx, w.rep, n)
				return err
			}); err != nil {
				t.Error(err)
			}
		})
		if got := w.mine(w.rep); len(got) != consent.MostAtOnce {
			t.Errorf("%d live consents", len(got))
		}
	})
}

// TestConsent_EndsOfManyWaitForNobodyForEver: of a person and of their applications, who have some
// in common.
func TestConsent_EndsOfManyWaitForNobodyForEver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		other := w.Colleague(t, w.company.ID, access.Employer, access.Dispositive)
		var given []consent.Consent
		apps := []uuid.UUID{w.application, w.approved("Altro")}
		for i := range 12 {
			w.application = apps[i%2]
			c := w.give([]access.Actor{w.rep, other}[i/2%2], nil)
			w.session(c)
			given = append(given, c)
		}
		world.Parallel(4, func(i int) {
			if err := d.InTx(ctx, func(ctx context.Context) error {
				if i < 2 {
					return w.consents.EndAllOf(ctx, []uuid.UUID{w.rep.PersonID, other.PersonID}[i], session.EndedSuspended)
				}
				_, err := w.consents.EndOfApplication(ctx, apps[i-2], application.EndedByRemoval)
				return err
			}); err != nil {
				t.Error(err)
			}
		})
		for _, c := range given {
			if w.ended(c) == "" || w.traced("endConsent", c) != 1 {
				t.Errorf("ended %q with %d records", w.ended(c), w.traced("endConsent", c))
			}
		}
	})
}

// TestConsent_EndsOnceHoweverManyEndIt: the giver, the contributor, the application's token and what
// ends everything come together; one of them ends it, and none waits for another for ever.
func TestConsent_EndsOnceHoweverManyEndIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for range 5 {
			c := w.give(w.rep, nil)
			w.session(c)
			ends := []func() error{
				func() error { return w.consents.Withdraw(ctx, w.rep, c.ID) },
				func() error { return w.consents.WithdrawFor(ctx, w.rep, w.company.ID, c.ID) },
				func() error {
					return d.InTx(ctx, func(ctx context.Context) error { return w.consents.EndReused(ctx, c.ID) })
				},
				func() error {
					return d.InTx(ctx, func(ctx context.Context) error {
						return w.consents.EndAllOf(ctx, w.rep.PersonID, session.EndedSuspended)
					})
				},
				func() error {
					return d.InTx(ctx, func(ctx context.Context) error {
						_, err := w.consents.EndOfApplication(ctx, w.application, application.EndedBySuspension)
						return err
					})
				},
			}
			world.Parallel(len(ends), func(i int) {
				if err := ends[i](); err != nil && !fault.Is(err, fault.NotFound) {
					t.Errorf("%d: %v", i, err)
				}
			})
			if w.ended(c) == "" {
				t.Error("it lives")
			}
			if n := w.Count(t, "audit_records WHERE subject_id = ?", c.ID.String()); n != 2 {
				t.Errorf("%d records of what was given and ended once", n)
			}
			if n := w.Count(t, "sessions WHERE consent_id = ? AND ended_at IS NOT NULL", c.ID); n != 1 {
				t.Error("the application goes on")
			}
		}
	})
}
