package timeline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/timeline"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func same(t *testing.T, what string, want, got []told) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}

func TestTimeline_TellsWhatBecameOfDeclarations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t)
		desk := a.Desk(t, world.Rome, c.ID)
		a.Draft(t, by, c, c.Input(false))
		if got := list(t, s, by, timeline.Filter{}); len(got) != 0 {
			t.Fatalf("a draft is told: %+v", got)
		}
		step := func(do func() error) {
			t.Helper()
			a.Clock.Advance(time.Minute)
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
		a.Clock.Advance(time.Minute)
		first := a.Submit(t, by, c)
		take := func() error {
			_, err := a.Declarations.TakeInCharge(asked("takeDeclarationInCharge"), desk, first.ID)
			return err
		}
		step(take)
		step(func() error { return a.Declarations.Release(asked("releaseDeclaration"), desk, first.ID) })
		step(take)
		step(func() error {
			_, err := a.Declarations.Decide(asked("decideDeclaration"), desk, first.ID, declaration.Decision{
				Decision: review.Decision{Outcome: review.Accepted, Reason: "Completa."}, Amount: new(money.Cents(100)),
			})
			return err
		})
		var next declaration.View
		step(func() (err error) {
			in := c.Input(true)
			in.SupersedesID = &first.ID
			next, err = a.Declarations.Draft(asked("draftDeclaration"), by, c.ID, in)
			return err
		})
		step(func() error {
			_, err := a.Declarations.Withdraw(asked("withdrawDeclaration"), by, next.ID)
			return err
		})
		me := by.PersonID.String()
		got := short(t, s, by, timeline.Filter{})
		// What supersedes and what is superseded have one instant.
		if len(got) == 7 && got[4].happened == timeline.DeclarationSuperseded {
			got[4], got[5] = got[5], got[4]
		}
		same(t, "to who filed", []told{
			{timeline.DeclarationSubmitted, "submitted", me},
			{timeline.DeclarationInCharge, "in_charge", world.Rome},
			{timeline.DeclarationInCharge, "in_charge", world.Rome},
			{timeline.DeclarationDecided, "accepted", world.Rome},
			{timeline.DeclarationSubmitted, "submitted", me},
			{timeline.DeclarationSuperseded, "superseded", "nobody"},
			{timeline.DeclarationWithdrawn, "withdrawn", me},
		}, got)
		if got := short(t, s, desk, timeline.Filter{}); got[1].by != desk.PersonID.String() {
			t.Errorf("the office is told that %s took it in charge", got[1].by)
		}
		all := list(t, s, by, timeline.Filter{})
		e := all[len(all)-1]
		if e.Kind != timeline.Declaration || e.SubjectID != first.ID || e.Code != first.Type || !e.Filed || e.PositionID == nil ||
			*e.PositionID != first.PositionID || e.ProtocolNumber != *first.ProtocolNumber || !e.At.Equal(*first.SubmittedAt) ||
			e.By.FamilyName != "Rossi" || e.By.ActingAs != access.LegalRepresentative {
			t.Errorf("the filing is %+v", e)
		}
		if all[0].SubjectID != next.ID || all[0].Filed || all[0].ProtocolNumber != *next.ProtocolNumber {
			t.Errorf("the withdrawal is %+v", all[0])
		}
	})
}

func TestTimeline_TellsWhatWaitsForCredentials(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		a.Submit(t, ordinary, c)
		a.Clock.Advance(time.Hour)
		a.Exec(t, "UPDATE people SET credential_level = 'dispositive' WHERE id = ?", ordinary.PersonID)
		a.Must(t, func(ctx context.Context) error { return a.Declarations.CompleteFor(ctx, ordinary.PersonID) })
		same(t, "what waited", []told{
			{timeline.DeclarationAwaitingCredentials, "awaiting_credentials", ordinary.PersonID.String()},
			{timeline.DeclarationSubmitted, "submitted", "nobody"},
		}, short(t, s, by, timeline.Filter{}))
	})
}

