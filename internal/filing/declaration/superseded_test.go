package declaration_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// linked checks that of two declarations each names the other.
func linked(t *testing.T, a *world.App, by access.Actor, old, next uuid.UUID) {
	t.Helper()
	was, is := show(t, a, by, old), show(t, a, by, next)
	if was.State != declaration.Superseded || was.SupersededByID == nil || *was.SupersededByID != next ||
		is.SupersedesID == nil || *is.SupersedesID != old {
		t.Errorf("one is %s by %v, the other supersedes %v", was.State, was.SupersededByID, is.SupersedesID)
	}
	if got := history(t, a, by, old); got[len(got)-1].state != declaration.Superseded {
		t.Errorf("the history ends as %v", got[len(got)-1])
	}
}

func TestSuperseding_LinksBothWaysAlongAChain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		chain := []declaration.View{a.Submit(t, by, c)}
		for i := range 3 {
			a.Clock.Advance(time.Minute)
			next := a.Draft(t, by, c, replacing(c, chain[i].ID, i%2 == 0))
			if i%2 == 1 {
				if first := show(t, a, by, chain[i].ID); first.SupersededByID != nil {
					t.Errorf("a draft has superseded %+v", first)
				}
				next = submit(t, a, by, next.ID)
			}
			chain = append(chain, next)
		}
		for i := range len(chain) - 1 {
			linked(t, a, by, chain[i].ID, chain[i+1].ID)
			_, err := a.Declarations.Draft(ctx, by, c.ID, replacing(c, chain[i].ID, true))
			conflict(t, "superseding a link within the chain", err, "supersedes-not-possible")
		}
		last := show(t, a, by, chain[len(chain)-1].ID)
		if last.State != declaration.Submitted || last.SupersededByID != nil {
			t.Errorf("the last is %s by %v", last.State, last.SupersededByID)
		}
		// What supersedes may be withdrawn: what it superseded stays so, and so do the links.
		if _, err := a.Declarations.Withdraw(ctx, by, last.ID); err != nil {
			t.Fatal(err)
		}
		linked(t, a, by, chain[len(chain)-2].ID, last.ID)
	})
}

// Of two that wait for credentials the one that is complete first takes the place; the other stands
// beside it.
func TestSuperseding_TakesPlaceWhenCredentialsHaveCome(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		old := a.Submit(t, by, c)
		var people [2]access.Actor
		var waiting [2]declaration.View
		for i := range people {
			people[i] = a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
			a.Clock.Advance(time.Minute)
			waiting[i] = a.Draft(t, people[i], c, replacing(c, old.ID, true))
		}
		if was := show(t, a, by, old.ID); was.State != declaration.Submitted || was.SupersededByID != nil {
			t.Errorf("what waits has superseded %+v", was)
		}
		for _, i := range []int{1, 0} {
			a.Clock.Advance(time.Minute)
			a.Must(t, func(ctx context.Context) error { return a.Declarations.CompleteFor(ctx, people[i].PersonID) })
			linked(t, a, by, old.ID, waiting[1].ID)
		}
		if beside := show(t, a, by, waiting[0].ID); beside.State != declaration.Submitted || beside.SupersededByID != nil {
			t.Errorf("the one that came too late is %+v", beside)
		}
	})
}

func TestSuperseding_OfManyAtOnceOneTakesPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		old := a.Submit(t, by, c)
		var done atomic.Pointer[uuid.UUID]
		world.Parallel(20, func(int) {
			next, err := a.Declarations.Draft(ctx, by, c.ID, replacing(c, old.ID, true))
			switch {
			case err != nil:
				conflict(t, "another", err, "supersedes-not-possible")
			case done.Swap(&next.ID) != nil:
				t.Error("superseded twice")
			}
		})
		linked(t, a, by, old.ID, *done.Load())
	})
}

// What was superseded before the links were kept is given them.
func TestSuperseding_IsCarriedOver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		first, second := a.Submit(t, by, c), a.Submit(t, by, c)
		a.Clock.Advance(time.Minute)
		// The one that waits was filed before the one that superseded the first at once.
		tooLate := a.Draft(t, ordinary, c, replacing(c, first.ID, true))
		waiting := a.Draft(t, ordinary, c, replacing(c, second.ID, true))
		a.Clock.Advance(time.Minute)
		atOnce := a.Draft(t, by, c, replacing(c, first.ID, true))
		a.Clock.Advance(time.Minute)
		a.Must(t, func(ctx context.Context) error { return a.Declarations.CompleteFor(ctx, ordinary.PersonID) })
		a.Exec(t, "UPDATE declarations SET superseded_by_id = NULL")
		files, err := filepath.Glob("../../../db/migrations/" + string(d.Dialect()) + "/*_office_desk.sql")
		if err != nil || len(files) != 1 {
			t.Fatalf("%v: %v", files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		a.Exec(t, regexp.MustCompile(`(?s)\nUPDATE declarations .*?;`).FindString(string(text)))
		linked(t, a, by, first.ID, atOnce.ID)
		linked(t, a, by, second.ID, waiting.ID)
		if beside := show(t, a, by, tooLate.ID); beside.SupersededByID != nil {
			t.Errorf("carried over to %+v", beside)
		}
	})
}
