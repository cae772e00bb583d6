package smarttask_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/dossier/smarttask"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

func TestSmartTask_RevokesADelegation(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.decided(w.rep, w.revocation())
		w.want(id, smarttask.Accepted, "")
		if w.state() != "revoked" || w.one("SELECT end_reason FROM delegations WHERE id = ?", w.deleg) != "Fine dell'incarico" {
			t.Error("the delegation goes on")
		}
		// The effect is the representative's, by their right and in their request; the rest the system's.
		if n := w.Count(t, "audit_records WHERE operation = 'requestSmartTask' AND subject_kind = 'delegation' AND outcome = 'revoked' AND "+
			"person_id = ? AND right_id = ? AND request_id = 'request-1' AND session_id = ? AND address = '192.0.2.1'",
			w.rep.PersonID, w.rep.Rights[0].ID, w.rep.SessionID); n != 1 {
			t.Errorf("%d traces of the effect", n)
		}
		for _, operation := range []string{"takeSmartTaskInCharge", "decideSmartTask"} {
			if n := w.Count(t, "audit_records WHERE operation = ? AND person_id IS NULL AND subject_id = ?", operation, id.String()); n != 1 {
				t.Errorf("%d traces of %s", n, operation)
			}
		}
		// Both sides hear of the end, and the asker of the ticket at its address.
		if w.Count(t, "outbox WHERE kind = 'delegation.revoked' AND person_id = ?", w.professionalPerson.ID) != 1 {
			t.Error("the intermediary is not told")
		}
		if w.Count(t, "outbox WHERE kind = 'ticket.closed'") != 1 || w.Count(t, "outbox WHERE kind = 'ticket.received'") != 1 {
			t.Error("the asker is not told")
		}
		// There is nothing left to revoke.
		w.want(w.decided(w.rep, w.revocation()), smarttask.NotAccepted, smarttask.StateCheck, smarttask.DelegationEnded)
	})
}

// Whoever gives a delegation back asks about one of its positions, and reads what became of that.
func TestSmartTask_AnIntermediaryGivesADelegationBack(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.decided(w.professional, w.revocation())
		w.want(id, smarttask.Accepted, "")
		if w.one("SELECT end_cause FROM delegations WHERE id = ?", w.deleg) != "intermediary" {
			t.Error("ended by another side")
		}
		if w.one("SELECT CAST(position_id AS text) FROM tickets WHERE id = ?", id) != w.company.Positions[0].ID.String() {
			t.Error("about no position of the delegation")
		}
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE contributor_id = ? AND state = 'active'", w.Clock.Now(), w.company.ID)
		colleague := w.Person(t, nil)
		software := w.Software(t, w.professionalPerson.ID, nil)
		for name, test := range map[string]struct {
			caller access.Caller
			sees   bool
		}{
			"who asked":          {access.Caller{SessionID: w.Session(t, w.professionalPerson.ID, nil)}, true},
			"their software":     {software.Caller, false},
			"somebody else":      {access.Caller{SessionID: w.Session(t, colleague.ID, nil)}, false},
			"the representative": {access.Caller{SessionID: w.rep.SessionID}, true},
		} {
			rule := access.Rule{To: access.ToSmartTask, Service: access.Dossier, Scopes: []string{access.ScopeDossier, access.ScopeDeclarations}}
			by, err := w.Guard.EnterAs(ctx, test.caller, rule, access.Target{AffairID: id})
			if err == nil {
				_, err = w.service.Show(ctx, by, id)
			}
			if (err == nil) != test.sees || err != nil && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
			rule.To = access.ToTicket
			if _, err := w.Guard.EnterAs(ctx, test.caller, rule, access.Target{AffairID: id}); name != "the representative" && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s enters the ticket: %v", name, err)
			}
		}
	})
}

func TestSmartTask_WithdrawsAnEmployee(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.want(w.decided(w.rep, w.withdrawal()), smarttask.Accepted, "")
		if w.Count(t, "contributor_roles WHERE id = ? AND withdrawn_at IS NOT NULL", w.employeeRole) != 1 {
			t.Error("the role goes on")
		}
		if w.Count(t, "outbox WHERE kind = 'role.withdrawn' AND person_id = ?", w.employee.PersonID) != 1 {
			t.Error("the employee is not told")
		}
		for kind, to := range map[string]uuid.UUID{"role.withdrawn": w.employee.PersonID, "role.removed": w.rep.PersonID} {
			if w.Count(t, "outbox WHERE kind = ? AND person_id = ? AND data LIKE '%Cambio di mansioni%'", kind, to) != 1 {
				t.Errorf("%s tells no reason", kind)
			}
		}
		if w.Count(t, "audit_records WHERE operation = 'requestSmartTask' AND subject_kind = 'role' AND outcome = 'revoked' AND person_id = ?",
			w.rep.PersonID) != 1 {
			t.Error("no trace of the effect")
		}
		w.want(w.decided(w.rep, w.withdrawal()), smarttask.NotAccepted, smarttask.StateCheck, smarttask.RoleEnded)
	})
}

