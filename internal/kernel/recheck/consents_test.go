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