// Everybody is told what they may see, by what their rights are about.
func TestTimeline_ShowsWhatOneMaySee(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t, world.Rome, world.Milan)
		other, stranger := a.Employer(t)
		at := func(i int) declaration.View {
			a.Clock.Advance(time.Minute)
			in := c.Input(true)
			in.PositionID = c.Positions[i].ID
			filed, err := a.Declarations.Draft(asked("draftDeclaration"), by, c.ID, in)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Declarations.Withdraw(asked("withdrawDeclaration"), by, filed.ID); err != nil {
				t.Fatal(err)
			}
			return filed
		}
		rome, milan := at(0), at(1)
		a.Submit(t, stranger, other)

		mine, delegateID := a.Professional(t)
		delegationID := a.Delegation(t, delegateID, c, nil, c.Positions[1].ID)
		theirs, otherDelegate := a.Professional(t)
		otherID := a.Delegation(t, otherDelegate, c, func(d *world.Delegation) { d.Scope, d.Services = "partial", world.Services(access.Delegations) })
		drafted := a.Delegation(t, delegateID, c, func(d *world.Delegation) { d.State, d.ActivatedAt = "draft", nil })
		a.Clock.Advance(time.Minute)
		for _, id := range []uuid.UUID{delegationID, otherID} {
			record(t, a, by, "activateDelegation", access.WatchedDelegation, "done", c.ID, id)
			record(t, a, by, "sendDelegationOtp", access.WatchedDelegation, "done", c.ID, id)
		}
		record(t, a, by, "revokeDelegation", access.WatchedDelegation, "done", c.ID, drafted)
		record(t, a, by, "grantContributorRole", "role", "done", c.ID, by.Rights[0].ID)
		record(t, a, by, "grantContributorRole", "role", "unknown-person", c.ID, by.Rights[0].ID)

		professional := a.Enter(t, a.Session(t, mine.ID, nil), c.ID)
		otherProfessional := access.Actor{PersonID: theirs.ID, ContributorID: c.ID, Rights: []access.Right{{
			ID: otherID, ContributorID: c.ID, ActingAs: access.Intermediary, Services: world.Services(access.Delegations),
			Positions: []uuid.UUID{c.Positions[0].ID, c.Positions[1].ID}, Links: []access.Link{{Kind: access.DelegationLink, ID: otherID}},
		}}}
		with := func(p access.ActingAs, services ...access.Service) access.Actor {
			return access.Actor{PersonID: by.PersonID, ContributorID: c.ID, Rights: []access.Right{{
				ID: by.Rights[0].ID, ContributorID: c.ID, ActingAs: p, Services: services,
			}}}
		}
		software := func(scopes ...string) access.Actor {
			actor := with(access.LegalRepresentative, access.AllServices)
			actor.Grant = &access.Grant{Scopes: scopes}
			return actor
		}
		filings, delegations, roles := []uuid.UUID{rome.ID, rome.ID, milan.ID, milan.ID}, []uuid.UUID{delegationID, otherID}, []uuid.UUID{by.Rights[0].ID}
		everything := append(append(append([]uuid.UUID{}, filings...), delegations...), roles...)
		for what, c := range map[string]struct {
			by   access.Actor
			want []uuid.UUID
		}{
			"the representative":                    {by, everything},
			"a colleague for declarations":          {with(access.EmployeeDelegate, access.Declarations), filings},
			"a colleague for delegations":           {with(access.EmployeeDelegate, access.Delegations), delegations},
			"a colleague for neither":               {with(access.EmployeeDelegate, access.Dossier), nil},
			"a user administrator":                  {with(access.UserAdministrator, access.ViewPayments), roles},
			"an intermediary of one position":       {professional, []uuid.UUID{milan.ID, milan.ID, delegationID}},
			"an intermediary without declarations":  {otherProfessional, []uuid.UUID{otherID}},
			"the office of one position":            {a.Desk(t, world.Milan, c.ID), []uuid.UUID{milan.ID, milan.ID}},
			"software for declarations":             {software(access.ScopeDossierRead, access.ScopeDeclarationsRead), filings},
			"software for delegations":              {software(access.ScopeDossier, access.ScopeDelegationsRead), delegations},
			"software without the subjects' scopes": {software(access.ScopeDossier), nil},
			"somebody without a right":              {access.Actor{PersonID: by.PersonID, ContributorID: c.ID}, nil},
		} {
			got := map[uuid.UUID]int{}
			for _, e := range list(t, s, c.by, timeline.Filter{}) {
				got[e.SubjectID]++
			}
			want := map[uuid.UUID]int{}
			for _, id := range c.want {
				want[id]++
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s:\n%s", what, diff)
			}
		}
	})
}

