package declaration_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestDraft_ADraft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		in := c.Input(false)
		// A draft may be incomplete, and its text in any form.
		in.Content = json.RawMessage("{ \"worker_tax_code\" : \"" + world.Worker + "\",\n\"employer_contribution_rate\": 2.40e1 }")
		got := a.Draft(t, by, c, in)
		worker := world.Worker
		want := declaration.View{
			Declaration: declaration.Declaration{
				ID: got.ID, ContributorID: c.ID, PositionID: c.Positions[0].ID, OfficeCode: world.Rome, Type: world.Type, TypeVersion: 1,
				Step: catalogue.Single, State: declaration.Draft,
				Content: `{"employer_contribution_rate":24,"worker_tax_code":"` + world.Worker + `"}`, WorkerTaxCode: &worker,
				PersonID: by.PersonID, ActingAs: access.LegalRepresentative,
				RightID: by.Rights[0].ID, Version: 1, CreatedAt: world.Start, UpdatedAt: world.Start, ListedAt: world.Start,
			},
			GivenName: "Mario", FamilyName: "Rossi", Withdrawal: catalogue.UntilDecision,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want, show(t, a, by, got.ID)); diff != "" {
			t.Errorf("as it is stored:\n%s", diff)
		}
		for table, want := range map[string]int{"audit_records": 1, "outbox": 0, "protocol_entries": 0} {
			if n := a.Count(t, table); n != want {
				t.Errorf("%d rows in %s", n, table)
			}
		}
	})
}

func TestDraft_WhatCannotBeDrafted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		other, stranger := a.Employer(t)
		closed, unknown := ceased(t, a, c), uuid.Must(uuid.NewV7())
		for _, wrong := range []struct {
			name   string
			change func(*declaration.Input)
			fields []string
		}{
			{"an unknown type", func(in *declaration.Input) { in.Type = "NONE" }, []string{"/type", "unknown-type"}},
			{"a step that the type does not have", func(in *declaration.Input) {
				in.Step = "confirmation"
			}, []string{"/step", "unknown-step"}},
			{"a reservation where there are none", func(in *declaration.Input) {
				in.ReservationID = &unknown
			}, []string{"/reservation_id", "not-applicable"}},
			{"an unknown position", func(in *declaration.Input) { in.PositionID = unknown }, []string{"/position_id", "unknown-position"}},
			{"another's position", func(in *declaration.Input) {
				in.PositionID = other.Positions[0].ID
			}, []string{"/position_id", "unknown-position"}},
			{"a closed position", func(in *declaration.Input) { in.PositionID = closed }, []string{"/position_id", "position-ceased"}},
			{"another's right", func(in *declaration.Input) {
				in.RightID = &stranger.Rights[0].ID
			}, []string{"/right_id", "unknown-right"}},
			{"nothing to supersede", func(in *declaration.Input) {
				in.SupersedesID = &unknown
			}, []string{"/supersedes_id", "unknown-declaration"}},
			{"content of the wrong type", func(in *declaration.Input) {
				in.Content = json.RawMessage(`{"worker_tax_code":7}`)
			}, []string{"/content/worker_tax_code", "type"}},
			{"a wrong tax code", func(in *declaration.Input) {
				in.Content = json.RawMessage(`{"worker_tax_code":"RSSMRA80A01H501X"}`)
			}, []string{"/content/worker_tax_code", "format"}},
			{"an unknown member", func(in *declaration.Input) {
				in.Content = json.RawMessage(`{"a/b":1}`)
			}, []string{"/content/a~1b", "unknown-field"}},
			{"content that is no object", func(in *declaration.Input) { in.Content = json.RawMessage(`[]`) }, []string{"/content", "type"}},
			{"content that is no JSON", func(in *declaration.Input) { in.Content = json.RawMessage(`{`) }, []string{"/content", "other"}},
			{"no content", func(in *declaration.Input) { in.Content = nil }, []string{"/content", "other"}},
		} {
			for _, atOnce := range []bool{false, true} {
				in := c.Input(atOnce)
				wrong.change(&in)
				if atOnce && strings.HasPrefix(wrong.fields[0], "/content") {
					continue // beside what is wrong, it says what is missing
				}
				_, err := a.Declarations.Draft(ctx, by, c.ID, in)
				refused(t, wrong.name, err, fault.Invalid, wrong.fields...)
			}
		}
		in := c.Input(true)
		in.Content = json.RawMessage(`{"worker_tax_code":"` + world.Worker + `","notes":""}`)
		_, err := a.Declarations.Draft(ctx, by, c.ID, in)
		refused(t, "filed at once, incomplete and wrong", err, fault.Invalid,
			"/content/average_monthly_pay", "required", "/content/employer_contribution_rate", "required",
			"/content/mandatory_communication_code", "required", "/content/notes", "too-short",
		)
		in = c.Input(false)
		in.Type = strings.ToLower(in.Type) + "x"
		_, err = a.Declarations.Draft(ctx, by, c.ID, in)
		var f *fault.Fault
		if !errors.As(err, &f) || len(f.Fields) != 1 || f.Fields[0].Right == nil || f.Fields[0].Right.Meant != world.Type {
			t.Errorf("a type that is nearly one: %+v", f)
		}
		_, err = a.Declarations.Draft(ctx, by, other.ID, c.Input(false))
		refused(t, "for another contributor", err, fault.NotFound)
		_, err = a.Declarations.Draft(ctx, a.Desk(t, world.Rome, c.ID), c.ID, c.Input(false))
		refused(t, "by an operator", err, fault.Forbidden)
		if n := a.Count(t, "declarations") + a.Count(t, "audit_records"); n != 0 {
			t.Errorf("%d rows are left of what was refused", n)
		}
	})
}