func TestSmartTask_ARoleThatIsNoEmployeesIsNotAccepted(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		own := ask("revoke-employee-delegation", map[string]any{"grant_id": w.rep.Rights[0].ID})
		w.want(w.decided(w.rep, own), smarttask.NotAccepted, smarttask.SubjectCheck, smarttask.RoleOfAnotherKind)
		_, other := w.Employer(t)
		foreign := ask("revoke-employee-delegation", map[string]any{"grant_id": other.Rights[0].ID})
		w.want(w.decided(w.rep, foreign), smarttask.NotAccepted, smarttask.SubjectCheck, smarttask.RoleUnknown)
		w.Exec(t, "UPDATE people SET identity_confirmed_at = NULL WHERE id = ?", w.rep.PersonID)
		w.want(w.decided(w.rep, w.withdrawal()), smarttask.NotAccepted, smarttask.AuthorityCheck, smarttask.IdentityNotConfirmed)
		if w.Count(t, "contributor_roles WHERE withdrawn_at IS NOT NULL") != 0 {
			t.Error("a role ended")
		}
	})
}

// The contacts are those on the delegation: the intermediary's own stay.
func TestSmartTask_ChangesContactsOfADelegation(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		change := func(content map[string]any) smarttask.Input {
			content["delegation_id"] = w.deleg
			return ask("change-intermediary-contacts", content)
		}
		w.want(w.decided(w.professional, change(map[string]any{
			"contact_email": "Studio@VERDI.example", "contact_phone": "06 5555 0100",
		})), smarttask.Accepted, "")
		shown := func() string {
			return w.one("SELECT COALESCE(contact_email, '-') || ' ' || COALESCE(contact_phone, '-') FROM delegations WHERE id = ?", w.deleg)
		}
		if got := shown(); got != "Studio@verdi.example +390655550100" {
			t.Error(got)
		}
		// What is not said stays; null takes away.
		w.want(w.decided(w.rep, change(map[string]any{"contact_email": nil})), smarttask.Accepted, "")
		if got := shown(); got != "- +390655550100" {
			t.Error(got)
		}
		if w.Count(t, "contacts") != 0 || w.state() != "active" {
			t.Error("more has changed")
		}
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE id = ?", w.Clock.Now(), w.deleg)
		w.want(w.decided(w.rep, change(map[string]any{"contact_phone": "06 5555 0101"})), smarttask.NotAccepted,
			smarttask.StateCheck, smarttask.DelegationEnded)
		other, _ := w.Employer(t)
		foreign := w.Delegation(t, w.delegate, other, nil)
		w.want(w.decided(w.rep, ask("change-intermediary-contacts", map[string]any{
			"delegation_id": foreign, "contact_phone": "06 5555 0101",
		})), smarttask.NotAccepted, smarttask.SubjectCheck, smarttask.DelegationUnknown)
		if got := w.one("SELECT COALESCE(contact_phone, '-') FROM delegations WHERE id = ?", foreign); got != "-" {
			t.Error("another contributor's delegation has changed")
		}
	})
}

// An employee changes where they are reached themselves; a colleague does not.
func TestSmartTask_ChangesContactsOfAnEmployee(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		change := ask("change-employee-contacts", map[string]any{"grant_id": w.employeeRole, "contact_email": "paghe@tessiture.example"})
		colleague := w.Colleague(t, w.company.ID, access.EmployeeDelegate, access.Dispositive, access.Dossier, access.Declarations)
		w.want(w.decided(colleague, change), smarttask.NotAccepted, smarttask.AuthorityCheck, smarttask.NotAuthorised)
		w.want(w.decided(w.employee, change), smarttask.Accepted, "")
		if got := w.one("SELECT contact_email FROM contributor_roles WHERE id = ?", w.employeeRole); got != "paghe@tessiture.example" {
			t.Error(got)
		}
		w.want(w.decided(w.rep, ask("change-employee-contacts", map[string]any{
			"grant_id": w.employeeRole, "contact_email": nil, "contact_phone": "+39 333 1234567",
		})), smarttask.Accepted, "")
		if got := w.one("SELECT COALESCE(contact_email, '-') || contact_phone FROM contributor_roles WHERE id = ?", w.employeeRole); got !=
			"-+393331234567" {
			t.Error(got)
		}
	})
}

