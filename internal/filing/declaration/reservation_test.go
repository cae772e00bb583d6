package declaration_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// state is the state of a declaration as its contributor sees it.
func state(t *testing.T, a *world.App, by access.Actor, id uuid.UUID, want declaration.State) declaration.View {
	t.Helper()
	d := show(t, a, by, id)
	if d.State != want {
		t.Errorf("%s is %s (%v), want %s", *d.ProtocolNumber, d.State, d.Because(), want)
	}
	return d
}

func balance(t *testing.T, a *world.App, reserved, spent string) {
	t.Helper()
	f, err := a.Funds.Show(ctx, world.CappedFund)
	if err != nil {
		t.Fatal(err)
	}
	if f.Reserved.String() != reserved || f.Spent.String() != spent {
		t.Errorf("%s reserved and %s spent, want %s and %s", f.Reserved, f.Spent, reserved, spent)
	}
}

// TestReservation_IsDecidedAtOnce: with money it is accepted, without it waits at its rank, and what
// meets no requirement is filed and not accepted.
func TestReservation_IsDecidedAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 1500)
		first := a.Draft(t, by, c, c.Reservation(nil))
		if first.State != declaration.Accepted || first.Amount.String() != "1000.00" || first.HireBy == nil || first.ConfirmBy == nil ||
			!first.EndsAt.Equal(*first.ConfirmBy) || first.Step != "reservation" || first.JWS == "" {
			t.Errorf("the first is %+v", first.Declaration)
		}
		draft := c.Reservation(nil)
		draft.Submit = false
		second := submit(t, a, by, a.Draft(t, by, c, draft).ID)
		if second.State != declaration.ProvisionallyNotAccepted || second.Because()[0].Code != declaration.ReasonFundExhausted ||
			!second.EndsAt.Equal(fund.WaitsUntil(a.Clock.Now())) {
			t.Errorf("the second is %+v", second.Declaration)
		}
		// A smaller one does not pass by.
		third := a.Draft(t, by, c, c.Reservation(map[string]any{"amount": "100.00"}))
		state(t, a, by, third.ID, declaration.ProvisionallyNotAccepted)
		young, err := taxcode.Compose(taxcode.Birth{
			FamilyName: "Rossi", GivenName: "Mario", Date: time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC), Sex: taxcode.Male, Place: "H501",
		})
		if err != nil {
			t.Fatal(err)
		}
		child := a.Draft(t, by, c, c.Reservation(map[string]any{"worker_tax_code": young.Clear()}))
		if child.State != declaration.NotAccepted || child.Because()[0].Code != declaration.ReasonAgeAtHire {
			t.Errorf("a child: %s, %v", child.State, child.Because())
		}
		balance(t, a, "1000.00", "0.00")
		_, err = a.Declarations.Draft(ctx, by, c.ID, c.Reservation(map[string]any{"amount": "9000.00"}))
		refused(t, "over the cap", err, fault.Invalid, "/content/amount", fault.FieldMaximum)
		if n := a.Count(t, "audit_records WHERE detail LIKE '%provisionally_not_accepted%fund-exhausted%'"); n != 2 {
			t.Errorf("%d records of what waits", n)
		}
		if n := a.Count(t, "outbox WHERE kind = 'declaration.provisionally_not_accepted'"); n != 2 {
			t.Errorf("%d messages to who waits", n)
		}

		// Withdrawn, its money serves the next ones in the same moment.
		if _, err := a.Declarations.Withdraw(ctx, by, first.ID); err != nil {
			t.Fatal(err)
		}
		state(t, a, by, first.ID, declaration.Withdrawn)
		second = state(t, a, by, second.ID, declaration.Accepted)
		if second.Reasons != nil || second.Amount.String() != "1000.00" {
			t.Errorf("served: %+v", second.Declaration)
		}
		state(t, a, by, third.ID, declaration.Accepted)
		balance(t, a, "1100.00", "0.00")
	})
}