func TestTimeline_IsNarrowedDown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t, world.Rome, world.Milan)
		began := a.Clock.Now()
		var ids []uuid.UUID
		for i := range 6 {
			in := c.Input(true)
			in.PositionID = c.Positions[i%2].ID
			filed, err := a.Declarations.Draft(asked("draftDeclaration"), by, c.ID, in)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, filed.ID)
			record(t, a, by, "grantContributorRole", "role", "done", c.ID, by.Rights[0].ID)
			a.Clock.Advance(time.Minute)
		}
		from, to := began.Add(time.Minute), began.Add(4*time.Minute)
		count := func(what string, want int, f timeline.Filter) []timeline.Entry {
			t.Helper()
			got := list(t, s, by, f)
			if len(got) != want {
				t.Errorf("%s: %d entries, want %d", what, len(got), want)
			}
			return got
		}
		count("all", 12, timeline.Filter{})
		count("declarations", 6, timeline.Filter{Kind: timeline.Declaration})
		count("roles", 6, timeline.Filter{Kind: timeline.Role})
		count("delegations", 0, timeline.Filter{Kind: timeline.Delegation})
		got := count("a position", 3, timeline.Filter{PositionID: &c.Positions[1].ID})
		if got[0].SubjectID != ids[5] || got[2].SubjectID != ids[1] {
			t.Errorf("of a position %+v", got)
		}
		count("an unknown position", 0, timeline.Filter{PositionID: new(uuid.New())})
		got = count("a time", 6, timeline.Filter{From: &from, To: &to})
		if !got[0].At.Equal(to.Add(-time.Minute)) || !got[5].At.Equal(from) {
			t.Errorf("from %s to %s", got[5].At, got[0].At)
		}
		_, err := s.Of(ctx, by, timeline.Filter{}, page.Request{Cursor: "x"})
		if !fault.Is(err, fault.Malformed) {
			t.Errorf("a cursor that is none: %v", err)
		}
	})
}

// A page is some ranges of indexes, however much happened.
func TestTimeline_APageIsRangesOfIndexes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t)
		fill(t, a, c, by)
		from := time.Date(2026, 1, 1, 0, 5, 0, 0, time.UTC)
		heard := world.Listen(t, d, "audit_records a")
		for what, f := range map[string]timeline.Filter{
			"all": {}, "declarations": {Kind: timeline.Declaration}, "since": {From: &from}, "a position": {PositionID: &c.Positions[0].ID},
		} {
			request := page.Request{Limit: 10}
			for _, which := range []string{"first", "next"} {
				*heard = nil
				got, err := s.Of(ctx, by, f, request)
				if err != nil || len(got.Items) != 10 || got.Next == "" {
					t.Fatalf("%s page of %s: %d entries, next %q, %v", which, what, len(got.Items), got.Next, err)
				}
				request.Cursor = got.Next
				if len(*heard) != 1 {
					t.Fatalf("%s page of %s: %d statements", which, what, len(*heard))
				}
				for _, plan := range world.Plans(t, d, (*heard)[0]) {
					if !strings.Contains(plan, "audit_records_by_contributor") || !strings.Contains(plan, "declarations_by_contributor") ||
						strings.Contains(plan, "Seq Scan on audit_records") || strings.Contains(plan, "Seq Scan on declarations") ||
						strings.Contains(plan, "Bitmap") || strings.Contains(plan, "SCAN a") || strings.Contains(plan, "SCAN x") {
						t.Errorf("%s page of %s: %s", which, what, plan)
					}
				}
			}
		}
	})
}

