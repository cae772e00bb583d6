package declaration_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// accepting is a decision that grants 3,000 euros.
func accepting() declaration.Decision {
	return declaration.Decision{
		Decision: review.Decision{Outcome: review.Accepted, Reason: "La documentazione è completa."}, Amount: new(money.Cents(300_000)),
	}
}

func refusing() declaration.Decision {
	return declaration.Decision{Decision: review.Decision{Outcome: review.NotAccepted, Reason: "Era già alle dipendenze."}}
}

func TestDesk_TakesInChargeAndReleases(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		one, other := a.Desk(t, world.Rome, c.ID), a.Desk(t, world.Rome, c.ID)
		filed := a.Submit(t, by, c)
		a.Clock.Advance(time.Minute)
		taken, err := a.Declarations.TakeInCharge(asked("takeDeclarationInCharge"), one, filed.ID)
		if err != nil {
			t.Fatal(err)
		}
		if taken.State != declaration.InCharge || taken.Version != filed.Version+1 || *taken.AssignedTo != one.PersonID ||
			!taken.AssignedAt.Equal(a.Clock.Now()) || taken.Assignee.FamilyName != one.FamilyName {
			t.Errorf("taken as %+v", taken)
		}
		again, err := a.Declarations.TakeInCharge(ctx, one, filed.ID)
		if diff := cmp.Diff(taken, again); err != nil || diff != "" {
			t.Errorf("what one has stays: %v\n%s", err, diff)
		}
		_, err = a.Declarations.TakeInCharge(ctx, other, filed.ID)
		conflict(t, "a colleague's", err, "declaration-in-charge-of-another")
		_, err = a.Declarations.Decide(ctx, other, filed.ID, accepting())
		conflict(t, "deciding a colleague's", err, "declaration-in-charge-of-another")
		conflict(t, "releasing a colleague's", a.Declarations.Release(ctx, other, filed.ID), "declaration-in-charge-of-another")
		// Outsiders see the state, and not who has it.
		if seen := show(t, a, by, filed.ID); seen.State != declaration.InCharge || seen.Assignee != nil {
			t.Errorf("who filed sees %+v", seen)
		}
		if seen := show(t, a, other, filed.ID); seen.Assignee == nil || seen.Assignee.ID != one.PersonID {
			t.Errorf("a colleague sees %+v", seen.Assignee)
		}
		if err := a.Declarations.Release(asked("releaseDeclaration"), one, filed.ID); err != nil {
			t.Fatal(err)
		}
		if left := show(t, a, other, filed.ID); left.State != declaration.Submitted || left.AssignedTo != nil || left.AssignedAt != nil {
			t.Errorf("released as %+v", left)
		}
		conflict(t, "releasing nobody's", a.Declarations.Release(ctx, one, filed.ID), "declaration-not-in-charge")
		for _, operation := range []string{"takeDeclarationInCharge", "releaseDeclaration"} {
			if n := a.Count(t, "audit_records WHERE operation = ? AND subject_id = ? AND person_id = ? AND acting_as = 'operator' AND detail IS NOT NULL",
				operation, filed.ID.String(), one.PersonID); n != 1 {
				t.Errorf("%s: %d audit records", operation, n)
			}
		}
	})
}