// TestReservation_LapsesAtItsInstant: whether or not a worker ran, its money serves who waits at
// that instant.
func TestReservation_LapsesAtItsInstant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 1000)
		first := a.Draft(t, by, c, c.Reservation(nil))
		second := a.Draft(t, by, c, c.Reservation(nil))
		a.Clock.Advance(first.EndsAt.Sub(a.Clock.Now()) - time.Second)
		state(t, a, by, first.ID, declaration.Accepted)
		a.Clock.Advance(50 * time.Hour)
		if got := state(t, a, by, first.ID, declaration.Lapsed); !got.UpdatedAt.Equal(*first.EndsAt) {
			t.Errorf("lapsed at %s, want %s", got.UpdatedAt, first.EndsAt)
		}
		served := state(t, a, by, second.ID, declaration.Accepted)
		if !served.DecidedAt.Equal(*first.EndsAt) || !served.ConfirmBy.Equal(*fund.Term{Days: 10}.EndsAfter(*first.EndsAt)) {
			t.Errorf("served at %s until %s", served.DecidedAt, served.ConfirmBy)
		}
		_, err := a.Declarations.Withdraw(ctx, by, first.ID)
		conflict(t, "a withdrawal", err, "declaration-not-withdrawable")
		_, err = a.Declarations.Draft(ctx, by, c.ID, c.Confirmation(first.ID, nil))
		conflict(t, "a confirmation", err, "reservation-lapsed")
		if n := a.Count(t, "outbox WHERE kind = 'declaration.fund_lapsed'"); n != 1 {
			t.Errorf("%d messages", n)
		}
	})
}

// TestConfirmation_SpendsWhatWasReserved: it matches its reservation, in time, and what it leaves
// serves who waits.
func TestConfirmation_SpendsWhatWasReserved(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		other, stranger := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 1000)
		first := a.Draft(t, by, c, c.Reservation(nil))
		second := a.Draft(t, by, c, c.Reservation(map[string]any{"amount": "200.00"}))
		file := func(in declaration.Input) (declaration.View, error) { return a.Declarations.Draft(ctx, by, c.ID, in) }

		in := c.Confirmation(first.ID, nil)
		in.ReservationID = nil
		_, err := file(in)
		refused(t, "without a reservation", err, fault.Invalid, "/reservation_id", fault.FieldRequired)
		_, err = a.Declarations.Draft(ctx, stranger, other.ID, other.Confirmation(first.ID, nil))
		refused(t, "a foreign one", err, fault.Invalid, "/reservation_id", fault.FieldUnknownDeclaration)
		_, err = file(c.Confirmation(uuid.New(), nil))
		refused(t, "an unknown one", err, fault.Invalid, "/reservation_id", fault.FieldUnknownDeclaration)
		_, err = file(c.Confirmation(second.ID, map[string]any{"amount": "200.00"}))
		conflict(t, "one that is not accepted", err, "reservation-not-accepted")
		_, err = file(c.Confirmation(first.ID, map[string]any{
			"worker_tax_code": "RSSMRA80A01H501U", "event": "conversion", "event_date": "2026-03-06", "region": "15",
		}))
		refused(t, "another worker, event, day and region", err, fault.Invalid, "/content/worker_tax_code", fault.FieldDiffers,
			"/content/event", fault.FieldDiffers, "/content/event_date", fault.FieldDiffers, "/content/region", fault.FieldDiffers)
		_, err = file(c.Confirmation(first.ID, map[string]any{"amount": "1000.01"}))
		refused(t, "more", err, fault.Invalid, "/content/amount", fault.FieldOverReserved)
		_, err = file(c.Confirmation(first.ID, map[string]any{"mandatory_communication_code": nil}))
		refused(t, "what the step needs", err, fault.Invalid, "/content/mandatory_communication_code", fault.FieldRequired)

		open := a.Draft(t, by, c, c.Reservation(map[string]any{"amount": "1.00", "event_date": nil, "region": "15"}))
		a.Budget(t, by, "IO-LAVORO-15", 10)
		open = state(t, a, by, open.ID, declaration.Accepted)
		_, err = file(c.Confirmation(open.ID, map[string]any{"amount": "1.00", "region": "15", "event_date": "2026-04-30"}))
		refused(t, "hired late", err, fault.Invalid, "/content/event_date", fault.FieldAfterTerm)

		confirmed, err := file(c.Confirmation(first.ID, map[string]any{"amount": "800.00"}))
		if err != nil {
			t.Fatal(err)
		}
		if confirmed.State != declaration.Accepted || confirmed.Amount.String() != "800.00" || *confirmed.ReservationID != first.ID {
			t.Errorf("the confirmation is %+v", confirmed.Declaration)
		}
		state(t, a, by, first.ID, declaration.Confirmed)
		state(t, a, by, second.ID, declaration.Accepted)
		balance(t, a, "200.00", "800.00")
		_, err = file(c.Confirmation(first.ID, nil))
		conflict(t, "a second one", err, "reservation-confirmed")
		_, err = a.Declarations.Withdraw(ctx, by, first.ID)
		conflict(t, "a withdrawal of what is confirmed", err, "declaration-not-withdrawable")
		again := c.Confirmation(first.ID, nil)
		again.SupersedesID = &confirmed.ID
		_, err = file(again)
		conflict(t, "superseding what is confirmed", err, "supersedes-not-possible")
	})
}

