package look_test

import (
	"context"
	"errors"
	"slices"
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
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// ctx is what the edge makes of a request.
var ctx = audit.WithOrigin(context.Background(), audit.Origin{Operation: "showPerson", RequestID: "request-1", Address: "192.0.2.1"})

// fixture is an App in which operators look at people.
type fixture struct {
	*world.App
	service *look.Service
	admin   uuid.UUID
}

// Administrators implements look.Staff.
func (w *fixture) Administrators(context.Context) ([]uuid.UUID, error) {
	return []uuid.UUID{w.admin}, nil
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	a := world.New(t, d)
	w := &fixture{App: a, admin: a.Person(t, func(p *world.Person) { p.UserClass = access.Administrator }).ID}
	w.service = look.NewService(look.Deps{DB: d, Clock: a.Clock, Trail: a.Runner.Trail, Staff: w, Outbox: a.Outbox})
	return w
}

func (w *fixture) operator(t *testing.T) access.Actor {
	t.Helper()
	p := w.Operator(t, world.Rome)
	return access.Actor{PersonID: p.ID, UserClass: access.Operator, OfficeCode: world.Rome, GivenName: p.GivenName, FamilyName: p.FamilyName}
}

func (w *fixture) at(t *testing.T, by access.Actor, personID uuid.UUID) {
	t.Helper()
	if err := w.service.At(ctx, by, personID); err != nil {
		t.Fatal(err)
	}
}

// TestLook_IsShownToThePerson between what they did themselves, page by page, with the post of who
// looked and nothing else of them.
func TestLook_IsShownToThePerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by, me, other := w.operator(t), w.Person(t, nil).ID, w.Person(t, nil).ID
		var want []string
		for i := range 7 {
			w.Clock.Advance(time.Second)
			if i%2 == 0 {
				w.at(t, by, me)
				w.at(t, by, other)
				want = append(want, "showPerson")
				continue
			}
			want = append(want, "changePin")
			w.Must(t, func(ctx context.Context) error {
				return w.Runner.Trail.Write(ctx, audit.Record{
					ID: uuid.Must(uuid.NewV7()), At: w.Clock.Now(), Operation: "changePin", PersonID: &me, Outcome: "done",
				})
			})
		}
		slices.Reverse(want)
		// Who looks at their own data, as everybody does, leaves nothing.
		w.at(t, access.Actor{PersonID: me}, me)
		var got []string
		request := page.Request{Limit: 2}
		for {
			found, err := w.service.Activity(ctx, access.Actor{PersonID: me}, request)
			if err != nil || len(found.Items) > 2 {
				t.Fatalf("%+v, %v", found, err)
			}
			for _, e := range found.Items {
				if e.Look == nil {
					got = append(got, e.Operation)
					continue
				}
				got = append(got, e.Look.Operation)
				if l := e.Look; l.UserClass != access.Operator || *l.OfficeCode != world.Rome || l.RequestID != "request-1" {
					t.Errorf("shown %+v", l)
				}
			}
			if found.Next == "" {
				break
			}
			request.Cursor = found.Next
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if _, err := w.service.Activity(ctx, access.Actor{PersonID: me}, page.Request{Cursor: "nonsense"}); !fault.Is(err, fault.Malformed) {
			t.Errorf("a cursor that was never given: %v", err)
		}
	})
}

// TestLook_AtTwoHundredPeopleADay for one member of staff; the administrators are told of the last.
func TestLook_AtTwoHundredPeopleADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by, people := w.operator(t), make([]uuid.UUID, look.PeopleADay+1)
		for i := range people {
			people[i] = w.Person(t, nil).ID
		}
		told := func(want int) {
			t.Helper()
			if n := w.Count(t, "outbox WHERE kind = ? AND person_id = ?", look.LimitReached.Name, w.admin); n != want {
				t.Errorf("administrators were told %d times, want %d", n, want)
			}
		}
		first, last := people[0], people[look.PeopleADay]
		for _, id := range people[:look.PeopleADay-1] {
			w.at(t, by, id)
			w.Clock.Advance(time.Minute)
		}
		// Again at the same ones is no further person.
		w.at(t, by, people[1])
		told(0)
		w.at(t, by, people[look.PeopleADay-1])
		told(1)
		w.at(t, by, people[2])
		told(1)
		err := w.service.At(ctx, by, last)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != fault.Day-(look.PeopleADay-1)*time.Minute {
			t.Fatalf("one more: %v", err)
		}
		if n := w.Count(t, "staff_looks WHERE person_id = ?", last); n != 0 {
			t.Error("a refused look is kept")
		}
		// A colleague has a day of their own.
		w.at(t, w.operator(t), last)
		w.Clock.Advance(f.RetryAfter)
		w.at(t, by, last)
		if err := w.service.At(ctx, by, first); !fault.Is(err, fault.RateLimited) {
			t.Errorf("one more than allowed: %v", err)
		}
	})
}

// TestLook_AtTheSameTimeCountsEach: one look waits for the other of the same member of staff, and
// then knows of it. SQLite has one writer at a time, so this needs PostgreSQL.
func TestLook_AtTheSameTimeCountsEach(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	by, people := w.operator(t), make([]uuid.UUID, look.PeopleADay+1)
	for i := range people {
		people[i] = w.Person(t, nil).ID
	}
	for _, id := range people[:look.PeopleADay-1] {
		w.at(t, by, id)
	}
	var err error
	w.Clock.Advance(time.Second)
	world.Beside(t, d, func(tx context.Context) error {
		return w.service.At(audit.WithOrigin(tx, audit.OriginOf(ctx)), by, people[look.PeopleADay-1])
	}, func() { err = w.service.At(ctx, by, people[look.PeopleADay]) })
	if !fault.Is(err, fault.RateLimited) || w.Count(t, "staff_looks") != look.PeopleADay {
		t.Errorf("one more than allowed: %v", err)
	}
}
