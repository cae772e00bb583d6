package look_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/look"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
)

// search returns the outcomes of what is found, page by page.
func (w *fixture) search(t *testing.T, q audit.Query) (outcomes []string) {
	t.Helper()
	request := page.Request{Limit: 2}
	for {
		found, err := w.service.Search(ctx, access.Actor{PersonID: w.admin}, q, request)
		if err != nil || len(found.Items) > 2 {
			t.Fatalf("%+v, %v", found, err)
		}
		for _, r := range found.Items {
			outcomes = append(outcomes, r.Outcome)
		}
		if request.Cursor = found.Next; request.Cursor == "" {
			return outcomes
		}
	}
}

func TestSearch_FindsWhatMatches(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		me, other := w.Person(t, nil).ID, w.Person(t, nil).ID
		contributor, kind, subject := uuid.Must(uuid.NewV7()), "declaration", uuid.NewString()
		begin := w.Clock.Now()
		for i := range 6 {
			w.Clock.Advance(time.Hour)
			person := me
			if i%2 == 1 {
				person = other
			}
			r := audit.Record{
				ID: uuid.Must(uuid.NewV7()), At: w.Clock.Now(), Operation: fmt.Sprintf("operation%d", i/2), PersonID: &person, Outcome: fmt.Sprint(i),
			}
			if i == 3 {
				r.ContributorID, r.SubjectKind, r.SubjectID = &contributor, &kind, &subject
			}
			w.Must(t, func(ctx context.Context) error { return w.Runner.Trail.Write(ctx, r) })
		}
		w.Clock.Advance(time.Minute)
		one, three := "operation1", "3"
		for name, c := range map[string]struct {
			q    audit.Query
			want []string
		}{
			"a person":      {audit.Query{PersonID: &me}, []string{"4", "2", "0"}},
			"a time":        {audit.Query{From: begin.Add(2 * time.Hour), To: begin.Add(4 * time.Hour)}, []string{"2", "1"}},
			"an operation":  {audit.Query{Operation: &one}, []string{"3", "2"}},
			"an outcome":    {audit.Query{Outcome: &three}, []string{"3"}},
			"a contributor": {audit.Query{ContributorID: &contributor}, []string{"3"}},
			"a subject":     {audit.Query{SubjectKind: &kind, SubjectID: &subject}, []string{"3"}},
			"all at once": {audit.Query{
				PersonID: &other, Operation: &one, Outcome: &three, ContributorID: &contributor, SubjectID: &subject, From: begin,
			}, []string{"3"}},
			"nothing": {audit.Query{PersonID: &me, SubjectID: &subject}, nil},
			"nobody":  {audit.Query{PersonID: &contributor}, nil},
		} {
			if got := w.search(t, c.q); !slices.Equal(got, c.want) {
				t.Errorf("by %s: %v, want %v", name, got, c.want)
			}
		}
	})
}

func TestSearch_LeavesATrace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		me, one, nobody := w.Person(t, nil).ID, "changePin", uuid.Must(uuid.NewV7())
		w.search(t, audit.Query{PersonID: &me, Operation: &one})
		w.search(t, audit.Query{PersonID: &nobody})
		var details []string
		err := d.From(ctx).Raw("SELECT detail FROM audit_records WHERE operation = 'showPerson' AND person_id = ? AND subject_kind = 'audit' "+
			"AND outcome = 'done' ORDER BY id", w.admin).Scan(&details).Error
		if err != nil || len(details) != 2 || !strings.Contains(details[0], me.String()) || !strings.Contains(details[0], one) ||
			!strings.Contains(details[1], nobody.String()) {
			t.Errorf("the trail says %v, %v", details, err)
		}
		shown, err := w.service.Activity(ctx, access.Actor{PersonID: me}, page.Request{})
		if err != nil || len(shown.Items) != 1 || shown.Items[0].Look == nil || shown.Items[0].Look.StaffID != w.admin {
			t.Errorf("the person is shown %+v, %v", shown.Items, err)
		}
	})
}

func TestSearch_IsBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		now, me, subject := w.Clock.Now(), w.Person(t, nil).ID, "x"
		for i, age := range []time.Duration{time.Hour, 25 * time.Hour, 40 * fault.Day} {
			w.Must(t, func(ctx context.Context) error {
				return w.Runner.Trail.Write(ctx, audit.Record{
					ID: uuid.Must(uuid.NewV7()), At: now.Add(-age), Operation: "changePin", PersonID: &me, SubjectID: &subject, Outcome: fmt.Sprint(i),
				})
			})
		}
		operation := "changePin"
		for _, c := range []struct {
			q    audit.Query
			want []string
		}{
			{audit.Query{Operation: &operation}, []string{"0"}},
			{audit.Query{Operation: &operation, To: now.Add(-2 * time.Hour)}, []string{"1"}},
			{audit.Query{Operation: &operation, From: now.Add(-31 * fault.Day)}, []string{"0", "1"}},
			{audit.Query{PersonID: &me}, []string{"0", "1", "2"}},
			{audit.Query{SubjectID: &subject}, []string{"0", "1", "2"}},
			{audit.Query{PersonID: &me, From: now.Add(-90 * fault.Day)}, []string{"0", "1", "2"}},
		} {
			if got := w.search(t, c.q); !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.q, got, c.want)
			}
		}
		for code, q := range map[string]audit.Query{
			fault.FieldSearchTooLong: {From: now.Add(-31*fault.Day - time.Second)}, fault.FieldEndsBefore: {From: now.Add(time.Second)},
		} {
			_, err := w.service.Search(ctx, access.Actor{PersonID: w.admin}, q, page.Request{})
			if f := (*fault.Fault)(nil); !fault.Is(err, fault.Invalid) || !errors.As(err, &f) || f.Fields[0].Code != code {
				t.Errorf("%+v: %v", q, err)
			}
		}
		if _, err := w.service.Search(ctx, access.Actor{PersonID: w.admin}, audit.Query{}, page.Request{Cursor: "nonsense"}); !fault.Is(err, fault.Malformed) {
			t.Errorf("a cursor that was never given: %v", err)
		}
	})
}

func TestLook_IsErasedByAge(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by, me, other := w.operator(t), w.Person(t, nil).ID, w.Person(t, nil).ID
		w.at(t, by, me)
		w.at(t, by, other)
		w.Clock.Advance(time.Hour)
		before := w.Clock.Now()
		w.at(t, by, me)
		e := audit.Erasure{Before: before, At: w.Clock.Now(), Reason: "prova"}
		ofMine := e
		ofMine.PersonID = &me
		if n, err := look.Erase(ctx, d, ofMine); err != nil || n != 1 {
			t.Errorf("%d looks at a person erased, %v", n, err)
		}
		if n, err := look.Erase(ctx, d, e); err != nil || n != 1 {
			t.Errorf("%d other looks erased, %v", n, err)
		}
		if n := w.Count(t, `audit_records WHERE operation = ? AND detail = '{"reason":"prova","rows":1}'`, look.OpErase); n != 2 {
			t.Errorf("%d of the two erasures are recorded", n)
		}
		if shown, err := w.service.Activity(ctx, access.Actor{PersonID: me}, page.Request{}); err != nil || len(shown.Items) != 1 {
			t.Errorf("the person is shown %+v, %v", shown.Items, err)
		}
	})
}