func TestDraft_IsMadeUnderTheRightAskedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		role := a.Role(t, by.PersonID, c.ID, access.EmployeeDelegate, access.Declarations)
		by = a.Enter(t, by.SessionID, c.ID)
		in := c.Input(false)
		if got := a.Draft(t, by, c, in); got.ActingAs != access.LegalRepresentative {
			t.Errorf("by default as %s", got.ActingAs)
		}
		in.RightID = &role
		got := a.Draft(t, by, c, in)
		if got.ActingAs != access.EmployeeDelegate || got.RightID != role {
			t.Errorf("as %s by right %s", got.ActingAs, got.RightID)
		}
		// It stays under that right when it is filed.
		if filed := submit(t, a, by, got.ID); filed.ActingAs != access.EmployeeDelegate || filed.RightID != role {
			t.Errorf("filed as %s by right %s", filed.ActingAs, filed.RightID)
		}
	})
}

func TestDraft_ChangingADraft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome, world.Milan)
		draft := a.Draft(t, by, c, c.Input(false))
		closed := ceased(t, a, c)
		other, _ := a.Employer(t)
		version := 1
		change := func(in declaration.Change) (declaration.View, error) {
			t.Helper()
			a.Clock.Advance(time.Minute)
			return a.Declarations.Change(asked("changeDeclaration"), by, draft.ID, version, in)
		}
		for _, step := range []struct {
			name    string
			in      declaration.Change
			content string
			worker  string
			office  string
		}{
			{
				"a member is replaced, one added and one removed",
				declaration.Change{
					Content: json.RawMessage(`{"employer_contribution_rate":24.5,"part_time_percentage":50,"average_monthly_pay":null}`),
				},
				`{"employer_contribution_rate":24.5,"mandatory_communication_code":"1700021200123456","part_time_percentage":50,"worker_tax_code":"RSSMRA80A01H501U"}`,
				"RSSMRA80A01H501U", world.Rome,
			},
			{
				"the worker",
				declaration.Change{Content: json.RawMessage(`{"worker_tax_code":"MKJRLA80A01L407X","part_time_percentage":null}`)},
				`{"employer_contribution_rate":24.5,"mandatory_communication_code":"1700021200123456","worker_tax_code":"MKJRLA80A01L407X"}`,
				"MKJRLA80A01L407X", world.Rome,
			},
			{
				"the position",
				declaration.Change{PositionID: &c.Positions[1].ID},
				`{"employer_contribution_rate":24.5,"mandatory_communication_code":"1700021200123456","worker_tax_code":"MKJRLA80A01L407X"}`,
				"MKJRLA80A01L407X", world.Milan,
			},
			{
				"no worker any more",
				declaration.Change{Content: json.RawMessage(`{"worker_tax_code":null,"notes":"<b> & \"è\" \u2028"}`)},
				`{"employer_contribution_rate":24.5,"mandatory_communication_code":"1700021200123456","notes":"<b> & \"è\" ` + "\u2028" +
					`"}`,
				"", world.Milan,
			},
			{
				"nothing",
				declaration.Change{},
				`{"employer_contribution_rate":24.5,"mandatory_communication_code":"1700021200123456","notes":"<b> & \"è\" ` + "\u2028" +
					`"}`,
				"", world.Milan,
			},
		} {
			got, err := change(step.in)
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			version++
			worker := ""
			if got.WorkerTaxCode != nil {
				worker = *got.WorkerTaxCode
			}
			if got.Content != step.content || worker != step.worker || got.OfficeCode != step.office ||
				got.Version != version || !got.UpdatedAt.Equal(a.Clock.Now()) ||
				!got.CreatedAt.Equal(draft.CreatedAt) || !got.ListedAt.Equal(draft.ListedAt) || got.State != declaration.Draft {
				t.Errorf("%s: %+v", step.name, got)
			}
			if diff := cmp.Diff(got, show(t, a, by, draft.ID)); diff != "" {
				t.Errorf("%s, as it is stored:\n%s", step.name, diff)
			}
			if n := a.Count(
				t, "audit_records WHERE operation = 'changeDeclaration' AND subject_id = ?", draft.ID.String(),
			); n != version-1 {
				t.Errorf("%s: %d audit records", step.name, n)
			}
		}
		before := show(t, a, by, draft.ID)
		unknown := uuid.Must(uuid.NewV7())
		for _, wrong := range []struct {
			name   string
			in     declaration.Change
			fields []string
		}{
			{
				"a wrong member",
				declaration.Change{Content: json.RawMessage(`{"employer_contribution_rate":51}`)},
				[]string{"/content/employer_contribution_rate", "maximum"},
			},
			{
				"an unknown member",
				declaration.Change{Content: json.RawMessage(`{"state":"accepted"}`)},
				[]string{"/content/state", "unknown-field"},
			},
			{"an object for a text", declaration.Change{Content: json.RawMessage(`{"notes":{"a":1}}`)}, []string{"/content/notes", "type"}},
			{"null for all", declaration.Change{Content: json.RawMessage(`null`)}, []string{"/content", "type"}},
			{"a list for all", declaration.Change{Content: json.RawMessage(`[]`)}, []string{"/content", "type"}},
			{"a text for all", declaration.Change{Content: json.RawMessage(`"x"`)}, []string{"/content", "type"}},
			{"no JSON", declaration.Change{Content: json.RawMessage(`{`)}, []string{"/content", "type"}},
			{"an unknown position", declaration.Change{PositionID: &unknown}, []string{"/position_id", "unknown-position"}},
			{"another's position", declaration.Change{PositionID: &other.Positions[0].ID}, []string{"/position_id", "unknown-position"}},
			{"a closed position", declaration.Change{PositionID: &closed}, []string{"/position_id", "position-ceased"}},
		} {
			_, err := change(wrong.in)
			refused(t, wrong.name, err, fault.Invalid, wrong.fields...)
		}
		version--
		_, err := change(declaration.Change{Content: json.RawMessage(`{}`)})
		refused(t, "at a version that is not the last", err, fault.PreconditionFailed)
		if diff := cmp.Diff(before, show(t, a, by, draft.ID)); diff != "" {
			t.Errorf("a refused change left something:\n%s", diff)
		}
	})
}

