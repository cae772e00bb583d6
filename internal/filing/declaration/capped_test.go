package declaration_test

import (
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// capped publishes version 2 of world.Capped, changed. Its money is that of world.CappedFund.
func capped(t *testing.T, a *world.App, change func(document *catalogue.Type)) {
	t.Helper()
	document := shipped(t, world.Capped, 1)
	document.Version, document.Fund = 2, &catalogue.Fund{Code: world.CappedFund}
	change(&document)
	if _, err := publisher(a, world.CappedFund).Publish(ctx, access.Actor{}, document); err != nil {
		t.Fatalf("%+v", err)
	}
}

// worker is the tax code of somebody born on a day.
func worker(t *testing.T, born time.Time) string {
	t.Helper()
	code, err := taxcode.Compose(taxcode.Birth{FamilyName: "Verdi", GivenName: "Luca", Date: born, Sex: taxcode.Male, Place: "H501"})
	if err != nil {
		t.Fatal(err)
	}
	return code.Clear()
}

// TestReservation_MeetsItsRequirements: what meets one of them not is filed, and not accepted for a
// reason that it names.
func TestReservation_MeetsItsRequirements(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		owing, owes := a.Employer(t)
		a.Exec(t, "UPDATE contributors SET irregular = ? WHERE id = ?", true, owing.ID)
		a.Budget(t, by, world.CappedFund, 100_000)
		capped(t, a, func(document *catalogue.Type) {
			document.Steps[0].Requirements = []catalogue.Requirement{
				{Name: catalogue.AgeAtHire, Min: new(18), Max: new(29)},
				{Name: catalogue.HireDateWindow, From: "2026-03-01", To: "2026-03-31"},
				{Name: catalogue.ContributorRegular},
				{Name: catalogue.NoOtherLive},
			}
		})
		day := func(year int, month time.Month, day int) time.Time {
			return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		}
		young := worker(t, day(2000, 1, 1))
		type want = []declaration.ReasonCode
		for _, one := range []struct {
			what, worker, hire string
			want               want
		}{
			{"who is right", young, "2026-03-31", nil},
			{"the same worker again", young, "2026-03-31", want{declaration.ReasonOtherLive}},
			{"the first day", worker(t, day(2001, 1, 1)), "2026-03-01", nil},
			{"the day before", worker(t, day(2002, 1, 1)), "2026-02-28", want{declaration.ReasonHireDateWindow}},
			{"the day after", worker(t, day(2002, 1, 1)), "2026-04-01", want{declaration.ReasonHireDateWindow}},
			{"18 on that day", worker(t, day(2008, 3, 5)), "2026-03-05", nil},
			{"18 on the next day", worker(t, day(2008, 3, 6)), "2026-03-05", want{declaration.ReasonAgeAtHire}},
			{"29 for one more day", worker(t, day(1996, 3, 6)), "2026-03-05", nil},
			{"30 on that day", worker(t, day(1996, 3, 5)), "2026-03-05", want{declaration.ReasonAgeAtHire}},
			{"both", worker(t, day(1990, 3, 5)), "2026-04-05", want{declaration.ReasonAgeAtHire, declaration.ReasonHireDateWindow}},
			{"no day yet", worker(t, day(1990, 3, 5)), "", nil},
		} {
			changed := map[string]any{"worker_tax_code": one.worker, "event_date": one.hire}
			if one.hire == "" {
				changed["event_date"] = nil
			}
			filed := a.Draft(t, by, c, c.Reservation(changed))
			wantState(t, one.what, filed, one.want)
		}
		wantState(t, "who owes", a.Draft(t, owes, owing, owing.Reservation(map[string]any{
			"worker_tax_code": worker(t, day(2003, 1, 1)),
		})), want{declaration.ReasonContributorIrregular})
		// Taken back, the worker is free again.
		first := a.Draft(t, by, c, c.Reservation(map[string]any{"worker_tax_code": worker(t, day(2004, 1, 1))}))
		if _, err := a.Declarations.Withdraw(ctx, by, first.ID); err != nil {
			t.Fatal(err)
		}
		wantState(t, "after a withdrawal", a.Draft(t, by, c, c.Reservation(map[string]any{"worker_tax_code": worker(t, day(2004, 1, 1))})), nil)
	})
}

