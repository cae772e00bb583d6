package timeline_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/dossier/timeline"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

func asked(operation string) context.Context {
	return audit.WithOrigin(ctx, audit.Origin{Operation: operation, RequestID: "request-1", Address: "192.0.2.1"})
}

func newService(a *world.App) *timeline.Service {
	return timeline.NewService(timeline.Deps{Runner: a.Runner, CatchUp: a.Funds.CatchUp})
}

// told is an entry in short.
type told struct {
	happened timeline.Happening
	state    string
	by       string
}

// list reads a whole timeline, three entries at a time.
func list(t *testing.T, s *timeline.Service, by access.Actor, f timeline.Filter) []timeline.Entry {
	t.Helper()
	var all []timeline.Entry
	request := page.Request{Limit: 3}
	for {
		found, err := s.Of(ctx, by, f, request)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found.Items...)
		if request.Cursor = found.Next; found.Next == "" {
			break
		}
	}
	for i := 1; i < len(all); i++ {
		if all[i].At.After(all[i-1].At) {
			t.Errorf("%s at %s stands behind %s", all[i].Happened, all[i].At, all[i-1].At)
		}
	}
	return all
}

// short says what a timeline tells, the earliest first.
func short(t *testing.T, s *timeline.Service, by access.Actor, f timeline.Filter) []told {
	t.Helper()
	all := list(t, s, by, f)
	var entries []told
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
		one := told{e.Happened, e.State, "nobody"}
		switch {
		case e.By.AtOffice && e.By.PersonID == nil:
			one.by = e.By.Office
		case e.By.PersonID != nil:
			one.by = e.By.PersonID.String()
		}
		entries = append(entries, one)
	}
	return entries
}

// record leaves a record in the trail.
func record(t *testing.T, a *world.App, by access.Actor, operation, kind, outcome string, contributorID, subjectID uuid.UUID) {
	t.Helper()
	recordAs(t, a, by, operation, kind, outcome, nil, contributorID, subjectID)
}

// recordAs leaves a record with a detail.
func recordAs(t *testing.T, a *world.App, by access.Actor, operation, kind, outcome string, detail *string, contributorID, subjectID uuid.UUID) {
	t.Helper()
	var person *uuid.UUID
	if by.PersonID != uuid.Nil {
		person = &by.PersonID
	}
	var acting *access.ActingAs
	if len(by.Rights) > 0 {
		acting = &by.Rights[0].ActingAs
	}
	a.Exec(t, `INSERT INTO audit_records (id, at, operation, person_id, acting_as, contributor_id, subject_kind, subject_id, outcome,
		detail, request_id, address) VALUES ( ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')`, uuid.Must(uuid.NewV7()), a.Clock.Now(), operation, person, acting,
		contributorID, kind, subjectID.String(), outcome, detail)
}