// What somebody has in charge who is gone does not stay there: a colleague gives it back.
func TestDesk_ReleasesWhatSomebodyHasWhoIsGone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, gone := range map[string]func(a *world.App, operator uuid.UUID){
			"at another office": func(a *world.App, id uuid.UUID) {
				a.Exec(t, "UPDATE people SET office_code = ? WHERE id = ?", world.Milan, id)
			},
			"suspended": func(a *world.App, id uuid.UUID) {
				a.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", a.Clock.Now(), id)
			},
			"away for five working days": func(a *world.App, _ uuid.UUID) { a.Clock.Advance(8 * 24 * time.Hour) },
		} {
			a := world.New(t, d)
			c, by := a.Employer(t)
			one := a.Desk(t, world.Rome, c.ID)
			filed := a.Submit(t, by, c)
			if _, err := a.Declarations.TakeInCharge(ctx, one, filed.ID); err != nil {
				t.Fatal(err)
			}
			gone(a, one.PersonID)
			other := a.Desk(t, world.Rome, c.ID)
			if err := a.Declarations.Release(ctx, other, filed.ID); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := a.Declarations.TakeInCharge(ctx, other, filed.ID); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestDesk_DecidesAndTellsWhoFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		desk := a.Desk(t, world.Rome, c.ID)
		for _, charge := range []bool{false, true} {
			for _, o := range []declaration.Decision{accepting(), refusing()} {
				filed := a.Submit(t, by, c)
				if charge {
					if _, err := a.Declarations.TakeInCharge(ctx, desk, filed.ID); err != nil {
						t.Fatal(err)
					}
				}
				a.Clock.Advance(time.Minute)
				got, err := a.Declarations.Decide(asked("decideDeclaration"), desk, filed.ID, o)
				if err != nil {
					t.Fatal(err)
				}
				want := []declaration.Reason{{Code: declaration.ReasonOperator, Text: o.Reason}}
				if string(got.State) != string(o.Outcome) || !cmp.Equal(got.Amount, o.Amount) || !cmp.Equal(got.Because(), want) ||
					*got.DecidedBy != desk.PersonID || !got.DecidedAt.Equal(a.Clock.Now()) || got.JWS != filed.JWS {
					t.Errorf("decided as %+v", got)
				}
				typ, _ := a.Types.Get(ctx, filed.Type)
				facts := map[string]string{
					"protocol_number": *filed.ProtocolNumber, "type": filed.Type, "title": typ.Title.IT, "reason": o.Reason,
					"submitted_at": filed.SubmittedAt.Format(time.RFC3339Nano),
				}
				detail := `{"state":"` + string(o.Outcome) + `","reasons":["operator"]}`
				if o.Amount != nil {
					facts["amount"] = "3000.00"
					detail = `{"state":"accepted","amount":"3000.00","reasons":["operator"]}`
				}
				data, _ := json.Marshal(facts)
				all := promises(t, a)
				if diff := cmp.Diff(promise{"declaration." + string(o.Outcome), by.PersonID, string(data)}, all[len(all)-1]); diff != "" {
					t.Error(diff)
				}
				if n := a.Count(t, "audit_records WHERE operation = 'decideDeclaration' AND subject_id = ? AND detail = ?",
					filed.ID.String(), detail); n != 1 {
					t.Errorf("%d audit records", n)
				}
				_, err = a.Declarations.Decide(ctx, desk, filed.ID, refusing())
				conflict(t, "deciding again", err, "declaration-not-to-be-decided")
				_, err = a.Declarations.TakeInCharge(ctx, desk, filed.ID)
				conflict(t, "taking what is decided", err, "declaration-not-to-be-decided")
			}
		}
	})
}

