package consent_test

import (
	"log/slog"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/consent"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func pageOf(n int) page.Request { return page.Request{Limit: n} }

func TestConsent_RemindsThirtyDaysBeforeItsEnd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		events := due.NewScheduler(d, w.Clock, slog.New(slog.DiscardHandler), w.consents.Ends()...)
		if err := events.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		const month = 30 * 24 * time.Hour
		ends := w.Clock.Now().Add(3 * month)
		long := w.give(w.rep, func(n *consent.New) { n.ExpiresAt = ends })
		w.give(w.rep, func(n *consent.New) { n.ExpiresAt = w.Clock.Now().Add(month - time.Second) })
		w.until(events, ends.Add(-month-time.Microsecond))
		if n := w.told("consent.reminder", w.rep.PersonID); n != 0 {
			t.Errorf("reminded %d times before its time, or of what was given for less than 30 days", n)
		}
		for range 2 {
			w.until(events, ends.Add(-month))
		}
		if n := w.Count(t, "outbox WHERE kind = 'consent.reminder' AND created_at = ? AND deadline_at = ?", ends.Add(-month), ends); n != 1 {
			t.Errorf("reminded %d times at the instant", n)
		}
		if w.ended(long) != "" {
			t.Error("ended by its reminder")
		}
	})
}

// TestConsent_ExpiresAtItsInstant: what has expired is none from then on, whether or not that was
// noted; it is noted and told once, dated at its end.
func TestConsent_ExpiresAtItsInstant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		events := due.NewScheduler(d, w.Clock, slog.New(slog.DiscardHandler), w.consents.Ends()...)
		if err := events.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		c := w.give(w.rep, nil)
		w.Clock.Advance(c.ExpiresAt.Add(-time.Microsecond).Sub(w.Clock.Now()))
		if len(w.mine(w.rep)) != 1 || len(w.about(w.rep)) != 1 {
			t.Error("ended before its end")
		}
		w.Clock.Advance(c.ExpiresAt.Sub(w.Clock.Now()))
		if len(w.mine(w.rep)) != 0 || len(w.about(w.rep)) != 0 {
			t.Error("lives at its end")
		}
		_, err := w.consents.Show(ctx, w.rep, c.ID)
		want(t, "shown", err, fault.NotFound)
		want(t, "withdrawn", w.consents.Withdraw(ctx, w.rep, c.ID), fault.NotFound)
		w.Clock.Advance(time.Hour)
		for range 2 {
			w.until(events, w.Clock.Now())
		}
		if w.ended(c) != consent.EndedExpired || w.traced("endConsent", c) != 1 ||
			w.Count(t, "consents WHERE ended_at = expires_at AND id = ?", c.ID) != 1 ||
			w.Count(t, "outbox WHERE kind = 'consent.ended' AND created_at = ?", c.ExpiresAt) != 1 {
			t.Errorf("%q", w.ended(c))
		}
	})
}

// TestConsent_EndsWithTheLastRightThatItCovers, and not with another one.
func TestConsent_EndsWithTheLastRightThatItCovers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, studio := w.Professional(t)
		second := w.Company(t, world.Milan)
		w.Delegation(t, studio, w.company, nil)
		w.Delegation(t, studio, second, nil)
		role := w.Role(t, p.ID, w.company.ID, access.Employer)
		giver := w.Enter(t, w.Session(t, p.ID, nil), w.company.ID)
		one, all := w.give(giver, nil), w.give(giver, func(n *consent.New) { n.Contributors = nil })
		look := func() {
			t.Helper()
			for range 2 {
				if err := w.consents.EndWithoutRights(ctx); err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(24 * time.Hour)
			}
		}
		is := func(what, wantOne, wantAll string) {
			t.Helper()
			look()
			if w.ended(one) != wantOne || w.ended(all) != wantAll {
				t.Errorf("%s: %q and %q", what, w.ended(one), w.ended(all))
			}
		}
		is("with both rights", "", "")
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE contributor_id = ?", w.Clock.Now(), w.company.ID)
		is("with the role", "", "")
		w.WithdrawRole(t, role)
		is("without a right over the company", consent.EndedRightEnded, "")
		w.StrikeOff(t, studio)
		is("off the register", consent.EndedRightEnded, consent.EndedRightEnded)
		look()
		if w.traced("endConsent", one) != 1 || w.traced("endConsent", all) != 1 || w.told("consent.ended", p.ID) != 2 {
			t.Error("not one record and message each")
		}
	})
}

// TestConsent_OutlivesARightThatComesBackWithinADay: an intermediary that is struck off by mistake
// and entered again does not ask all of its clients' software to begin anew.
func TestConsent_OutlivesARightThatComesBackWithinADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, studio := w.Professional(t)
		w.Delegation(t, studio, w.company, nil)
		giver := w.Enter(t, w.Session(t, p.ID, nil), w.company.ID)
		one, two := w.give(giver, nil), w.give(giver, func(n *consent.New) { n.Contributors = nil })
		look := func(later time.Duration, want string) {
			t.Helper()
			w.Clock.Advance(later)
			if err := w.consents.EndWithoutRights(ctx); err != nil {
				t.Fatal(err)
			}
			if w.ended(one) != want || w.ended(two) != want {
				t.Errorf("ended %q and %q, want %q", w.ended(one), w.ended(two), want)
			}
		}
		look(0, "")
		w.StrikeOff(t, studio)
		look(10*time.Minute, "")
		look(24*time.Hour-time.Microsecond, "")
		w.Exec(t, "UPDATE delegates SET struck_off_at = NULL")
		look(time.Hour, "")
		w.StrikeOff(t, studio)
		look(10*time.Minute, "")
		look(24*time.Hour-time.Microsecond, "")
		look(time.Microsecond, consent.EndedRightEnded)
		if n := w.told("consent.ended", p.ID); n != 1 {
			t.Errorf("told %d times of what ended together", n)
		}
	})
}

// TestConsent_EndsWhenNothingIsLeftOfAll: what is left has no right any more.
func TestConsent_EndsWhenNothingIsLeftOfAll(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		delegate := w.Colleague(t, w.company.ID, access.EmployeeDelegate, access.Dispositive)
		all := w.give(delegate, func(n *consent.New) { n.Contributors = nil })
		want(t, "taken out", w.consents.WithdrawFor(ctx, w.rep, w.company.ID, all.ID), "")
		if w.ended(all) != "" {
			t.Error("ended with one of its contributors")
		}
		for range 2 {
			if err := w.consents.EndWithoutRights(ctx); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(24 * time.Hour)
		}
		if w.ended(all) != consent.EndedRightEnded {
			t.Errorf("ended %q", w.ended(all))
		}
	})
}