func TestDraft_OfChangesAtOneVersionOneIsMade(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		draft := a.Draft(t, by, c, c.Input(false))
		var made atomic.Int64
		world.Parallel(10, func(int) {
			_, err := a.Declarations.Change(ctx, by, draft.ID, 1, declaration.Change{Content: json.RawMessage(`{"notes":"x"}`)})
			if err == nil {
				made.Add(1)
			} else {
				refused(t, "a change that lost", err, fault.PreconditionFailed)
			}
		})
		if made.Load() != 1 || show(t, a, by, draft.ID).Version != 2 {
			t.Errorf("%d changes were made, to version %d", made.Load(), show(t, a, by, draft.ID).Version)
		}
	})
}

func TestDraft_DiscardingADraft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		draft, filed := a.Draft(t, by, c, c.Input(false)), a.Submit(t, by, c)
		if err := a.Declarations.Discard(asked("discardDeclaration"), by, draft.ID); err != nil {
			t.Fatal(err)
		}
		_, err := a.Declarations.Show(ctx, by, draft.ID)
		refused(t, "shown", err, fault.NotFound)
		refused(t, "discarded again", a.Declarations.Discard(ctx, by, draft.ID), fault.NotFound)
		_, err = a.Declarations.Submit(ctx, by, draft.ID)
		refused(t, "filed", err, fault.NotFound)
		conflict(t, "a filed one", a.Declarations.Discard(ctx, by, filed.ID), "declaration-not-draft")
		if n := a.Count(t, "audit_records WHERE operation = 'discardDeclaration' AND subject_id = ?", draft.ID.String()); n != 1 {
			t.Errorf("%d audit records", n)
		}
	})
}

