package pin_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/due"
	"diresco/internal/test/dbtest"
)

func reminders(t *testing.T, w *pintest.World) []outbox.Message {
	t.Helper()
	var messages []outbox.Message
	if err := w.DB.From(ctx).Where("kind = ?", pin.Reminder.Name).Order("created_at, person_id").Find(&messages).Error; err != nil {
		t.Fatal(err)
	}
	return messages
}

// Whoever has a PIN that comes to its end hears of it 30, 7 and 1 days before. That holds whether
// the clock goes there in one jump or somebody looks every minute.
func TestReminder_BeforeTheEnd(t *testing.T) {
	for name, advance := range map[string]func(w *pintest.World, c *due.Scheduler, target time.Time) error{
		"in one jump": func(w *pintest.World, c *due.Scheduler, target time.Time) error {
			return c.Walk(ctx, target, func(_ context.Context, at time.Time) error {
				if at.Before(w.Clock.Now()) {
					t.Errorf("back to %v", at)
				}
				w.Clock.Advance(at.Sub(w.Clock.Now()))
				return nil
			})
		},
		"day by day": func(w *pintest.World, c *due.Scheduler, target time.Time) error {
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
				w := pintest.New(t, d, pintest.Cheap)
				mario, _ := w.Person(t, pintest.Mario, access.Citizen, false)
				giulia, _ := w.Person(t, pintest.Giulia, access.Citizen, true)
				c := due.NewScheduler(d, w.Clock, slog.New(slog.DiscardHandler), w.PINs.Reminders()...)
				if err := c.Begin(ctx); err != nil {
					t.Fatal(err)
				}
				if err := advance(w, c, pintest.Start.AddDate(0, 7, 0)); err != nil {
					t.Fatal(err)
				}
				got := reminders(t, w)
				if len(got) != 6 {
					t.Fatalf("%d reminders, want 6", len(got))
				}
				change, unused := calendar.AddMonths(pintest.Start, 6), pintest.Start.Add(60*24*time.Hour)
				for i, days := range []int{30, 7, 1} {
					for j, want := range []struct {
						end    time.Time
						person string
						what   string
					}{{unused, giulia.ID.String(), `"what":"unused"`}, {change, mario.ID.String(), `"what":"change"`}} {
						m := got[3*j+i]
						if at := want.end.AddDate(0, 0, -days); !m.CreatedAt.Equal(want.end.Add(-time.Duration(days)*24*time.Hour)) ||
							m.PersonID.String() != want.person || !strings.Contains(m.Data, want.what) {
							t.Errorf("reminder %d at %v of %s: %s, want it at %v", i, m.CreatedAt, m.PersonID, m.Data, at)
						}
						if !m.DeadlineAt.Equal(want.end) {
							t.Errorf("it may be sent until %v", m.DeadlineAt)
						}
					}
				}
			})
		})
	}
}

// A service that was down does not remind of what is over. A PIN that was changed or revoked, or
// whose holder is suspended, causes no reminder either.
func TestReminder_NoReminderInVain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		mario, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		w.Person(t, pintest.Giulia, access.Citizen, false)
		c := due.NewScheduler(d, w.Clock, slog.New(slog.DiscardHandler), w.PINs.Reminders()...)
		if err := c.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		w.Exec(t, "UPDATE pins SET revoked_at = ? WHERE person_id = ?", w.Clock.Now(), mario.ID)
		w.Exec(t, "UPDATE people SET suspended_at = ? WHERE id <> ?", w.Clock.Now(), mario.ID)
		w.Clock.Advance(calendar.AddMonths(pintest.Start, 6).Add(-time.Hour).Sub(pintest.Start))
		c.CatchUp(ctx)
		w.Exec(t, "UPDATE pins SET revoked_at = NULL")
		w.Exec(t, "UPDATE people SET suspended_at = NULL")
		w.Clock.Advance(2 * time.Hour)
		c.CatchUp(ctx)
		if got := reminders(t, w); len(got) != 0 {
			t.Errorf("%d reminders", len(got))
		}
	})
}
