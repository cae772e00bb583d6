package delegation_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/due"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// ends is the calendar of what is due about the ends of delegations.
func (w *fixture) ends() *due.Scheduler {
	w.t.Helper()
	c := due.NewScheduler(w.DB, w.Clock, slog.New(slog.DiscardHandler), w.service.Ends()...)
	if err := c.Begin(ctx); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *fixture) messages(kind string) []outbox.Message {
	w.t.Helper()
	var found []outbox.Message
	if err := w.DB.From(ctx).Where("kind = ?", kind).Order("created_at, id").Find(&found).Error; err != nil {
		w.t.Fatal(err)
	}
	return found
}

func until(end time.Time) func(*delegation.Input) {
	return func(in *delegation.Input) { in.ValidUntil = &end }
}

// Both sides hear of the end 30 and 7 days before and when it comes, once each. The clock may go
// there in one jump, or day by day.
func TestDelegation_TheEndIsTold(t *testing.T) {
	for name, advance := range map[string]func(w *fixture, c *due.Scheduler, target time.Time) error{
		"in one jump": func(w *fixture, c *due.Scheduler, target time.Time) error {
			return c.Walk(ctx, target, func(_ context.Context, at time.Time) error {
				w.Clock.Advance(at.Sub(w.Clock.Now()))
				return nil
			})
		},
		"day by day": func(w *fixture, c *due.Scheduler, target time.Time) error {
			for w.Clock.Now().Before(target) {
				w.Clock.Advance(24 * time.Hour)
				c.CatchUp(ctx)
				c.CatchUp(ctx)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := newWorld(t, d)
				c := w.ends()
				end := w.Clock.Now().Add(60 * 24 * time.Hour)
				ending := w.active(w.professional, until(end))
				// Of these nobody hears: one without an end, one that nobody agreed to, one that
				// was revoked before.
				w.active(w.professional, nil)
				w.draft(w.professional, until(end))
				revoked := w.active(w.professional, until(end))
				if _, err := w.service.Revoke(ctx, w.at(w.representative, revoked.ID), revoked.ID, ""); err != nil {
					t.Fatal(err)
				}
				// What its intermediary's register suspends ends as well.
				other, delegate := w.consulente()
				suspended := w.active(other, until(end.Add(24*time.Hour)))
				w.StrikeOff(t, delegate)

				if err := advance(w, c, end.Add(10*24*time.Hour)); err != nil {
					t.Fatal(err)
				}
				type told struct {
					kind string
					at   time.Time
				}
				want := []told{
					{"delegation.reminder", end.Add(-30 * 24 * time.Hour)},
					{"delegation.reminder", end.Add(-7 * 24 * time.Hour)},
					{"delegation.expired", end},
				}
				for i, one := range []delegation.View{ending, suspended} {
					var got []told
					readers := map[uuid.UUID]int{}
					for _, kind := range []string{"delegation.reminder", "delegation.expired"} {
						for _, m := range w.messages(kind) {
							if strings.Contains(m.Data, one.ReferenceCode) {
								readers[*m.PersonID]++
								got = append(got, told{kind, m.CreatedAt.Add(-time.Duration(i) * 24 * time.Hour)})
							}
						}
					}
					if got = slices.Compact(got); !slices.EqualFunc(got, want, func(a, b told) bool {
						return a.kind == b.kind && a.at.Equal(b.at)
					}) {
						t.Errorf("of %d was told %v, want %v", i, got, want)
					}
					if len(readers) != 2 || readers[w.signatory.ID] != 3 {
						t.Errorf("of %d were told %v", i, readers)
					}
				}
				if n := len(w.messages("delegation.expired")); n != 4 {
					t.Errorf("%d messages of two ends", n)
				}
				if w.state(ending.ID) != delegation.Expired || w.Count(t, "delegations WHERE state = 'active'") != 3 {
					t.Error("the end was stored")
				}
			})
		})
	}
}

// After an outage both sides hear of the ends meanwhile. An end that has come is not told as one
// that will come.
func TestDelegation_EndsDuringAnOutage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c := w.ends()
		w.active(w.professional, until(w.Clock.Now().Add(60*24*time.Hour)))
		w.Clock.Advance(90 * 24 * time.Hour)
		c.CatchUp(ctx)
		if n := len(w.messages("delegation.reminder")); n != 0 {
			t.Errorf("%d reminders of what is over", n)
		}
		expired := w.messages("delegation.expired")
		if len(expired) != 2 || !expired[0].CreatedAt.Equal(w.Clock.Now()) {
			t.Errorf("told %v", expired)
		}
	})
}

