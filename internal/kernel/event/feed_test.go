package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/event"
	"diresco/internal/platform/clock"
	"diresco/internal/test/dbtest"
)

// written is the record of a batch that was finished, which is an event.
func written() audit.Record {
	kind, subject, contributor := "declaration-batch", uuid.NewString(), uuid.New()
	return audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: time.Date(2026, 3, 17, 9, 0, 0, 0, time.UTC), Operation: "finishDeclarationBatch",
		ContributorID: &contributor, SubjectKind: &kind, SubjectID: &subject, Outcome: "done",
	}
}

func feedOn(d *db.DB) *event.Feed {
	return event.NewFeed(event.Deps{DB: d, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)})
}

func write(t *testing.T, d *db.DB, records ...audit.Record) {
	t.Helper()
	if err := d.InTx(context.Background(), func(ctx context.Context) error {
		return audit.NewTrail(d).Write(ctx, records...)
	}); err != nil {
		t.Fatal(err)
	}
}

func appendAll(t *testing.T, f *event.Feed) {
	t.Helper()
	if err := f.Append(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, f *event.Feed) []event.Event {
	t.Helper()
	newest, err := f.Newest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	events, err := f.Between(context.Background(), 0, newest, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Position != int64(i)+1 {
			t.Fatalf("event %d has position %d", i, e.Position)
		}
	}
	return events
}

// Writers that commit late and out of order, and two processes that append meanwhile: each record is
// one event, and a reader that goes by positions misses none.
func TestFeed_NothingIsMissedAndNothingTwice(t *testing.T) {
	const writers, each = 8, 30
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		var appenders sync.WaitGroup
		var hooked sync.Map
		for range 2 {
			f := feedOn(d)
			f.OnAppended(func(_ context.Context, events []event.Event) error {
				for _, e := range events {
					if _, twice := hooked.LoadOrStore(e.ID, true); twice {
						t.Errorf("event %s was handed over twice", e.ID)
					}
				}
				return nil
			})
			appenders.Go(func() { f.Run(ctx) })
		}
		reader := feedOn(d)
		seen := make(chan []event.Event)
		read := make(chan struct{})
		go func() {
			var all []event.Event
			defer func() { seen <- all }()
			for last, over := int64(0), false; ; {
				events, err := reader.Between(context.Background(), last, 1<<40, 1000)
				if err != nil {
					t.Error(err)
					return
				}
				if all = append(all, events...); len(events) > 0 {
					last = events[len(events)-1].Position
				} else if over {
					return
				}
				select {
				case <-read:
					over = true
				default:
				}
			}
		}()
		var mu sync.Mutex
		wanted := map[uuid.UUID]bool{}
		var all sync.WaitGroup
		undone := errors.New("undone")
		for w := range writers {
			all.Go(func() {
				// Each begins its transaction, lets others go first, and commits then; one in ten is undone.
				for i := range each {
					one := written()
					err := d.InTx(context.Background(), func(ctx context.Context) error {
						if err := audit.NewTrail(d).Write(ctx, one); err != nil {
							return err
						}
						if d.Dialect() == db.Postgres && (w+i)%3 == 0 {
							if err := d.From(ctx).Exec("SELECT pg_sleep(0.02)").Error; err != nil {
								return err
							}
						}
						if (w+i)%10 == 0 {
							return undone
						}
						return nil
					})
					if err != nil && !errors.Is(err, undone) {
						t.Error(err)
						return
					}
					if err == nil {
						mu.Lock()
						wanted[one.ID] = true
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		stop()
		appenders.Wait()
		if err := reader.Append(context.Background()); err != nil {
			t.Error(err)
		}
		close(read)
		got := <-seen
		if len(got) != len(wanted) {
			t.Errorf("%d of %d events were read", len(got), len(wanted))
		}
		for i, e := range got {
			if e.Position != int64(i)+1 || !wanted[e.ID] {
				t.Fatalf("event %d: position %d, wanted: %v", i, e.Position, wanted[e.ID])
			}
			delete(wanted, e.ID)
		}
	})
}

// A transaction that is open for long holds up nobody, and what it wrote is appended when it ends.
func TestFeed_LateCommitHoldsUpNobody(t *testing.T) {
	if testing.Short() {
		return // one transaction writes at a time there
	}
	d := dbtest.Open(t, dbtest.Postgres(t))
	f := feedOn(d)
	late, before, after := written(), written(), written()
	appendAll(t, f)
	if err := d.InTx(context.Background(), func(ctx context.Context) error {
		if err := audit.NewTrail(d).Write(ctx, late); err != nil {
			return err
		}
		write(t, d, before)
		appendAll(t, f)
		write(t, d, after)
		appendAll(t, f)
		if got := ids(all(t, f)); !slices.Equal(got, []uuid.UUID{before.ID, after.ID}) {
			return fmt.Errorf("while it was open: %v", got)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	appendAll(t, f)
	if got := ids(all(t, f)); !slices.Equal(got, []uuid.UUID{before.ID, after.ID, late.ID}) {
		t.Errorf("afterwards: %v", got)
	}
}

func ids(events []event.Event) []uuid.UUID {
	list := make([]uuid.UUID, len(events))
	for i, e := range events {
		list[i] = e.ID
	}
	return list
}

// A database that was restored elsewhere counts its transactions anew; the mark of the last look is
// worth nothing there, and neither is what its records have of the old count. This is so whether the
// process begins anew or goes on.
func TestFeed_GoesOnInARestoredDatabase(t *testing.T) {
	for name, again := range map[string]func(f *event.Feed, d *db.DB) *event.Feed{
		"begins anew": func(_ *event.Feed, d *db.DB) *event.Feed { return feedOn(d) },
		"goes on":     func(f *event.Feed, _ *db.DB) *event.Feed { return f },
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				first, second, third := written(), written(), written()
				f := feedOn(d)
				write(t, d, first)
				appendAll(t, f)
				write(t, d, second)
				far := []string{"UPDATE event_feed SET snapshot = '900000000:900000000:', last_row = 900000000"}
				if d.Dialect() == db.Postgres {
					// The trail is only ever added to, except by whoever restores it.
					far = append(far, "ALTER TABLE audit_records DISABLE TRIGGER USER", "UPDATE audit_records SET xact_id = '900000001'",
						"ALTER TABLE audit_records ENABLE TRIGGER USER")
				}
				for _, statement := range far {
					if err := d.InTx(context.Background(), func(ctx context.Context) error {
						return d.From(ctx).Exec(statement).Error
					}); err != nil {
						t.Fatal(err)
					}
				}
				f = again(f, d)
				appendAll(t, f)
				write(t, d, third)
				appendAll(t, f)
				if got := ids(all(t, f)); !slices.Equal(got, []uuid.UUID{first.ID, second.ID, third.ID}) {
					t.Errorf("the feed has %v", got)
				}
			})
		})
	}
}

// A machine whose clock is hours ahead makes ids above all that others write: these are appended
// all the same, by a process that goes on and by one that begins.
func TestFeed_AClockThatIsAheadHidesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := feedOn(d)
		ahead, second, third := written(), written(), written()
		ahead.ID = later(ahead.ID, 4*time.Hour)
		write(t, d, ahead)
		appendAll(t, f)
		write(t, d, second)
		appendAll(t, f)
		write(t, d, third)
		appendAll(t, feedOn(d))
		if got := ids(all(t, f)); !slices.Equal(got, []uuid.UUID{ahead.ID, second.ID, third.ID}) {
			t.Errorf("the feed has %v", got)
		}
	})
}