func TestSmartTask_DeletesUnusableContactsAlone(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		bounced := w.contact("a@example.it", contributor.RectificationBounced)
		unverified := w.contact("b@example.it", contributor.RectificationUnverified)
		good := w.contact("c@example.it", contributor.RectificationVerified)
		left := func() int { return w.Count(t, "rectification_contacts WHERE deleted_at IS NULL") }
		w.want(w.decided(w.rep, w.deletion(bounced, good)), smarttask.NotAccepted, smarttask.StateCheck, smarttask.ContactUsable)
		w.want(w.decided(w.rep, w.deletion(uuid.New(), good)), smarttask.NotAccepted, smarttask.SubjectCheck, smarttask.ContactUnknown)
		if left() != 3 {
			t.Error("something was deleted all the same")
		}
		w.want(w.decided(w.professional, w.deletion(bounced, unverified)), smarttask.Accepted, "")
		found, err := w.Contributors.RectificationContacts(ctx, w.company.Positions[0].ID, page.Request{})
		if err != nil || len(found.Items) != 1 || found.Items[0].ID != good {
			t.Errorf("left are %+v, %v", found.Items, err)
		}
		w.want(w.decided(w.rep, w.deletion(bounced)), smarttask.NotAccepted, smarttask.StateCheck, smarttask.ContactDeleted)
	})
}

// The right is looked at when it is decided, not only when it was asked.
func TestSmartTask_ARightThatEndedIsAReason(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		second := w.Colleague(t, w.company.ID, access.Employer, access.Dispositive)
		for what, end := range map[string]struct {
			end    func()
			reason smarttask.ReasonCode
		}{
			"credentials": {func() {
				w.Exec(t, "UPDATE people SET credential_level = 'ordinary' WHERE id = ?", second.PersonID)
			}, smarttask.CredentialsOrdinary},
		} {
			id := w.requested(second, w.revocation())
			end.end()
			w.drain()
			w.want(id, smarttask.NotAccepted, smarttask.RightCheck, end.reason)
			if w.state() != "active" {
				t.Errorf("%s: revoked all the same", what)
			}
		}
		w.Exec(t, "UPDATE people SET credential_level = 'dispositive' WHERE id = ?", second.PersonID)
		id := w.requested(second, w.revocation())
		w.WithdrawRole(t, second.Rights[0].ID)
		w.drain()
		w.want(id, smarttask.NotAccepted, smarttask.RightCheck, smarttask.RightEnded)
		third := w.Colleague(t, w.company.ID, access.Employer, access.Dispositive)
		id = w.requested(third, w.revocation())
		w.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", w.Clock.Now(), third.PersonID)
		w.drain()
		w.want(id, smarttask.NotAccepted, smarttask.RightCheck, smarttask.RightEnded)
		if w.state() != "active" {
			t.Error("revoked all the same")
		}
	})
}

// A delegate without the management of delegations may ask for nothing about them.
func TestSmartTask_WithoutAuthorityNothingIsDone(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.want(w.decided(w.employee, w.revocation()), smarttask.NotAccepted, smarttask.AuthorityCheck, smarttask.NotAuthorised)
		if w.state() != "active" {
			t.Error("revoked all the same")
		}
		_, err := w.service.Request(ctx, w.employee, w.withdrawal())
		refused(t, "an employee on a role", err, fault.Forbidden)
		_, err = w.service.Request(ctx, w.professional, w.withdrawal())
		refused(t, "an intermediary on a role", err, fault.Forbidden)
		ordinary := w.Colleague(t, w.company.ID, access.LegalRepresentative, access.Ordinary)
		_, err = w.service.Request(ctx, ordinary, w.revocation())
		refused(t, "ordinary credentials", err, fault.DispositiveRequired)
		// An intermediary asks about its own delegation.
		_, otherDelegate := w.Professional(t)
		other := w.Delegation(t, otherDelegate, w.company, nil, w.company.Positions[1].ID)
		w.want(w.decided(w.professional, ask("revoke-intermediary-delegation", map[string]any{"delegation_id": other})),
			smarttask.NotAccepted, smarttask.AuthorityCheck, smarttask.NotAuthorised)
		if n := w.Count(t, "delegations WHERE state <> 'active'"); n != 0 {
			t.Errorf("%d delegations ended", n)
		}
	})
}

