package operation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var errEffect = errors.New("the effect failed")

// rename is an operation: it gives an office a new title.
func rename(
	ctx context.Context, a *world.App, by access.Actor, title string, trace operation.Trace, after error,
	again func(context.Context, string) (string, error),
) (string, error) {
	return operation.Do(ctx, a.Runner, by, world.Rome, func(ctx context.Context, left *operation.Trace) (string, error) {
		if err := a.DB.From(ctx).Exec("UPDATE offices SET title = ? WHERE code = ?", title, world.Rome).Error; err != nil {
			return "", err
		}
		*left = trace
		return title, after
	}, again)
}

func title(t *testing.T, a *world.App) string {
	t.Helper()
	var text string
	if err := a.DB.From(context.Background()).Raw("SELECT title FROM offices WHERE code = ?", world.Rome).Scan(&text).Error; err != nil {
		t.Fatal(err)
	}
	return text
}

func requestBy(by access.Actor, key string) context.Context {
	return world.WithKey(audit.WithOrigin(context.Background(), audit.Origin{
		Operation: "renameOffice", RequestID: "request-1", Address: "192.0.2.1",
	}), by, key)
}

func TestOperation_LeavesOneRecord(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		_, by := a.Employer(t)
		a.Clock.Advance(time.Minute)
		trace := operation.Trace{ContributorID: by.ContributorID, Right: by.Rights[0], SubjectKind: "office", SubjectID: world.Rome}
		if _, err := rename(requestBy(by, "k"), a, by, "Roma Centro", trace, nil, nil); err != nil {
			t.Fatal(err)
		}
		somebody, session := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
		if _, err := rename(context.Background(), a, access.Actor{}, "Roma Est", operation.Trace{
			PersonID: somebody, SessionID: session, Outcome: "half done",
		}, nil, nil); err != nil {
			t.Fatal(err)
		}
		var got []audit.Record
		if err := d.From(context.Background()).Order("id").Find(&got).Error; err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 {
			t.Fatalf("%d records", len(got))
		}
		acting, kind, subject, right := string(access.LegalRepresentative), "office", world.Rome, by.Rights[0].ID
		want := []audit.Record{
			{
				ID: got[0].ID, At: a.Clock.Now(), Operation: "renameOffice", PersonID: &by.PersonID, SessionID: &by.SessionID,
				ContributorID: &by.ContributorID,
				ActingAs:      &acting, RightID: &right, SubjectKind: &kind, SubjectID: &subject, Outcome: "done", RequestID: "request-1",
				Address: "192.0.2.1", LoginMethod: &by.Login.Method,
			},
			{ID: got[1].ID, At: a.Clock.Now(), PersonID: &somebody, SessionID: &session, Outcome: "half done"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOperation_AFailedOperationLeavesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		_, by := a.Employer(t)
		if _, err := rename(requestBy(by, "k"), a, by, "Roma Centro", operation.Trace{}, errEffect, nil); !errors.Is(err, errEffect) {
			t.Errorf("got %v", err)
		}
		// Without its trace there is no effect either.
		a.Exec(t, "ALTER TABLE audit_records RENAME TO elsewhere")
		if _, err := rename(requestBy(by, "k"), a, by, "Roma Centro", operation.Trace{}, nil, nil); err == nil {
			t.Error("an operation without a trace went through")
		}
		a.Exec(t, "ALTER TABLE elsewhere RENAME TO audit_records")
		if got := title(t, a); got != "Roma" {
			t.Errorf("the office is called %s", got)
		}
		if a.Count(t, "audit_records") != 0 || a.Count(t, "idempotency_keys") != 0 {
			t.Error("a failed operation left a record or a key")
		}
	})
}

func TestOperation_ARepeatHasNoEffect(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		_, by := a.Employer(t)
		if _, err := rename(requestBy(by, "k"), a, by, "Roma Centro", operation.Trace{}, nil, nil); err != nil {
			t.Fatal(err)
		}
		got, err := rename(requestBy(by, "k"), a, by, "Roma Est", operation.Trace{}, nil, func(
			_ context.Context, id string,
		) (string, error) {
			return "again " + id, nil
		})
		if err != nil || got != "again "+world.Rome {
			t.Errorf("the repeat, rendered again: %q, %v", got, err)
		}
		_, err = rename(requestBy(by, "k"), a, by, "Roma Est", operation.Trace{}, nil, nil)
		var replay *idempotency.Replay
		if !errors.As(err, &replay) || replay.ResourceID != world.Rome || replay.Answer != nil {
			t.Errorf("the repeat of what nobody renders: %v", err)
		}
		other := requestBy(by, "k")
		idempotency.ClaimOf(other).RequestMAC = "another request"
		if _, err := rename(other, a, by, "Roma Est", operation.Trace{}, nil, nil); !fault.Is(err, fault.IdempotencyKeyReused) {
			t.Errorf("another request: %v", err)
		}
		if title(t, a) != "Roma Centro" || a.Count(t, "audit_records") != 1 {
			t.Errorf("the office is called %s, with %d records", title(t, a), a.Count(t, "audit_records"))
		}
	})
}