// TestReservation_SupersedingGivesUpMoneyAndRank: who waits comes before the new one.
func TestReservation_SupersedingGivesUpMoneyAndRank(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 1000)
		first := a.Draft(t, by, c, c.Reservation(nil))
		second := a.Draft(t, by, c, c.Reservation(map[string]any{"amount": "600.00"}))
		in := c.Reservation(map[string]any{"amount": "500.00"})
		in.SupersedesID = &first.ID
		third := a.Draft(t, by, c, in)
		state(t, a, by, first.ID, declaration.Superseded)
		state(t, a, by, second.ID, declaration.Accepted)
		state(t, a, by, third.ID, declaration.ProvisionallyNotAccepted)
		balance(t, a, "600.00", "0.00")
	})
}

// TestReservation_WaitsForCredentialsAtItsRank: it holds up nobody, and comes first once it is
// complete. A confirmation that waits keeps its reservation from lapsing.
func TestReservation_WaitsForCredentialsAtItsRank(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 1000)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		waiting := a.Draft(t, ordinary, c, c.Reservation(nil))
		state(t, a, by, waiting.ID, declaration.AwaitingCredentials)
		first := a.Draft(t, by, c, c.Reservation(nil))
		state(t, a, by, first.ID, declaration.Accepted)
		late := a.Draft(t, by, c, c.Reservation(nil))
		confirmation := a.Draft(t, ordinary, c, c.Confirmation(first.ID, nil))
		state(t, a, by, confirmation.ID, declaration.AwaitingCredentials)
		_, err := a.Declarations.Draft(ctx, by, c.ID, c.Confirmation(first.ID, nil))
		conflict(t, "another confirmation", err, "reservation-confirmed")
		a.Clock.Advance(20 * 24 * time.Hour)
		state(t, a, by, first.ID, declaration.Accepted)
		a.Exec(t, "UPDATE people SET credential_level = 'dispositive' WHERE id = ?", ordinary.PersonID)
		if err := a.DB.InTx(ctx, func(ctx context.Context) error { return a.Declarations.CompleteFor(ctx, ordinary.PersonID) }); err != nil {
			t.Fatal(err)
		}
		state(t, a, by, first.ID, declaration.Confirmed)
		state(t, a, by, confirmation.ID, declaration.Accepted)
		state(t, a, by, waiting.ID, declaration.ProvisionallyNotAccepted)
		balance(t, a, "0.00", "1000.00")
		a.Budget(t, by, world.CappedFund, 2000)
		state(t, a, by, waiting.ID, declaration.Accepted)
		state(t, a, by, late.ID, declaration.ProvisionallyNotAccepted)
	})
}

// TestReservation_TheLowestRanksHaveTheMoney: many file at once for a fund of fewer places.
func TestReservation_TheLowestRanksHaveTheMoney(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		filed, places := 500, 100
		if testing.Short() {
			filed, places = 100, 20
		}
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 1000*places)
		states := make([]declaration.State, filed)
		world.Parallel(filed, func(i int) {
			view, err := a.Declarations.Draft(ctx, by, c.ID, c.Reservation(nil))
			if err != nil {
				t.Error(err)
			}
			states[i] = view.State
		})
		accepted := 0
		for _, s := range states {
			if s == declaration.Accepted {
				accepted++
			} else if s != declaration.ProvisionallyNotAccepted {
				t.Errorf("one is %s", s)
			}
		}
		first := a.Count(t, "fund_claims WHERE state = 'reserved' AND rank <= ?", places)
		waiting := a.Count(t, "fund_claims WHERE state = 'waiting' AND rank > ? AND rank <= ?", places, filed)
		if accepted != places || first != places || waiting != filed-places {
			t.Errorf("%d are told that they are accepted; %d of the first ranks are, and %d of the others wait", accepted, first, waiting)
		}
		// Within an office and year ranks rise with protocol numbers.
		if n := a.Count(t, `fund_claims c JOIN declarations d ON d.id = c.subject_id JOIN fund_claims o ON o.rank = c.rank + 1
			JOIN declarations e ON e.id = o.subject_id WHERE e.protocol_number <= d.protocol_number`); n != 0 {
			t.Errorf("%d ranks are not in the order of protocol", n)
		}
	})
}
