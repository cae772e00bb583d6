package ticket_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/platform/due"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// summaries lists to whom summaries were promised, with what they say and when they are dated.
func (w *fixture) summaries() map[uuid.UUID][]string {
	w.t.Helper()
	var rows []struct {
		PersonID  uuid.UUID
		Data      string
		CreatedAt time.Time
	}
	if err := w.DB.From(ctx).Raw("SELECT person_id, data, created_at FROM outbox WHERE kind = 'ticket.summary' ORDER BY created_at").
		Scan(&rows).Error; err != nil {
		w.t.Fatal(err)
	}
	all := map[uuid.UUID][]string{}
	for _, row := range rows {
		all[row.PersonID] = append(all[row.PersonID], row.CreatedAt.UTC().Format("2006-01-02 15:04 ")+row.Data)
	}
	return all
}

// do does what is due of the summaries, as the scheduler does.
func (w *fixture) do(after due.Cursor, until time.Time) due.Cursor {
	w.t.Helper()
	var done due.Cursor
	w.Must(w.t, func(ctx context.Context) (err error) {
		done, err = w.TicketDesk.Summaries().Do(ctx, after, until)
		return err
	})
	return done
}

func TestSummary_TellsEachOperatorOfAnOfficeThatIsLate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		one, other, milan := w.atDesk(world.Rome), w.atDesk(world.Rome), w.atDesk(world.Milan)
		gone := w.atDesk(world.Rome)
		w.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", w.Clock.Now(), gone.PersonID)
		var numbers []string
		for range 6 {
			numbers = append(numbers, w.open(by, about(c)).ProtocolNumber)
		}
		smart := about(c)
		smart.Kind = ticket.SmartTask
		w.open(by, smart)
		source, begun := w.TicketDesk.Summaries(), due.Through(w.Clock.Now())

		// The five working days of 16 March end with the 23rd: the 24th at eight is the first.
		first := time.Date(2026, 3, 24, 7, 0, 0, 0, time.UTC)
		if at, found, err := source.Next(ctx, begun, first.AddDate(0, 0, 10)); err != nil || !found || !at.Equal(first) {
			t.Fatalf("next at %s, %t, %v", at, found, err)
		}
		if _, found, err := source.Next(ctx, begun, first.Add(-time.Second)); err != nil || found {
			t.Errorf("before it: %t, %v", found, err)
		}
		if at, found, err := source.Next(ctx, due.Through(first), first.AddDate(0, 0, 10)); err != nil || !found || !at.Equal(first.AddDate(0, 0, 1)) {
			t.Errorf("after it %s, %t, %v", at, found, err)
		}
		w.do(begun, first.Add(-time.Second))
		if got := w.summaries(); len(got) != 0 {
			t.Errorf("too early: %v", got)
		}
		if done := w.do(begun, first.Add(time.Minute)); done != due.Through(first.Add(time.Minute)) {
			t.Errorf("done until %+v", done)
		}
		want := `2026-03-24 07:00 {"office":"Roma","due":6,"late":0,"oldest":"` + strings.Join(numbers[:5], ", ") + `"}`
		if diff := cmp.Diff(map[uuid.UUID][]string{one.PersonID: {want}, other.PersonID: {want}}, w.summaries()); diff != "" {
			t.Errorf("Rome's operators are told, nobody in Milan (%s):\n%s", milan.PersonID, diff)
		}

		// The same day again: nothing.
		w.do(due.Through(first.Add(time.Minute)), first.Add(5*time.Hour))
		if got := w.summaries(); len(got[one.PersonID]) != 1 {
			t.Errorf("told twice: %v", got)
		}
		// Days that were missed are not made up for, and a Saturday has none.
		saturday := time.Date(2026, 4, 18, 9, 0, 0, 0, time.UTC)
		w.do(due.Through(first.Add(5*time.Hour)), saturday)
		if got := w.summaries(); len(got[one.PersonID]) != 1 {
			t.Errorf("on a Saturday: %v", got)
		}
		monday := time.Date(2026, 4, 20, 6, 0, 0, 0, time.UTC)
		w.do(due.Through(saturday), monday.Add(time.Hour))
		if got := w.summaries()[one.PersonID]; len(got) != 2 || !strings.Contains(got[1], `"due":6,"late":6`) ||
			!strings.HasPrefix(got[1], "2026-04-20 06:00") {
			t.Errorf("on Monday: %v", got)
		}
	})
}

func TestSummary_IsNothingWhereAllIsAnswered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		desk := w.atDesk(world.Rome)
		opened := w.open(by, about(c))
		must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, desk, opened.ID))
		must[ticket.Details](t)(w.TicketDesk.Close(ctx, desk, opened.ID, informed))
		begun, later := due.Through(w.Clock.Now()), w.Clock.Now().AddDate(0, 1, 0)
		if _, found, err := w.TicketDesk.Summaries().Next(ctx, begun, later); err != nil || found {
			t.Errorf("something is due: %t, %v", found, err)
		}
		w.do(begun, later)
		if got := w.summaries(); len(got) != 0 {
			t.Errorf("told %v", got)
		}
	})
}

var errDied = errors.New("the process died")

// Whatever ends in between, each operator is told once: the messages and how far they came are one
// transaction.
func TestSummary_IsSentOnceWhateverDies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		operators := []uuid.UUID{w.atDesk(world.Rome).PersonID, w.atDesk(world.Rome).PersonID}
		w.open(by, about(c))
		at := time.Date(2026, 3, 24, 7, 0, 0, 0, time.UTC)
		begun := due.Through(w.Clock.Now())
		err := w.DB.InTx(ctx, func(ctx context.Context) error {
			if _, err := w.TicketDesk.Summaries().Do(ctx, begun, at); err != nil {
				return err
			}
			return errDied
		})
		if !errors.Is(err, errDied) || len(w.summaries()) != 0 {
			t.Fatalf("%v, %v", err, w.summaries())
		}
		// One who was told, by the place that was kept, is not told again.
		slices.SortFunc(operators, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		w.do(due.Cursor{At: at, ID: operators[0]}, at)
		if got := w.summaries(); len(got) != 1 || len(got[operators[1]]) != 1 {
			t.Errorf("told %v", got)
		}
	})
}