// A draft is for its maker and for those under the same right. What was submitted is for all who
// may consult.
func TestDraft_IsNobodyElses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		_, stranger := a.Employer(t)
		colleague := a.Colleague(t, c.ID, access.Employer, access.Dispositive)
		operator := a.Desk(t, world.Rome, c.ID)
		draft := a.Draft(t, by, c, c.Input(false))
		use := map[string]func(access.Actor) error{
			"show":    func(by access.Actor) error { _, err := a.Declarations.Show(ctx, by, draft.ID); return err },
			"receipt": func(by access.Actor) error { _, err := a.Declarations.Receipt(ctx, by, draft.ID); return err },
			"print":   func(by access.Actor) error { _, err := a.Declarations.ReceiptPDF(ctx, by, draft.ID); return err },
			"change": func(by access.Actor) error {
				_, err := a.Declarations.Change(ctx, by, draft.ID, 1, declaration.Change{Content: json.RawMessage(`{"notes":"mine now"}`)})
				return err
			},
			"submit":   func(by access.Actor) error { _, err := a.Declarations.Submit(ctx, by, draft.ID); return err },
			"withdraw": func(by access.Actor) error { _, err := a.Declarations.Withdraw(ctx, by, draft.ID); return err },
			"discard":  func(by access.Actor) error { return a.Declarations.Discard(ctx, by, draft.ID) },
		}
		// The guard lets none of them near; the service asks again where it reads the row.
		for name, who := range map[string]access.Actor{
			"a stranger": stranger, "a colleague": colleague, "an operator": operator, "nobody": {},
			"one without rights": {ContributorID: c.ID, PersonID: by.PersonID},
		} {
			for operation, do := range use {
				refused(t, operation+" by "+name, do(who), fault.NotFound)
			}
		}
		for _, operation := range []string{"receipt", "print"} {
			refused(t, operation+" of a draft", use[operation](by), fault.NotFound)
		}
		conflict(t, "withdrawing a draft", use["withdraw"](by), "declaration-not-withdrawable")
		submit(t, a, by, draft.ID)
		for name, who := range map[string]access.Actor{"a colleague": colleague, "an operator": operator} {
			for _, operation := range []string{"show", "receipt", "print"} {
				if err := use[operation](who); err != nil {
					t.Errorf("%s by %s after submission: %v", operation, name, err)
				}
			}
		}
		for _, operation := range []string{"change", "submit", "withdraw", "discard"} {
			refused(t, operation+" by an operator", use[operation](operator), fault.Forbidden)
		}
		for operation := range use {
			refused(t, operation+" by a stranger after submission", use[operation](stranger), fault.NotFound)
		}
	})
}

// One person has two hundred drafts for a contributor at a time. What was submitted or discarded
// makes room, and what is filed at once needs none.
func TestDraft_TwoHundredAreOpenForOneContributor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		var last declaration.View
		for range 199 {
			last = a.Draft(t, by, c, c.Input(false))
		}
		var full atomic.Int32
		world.Parallel(4, func(int) {
			_, err := a.Declarations.Draft(ctx, by, c.ID, c.Input(false))
			var f *fault.Fault
			switch {
			case err == nil:
			case errors.As(err, &f) && f.Code == fault.Conflict && len(f.Fields) == 1 && f.Fields[0].Code == "too-many-open":
				full.Add(1)
			default:
				t.Error(err)
			}
		})
		if full.Load() != 3 {
			t.Errorf("%d of 4 were refused where there was room for one", full.Load())
		}
		a.Submit(t, by, c)
		other := a.Company(t, world.Rome)
		a.Role(t, by.PersonID, other.ID, access.LegalRepresentative)
		a.Draft(t, a.Enter(t, by.SessionID, other.ID), other, other.Input(false))
		a.Draft(t, a.Colleague(t, c.ID, access.LegalRepresentative, access.Dispositive), c, c.Input(false))
		if err := a.Declarations.Discard(ctx, by, last.ID); err != nil {
			t.Fatal(err)
		}
		a.Draft(t, by, c, c.Input(false))
	})
}
