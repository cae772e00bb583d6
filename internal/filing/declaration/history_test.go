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
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// told is what a history says, in short.
type told struct {
	state  declaration.State
	by     string
	amount money.Cents
	reason string
}

func history(t *testing.T, a *world.App, by access.Actor, id uuid.UUID) (short []told) {
	t.Helper()
	h, err := a.Declarations.History(ctx, by, id)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range h.Entries {
		if i > 0 && e.At.Before(h.Entries[i-1].At) {
			t.Errorf("%s at %s stands behind %s", e.State, e.At, h.Entries[i-1].At)
		}
		one := told{state: e.State, by: "nobody"}
		switch {
		case e.By.Office != "" && e.By.PersonID == nil:
			one.by = e.By.Office
		case e.By.PersonID != nil:
			one.by = e.By.PersonID.String() + " " + string(e.By.ActingAs)
		}
		if e.Amount != nil {
			one.amount = *e.Amount
		}
		for _, r := range e.Reasons {
			one.reason += string(r.Code) + ": " + r.Text
		}
		short = append(short, one)
	}
	return short
}

func TestHistory_TellsEveryState(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		desk := a.Desk(t, world.Rome, c.ID)
		filer := by.PersonID.String() + " legal_representative"
		draft, err := a.Declarations.Draft(asked("draftDeclaration"), by, c.ID, c.Input(false))
		if err != nil {
			t.Fatal(err)
		}
		a.Clock.Advance(time.Minute)
		if _, err := a.Declarations.Change(asked("changeDeclaration"), by, draft.ID, 1, declaration.Change{Content: world.Content()}); err != nil {
			t.Fatal(err)
		}
		want := []told{{state: declaration.Draft, by: filer}}
		if diff := cmp.Diff(want, history(t, a, by, draft.ID), cmp.AllowUnexported(told{})); diff != "" {
			t.Errorf("a draft:\n%s", diff)
		}
		a.Clock.Advance(time.Minute)
		filed, err := a.Declarations.Submit(asked("submitDeclaration"), by, draft.ID)
		if err != nil {
			t.Fatal(err)
		}
		step := func(advance time.Duration, do func() error) {
			t.Helper()
			a.Clock.Advance(advance)
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
		take := func() error {
			_, err := a.Declarations.TakeInCharge(asked("takeDeclarationInCharge"), desk, filed.ID)
			return err
		}
		step(time.Minute, take)
		step(time.Minute, func() error { return a.Declarations.Release(asked("releaseDeclaration"), desk, filed.ID) })
		step(time.Minute, take)
		step(time.Minute, func() error {
			_, err := a.Declarations.Decide(asked("decideDeclaration"), desk, filed.ID, accepting())
			return err
		})
		a.Clock.Advance(time.Minute)
		next, err := a.Declarations.Draft(asked("draftDeclaration"), by, c.ID, replacing(c, filed.ID, true))
		if err != nil {
			t.Fatal(err)
		}
		reason := "operator: " + accepting().Reason
		want = append(want,
			told{state: declaration.Submitted, by: filer}, told{state: declaration.InCharge, by: world.Rome},
			told{state: declaration.Submitted, by: world.Rome}, told{state: declaration.InCharge, by: world.Rome},
			told{state: declaration.Accepted, by: world.Rome, amount: 300_000, reason: reason}, told{state: declaration.Superseded, by: filer},
		)
		if diff := cmp.Diff(want, history(t, a, by, filed.ID), cmp.AllowUnexported(told{})); diff != "" {
			t.Errorf("to who filed:\n%s", diff)
		}
		// To the office it names the operator.
		for i := range want {
			if want[i].by == world.Rome {
				want[i].by = desk.PersonID.String() + " operator"
			}
		}
		if diff := cmp.Diff(want[1:], history(t, a, desk, filed.ID)[1:], cmp.AllowUnexported(told{})); diff != "" {
			t.Errorf("to the office:\n%s", diff)
		}
		h, err := a.Declarations.History(ctx, by, filed.ID)
		if err != nil || h.Declaration.SupersededByID == nil || *h.Declaration.SupersededByID != next.ID ||
			!h.Entries[1].At.Equal(*filed.SubmittedAt) {
			t.Errorf("it leads to %v, filed at %v: %v", h.Declaration.SupersededByID, h.Entries[1].At, err)
		}
		if diff := cmp.Diff([]told{{state: declaration.Submitted, by: filer}}, history(t, a, by, next.ID), cmp.AllowUnexported(told{})); diff != "" {
			t.Errorf("what was filed at once:\n%s", diff)
		}
	})
}