func TestSmartTask_BadContentIsRefusedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		some := uuid.NewString()
		for _, tt := range []struct {
			kind   string
			in     map[string]any
			fields []string
		}{
			{"revoke-everything", map[string]any{}, []string{"/type unknown-type"}},
			{"revoke-intermediary-delegation", map[string]any{}, []string{"/content/delegation_id required"}},
			{"revoke-intermediary-delegation", map[string]any{"delegation_id": "x"}, []string{"/content/delegation_id format"}},
			{"revoke-intermediary-delegation", map[string]any{"delegation_id": some, "state": "accepted"}, []string{"/content/state unknown-field"}},
			{"revoke-intermediary-delegation", map[string]any{"delegation_id": some, "reason": "a\x00b"}, []string{"/content/reason pattern"}},
			{"revoke-employee-delegation", map[string]any{"grant_id": 7}, []string{"/content/grant_id type"}},
			{"change-intermediary-contacts", map[string]any{"delegation_id": some}, []string{"/content/contact_email required"}},
			{"change-intermediary-contacts", map[string]any{"delegation_id": some, "contact_email": "nobody"}, []string{
				"/content/contact_email format",
			}},
			{"change-employee-contacts", map[string]any{"grant_id": some, "contact_phone": "12345"}, nil},
			{"change-employee-contacts", map[string]any{"grant_id": some, "contact_phone": "call me"}, []string{"/content/contact_phone pattern"}},
			{"delete-rectification-contacts", map[string]any{"position_id": w.company.Positions[0].ID, "contact_ids": []string{}}, []string{
				"/content/contact_ids too-few",
			}},
			{"delete-rectification-contacts", map[string]any{"position_id": some, "contact_ids": []string{some}}, []string{
				"/content/position_id unknown-position",
			}},
		} {
			_, err := w.service.Request(ctx, w.rep, ask(tt.kind, tt.in))
			if tt.fields == nil {
				continue
			}
			refused(t, tt.kind, err, fault.Invalid, tt.fields...)
		}
		_, err := w.service.Request(ctx, w.professional, ask("revoke-intermediary-delegation", map[string]any{"delegation_id": some}))
		refused(t, "a delegation that nobody gave", err, fault.Invalid, "/content/delegation_id unknown-delegation")
		in := w.revocation()
		in.Phone = new("06 5555")
		_, err = w.service.Request(ctx, w.rep, in)
		refused(t, "no mobile", err, fault.Invalid, "/phone format")
		if n := w.Count(t, "smart_tasks WHERE type <> 'change-employee-contacts'"); n != 0 {
			t.Errorf("%d tasks were filed", n)
		}
	})
}

func TestSmartTask_TypesAreWhole(t *testing.T) {
	if len(smarttask.AllTypes()) != 5 {
		t.Errorf("%d types", len(smarttask.AllTypes()))
	}
	for _, kind := range smarttask.AllTypes() {
		if err := kind.Examine(kind.Example); err != nil {
			t.Errorf("%s: the example is refused: %v", kind.Code, err)
		}
		for _, english := range []bool{false, true} {
			if kind.Title(english) == "" || kind.Examined(english) == "" || kind.Effect(english) == "" || len(kind.ActingAs) == 0 {
				t.Errorf("%s says nothing", kind.Code)
			}
			if _, err := kind.ContentSchema(english); err != nil {
				t.Errorf("%s: %v", kind.Code, err)
			}
		}
	}
	if missing := smarttask.Explained(); len(missing) > 0 {
		t.Errorf("without words: %v", missing)
	}
}