// later is the id as it would have been made so much later.
func later(id uuid.UUID, by time.Duration) uuid.UUID {
	ms := by.Milliseconds()
	for i := range 6 {
		ms += int64(id[i]) << (8 * (5 - i))
	}
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id
}

// More than one transaction takes is appended in parts, each once, also by a process that begins in
// the middle.
func TestFeed_ALongBacklogIsAppendedInParts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		records := make([]audit.Record, 1234)
		for i := range records {
			records[i] = written()
		}
		write(t, d, records...)
		failed := errors.New("full")
		parts := 0
		f := feedOn(d)
		f.OnAppended(func(context.Context, []event.Event) error {
			if parts++; parts == 2 {
				return failed
			}
			return nil
		})
		if err := f.Append(context.Background()); !errors.Is(err, failed) {
			t.Fatalf("the second part: %v", err)
		}
		write(t, d, written())
		appendAll(t, feedOn(d))
		appendAll(t, f)
		if got := len(all(t, f)); got != 1235 {
			t.Errorf("%d events", got)
		}
	})
}

// What a hook cannot do for many at a time goes on with fewer, and afterwards with many again.
func TestFeed_GoesOnWithFewerWhereManyAreTooMuch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		records := make([]audit.Record, 1000)
		for i := range records {
			records[i] = written()
		}
		write(t, d, records...)
		f, most, slow := feedOn(d), 0, true
		f.OnAppended(func(_ context.Context, events []event.Event) error {
			if slow && len(events) > 70 {
				return context.DeadlineExceeded
			}
			most = max(most, len(events))
			return nil
		})
		for range 3 {
			if err := f.Append(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if err := f.Append(context.Background()); err == nil || most == 0 || most > 70 {
			t.Fatalf("%d at a time, %v", most, err)
		}
		slow = false
		appendAll(t, f)
		if got := len(all(t, f)); got != len(records) || most <= 70 {
			t.Errorf("%d events, %d at a time", got, most)
		}
	})
}

// What has been kept for 90 days goes, but for the newest: without it the appender would begin anew.
func TestFeed_ForgetsAfterNinetyDays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := event.NewFeed(event.Deps{
			DB: d, Clock: clock.NewManual(time.Date(2026, 6, 16, 9, 0, 0, 0, time.UTC)), Log: slog.New(slog.DiscardHandler),
		})
		old, young, newest := written(), written(), written()
		young.At = old.At.Add(24 * time.Hour)
		write(t, d, old, young, newest)
		appendAll(t, f)
		if err := f.Forget(context.Background()); err != nil {
			t.Fatal(err)
		}
		got, err := f.Between(context.Background(), 0, 100, 100)
		if err != nil || !slices.Equal(ids(got), []uuid.UUID{young.ID, newest.ID}) {
			t.Errorf("kept: %v, %v", ids(got), err)
		}
		appendAll(t, feedOn(d))
		if n, err := f.Newest(context.Background()); err != nil || n != 3 {
			t.Errorf("newest: %d, %v", n, err)
		}
	})
}

// However much there is to be looked at, PostgreSQL plans the statements of a look once, while the
// tables grow, too.
func TestFeed_LooksAreNotPlannedAnew(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	f := feedOn(d)
	for i := range 30 {
		records := make([]audit.Record, 1+20*i)
		for j := range records {
			records[j] = written()
		}
		write(t, d, records...)
		appendAll(t, f)
		if i%10 == 9 {
			if err := d.From(context.Background()).Exec("ANALYZE audit_records, events").Error; err != nil {
				t.Fatal(err)
			}
		}
	}
	var again []string
	for _, statement := range dbtest.PlannedAnew(t, d) {
		if strings.Contains(statement, "NOT IN ('changeDeclaration'") || strings.Contains(statement, "declaration_batches") {
			again = append(again, statement)
		}
	}
	if len(again) != 0 {
		t.Errorf("planned anew: %q", again)
	}
}