// fill makes some thousand declarations of a company, each filed and withdrawn, and as many of
// others.
func fill(t *testing.T, a *world.App, c world.Company, by access.Actor) {
	t.Helper()
	rows := 1_000
	id := "printf('%%08x-0000-7%s-8000-%%012x', i, i)"
	at, cast := "strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || i || ' seconds') || '+00:00'", "?"
	if a.DB.Dialect() == db.Postgres {
		rows = 10_000
		id, at = "(lpad(to_hex(i), 8, '0') || '-0000-7%s-8000-' || lpad(to_hex(i), 12, '0'))::uuid", "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'"
		cast = "?::uuid"
	}
	id = strings.ReplaceAll(id, "%%", "%")
	for i, of := range []world.Company{c, a.Company(t, world.Rome)} {
		subject := strings.Replace(id, "%s", fmt.Sprintf("%03d", i), 1)
		record := strings.Replace(id, "%s", fmt.Sprintf("%03d", 100+i), 1)
		n := fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", rows)
		a.Exec(t, n+`INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content, person_id,
			acting_as, right_id, version, created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
			SELECT `+subject+`, `+cast+`, `+cast+`, ?, 'RIOC', 1, 'single', 'withdrawn', '{}', `+cast+`, 'legal_representative', `+cast+`, 1, `+
			at+`, `+at+`, `+at+`, `+at+`, 'p', 'd' FROM n`, of.ID, of.Positions[0].ID, of.Positions[0].OfficeCode, by.PersonID, by.Rights[0].ID)
		a.Exec(t, n+`INSERT INTO audit_records (id, at, operation, person_id, contributor_id, subject_kind, subject_id, outcome, request_id, address)
			SELECT `+record+`, `+at+`, 'withdrawDeclaration', `+cast+`, `+cast+`, 'declaration', CAST(`+subject+` AS text), 'done', '', '' FROM n`,
			by.PersonID, of.ID)
	}
	if a.DB.Dialect() == db.Postgres {
		// The server does this by itself, in its own time.
		a.Exec(t, "ANALYZE")
	}
}

// What the office does with a ticket is told, what it says among itself is not; a smart task is a
// ticket of its own kind.
func TestTimeline_TellsWhatBecameOfTickets(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t, world.Rome, world.Milan)
		desk := a.Desk(t, world.Rome, c.ID)
		request, task := ticket(t, a, by, c, "request", &c.Positions[0].ID), ticket(t, a, by, c, "smart_task", nil)
		tell := func(who access.Actor, operation, detail string, id uuid.UUID) {
			a.Clock.Advance(time.Minute)
			recordAs(t, a, who, operation, access.WatchedTicket, "done", &detail, c.ID, id)
		}
		tell(by, "openTicket", "", request)
		tell(desk, "takeTicketInCharge", "", request)
		tell(desk, "commentTicket", `{"state":"in_charge","visibility":"internal"}`, request)
		tell(desk, "commentTicket", `{"state":"in_charge","visibility":"visible"}`, request)
		tell(desk, "releaseTicket", "", request)
		tell(by, "addTicketComment", "", request)
		tell(desk, "closeTicket", "", request)
		me := by.PersonID.String()
		want := []told{
			{timeline.TicketOpened, "open", me},
			{timeline.TicketInCharge, "in_charge", world.Rome},
			{timeline.TicketCommented, "", world.Rome},
			{timeline.TicketCommented, "", me},
			{timeline.TicketClosed, "closed", world.Rome},
		}
		same(t, "a ticket", want, short(t, s, by, timeline.Filter{Kind: timeline.Ticket}))
		tell(by, "requestSmartTask", "", task)
		tell(access.Actor{}, "takeSmartTaskInCharge", "", task)
		tell(access.Actor{}, "decideSmartTask", "", task)
		if got := short(t, s, by, timeline.Filter{Kind: timeline.SmartTask}); len(got) != 3 || got[0].happened != timeline.TicketOpened ||
			got[2].happened != timeline.TicketClosed {
			t.Errorf("a smart task: %+v", got)
		}
		same(t, "a ticket beside a smart task", want, short(t, s, by, timeline.Filter{Kind: timeline.Ticket}))
		all := list(t, s, by, timeline.Filter{})
		if e := all[len(all)-1]; len(all) != 8 || e.Kind != timeline.Ticket || e.ProtocolNumber == "" || e.Code == "" || e.PositionID == nil {
			t.Errorf("%d entries, the first %+v", len(all), e)
		}
		if e := all[0]; e.Kind != timeline.SmartTask || e.SubjectID != task {
			t.Errorf("the last is %+v", e)
		}
		limited := access.Actor{ContributorID: c.ID, Rights: []access.Right{{
			ActingAs: access.Intermediary, Services: world.Services(access.Dossier), Positions: []uuid.UUID{c.Positions[0].ID},
		}}}
		if got := list(t, s, limited, timeline.Filter{}); len(got) != 5 {
			t.Errorf("for one position %d entries", len(got))
		}
		limited.Rights[0].Services = world.Services(access.Declarations)
		if got := list(t, s, limited, timeline.Filter{}); len(got) != 0 {
			t.Errorf("without the dossier %d entries", len(got))
		}
		if got := list(t, s, a.Desk(t, world.Milan, c.ID), timeline.Filter{}); len(got) != 0 {
			t.Errorf("another office sees %+v", got)
		}
	})
}