func wantState(t *testing.T, what string, d declaration.View, want []declaration.ReasonCode) {
	t.Helper()
	var got []declaration.ReasonCode
	for _, r := range d.Because() {
		got = append(got, r.Code)
	}
	state := declaration.Accepted
	if want != nil {
		state = declaration.NotAccepted
	}
	if d.State != state || len(got) != len(want) {
		t.Errorf("%s: %s for %v, want %s for %v", what, d.State, got, state, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
}

// TestReservation_TermsInWorkingDays: holidays and the days between them do not count, and the last
// day runs to its end in Rome.
func TestReservation_TermsInWorkingDays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 100_000)
		capped(t, a, func(document *catalogue.Type) {
			document.Steps[1].HireWithin = &catalogue.Term{Days: 7, Kind: catalogue.CalendarDays}
			document.Steps[1].ConfirmWithin = &catalogue.Term{Days: 14, Kind: catalogue.WorkingDays}
		})
		// The Monday before Easter of 2026, which is on 5 April; summer time has begun.
		a.Clock.Advance(time.Date(2026, 3, 30, 9, 0, 0, 0, time.UTC).Sub(a.Clock.Now()))
		filed := a.Draft(t, by, c, c.Reservation(nil))
		hire, confirm := time.Date(2026, 4, 6, 22, 0, 0, 0, time.UTC), time.Date(2026, 4, 20, 22, 0, 0, 0, time.UTC)
		if !filed.HireBy.Equal(hire) || !filed.ConfirmBy.Equal(confirm) {
			t.Errorf("hire by %s and confirm by %s, want %s and %s", filed.HireBy, filed.ConfirmBy, hire, confirm)
		}
		a.Clock.Advance(confirm.Sub(a.Clock.Now()) - time.Millisecond)
		in := c.Confirmation(filed.ID, map[string]any{"event_date": "2026-04-06"})
		_, err := a.Declarations.Draft(ctx, by, c.ID, in)
		refused(t, "another day than was reserved", err, "validation-failed", "/content/event_date", "differs")
		confirmed := a.Draft(t, by, c, c.Confirmation(filed.ID, nil))
		if confirmed.State != declaration.Accepted {
			t.Errorf("in the last moment it is %s", confirmed.State)
		}
	})
}

// TestReservation_WaitsForTheDeferredBatch: nothing is decided until it closes. Then hires before
// the opening come first, by their day.
func TestReservation_WaitsForTheDeferredBatch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Budget(t, by, world.CappedFund, 3000)
		closes := world.Start.AddDate(0, 0, 10)
		capped(t, a, func(document *catalogue.Type) {
			document.OpensAt, document.Deferred = world.Start.Add(-time.Hour), &catalogue.Deferred{ClosesAt: closes}
		})
		file := func(hire string) declaration.View {
			a.Clock.Advance(time.Minute)
			return a.Draft(t, by, c, c.Reservation(map[string]any{"event_date": hire}))
		}
		after, late, early, same := file("2026-03-20"), file("2026-02-10"), file("2026-01-15"), file("2026-02-10")
		all := []declaration.View{early, late, same, after}
		for _, one := range all {
			state(t, a, by, one.ID, declaration.Submitted)
		}
		a.Clock.Advance(closes.Sub(a.Clock.Now()) - time.Second)
		state(t, a, by, early.ID, declaration.Submitted)
		a.Clock.Advance(time.Hour)
		for i, one := range all {
			want := declaration.Accepted
			if i == 3 {
				want = declaration.ProvisionallyNotAccepted
			}
			if got := state(t, a, by, one.ID, want); !got.DecidedAt.Equal(closes) {
				t.Errorf("%d was decided at %s, want %s", i, got.DecidedAt, closes)
			}
		}
		// From now on the day of hire gives no rank.
		state(t, a, by, file("2026-01-01").ID, declaration.ProvisionallyNotAccepted)
		if _, err := a.Declarations.Withdraw(ctx, by, early.ID); err != nil {
			t.Fatal(err)
		}
		state(t, a, by, after.ID, declaration.Accepted)
	})
}