func TestDesk_RefusesWhatIsNotItsToDecide(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome, world.Milan)
		desk, elsewhere := a.Desk(t, world.Rome, c.ID), a.Desk(t, world.Milan, c.ID)
		both := func(what string, by access.Actor, id uuid.UUID, check func(what string, err error)) {
			_, err := a.Declarations.Decide(ctx, by, id, accepting())
			check("deciding "+what, err)
			_, err = a.Declarations.TakeInCharge(ctx, by, id)
			check("taking "+what, err)
		}
		filed := a.Submit(t, by, c)
		notFound := func(what string, err error) { refused(t, what, err, fault.NotFound) }
		both("another office's", elsewhere, filed.ID, notFound)
		both("a draft", desk, a.Draft(t, by, c, c.Input(false)).ID, notFound)
		both("what does not exist", desk, uuid.Must(uuid.NewV7()), notFound)
		filer, colleague := by, a.Colleague(t, c.ID, access.EmployeeDelegate, access.Dispositive, access.Declarations)
		for what, second := range map[string]access.Actor{"one's own": filer, "one's own contributor's": colleague} {
			second.UserClass, second.OfficeCode = access.Operator, world.Rome
			both(what, second, filed.ID, func(what string, err error) {
				if !fault.Is(err, fault.Forbidden) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		for _, state := range states {
			if state == declaration.Submitted {
				continue
			}
			id := a.Submit(t, by, c).ID
			setState(t, a, id, state)
			reason := "declaration-not-to-be-decided"
			if state == declaration.InCharge {
				reason = "declaration-in-charge-of-another"
			}
			both(string(state), desk, id, func(what string, err error) { conflict(t, what, err, reason) })
		}
		for _, o := range []declaration.Decision{
			{Decision: review.Decision{Outcome: "confirmed", Reason: "sì"}},
			{Decision: review.Decision{Outcome: review.Accepted}},
			{Decision: review.Decision{Outcome: review.NotAccepted, Reason: "no"}, Amount: new(money.Cents(1))},
		} {
			if _, err := a.Declarations.Decide(ctx, desk, filed.ID, o); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", o, err)
			}
		}
		if left := show(t, a, by, filed.ID); left.State != declaration.Submitted || left.Version != filed.Version {
			t.Errorf("refused, it is %+v", left)
		}
	})
}

// A type that is decided by its rules is not an operator's to decide, whatever its steps are.
func TestDesk_LeavesToTheRulesWhatTheyDecide(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		document := shipped(t, world.Type, 1)
		document.Version, document.Decision = 2, catalogue.Automatically
		publish(t, a, document)
		filed, desk := a.Submit(t, by, c), a.Desk(t, world.Rome, c.ID)
		setState(t, a, filed.ID, declaration.Submitted)
		// Whatever the type says later.
		document.Version, document.Decision = 3, catalogue.ByOperator
		publish(t, a, document)
		_, err := a.Declarations.TakeInCharge(ctx, desk, filed.ID)
		conflict(t, "taking", err, "declaration-decided-by-itself")
		_, err = a.Declarations.Decide(ctx, desk, filed.ID, accepting())
		conflict(t, "deciding", err, "declaration-decided-by-itself")
	})
}

// The message calls a declaration as its receipt does.
func TestDesk_TellsTheTitleUnderWhichItWasFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		document := shipped(t, world.Type, 1)
		document.Version, document.Title.IT = 2, "Un altro titolo"
		publish(t, a, document)
		if _, err := a.Declarations.Decide(ctx, a.Desk(t, world.Rome, c.ID), filed.ID, accepting()); err != nil {
			t.Fatal(err)
		}
		if n := a.Count(t, "outbox WHERE kind = 'declaration.accepted' AND data LIKE '%Un altro titolo%'"); n != 0 {
			t.Error("it is called as the latest version is")
		}
	})
}

func TestDesk_DecidesOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		desks := make([]access.Actor, 8)
		for i := range desks {
			desks[i] = a.Desk(t, world.Rome, c.ID)
		}
		var done, taken atomic.Int64
		world.Parallel(200, func(i int) {
			desk := desks[i%len(desks)]
			o := accepting()
			if i%2 == 0 {
				o = refusing()
			}
			if i%10 == 9 {
				if _, err := a.Declarations.TakeInCharge(ctx, desk, filed.ID); err == nil {
					taken.Add(1)
				}
			}
			_, err := a.Declarations.Decide(ctx, desk, filed.ID, o)
			switch {
			case err == nil:
				done.Add(1)
			case !fault.Is(err, fault.Conflict):
				t.Errorf("refused as %v", err)
			}
		})
		messages := a.Count(t, "outbox WHERE kind IN ('declaration.accepted', 'declaration.not_accepted')")
		if left := show(t, a, by, filed.ID); done.Load() != 1 || messages != 1 || left.DecidedBy == nil {
			t.Errorf("decided %d times with %d messages, %d took it, it is %s", done.Load(), messages, taken.Load(), left.State)
		}
	})
}

