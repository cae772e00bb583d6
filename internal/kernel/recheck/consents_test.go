package recheck_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// A group of claims by however many consents costs as many statements as a single one.
func TestRecheck_ConsentsOfAGroupAreReadTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		cost := func(n int) int {
			claims := make([]recheck.Claim, 2*n)
			for i := range n {
				s := w.Software(t, w.rep.PersonID, func(c *world.Consent) {
					c.EveryContributor, c.Contributors = false, []uuid.UUID{w.company.ID}
				})
				by := w.LetIn(t, s, w.company.ID)
				claims[2*i] = recheck.ClaimOf(by, by.Rights[0])
				elsewhere := by.Rights[0]
				elsewhere.ContributorID = uuid.New()
				claims[2*i+1] = recheck.ClaimOf(by, elsewhere)
			}
			statements := world.Statements(t, d)
			w.Must(t, func(ctx context.Context) error {
				for i, got := range check(ctx, t, w, claims...) {
					if want := []fault.Code{"", fault.NotFound}[i%2]; got != want {
						t.Errorf("%d: %q, want %q", i, got, want)
					}
				}
				return nil
			})
			return statements()
		}
		if one, five := cost(1), cost(5); one != five {
			t.Errorf("%d statements for one consent, %d for five", one, five)
		}
	})
}

// What is suspended or removed does nothing any more, though its consents have no end yet.
func TestRecheck_AnApplicationThatIsSuspendedDoesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, change := range []string{"state = 'suspended'", "removed_at = created_at"} {
			s := w.Software(t, w.rep.PersonID, nil)
			by := w.LetIn(t, s, w.company.ID)
			w.Exec(t, "UPDATE applications SET "+change+" WHERE id = ?", s.ID)
			w.Must(t, func(ctx context.Context) error {
				if got := check(ctx, t, w, recheck.ClaimOf(by, by.Rights[0])); got[0] != fault.NotFound {
					t.Errorf("%s: %q", change, got[0])
				}
				return nil
			})
		}
	})
}

// What an application was let in with is looked at again with its consent, also where its session
// is not asked for.
func TestRecheck_AnApplicationNeedsItsConsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		other, _ := w.Employer(t)
		by := func(change func(*world.Consent)) (world.Software, access.Actor) {
			s := w.Software(t, w.rep.PersonID, change)
			return s, w.LetIn(t, s, w.company.ID)
		}
		_, live := by(nil)
		_, named := by(func(c *world.Consent) { c.EveryContributor, c.Contributors = false, []uuid.UUID{w.company.ID} })
		s, withdrawn := by(nil)
		w.EndConsent(t, s.ConsentID)
		s, alone := by(nil)
		w.Exec(t, "UPDATE consents SET ended_at = ?, end_reason = 'withdrawn' WHERE id = ?", w.Clock.Now(), s.ConsentID)
		s, excluded := by(nil)
		w.Exec(t, "INSERT INTO consent_exclusions VALUES ( ?, ?, ?)", s.ConsentID, w.company.ID, w.Clock.Now())
		end := w.Clock.Now().Add(time.Hour)
		_, short := by(func(c *world.Consent) { c.ExpiresAt = end })
		delayed := func(a access.Actor) access.Actor { a.SessionID = uuid.Nil; return a }
		elsewhere := live.Rights[0]
		elsewhere.ContributorID = other.ID
		atOther := named.Rights[0]
		atOther.ContributorID = other.ID
		claims := []recheck.Claim{
			recheck.ClaimOf(live, live.Rights[0]), recheck.ClaimOf(named, named.Rights[0]), recheck.ClaimOf(w.rep, w.rep.Rights[0]),
			recheck.ClaimOf(live, elsewhere), recheck.ClaimOf(named, atOther),
			recheck.ClaimOf(withdrawn, withdrawn.Rights[0]), recheck.ClaimOf(delayed(withdrawn), withdrawn.Rights[0]),
			recheck.ClaimOf(alone, alone.Rights[0]), recheck.ClaimOf(excluded, excluded.Rights[0]),
			recheck.ClaimOf(delayed(excluded), excluded.Rights[0]), recheck.ClaimOf(delayed(live), live.Rights[0]),
			recheck.ClaimOf(short, short.Rights[0]), recheck.ClaimOf(live, access.Right{}), recheck.ClaimOf(alone, access.Right{}),
		}
		want := []fault.Code{
			"", "", "", "", fault.NotFound, fault.SessionEnded, fault.NotFound, fault.NotFound, fault.NotFound, fault.NotFound, "", "", "",
			fault.NotFound,
		}
		w.Must(t, func(ctx context.Context) error {
			for i, got := range check(ctx, t, w, claims...) {
				if got != want[i] {
					t.Errorf("%d: %q, want %q", i, got, want[i])
				}
			}
			outcomes, err := w.Recheck.AllUntil(ctx, []recheck.Claim{recheck.ClaimOf(short, short.Rights[0])})
			if err == nil && (outcomes[0].Until == nil || !outcomes[0].Until.Equal(end)) {
				t.Errorf("good until %v, want %v", outcomes[0].Until, end)
			}
			return err
		})
		w.Clock.Advance(time.Hour)
		w.Must(t, func(ctx context.Context) error {
			if got := check(ctx, t, w, recheck.ClaimOf(short, short.Rights[0])); got[0] != fault.NotFound {
				t.Errorf("expired: %q", got[0])
			}
			return nil
		})
	})
}