// What is completed goes on by itself, and can still be withdrawn.
func TestHistory_TellsWhatWaitedForCredentials(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		waiting, err := a.Declarations.Draft(asked("draftDeclaration"), ordinary, c.ID, c.Input(true))
		if err != nil {
			t.Fatal(err)
		}
		a.Clock.Advance(time.Hour)
		a.Exec(t, "UPDATE people SET credential_level = 'dispositive' WHERE id = ?", ordinary.PersonID)
		a.Must(t, func(ctx context.Context) error { return a.Declarations.CompleteFor(ctx, ordinary.PersonID) })
		a.Clock.Advance(time.Hour)
		if _, err := a.Declarations.Withdraw(asked("withdrawDeclaration"), by, waiting.ID); err != nil {
			t.Fatal(err)
		}
		withdrawn := a.Count(t, "audit_records WHERE operation = 'withdrawDeclaration' AND detail IS NOT NULL")
		completed := a.Count(t, "audit_records WHERE operation = 'completeDeclaration' AND detail IS NOT NULL")
		if withdrawn != 1 || completed != 1 {
			t.Errorf("%d and %d records with a detail", withdrawn, completed)
		}
		want := []told{
			{state: declaration.AwaitingCredentials, by: ordinary.PersonID.String() + " employee_delegate"},
			{state: declaration.Submitted, by: "nobody"},
			{state: declaration.Withdrawn, by: by.PersonID.String() + " legal_representative"},
		}
		if diff := cmp.Diff(want, history(t, a, by, waiting.ID), cmp.AllowUnexported(told{})); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHistory_IsForWhoMaySeeTheDeclaration(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome, world.Milan)
		other, stranger := a.Employer(t)
		filed, draft := a.Submit(t, by, c), a.Draft(t, by, c, c.Input(false))
		colleague := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Dispositive, access.Declarations)
		milan := a.Desk(t, world.Milan, c.ID)
		for what, c := range map[string]struct {
			by access.Actor
			id uuid.UUID
		}{
			"a stranger": {stranger, filed.ID}, "another office": {milan, filed.ID}, "a colleague, of a draft": {colleague, draft.ID},
			"of a contributor, which is none": {stranger, other.ID},
		} {
			_, err := a.Declarations.History(ctx, c.by, c.id)
			refused(t, what, err, fault.NotFound)
		}
		if got := history(t, a, colleague, filed.ID); len(got) != 1 {
			t.Errorf("a colleague sees %v", got)
		}
	})
}

// What an older program did left records without a detail: their operations tell.
func TestHistory_ReadsRecordsOfOlderPrograms(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		filed := map[string]uuid.UUID{}
		began := a.Clock.Now()
		for _, end := range []string{"withdrawDeclaration", "supersedeDeclaration", "lapseDeclaration"} {
			a.Clock.Advance(time.Hour)
			filed[end] = a.Submit(t, ordinary, c).ID
		}
		// A sandbox may take away what this program has written of it.
		a.Exec(t, "DELETE FROM installation")
		a.Exec(t, "INSERT INTO installation (id, kind, created_at) VALUES (1, 'sandbox', ?)", began)
		a.Exec(t, "DELETE FROM audit_records")
		for end, id := range filed {
			at := *show(t, a, by, id).SubmittedAt
			record := func(operation string, at time.Time, person, acting any) {
				a.Exec(t, `INSERT INTO audit_records (id, at, operation, person_id, acting_as, contributor_id, subject_kind, subject_id,
					outcome, request_id, address) VALUES (?, ?, ?, ?, ?, ?, 'declaration', ?, 'done', '', '')`,
					uuid.Must(uuid.NewV7()), at, operation, person, acting, c.ID, id.String())
			}
			record("draftDeclaration", began, by.PersonID, access.LegalRepresentative)
			record("changeDeclaration", began, by.PersonID, access.LegalRepresentative)
			record("submitDeclaration", at, ordinary.PersonID, access.EmployeeDelegate)
			record("completeDeclaration", at.Add(time.Hour), nil, nil)
			record(end, at.Add(2*time.Hour), nil, nil)
			want := []told{
				{state: declaration.Draft, by: by.PersonID.String() + " legal_representative"},
				{state: declaration.AwaitingCredentials, by: ordinary.PersonID.String() + " employee_delegate"},
				{state: declaration.Submitted, by: "nobody"},
				{state: map[string]declaration.State{
					"withdrawDeclaration": declaration.Withdrawn, "supersedeDeclaration": declaration.Superseded,
					"lapseDeclaration": declaration.Lapsed,
				}[end], by: "nobody"},
			}
			if diff := cmp.Diff(want, history(t, a, by, id), cmp.AllowUnexported(told{})); diff != "" {
				t.Errorf("%s:\n%s", end, diff)
			}
		}
	})
}