// A list at the desk has what its filter says, and nothing else.
func TestDesk_FiltersItsList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := newArchive(t, d)
		other := a.Desk(t, world.Rome, a.first.ID)
		soon := a.Clock.Now().Add(time.Hour)
		for i, d := range a.everything(t) {
			switch {
			case d.State == declaration.Submitted && d.OfficeCode == world.Rome && i%4 == 0:
				if _, err := a.Declarations.TakeInCharge(ctx, []access.Actor{a.operator, other}[i/4%2], d.ID); err != nil {
					t.Fatal(err)
				}
			case d.State != declaration.Draft && i%3 == 0:
				a.Exec(t, "UPDATE declarations SET ends_at = ? WHERE id = ?", soon.Add(time.Duration(i%5-2)*time.Minute), d.ID)
			}
		}
		all := a.everything(t)
		code := func(id uuid.UUID) string {
			var code string
			if err := a.DB.From(ctx).Raw("SELECT tax_code FROM contributors WHERE id = ?", id).Scan(&code).Error; err != nil {
				t.Fatal(err)
			}
			return code
		}
		mine := func(d declaration.Declaration) bool {
			return d.State == declaration.InCharge && d.AssignedTo != nil && *d.AssignedTo == a.operator.PersonID
		}
		for name, c := range map[string]struct {
			filter declaration.Filter
			passes func(declaration.Declaration) bool
		}{
			"all":          {declaration.Filter{}, func(declaration.Declaration) bool { return true }},
			"in my charge": {declaration.Filter{Assigned: review.AssignedToMe}, mine},
			"in nobody's": {
				declaration.Filter{Assigned: review.AssignedToNobody},
				func(d declaration.Declaration) bool { return d.State == declaration.Submitted },
			},
			"a contributor's": {
				declaration.Filter{ContributorID: a.first.ID},
				func(d declaration.Declaration) bool { return d.ContributorID == a.first.ID },
			},
			"by its tax code": {
				declaration.Filter{ContributorTaxCode: code(a.first.ID)},
				func(d declaration.Declaration) bool { return d.ContributorID == a.first.ID },
			},
			"of two contributors": {
				declaration.Filter{ContributorTaxCode: code(a.first.ID), ContributorID: a.second.ID},
				func(declaration.Declaration) bool { return false },
			},
			"of nobody's tax code": {
				declaration.Filter{ContributorTaxCode: "99999999999"}, func(declaration.Declaration) bool { return false },
			},
			"that end soon": {
				declaration.Filter{LapsesBefore: &soon},
				func(d declaration.Declaration) bool { return d.EndsAt != nil && d.EndsAt.Before(soon) },
			},
			"about a worker, in my charge": {
				declaration.Filter{WorkerTaxCode: workers[0], Assigned: review.AssignedToMe},
				func(d declaration.Declaration) bool {
					return mine(d) && d.WorkerTaxCode != nil && *d.WorkerTaxCode == workers[0]
				},
			},
		} {
			var want, got []uuid.UUID
			slices.SortFunc(all, latestFirst)
			for _, d := range all {
				if d.State != declaration.Draft && d.OfficeCode == world.Rome && c.passes(d) {
					want = append(want, d.ID)
				}
			}
			request := page.Request{Limit: 7}
			for {
				found, err := a.Declarations.OfOffice(context.Background(), a.operator, c.filter, request)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range found.Items {
					if got = append(got, d.ID); (d.Assignee != nil) != (d.AssignedTo != nil) {
						t.Errorf("%s: in the charge of %v, shown as %v", name, d.AssignedTo, d.Assignee)
					}
				}
				if request.Cursor = found.Next; found.Next == "" {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
	})
}