func TestTimeline_TellsWhatBecameOfMonthlyLists(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t, world.Rome, world.Milan)
		id, now := uuid.Must(uuid.NewV7()), a.Clock.Now()
		a.Exec(t, `INSERT INTO dma_submissions (id, contributor_id, position_id, office_code, period, variations_only, form, size, totals,
			person_id, acting_as, right_id, protocol_number, digest, awaited, state, submitted_at, updated_at, version)
			VALUES ( ?, ?, ?, ?, '2026-02', ?, 'compiled', 1, '{}', ?, 'legal_representative', ?, 'p', 'd', ?, 'superseded', ?, ?, 1)`,
			id, c.ID, c.Positions[0].ID, world.Rome, false, by.PersonID, by.Rights[0].ID, true, now, now)
		for _, r := range []struct{ operation, detail string }{
			{"fileDmaSubmission", `{"state":"awaiting_credentials"}`},
			{"completeDmaSubmission", `{"state":"submitted"}`},
			{"supersedeDmaSubmission", `{"state":"superseded"}`},
		} {
			a.Clock.Advance(time.Minute)
			who := access.Actor{}
			if r.operation == "fileDmaSubmission" {
				who = by
			}
			recordAs(t, a, who, r.operation, access.WatchedDMA, "done", &r.detail, c.ID, id)
		}
		want := []told{
			{timeline.DMAAwaitingCredentials, "awaiting_credentials", by.PersonID.String()},
			{timeline.DMASubmitted, "submitted", "nobody"},
			{timeline.DMASuperseded, "superseded", "nobody"},
		}
		same(t, "a list", want, short(t, s, by, timeline.Filter{Kind: timeline.DMA}))
		for service, n := range map[access.Service]int{access.ViewDMA: 3, access.Dossier: 0, access.CompileDMA: 0} {
			actor := access.Actor{ContributorID: c.ID, Rights: []access.Right{{
				ActingAs: access.EmployeeDelegate, Services: world.Services(service), Positions: []uuid.UUID{c.Positions[0].ID},
			}}}
			if got := list(t, s, actor, timeline.Filter{}); len(got) != n {
				t.Errorf("with %s %d entries, want %d", service, len(got), n)
			}
		}
	})
}

// ticket adds a ticket of the kind at the office in Rome.
func ticket(t *testing.T, a *world.App, by access.Actor, c world.Company, kind string, position *uuid.UUID) uuid.UUID {
	t.Helper()
	id, now := uuid.Must(uuid.NewV7()), a.Clock.Now()
	a.Exec(t, `INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, email, person_id, right_id,
		acting_as, attachments, protocol_number, digest, opened_at, state, version, updated_at)
		SELECT ?, ?, ?, ?, ?, (SELECT MIN(code) FROM ticket_topics WHERE parent_code IS NOT NULL), 'x', 'x', 'x@example.com', ?, ?,
		'legal_representative', '[]', 'INPS.7000.16/03/2026.0000001', 'd', ?, 'open', 1, ?`,
		id, kind, c.ID, position, world.Rome, by.PersonID, by.Rights[0].ID, now, now)
	return id
}
