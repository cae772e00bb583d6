package declaration_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// announced is a reservation with a confirmation that waits for credentials.
func announced(t *testing.T, a *world.App, by access.Actor, c world.Company) (reservation, confirmation declaration.View) {
	t.Helper()
	a.Budget(t, by, world.CappedFund, 1000)
	ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
	reservation = a.Draft(t, by, c, c.Reservation(nil))
	confirmation = a.Draft(t, ordinary, c, c.Confirmation(reservation.ID, nil))
	return show(t, a, by, reservation.ID), confirmation
}

// TestConfirmation_RefusedSupersedesNothing: what it would have superseded stands as it was, whether
// it was a draft, filed at once or one of many.
func TestConfirmation_RefusedSupersedesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		reservation, waiting := announced(t, a, by, c)
		wrong := c.Confirmation(reservation.ID, map[string]any{"event_date": "2026-03-06"})
		wrong.SupersedesID = &waiting.ID
		asDraft := wrong
		asDraft.Submit = false
		draft := a.Draft(t, by, c, asDraft)
		_, err := a.Declarations.Submit(ctx, by, draft.ID)
		refused(t, "a draft", err, fault.Invalid, "/content/event_date", fault.FieldDiffers)
		_, err = a.Declarations.Draft(ctx, by, c.ID, wrong)
		refused(t, "at once", err, fault.Invalid, "/content/event_date", fault.FieldDiffers)
		var outcomes []declaration.Outcome
		err = a.Declarations.FileMany(ctx, declaration.Many{
			By: by, ContributorID: c.ID, SessionID: by.SessionID, Origin: audit.OriginOf(ctx),
			Inputs: []declaration.Input{wrong, c.Input(true)},
			Begin:  func(context.Context) (map[int]error, error) { return nil, nil },
			End: func(_ context.Context, all []declaration.Outcome) error {
				outcomes = all
				return nil
			},
		})
		if err != nil || len(outcomes) != 2 || outcomes[1].Err != nil {
			t.Errorf("many: %v, %+v", err, outcomes)
		} else {
			refused(t, "one of many", outcomes[0].Err, fault.Invalid, "/content/event_date", fault.FieldDiffers)
		}
		if diff := cmp.Diff(waiting, show(t, a, by, waiting.ID)); diff != "" {
			t.Errorf("what would be superseded changed:\n%s", diff)
		}
		if diff := cmp.Diff(reservation, show(t, a, by, reservation.ID)); diff != "" {
			t.Errorf("the reservation changed:\n%s", diff)
		}
		right := c.Confirmation(reservation.ID, nil)
		right.SupersedesID = &waiting.ID
		a.Draft(t, by, c, right)
		state(t, a, by, waiting.ID, declaration.Superseded)
		state(t, a, by, reservation.ID, declaration.Confirmed)
		balance(t, a, "0.00", "1000.00")
	})
}

// TestConfirmation_SupersededKeepsNothingFromLapsing: another one that is filed and not accepted, or
// confirms another reservation, ends what it kept from lapsing.
func TestConfirmation_SupersededKeepsNothingFromLapsing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		reservation, waiting := announced(t, a, by, c)
		a.Budget(t, by, "IO-LAVORO-15", 1000)
		second := a.Draft(t, by, c, c.Reservation(map[string]any{"region": "15", "worker_tax_code": world.Worker}))
		in := c.Confirmation(second.ID, map[string]any{"region": "15", "worker_tax_code": world.Worker})
		in.SupersedesID = &waiting.ID
		next := a.Draft(t, by, c, in)
		t.Log(second.State, second.Because(), next.State, next.Because())
		state(t, a, by, waiting.ID, declaration.Superseded)
		if got := state(t, a, by, reservation.ID, declaration.Accepted); got.EndsAt == nil || !got.EndsAt.Equal(*got.ConfirmBy) {
			t.Errorf("it ends at %v, want %s", got.EndsAt, got.ConfirmBy)
		}
		a.Clock.Advance(reservation.ConfirmBy.Sub(a.Clock.Now()))
		state(t, a, by, reservation.ID, declaration.Lapsed)
		balance(t, a, "0.00", "0.00")
	})
}

// child is the tax code of somebody who is too young to be hired.
func child(t *testing.T) string {
	t.Helper()
	code, err := taxcode.Compose(taxcode.Birth{
		FamilyName: "Rossi", GivenName: "Mario", Date: time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC), Sex: taxcode.Male, Place: "H501",
	})
	if err != nil {
		t.Fatal(err)
	}
	return code.Clear()
}