// Many that end at one instant are all told of, and found by an index.
func TestDelegation_ManyEndTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c := w.ends()
		w.Crowd(t, w.delegate)
		w.Exec(t, "UPDATE delegations SET valid_until = ? WHERE delegate_id = ?", w.Clock.Now().Add(time.Hour), w.delegate)
		many := w.Count(t, "delegations WHERE valid_until IS NOT NULL")
		if d.Dialect() == db.Postgres {
			w.Exec(t, "ANALYZE") // the server does this by itself, in its own time
		}
		asked := world.Listen(t, d, "ORDER BY g.valid_until")
		for _, source := range w.service.Ends() {
			if _, _, err := source.Next(ctx, due.Through(w.Clock.Now()), w.Clock.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if len(*asked) != 3 {
			t.Errorf("%d questions what ends", len(*asked))
		}
		for _, q := range *asked {
			for _, plan := range world.Plans(t, d, q) {
				if !strings.Contains(plan, "delegations_expiring") {
					t.Errorf("%s\n%s", q.Statement, plan)
				}
			}
		}
		w.Clock.Advance(time.Hour)
		c.CatchUp(ctx)
		var told int
		if err := d.From(ctx).Raw("SELECT COUNT(DISTINCT data) FROM outbox WHERE kind = " +
			"'delegation.expired'").Scan(&told).Error; err != nil || told != many {
			t.Errorf("%d of %d were told, %v", told, many, err)
		}
	})
}

// Nobody waits until all are told who hear of an end at one instant. Some are told at a time, and
// whoever goes on goes on behind them.
func TestDelegation_ManyEndsAreToldBitByBit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c := w.ends()
		w.Crowd(t, w.delegate)
		w.Exec(t, "UPDATE delegations SET valid_until = ? WHERE delegate_id = ?", w.Clock.Now().Add(8*24*time.Hour), w.delegate)
		// One that nobody can read stops those behind it.
		var last string
		if err := d.From(ctx).Raw("SELECT id FROM delegations WHERE valid_until IS NOT NULL ORDER BY " +
			"id DESC LIMIT 1").Scan(&last).Error; err != nil {
			t.Fatal(err)
		}
		w.Exec(t, "UPDATE delegations SET scope = 'partial', services = 'x' WHERE id = ?", last)
		w.Clock.Advance(24 * time.Hour)
		c.CatchUp(ctx)
		told := func() int {
			return w.Count(t, "(SELECT DISTINCT data FROM outbox WHERE kind = 'delegation.reminder') AS x")
		}
		if n := told(); n != 1000 {
			t.Errorf("told of %d before the one that fails", n)
		}
		w.Exec(t, "UPDATE delegations SET scope = 'total', services = ? WHERE id = ?", world.Services(access.AllServices), last)
		w.Clock.Advance(time.Hour)
		c.CatchUp(ctx)
		if n := told(); n != 1200 || len(w.messages("delegation.reminder")) != 1200 {
			t.Errorf("told of %d in %d messages", n, len(w.messages("delegation.reminder")))
		}
		asked := world.Statements(t, d)
		w.Clock.Advance(7 * 24 * time.Hour)
		c.CatchUp(ctx)
		if n := w.Count(t, "outbox WHERE kind = 'delegation.expired'"); n != 1200 || asked() > 60 {
			t.Errorf("%d told with %d statements", n, asked())
		}
	})
}

// Where nobody represents an organisation, those who manage its delegations hear of them. Where
// they are many, some of them do.
func TestDelegation_SomebodyOfAnOrganisationIsTold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		patronato := w.Association(t)
		joins := func(role access.ActingAs, services ...access.Service) world.Person {
			p := w.Person(t, nil)
			w.DelegateRole(t, p.ID, patronato, role, services...)
			return p
		}
		told := func(kind string) []uuid.UUID {
			var people []uuid.UUID
			for _, m := range w.messages(kind) {
				if *m.PersonID != w.signatory.ID {
					people = append(people, *m.PersonID)
				}
			}
			w.Exec(t, "DELETE FROM outbox")
			return people
		}
		joins(access.UserAdministrator, access.AllServices)
		joins(access.EmployeeDelegate, access.Declarations)
		manager := joins(access.EmployeeDelegate, access.Declarations, access.Delegations)
		session := w.Session(t, manager.ID, nil)
		given := w.active(session, nil)
		if got := told("delegation.activated"); !slices.Equal(got, []uuid.UUID{manager.ID}) {
			t.Errorf("told %v, not %v", got, manager.ID)
		}
		for range 25 {
			w.Clock.Advance(time.Second)
			joins(access.EmployeeDelegate, access.AllServices)
		}
		if _, err := w.service.Revoke(ctx, w.at(session, given.ID), given.ID, ""); err != nil {
			t.Fatal(err)
		}
		if got := told("delegation.revoked"); len(got) != 20 || !slices.Contains(got, manager.ID) {
			t.Errorf("told %d", len(got))
		}
		head := joins(access.LegalRepresentative, access.AllServices)
		w.active(session, nil)
		if got := told("delegation.activated"); !slices.Equal(got, []uuid.UUID{head.ID}) {
			t.Errorf("told %v, not who represents it", got)
		}
	})
}
