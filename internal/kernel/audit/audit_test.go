package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func rows(t *testing.T, d *db.DB) []audit.Access {
	t.Helper()
	var all []audit.Access
	if err := d.From(context.Background()).Order("id").Find(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

func exec(t *testing.T, d *db.DB, statement string) {
	t.Helper()
	if err := d.InTx(context.Background(), func(ctx context.Context) error { return d.From(ctx).Exec(statement).Error }); err != nil {
		t.Fatal(err)
	}
}

func TestAudit_TheTrailStandsOrFallsWithItsTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		trail := audit.NewTrail(d)
		person := uuid.Must(uuid.NewV7())
		subject := "subject"
		record := audit.Record{
			ID: uuid.Must(uuid.NewV7()), At: world.Start, Operation: "op", PersonID: &person, SubjectID: &subject, Outcome: "done",
			RequestID: "r", Address: "192.0.2.1",
		}
		boom := errors.New("boom")
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			if err := trail.Write(ctx, record); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		if err := d.InTx(context.Background(), func(ctx context.Context) error { return trail.Write(ctx) }); err != nil {
			t.Errorf("nothing to write: %v", err)
		}
		var got []audit.Record
		read := func() {
			t.Helper()
			if err := d.From(context.Background()).Find(&got).Error; err != nil {
				t.Fatal(err)
			}
		}
		if read(); len(got) != 0 {
			t.Errorf("a record outlived its transaction: %+v", got)
		}
		if err := d.InTx(context.Background(), func(ctx context.Context) error { return trail.Write(ctx, record) }); err != nil {
			t.Fatal(err)
		}
		read()
		if diff := cmp.Diff([]audit.Record{record}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAudit_AccessIsLogged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := clock.NewManual(world.Start)
		log := audit.NewAccessLog(d, c, slog.New(slog.DiscardHandler))
		t.Cleanup(log.Close)
		id, subject := uuid.Must(uuid.NewV7()), "subject"
		first := audit.Access{
			Operation: "showDeclaration", PersonID: &id, SessionID: &id, ContributorID: &id, SubjectID: &subject, Outcome: "read",
			RequestID: "request-1", Address: "2001:db8::1",
		}
		second := audit.Access{Operation: "startSession", Outcome: "invalid-credentials", RequestID: "request-2", Address: "192.0.2.1"}
		log.Add(context.Background(), first)
		c.Advance(1)
		log.Add(context.Background(), second)
		log.Flush(context.Background())
		got := rows(t, d)
		if len(got) != 2 || got[0].ID == uuid.Nil || got[0].ID == got[1].ID {
			t.Fatalf("rows %+v", got)
		}
		first.ID, first.At = got[0].ID, world.Start
		second.ID, second.At = got[1].ID, c.Now()
		if diff := cmp.Diff([]audit.Access{first, second}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAudit_TheAccessLogOutlivesAnOutage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var said bytes.Buffer
		log := audit.NewAccessLog(d, clock.NewManual(world.Start), slog.New(slog.NewTextHandler(&said, nil)))
		exec(t, d, "ALTER TABLE access_log RENAME TO elsewhere")
		for i := range 700 {
			log.Add(context.Background(), audit.Access{
				Operation: "op", Outcome: "read", RequestID: fmt.Sprintf("request-%04d", i), Address: "192.0.2.1",
			})
		}
		log.Flush(context.Background())
		exec(t, d, "ALTER TABLE elsewhere RENAME TO access_log")
		log.Add(context.Background(), audit.Access{Operation: "op", Outcome: "read", RequestID: "request-0700", Address: "192.0.2.1"})
		log.Close()
		got := rows(t, d)
		if len(got) != 701 {
			t.Fatalf("%d rows, want 701", len(got))
		}
		for i, row := range got {
			if want := fmt.Sprintf("request-%04d", i); row.RequestID != want {
				t.Fatalf("row %d is %s, want %s", i, row.RequestID, want)
			}
		}
		if !strings.Contains(said.String(), "access log not written") {
			t.Errorf("nobody was told: %s", said.String())
		}
		said.Reset()
		log.Add(context.Background(), audit.Access{Operation: "tooLate", Outcome: "read", RequestID: "request-9", Address: "192.0.2.7"})
		if !strings.Contains(said.String(), "request-9") || strings.Contains(said.String(), "192.0.2.7") {
			t.Errorf("a row after the end: %s", said.String())
		}
	})
}

func TestAudit_RowsThatAreLostAtTheEndAreReported(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	var said bytes.Buffer
	log := audit.NewAccessLog(d, clock.NewManual(world.Start), slog.New(slog.NewTextHandler(&said, nil)))
	exec(t, d, "DROP TABLE access_log")
	log.Add(context.Background(), audit.Access{Operation: "op", Outcome: "read", RequestID: "request-1", Address: "192.0.2.1"})
	log.Close()
	if !strings.Contains(said.String(), "access log rows lost") {
		t.Errorf("said: %s", said.String())
	}
}

// When the connection breaks at the commit, nobody knows whether a group was written: it is written
// again.
func TestAudit_AGroupMayBeWrittenTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		group := []audit.Access{{
			ID: uuid.Must(uuid.NewV7()), At: world.Start, Operation: "op", Outcome: "read", RequestID: "request-1", Address: "192.0.2.1",
		}}
		for range 2 {
			if err := audit.WriteAccess(context.Background(), d, group); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(group, rows(t, d)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAudit_NoAccessIsLostUnderLoad(t *testing.T) {
	dbtest.EachAlone(t, func(t *testing.T, d *db.DB) {
		before := goleak.IgnoreCurrent()
		log := audit.NewAccessLog(d, clock.System{}, slog.New(slog.DiscardHandler))
		const writers, each = 16, 200
		world.Parallel(writers, func(w int) {
			for i := range each {
				log.Add(context.Background(), audit.Access{
					Operation: "op", Outcome: "read", RequestID: fmt.Sprintf("request-%d-%d", w, i), Address: "192.0.2.1",
				})
			}
		})
		log.Close()
		goleak.VerifyNone(t, before)
		seen := map[string]bool{}
		for _, row := range rows(t, d) {
			seen[row.RequestID] = true
		}
		if len(seen) != writers*each {
			t.Errorf("%d rows of %d", len(seen), writers*each)
		}
	})
}

func TestAudit_OriginRidesInTheContext(t *testing.T) {
	want := audit.Origin{Operation: "op", RequestID: "request-1", Address: "192.0.2.1"}
	if got := audit.OriginOf(audit.WithOrigin(context.Background(), want)); got != want {
		t.Errorf("got %+v", got)
	}
	if got := audit.OriginOf(context.Background()); got != (audit.Origin{}) {
		t.Errorf("work that nobody asked for has the origin %+v", got)
	}
}

func TestAudit_ActivityIsThePersonsOwnTheLatestFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		trail := audit.NewTrail(d)
		mine, others := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
		var want []uuid.UUID
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			for i := range 7 {
				// Two at each instant, and somebody else's between them.
				r := audit.Record{
					ID: uuid.Must(uuid.NewV7()), At: world.Start.Add(time.Duration(i/2) * time.Second), Operation: "op", PersonID: &mine,
					Outcome: "done",
				}
				other := r
				other.ID, other.PersonID = uuid.Must(uuid.NewV7()), &others
				if err := trail.Write(ctx, r, other); err != nil {
					return err
				}
				want = append([]uuid.UUID{r.ID}, want...)
			}
			return trail.Write(ctx, audit.Record{ID: uuid.Must(uuid.NewV7()), At: world.Start, Operation: "nobody's", Outcome: "done"})
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []uuid.UUID
		var after *page.Key
		for {
			found, err := trail.OfPerson(context.Background(), mine, 3, after)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) == 0 {
				break
			}
			for _, r := range found {
				got = append(got, r.ID)
				after = &page.Key{At: r.At, ID: r.ID}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAudit_AccessesAreErasedByAgeAndPerson: what is erased is gone, what is not is untouched, and the
// trail says how much it was, why, and not of whom.
func TestAudit_AccessesAreErasedByAgeAndPerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mine, others := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
		me, other := mine.String(), others.String()
		// The instant itself is not older.
		before := world.Start
		written := map[string]audit.Access{
			"mine, old":      {At: before.Add(-1), PersonID: &mine, SubjectID: &other},
			"about me, old":  {At: before.Add(-1), PersonID: &others, SubjectID: &me},
			"other's, old":   {At: before.Add(-1), PersonID: &others, SubjectID: &other},
			"nobody's, old":  {At: before.Add(-1)},
			"mine, young":    {At: before, PersonID: &mine, SubjectID: &me},
			"other's, young": {At: before, PersonID: &others},
		}
		var all []audit.Access
		for name, row := range written {
			row.At = row.At.Truncate(time.Microsecond)
			row.ID, row.Operation, row.Outcome, row.RequestID, row.Address = uuid.Must(uuid.NewV7()), "op", "read", name, "192.0.2.1"
			written[name], all = row, append(all, row)
		}
		if err := audit.WriteAccess(context.Background(), d, all); err != nil {
			t.Fatal(err)
		}
		at := before.Add(time.Hour)
		for _, step := range []struct {
			erasure audit.Erasure
			erased  []string
		}{
			{audit.Erasure{Before: before, PersonID: &mine, At: at, Reason: "richiesta dell'interessato"}, []string{"mine, old", "about me, old"}},
			{audit.Erasure{Before: before, PersonID: &mine, At: at, Reason: "ancora"}, nil},
			{audit.Erasure{Before: before, At: at, Reason: "termine di conservazione"}, []string{"other's, old", "nobody's, old"}},
			{audit.Erasure{Before: before, At: at, Reason: "ancora"}, nil},
		} {
			if n, err := audit.EraseAccesses(context.Background(), d, step.erasure); err != nil || n != int64(len(step.erased)) {
				t.Errorf("%s: %d rows erased, %v, want %q", step.erasure.Reason, n, err, step.erased)
			}
			for _, name := range step.erased {
				delete(written, name)
			}
			left := map[string]audit.Access{}
			for _, row := range rows(t, d) {
				left[row.RequestID] = row
			}
			if diff := cmp.Diff(written, left); diff != "" {
				t.Errorf("%s: %s", step.erasure.Reason, diff)
			}
		}
		var records []audit.Record
		if err := d.From(context.Background()).Order("detail").Find(&records).Error; err != nil {
			t.Fatal(err)
		}
		log, first, second := "access_log", `{"reason":"richiesta dell'interessato","rows":2}`, `{"reason":"termine di conservazione","rows":2}`
		record := audit.Record{
			At: at, Operation: audit.OpEraseAccesses, SubjectKind: &log, Outcome: "done", RequestID: "command-line", Address: "local",
			Detail: &first,
		}
		then := record
		then.Detail = &second
		if diff := cmp.Diff([]audit.Record{record, then}, records, cmpopts.IgnoreFields(audit.Record{}, "ID")); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAudit_WhatIsNotRecordedIsNotErased: deletion and record stand or fall together.
func TestAudit_WhatIsNotRecordedIsNotErased(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		group := []audit.Access{{
			ID: uuid.Must(uuid.NewV7()), At: world.Start, Operation: "op", Outcome: "read", RequestID: "request-1", Address: "192.0.2.1",
		}}
		if err := audit.WriteAccess(context.Background(), d, group); err != nil {
			t.Fatal(err)
		}
		exec(t, d, "ALTER TABLE audit_records RENAME TO elsewhere")
		e := audit.Erasure{Before: world.Start.Add(time.Hour), At: world.Start.Add(time.Hour), Reason: "prova"}
		if _, err := audit.EraseAccesses(context.Background(), d, e); err == nil {
			t.Error("erased without a record")
		}
		if diff := cmp.Diff(group, rows(t, d)); diff != "" {
			t.Error(diff)
		}
	})
}