// TestDeclaration_ARepeatIsAnsweredAsAtFiling: state, amount, reasons and terms, whatever became of
// it since.
func TestDeclaration_ARepeatIsAnsweredAsAtFiling(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		a.Budget(t, by, world.CappedFund, 1000)
		file := func(key string, in declaration.Input) declaration.View {
			t.Helper()
			view, err := a.Declarations.Draft(world.WithKey(ctx, by, key), by, c.ID, in)
			if err != nil {
				t.Fatal(err)
			}
			return view
		}
		inputs := map[string]declaration.Input{}
		answers := map[string]declaration.View{}
		add := func(key string, in declaration.Input) declaration.View {
			t.Helper()
			inputs[key], answers[key] = in, file(key, in)
			return answers[key]
		}
		repeat := func(when string) {
			t.Helper()
			for key, want := range answers {
				if diff := cmp.Diff(want, file(key, inputs[key])); diff != "" {
					t.Errorf("%s, %s:\n%s", key, when, diff)
				}
			}
		}
		first := add("accepted", c.Reservation(nil))
		second := add("waiting", c.Reservation(nil))
		add("not accepted", c.Reservation(map[string]any{"worker_tax_code": child(t)}))
		plain := add("submitted", c.Input(true))
		repeat("at once")
		confirmation := a.Draft(t, ordinary, c, c.Confirmation(first.ID, nil))
		a.Draft(t, by, c, replacing(c, plain.ID, true))
		repeat("once it is announced")
		a.Clock.Advance(time.Hour)
		if _, err := a.Declarations.Withdraw(ctx, by, confirmation.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Declarations.Withdraw(ctx, by, first.ID); err != nil {
			t.Fatal(err)
		}
		state(t, a, by, second.ID, declaration.Accepted)
		repeat("once it is withdrawn and the next one served")
		add("confirmation", c.Confirmation(second.ID, nil))
		repeat("once it is confirmed")
	})
}

// TestHistory_TellsThatAReservationIsConfirmed, once, by whom it was.
func TestHistory_TellsThatAReservationIsConfirmed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 2000)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		one, two := a.Draft(t, by, c, c.Reservation(nil)), a.Draft(t, by, c, c.Reservation(map[string]any{"worker_tax_code": world.Worker}))
		a.Clock.Advance(time.Minute)
		a.Draft(t, by, c, c.Confirmation(one.ID, nil))
		a.Draft(t, ordinary, c, c.Confirmation(two.ID, map[string]any{"worker_tax_code": world.Worker}))
		becomeDispositive(t, a, ordinary.PersonID)
		for _, id := range []uuid.UUID{one.ID, two.ID} {
			state(t, a, by, id, declaration.Confirmed)
			var got []declaration.State
			for _, e := range history(t, a, by, id) {
				got = append(got, e.state)
			}
			if diff := cmp.Diff([]declaration.State{declaration.Accepted, declaration.Confirmed}, got); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// TestDeclaration_IsSupersededInTheGroupInWhichItWasFiled, as it was filed there.
func TestDeclaration_IsSupersededInTheGroupInWhichItWasFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		typ, err := a.Types.Get(ctx, world.Type)
		if err != nil {
			t.Fatal(err)
		}
		old := a.Draft(t, by, c, c.Input(false)).Declaration
		next := old
		next.ID, next.SupersedesID, next.CreatedAt = uuid.Must(uuid.NewV7()), &old.ID, old.CreatedAt.Add(time.Microsecond)
		entries := []*declaration.Entry{declaration.NewEntry(old, typ, by, 1), declaration.NewEntry(next, typ, by, 0)}
		if err := d.InTx(ctx, func(ctx context.Context) error { return declaration.NewHandler(d).Check(ctx, entries) }); err != nil {
			t.Fatal(err)
		}
		got := declaration.LeftBy(entries[0], old.ID)
		if entries[1].Err != nil || got.State != declaration.Superseded || got.Version != 3 || got.SubmittedAt == nil {
			t.Errorf("%v; it is %s in version %d, filed at %v", entries[1].Err, got.State, got.Version, got.SubmittedAt)
		}
	})
}

// TestReservation_WithdrawnWhileItIsFiled holds no money.
func TestReservation_WithdrawnWhileItIsFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 100_000)
		for range 10 {
			in := c.Reservation(nil)
			in.Submit = false
			draft := a.Draft(t, by, c, in)
			world.Parallel(6, func(i int) {
				if i == 0 {
					if _, err := a.Declarations.Submit(ctx, by, draft.ID); err != nil {
						t.Error(err)
					}
					return
				}
				for range 30 {
					if _, err := a.Declarations.Withdraw(ctx, by, draft.ID); err == nil {
						return
					} else if !fault.Is(err, fault.Conflict) {
						t.Error(err)
					}
				}
			})
		}
		if n := a.Count(t, "fund_claims c JOIN declarations d ON d.id = c.subject_id WHERE d.state = 'withdrawn' AND c.state <> 'closed'"); n != 0 {
			t.Errorf("%d are withdrawn and hold their money", n)
		}
	})
}