// One intermediary learns nothing of another's delegation.
func TestSmartTask_IsSeenByThoseItConcerns(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		stranger, otherDelegate := w.Professional(t)
		w.Delegation(t, otherDelegate, w.company, nil)
		competitor := w.Enter(t, w.Session(t, stranger.ID, nil), w.company.ID)
		desk, elsewhere := w.Desk(t, world.Rome, w.company.ID), w.Desk(t, world.Milan, w.company.ID)
		bounced := w.contact("a@example.it", contributor.RectificationBounced)
		change := w.requested(w.professional, ask("change-intermediary-contacts", map[string]any{
			"delegation_id": w.deleg, "contact_phone": "06 5555 0100",
		}))
		contacts := w.requested(w.professional, w.deletion(bounced))
		ended := w.requested(w.rep, w.revocation())
		for _, tt := range []struct {
			who  string
			by   access.Actor
			sees []uuid.UUID
		}{
			{"the representative", w.rep, []uuid.UUID{ended, contacts, change}},
			{"who asked", w.professional, []uuid.UUID{contacts, change}},
			{"another intermediary", competitor, []uuid.UUID{contacts}},
			{"the office", desk, []uuid.UUID{ended, contacts, change}},
			{"another office", elsewhere, nil},
		} {
			found, err := w.service.OfContributor(ctx, tt.by, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			var got []uuid.UUID
			for _, v := range found.Items {
				got = append(got, v.ID)
			}
			if !equal(got, tt.sees) {
				t.Errorf("%s lists %v, want %v", tt.who, got, tt.sees)
			}
			shown := 0
			for _, id := range []uuid.UUID{change, contacts, ended} {
				if _, err := w.service.Show(ctx, tt.by, id); err == nil {
					shown++
				} else if !fault.Is(err, fault.NotFound) {
					t.Error(err)
				}
			}
			if shown != len(tt.sees) {
				t.Errorf("%s is shown %d", tt.who, shown)
			}
		}
	})
}

func TestSmartTask_ListsHaveAnIndexedEnd(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		for range 3 {
			w.requested(w.rep, w.revocation())
		}
		request := page.Request{Limit: 2, List: "listSmartTasks"}
		first, err := w.service.OfContributor(ctx, w.rep, request)
		if err != nil || len(first.Items) != 2 || first.Next == "" {
			t.Fatalf("%+v %v", first, err)
		}
		request.Cursor = page.Bind(request.List, first.Next)
		second, err := w.service.OfContributor(ctx, w.rep, request)
		if err != nil || len(second.Items) != 1 || second.Next != "" || second.Items[0].ID == first.Items[1].ID {
			t.Fatalf("%+v %v", second, err)
		}
	})
}

// A type that is tried out is there for its group alone. What was asked for before is decided.
func TestSmartTask_ATypeMayBeOpenToAGroup(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin := access.Actor{
			PersonID:  w.Person(t, func(p *world.Person) { p.UserClass = access.Administrator }).ID,
			UserClass: access.Administrator,
		}
		const kind = "revoke-intermediary-delegation"
		before := w.requested(w.rep, w.revocation())
		now, err := w.service.Access(ctx, kind)
		if err != nil || now.OpenTo != smarttask.Everybody || now.Version != 0 {
			t.Fatalf("%+v %v", now, err)
		}
		member := w.professional.TaxCode.Clear()
		group, err := w.service.ReplaceAccess(ctx, admin, kind, 0, smarttask.Group, []string{member})
		if err != nil || group.Version != 1 || !equal(group.TaxCodes, []string{member}) {
			t.Fatalf("%+v %v", group, err)
		}
		_, err = w.service.ReplaceAccess(ctx, admin, kind, 0, smarttask.Everybody, nil)
		refused(t, "an old version", err, fault.PreconditionFailed)
		_, err = w.service.ReplaceAccess(ctx, admin, "x", 0, smarttask.Everybody, nil)
		refused(t, "no such type", err, fault.NotFound)
		for _, tt := range []struct {
			to    smarttask.OpenTo
			codes []string
			want  string
		}{
			{smarttask.Everybody, []string{member}, "/tax_codes not-applicable"},
			{smarttask.Group, nil, "/tax_codes required"},
			{smarttask.Group, []string{"x"}, "/tax_codes/0 format"},
			{smarttask.Group, []string{member, member}, "/tax_codes/1 duplicate"},
			{"nobody", nil, "/open_to enum"},
		} {
			_, err := w.service.ReplaceAccess(ctx, admin, kind, 1, tt.to, tt.codes)
			refused(t, string(tt.to), err, fault.Invalid, tt.want)
		}
		_, err = w.service.Request(ctx, w.rep, w.revocation())
		refused(t, "who is not in the group", err, fault.Invalid, "/type unknown-type")
		if open, err := w.service.Types(ctx, w.rep); err != nil || len(open) != 4 {
			t.Errorf("%d types are open, %v", len(open), err)
		}
		if _, err := w.service.Type(ctx, w.rep, kind); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if open, err := w.service.Types(ctx, w.professional); err != nil || len(open) != 5 {
			t.Errorf("%d types are open to the group, %v", len(open), err)
		}
		w.drain()
		w.want(before, smarttask.Accepted, "")
		if _, err := w.service.ReplaceAccess(ctx, admin, kind, 1, smarttask.Everybody, nil); err != nil {
			t.Error(err)
		}
		if _, err := w.service.Type(ctx, w.rep, kind); err != nil {
			t.Error(err)
		}
		if n := w.Count(t, "audit_records WHERE subject_kind = 'smart-task-access' AND person_id = ?", admin.PersonID); n != 2 {
			t.Errorf("%d traces", n)
		}
	})
}

