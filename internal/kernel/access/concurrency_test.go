package access_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// Many enter at once, and what is known of them is read together. Each must get their own answer
// and nobody else's.
func TestAccess_NobodyEntersAsAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		const people, rounds = 24, 20
		companies, actors := make([]world.Company, people), make([]access.Actor, people)
		for i := range people {
			companies[i], actors[i] = w.Employer(t)
		}
		world.Parallel(4*people, func(n int) {
			i := n % people
			for round := range rounds {
				// Now at one's own company, now at the next one's.
				at := (i + round%2) % people
				got, err := w.Guard.Enter(
					context.Background(), actors[i].SessionID, toContributor, access.Target{ContributorID: companies[at].ID},
				)
				if at != i {
					if !fault.Is(err, fault.NotFound) || len(got.Rights) != 0 || got.PersonID != actors[i].PersonID {
						t.Errorf("%d at the company of %d: %+v, %v", i, at, got, err)
					}
					continue
				}
				if diff := cmp.Diff(actors[i], got, cmpopts.EquateComparable(got.TaxCode)); err != nil || diff != "" {
					t.Errorf("%d entered with %v as somebody else:\n%s", i, err, diff)
				}
			}
		})
	})
}

// A withdrawal holds from the next request on, however many ask the same at that time.
func TestAccess_AWithdrawalHoldsFromTheNextRequest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for range 10 {
			c, by := w.Employer(t)
			var withdrawn, stop atomic.Bool
			world.Parallel(6, func(i int) {
				if i == 0 {
					w.WithdrawRole(t, by.Rights[0].ID)
					withdrawn.Store(true)
					for range 20 {
						if _, err := w.Guard.Enter(
							context.Background(), by.SessionID, toContributor, access.Target{ContributorID: c.ID},
						); !fault.Is(err, fault.NotFound) {
							t.Errorf("after the withdrawal: %v", err)
						}
					}
					stop.Store(true)
					return
				}
				for !stop.Load() {
					before := withdrawn.Load()
					_, err := w.Guard.Enter(context.Background(), by.SessionID, toContributor, access.Target{ContributorID: c.ID})
					if err == nil && before || err != nil && !fault.Is(err, fault.NotFound) {
						t.Errorf("asked after the withdrawal (%v): %v", before, err)
					}
				}
			})
		}
	})
}

// What is stored wrongly about one person keeps that person out, and nobody else who asks at the
// same time.
func TestAccess_ABrokenRightIsNobodyElses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		others := make([]access.Actor, 8)
		_, broken := w.Employer(t)
		for i := range others {
			_, others[i] = w.Employer(t)
		}
		w.Exec(t, "UPDATE contributor_roles SET services = 'all' WHERE id = ?", broken.Rights[0].ID)
		world.Parallel(2*len(others), func(i int) {
			by := broken
			if i%2 == 0 {
				by = others[i/2]
			}
			for range 20 {
				_, err := w.Guard.Enter(context.Background(), by.SessionID, toContributor, access.Target{ContributorID: by.ContributorID})
				var f *fault.Fault
				switch {
				case i%2 == 0 && err != nil:
					t.Errorf("somebody else: %v", err)
				case i%2 == 1 && (err == nil || errors.As(err, &f)):
					t.Errorf("the person: %v", err)
				}
			}
		})
	})
}

func TestAccess_WhoGivesUpEntersNowhere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		got, err := w.Guard.Enter(ctx, w.rep.SessionID, toContributor, access.Target{ContributorID: w.company.ID})
		if err == nil && got.SessionID == uuid.Nil || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