// A repeat of the request is answered as the first was, and files nothing.
func TestSmartTask_OneRequestIsOneTask(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		keyed := world.WithKey(ctx, w.rep, "one-key")
		first, err := w.service.Request(keyed, w.rep, w.revocation())
		if err != nil {
			t.Fatal(err)
		}
		w.drain()
		second, err := w.service.Request(keyed, w.rep, w.revocation())
		if err != nil || second.ID != first.ID || second.State != smarttask.Submitted || second.DecidedAt != nil {
			t.Errorf("%+v %v", second, err)
		}
		if n := w.Count(t, "smart_tasks"); n != 1 {
			t.Errorf("%d tasks", n)
		}
	})
}

// Nobody has messages sent without end to an address that they type in.
func TestSmartTask_NobodyAsksWithoutEnd(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		first, err := w.Tickets.Show(ctx, w.rep, w.decided(w.rep, w.withdrawal()))
		if err != nil {
			t.Fatal(err)
		}
		tickets, tasks := make([]ticket.Ticket, 99), make([]smarttask.Task, 99)
		for i := range tickets {
			tickets[i] = first.Ticket
			tickets[i].ID = uuid.Must(uuid.NewV7())
			tasks[i] = smarttask.Task{
				ID: tickets[i].ID, ContributorID: w.company.ID, Type: "revoke-employee-delegation", Content: "{}", State: smarttask.Accepted,
				PersonID: w.rep.PersonID, RightID: w.rep.Rights[0].ID, SubmittedAt: w.Clock.Now(), DecidedAt: new(w.Clock.Now()),
				Checks: []smarttask.Check{}, Reasons: []smarttask.Reason{},
			}
		}
		w.Must(t, func(ctx context.Context) error {
			if err := w.DB.From(ctx).Create(&tickets).Error; err != nil {
				return err
			}
			return w.DB.From(ctx).Create(&tasks).Error
		})
		_, err = w.service.Request(ctx, w.rep, w.withdrawal())
		refused(t, "the 101st of a day", err, fault.RateLimited)
		if n := w.Count(t, "outbox WHERE kind = 'ticket.received'"); n != 1 {
			t.Errorf("%d messages", n)
		}
		// Others ask all the same, and they again a day later.
		w.requested(w.Colleague(t, w.company.ID, access.Employer, access.Dispositive), w.revocation())
		w.Clock.Advance(fault.Day)
		w.requested(w.rep, w.withdrawal())
	})
}

// The register's digest tells what was asked: what differs in its content alone is something else.
func TestSmartTask_TheDigestHasTheContent(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		digest := func(in smarttask.Input) string {
			return w.one("SELECT digest FROM tickets WHERE id = ?", w.requested(w.rep, in))
		}
		one := digest(w.withdrawal())
		other := digest(ask("revoke-employee-delegation", map[string]any{"grant_id": uuid.New()}))
		if one == other || one != digest(w.withdrawal()) {
			t.Errorf("%s and %s", one, other)
		}
	})
}

// A topic that an administrator retires is offered to people no more; the types go on.
func TestSmartTask_GoesOnWhenItsTopicIsRetired(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.Exec(t, "UPDATE ticket_topics SET retired = TRUE WHERE code LIKE 'delegations%'")
		w.want(w.decided(w.rep, w.revocation()), smarttask.Accepted, "")
	})
}

// Nobody is told of a place that the request does not have.
func TestSmartTask_OfAContributorWithoutPositions(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		rep := w.Colleague(t, w.Company(t).ID, access.LegalRepresentative, access.Dispositive)
		_, err := w.service.Request(ctx, rep, w.withdrawal())
		refused(t, "no office", err, fault.Invalid, " "+fault.FieldOfficeNeeded)
	})
}
