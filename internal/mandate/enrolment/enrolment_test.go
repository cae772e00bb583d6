package enrolment_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/mandate/enrolment"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestEnrolment_AcceptedThePersonHasTheRole(t *testing.T) {
	all := []access.Service{access.AllServices}
	cases := map[string]struct {
		kind     contributor.Kind
		services []access.Service
		want     access.Right
	}{
		"SC65 of a company":            {contributor.Company, nil, access.Right{ActingAs: access.LegalRepresentative, Services: all}},
		"SC65 of a self-employed":      {contributor.SelfEmployed, nil, access.Right{ActingAs: access.LegalRepresentative, Services: all}},
		"SC65 of a household employer": {contributor.Household, nil, access.Right{ActingAs: access.Employer, Services: all}},
		"RA012 of a public body": {
			contributor.PublicBody,
			[]access.Service{access.ViewPayments, access.ViewDMA},
			access.Right{ActingAs: access.EmployeeDelegate, Services: []access.Service{access.ViewPayments, access.ViewDMA}},
		},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for name, c := range cases {
			at := w.contributor(c.kind, world.Milan)
			by, desk := w.citizen(access.Dispositive), w.operator(world.Milan)
			in := sc65(at)
			if c.services != nil {
				in = ra012(at, c.services...)
			}
			filed := w.file(by, in)
			if filed.State != enrolment.Submitted || filed.OfficeCode != world.Milan ||
				!strings.HasPrefix(filed.ProtocolNumber, "INPS.4900.16/03/2026.") {
				t.Errorf("%s: filed as %+v", name, filed)
			}
			if got := w.rights(by, at); len(got) != 0 {
				t.Errorf("%s: before the decision %v", name, got)
			}
			decided := w.decide(desk, filed.ID, review.Accepted)
			if decided.State != enrolment.Accepted || *decided.DecidedBy != desk.PersonID || decided.DecidedAt == nil ||
				*decided.Reason != "Incarico documentato" {
				t.Errorf("%s: decided as %+v", name, decided)
			}
			c.want.ContributorID = at.ID
			if diff := cmp.Diff([]access.Right{c.want}, w.rights(by, at)); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
			if diff := cmp.Diff([]string{enrolment.Received.Name, enrolment.Decided.Name}, w.messages(by.PersonID)); diff != "" {
				t.Error(diff)
			}
			for _, operation := range []string{"fileEnrolment", "decideEnrolment"} {
				if n := w.Count(t, "audit_records WHERE operation = ? AND subject_id = ? AND "+
					"contributor_id = ?", operation, filed.ID.String(), at.ID); n != 1 {
					t.Errorf("%s: %d audit records of %s", name, n, operation)
				}
			}
			if n := w.Count(
				t,
				"audit_records WHERE operation = 'decideEnrolment' AND subject_id = ? AND person_id = ? AND acting_as = 'operator' "+
					"AND right_id = ?",
				filed.ID.String(), desk.PersonID, desk.PersonID,
			); n != 1 {
				t.Errorf("%s: %d audit records say by which right it was decided", name, n)
			}
			if n := w.Count(t, "contributor_roles WHERE person_id = ? AND granted_by = ?", by.PersonID, desk.PersonID); n != 1 {
				t.Errorf("%s: the role does not say who gave it", name)
			}
			_, err := w.service.File(ctx, by, in)
			conflict(t, name+" once more", err, "already-enabled")
			_, err = w.service.Decide(ctx, desk, filed.ID, review.Decision{Outcome: review.NotAccepted, Reason: "Altro"})
			conflict(t, "decided once more", err, "enrolment-decided")
		}
	})
}

// TestEnrolment_ARoleIsExtended: who is an employee delegate already has one role, with what was
// asked for beside what it had.
func TestEnrolment_ARoleIsExtended(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		body, by := w.contributor(contributor.PublicBody, world.Rome), w.citizen(access.Dispositive)
		role := w.Role(t, by.PersonID, body.ID, access.EmployeeDelegate, access.Declarations, access.ViewDMA)
		filed := w.file(by, ra012(body, access.ViewDMA, access.CompileDMA))
		w.decide(w.operator(world.Rome), filed.ID, review.Accepted)
		rights, err := w.Contributors.RightsOf(ctx, by.PersonID, body.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := []access.Right{{
			ID: role, ContributorID: body.ID, ActingAs: access.EmployeeDelegate,
			Services: []access.Service{access.Declarations, access.ViewDMA, access.CompileDMA},
		}}
		if diff := cmp.Diff(want, rights); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEnrolment_NotAcceptedChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by := w.contributor(contributor.Company, world.Rome), w.citizen(access.Dispositive)
		filed := w.file(by, sc65(company))
		w.decide(w.operator(world.Rome), filed.ID, review.NotAccepted)
		if got := w.rights(by, company); len(got) != 0 {
			t.Errorf("has %v", got)
		}
		// Another request can be filed.
		if again := w.file(by, sc65(company)); again.ID == filed.ID || again.State != enrolment.Submitted {
			t.Errorf("again as %+v", again)
		}
	})
}

// TestEnrolment_WhoAnswersForTheContributorIsTold of a request for it, and once more when it is
// accepted; nobody else is, and nobody twice.
func TestEnrolment_WhoAnswersForTheContributorIsTold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by, desk := w.contributor(contributor.Company, world.Rome), w.citizen(access.Ordinary), w.operator(world.Rome)
		people := map[access.ActingAs]access.Actor{}
		for _, role := range []access.ActingAs{
			access.LegalRepresentative, access.Employer, access.EmployeeDelegate, access.UserAdministrator,
		} {
			people[role] = w.citizen(access.Dispositive)
			w.Role(t, people[role].PersonID, company.ID, role, access.AllServices)
		}
		w.Role(t, people[access.LegalRepresentative].PersonID, company.ID, access.Employer, access.AllServices)
		former := w.citizen(access.Dispositive)
		w.WithdrawRole(t, w.Role(t, former.PersonID, company.ID, access.LegalRepresentative, access.AllServices))
		// Who asks is an employer there: they are told as who asks.
		w.Role(t, by.PersonID, company.ID, access.Employer, access.AllServices)

		filed := w.file(by, sc65(company))
		told := func(kinds ...string) {
			t.Helper()
			for role, p := range people {
				want := kinds
				if role == access.EmployeeDelegate || role == access.UserAdministrator {
					want = nil
				}
				if diff := cmp.Diff(want, w.messages(p.PersonID)); diff != "" {
					t.Errorf("%s:\n%s", role, diff)
				}
			}
			if got := w.messages(former.PersonID); len(got) != 0 {
				t.Errorf("a former legal representative was told %v", got)
			}
		}
		told(enrolment.FiledKind.Name)
		var data map[string]string
		if err := json.Unmarshal([]byte(w.data(people[access.Employer].PersonID)), &data); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"person": "Mario R.", "form": "SC65", "legal_name": company.LegalName, "office": "Roma",
			"protocol_number": filed.ProtocolNumber, "submitted_at": "2026-03-16T08:15:00Z",
		}
		if diff := cmp.Diff(want, data); diff != "" {
			t.Error(diff)
		}
		w.becomesDispositive(by)
		w.decide(desk, filed.ID, review.NotAccepted)
		told(enrolment.FiledKind.Name)
		again := w.file(by, sc65(company))
		w.decide(desk, again.ID, review.Accepted)
		told(enrolment.FiledKind.Name, enrolment.FiledKind.Name, enrolment.AcceptedKind.Name)
		if diff := cmp.Diff([]string{
			enrolment.Received.Name, enrolment.Completed.Name, enrolment.Decided.Name, enrolment.Received.Name, enrolment.Decided.Name,
		}, w.messages(by.PersonID)); diff != "" {
			t.Error(diff)
		}
		if err := json.Unmarshal([]byte(w.data(people[access.Employer].PersonID)), &data); err != nil ||
			data["protocol_number"] != again.ProtocolNumber || data["person"] != "Mario R." {
			t.Errorf("told %v, %v", data, err)
		}
	})
}

// TestEnrolment_AnAcceptanceConfirmsTheIdentity: the office identified the person, so nobody gets a
// role whose identity is unconfirmed.
func TestEnrolment_AnAcceptanceConfirmsTheIdentity(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, desk := w.contributor(contributor.Company, world.Rome), w.operator(world.Rome)
		confirmed := func(by access.Actor) *time.Time {
			t.Helper()
			p, err := w.people.ByID(ctx, by.PersonID)
			if err != nil {
				t.Fatal(err)
			}
			return p.IdentityConfirmedAt
		}
		records := func(by access.Actor) int {
			return w.Count(
				t,
				"audit_records WHERE operation = 'confirmIdentity' AND subject_kind = 'person' AND subject_id = ? AND person_id = ? AND "+
					"acting_as = 'operator'",
				by.PersonID.String(), desk.PersonID,
			)
		}
		refused, accepted, known := w.citizen(access.Dispositive), w.citizen(access.Dispositive), w.citizen(access.Dispositive)
		earlier := w.Clock.Now()
		w.Exec(t, "UPDATE people SET identity_confirmed_at = ? WHERE id = ?", earlier, known.PersonID)

		w.decide(desk, w.file(refused, sc65(company)).ID, review.NotAccepted)
		if confirmed(refused) != nil || records(refused) != 0 {
			t.Error("a refusal confirmed an identity")
		}
		w.decide(desk, w.file(accepted, sc65(company)).ID, review.Accepted)
		if at := confirmed(accepted); at == nil || !at.Equal(w.Clock.Now()) || records(accepted) != 1 {
			t.Errorf("confirmed at %v, %d records", at, records(accepted))
		}
		w.decide(desk, w.file(known, sc65(company)).ID, review.Accepted)
		if at := confirmed(known); !at.Equal(earlier) || records(known) != 0 {
			t.Errorf("confirmed again at %v, %d records", at, records(known))
		}
	})
}

func TestEnrolment_ARepeatGetsWhatWasFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by := w.contributor(contributor.Company, world.Rome), w.citizen(access.Ordinary)
		first, err := w.service.File(withKey(by, "key-1"), by, sc65(company))
		if err != nil {
			t.Fatal(err)
		}
		w.becomesDispositive(by)
		w.decide(w.operator(world.Rome), first.ID, review.Accepted)
		repeat := func() {
			t.Helper()
			again, err := w.service.File(withKey(by, "key-1"), by, sc65(company))
			// What the contributor is now is shown beside the request; nothing of that was
			// answered.
			again.ContributorKind = first.ContributorKind
			if diff := cmp.Diff(first, again, cmpopts.EquateComparable(taxcode.Code{})); err != nil || diff != "" {
				t.Error(err, diff)
			}
		}
		repeat()
		// Even where it could not be filed any more.
		w.Exec(t, "UPDATE contributors SET kind = ? WHERE id = ?", contributor.PublicBody, company.ID)
		repeat()
		if n := w.Count(t, "audit_records WHERE operation = 'fileEnrolment'"); n != 1 {
			t.Errorf("%d audit records", n)
		}
	})
}

// TestEnrolment_OrdinaryCredentialsWait until they are dispositive, under the number that the
// request always had.
func TestEnrolment_OrdinaryCredentialsWait(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by, desk := w.contributor(contributor.Company, world.Rome), w.citizen(access.Ordinary), w.operator(world.Rome)
		filed := w.file(by, sc65(company))
		if filed.State != enrolment.AwaitingCredentials {
			t.Fatalf("filed as %s", filed.State)
		}
		_, err := w.service.Decide(ctx, desk, filed.ID, review.Decision{Outcome: review.Accepted, Reason: "x"})
		conflict(t, "what waits", err, "enrolment-awaiting-credentials")
		_, err = w.service.File(ctx, by, sc65(company))
		conflict(t, "another while one waits", err, "enrolment-open")
		w.Clock.Advance(24 * time.Hour)
		w.becomesDispositive(by)
		shown, err := w.service.Show(ctx, by, filed.ID)
		want := filed
		want.State, want.Version = enrolment.Submitted, 2
		if diff := cmp.Diff(want, shown, cmpopts.EquateComparable(taxcode.Code{})); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if n := w.Count(t, "audit_records WHERE operation = 'completeEnrolment' AND subject_id = ?", filed.ID.String()); n != 1 {
			t.Errorf("%d audit records", n)
		}
		w.decide(desk, filed.ID, review.Accepted)
		if diff := cmp.Diff([]string{
			enrolment.Received.Name, enrolment.Completed.Name, enrolment.Decided.Name,
		}, w.messages(by.PersonID)); diff != "" {
			t.Error(diff)
		}
		// Filed on the old session after the credentials became dispositive, nothing waits.
		if h := w.file(by, sc65(w.contributor(contributor.Company, world.Rome))); h.State != enrolment.Submitted {
			t.Errorf("filed as %s", h.State)
		}
	})
}

// lapse does what is due by now.
func (w *fixture) lapse() {
	w.t.Helper()
	w.Must(w.t, func(ctx context.Context) error {
		_, err := w.service.Lapses().Do(ctx, due.Through(world.Start), w.Clock.Now())
		return err
	})
}

// TestEnrolment_WhatWaitsLapses at the end of the thirtieth day in Rome, whether somebody notes it
// or not.
func TestEnrolment_WhatWaitsLapses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by, desk := w.contributor(contributor.Company, world.Rome), w.citizen(access.Ordinary), w.operator(world.Rome)
		filed := w.file(by, sc65(company))
		other := w.citizen(access.Ordinary)
		late := w.file(other, sc65(company))
		end := time.Date(2026, 4, 15, 22, 0, 0, 0, time.UTC)
		w.Clock.Advance(end.Add(-time.Second).Sub(w.Clock.Now()))
		source := w.service.Lapses()
		if _, found, err := source.Next(ctx, due.Through(world.Start), w.Clock.Now()); found || err != nil {
			t.Errorf("something lapses early: %v", err)
		}
		if got := w.state(by, filed.ID); got != enrolment.AwaitingCredentials {
			t.Errorf("a second before it is %s", got)
		}
		listed := func(state enrolment.State) int {
			found, err := w.service.OfOffice(ctx, desk, state, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range found.Items {
				if h.State != state {
					t.Errorf("%s among the %s", h.State, state)
				}
			}
			return len(found.Items)
		}
		if listed(enrolment.AwaitingCredentials) != 2 || listed(enrolment.Lapsed) != 0 {
			t.Error("not listed as waiting")
		}
		w.Clock.Advance(time.Second)
		if got := w.state(by, filed.ID); got != enrolment.Lapsed || listed(enrolment.Lapsed) != 2 ||
			listed(enrolment.AwaitingCredentials) != 0 {
			t.Errorf("at its end it is %s", got)
		}
		_, err := w.service.Decide(ctx, desk, filed.ID, review.Decision{Outcome: review.Accepted, Reason: "x"})
		conflict(t, "what lapsed", err, "enrolment-lapsed")

		// Somebody who files again notes the lapse of their own; the due event that of the others.
		w.Clock.Advance(time.Hour)
		if again := w.file(by, sc65(company)); again.State != enrolment.AwaitingCredentials {
			t.Errorf("again as %s", again.State)
		}
		at, found, err := source.Next(ctx, due.Through(world.Start), w.Clock.Now())
		if err != nil || !found || !at.Equal(end) {
			t.Errorf("lapses at %v %v %v", at, found, err)
		}
		w.becomesDispositive(other)
		if got := w.state(other, late.ID); got != enrolment.Lapsed {
			t.Errorf("dispositive too late, it is %s", got)
		}
		w.lapse()
		for id, who := range map[uuid.UUID]access.Actor{filed.ID: by, late.ID: other} {
			if n := w.Count(t, "audit_records WHERE operation = 'lapseEnrolment' AND subject_id = ?", id.String()); n != 1 {
				t.Errorf("%d audit records of the lapse", n)
			}
			if kinds := w.messages(who.PersonID); kinds[1] != enrolment.LapsedKind.Name {
				t.Errorf("told %v", kinds)
			}
		}
	})
}

// TestEnrolment_TheDueEventNotesLapses of everybody, once.
func TestEnrolment_TheDueEventNotesLapses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company := w.contributor(contributor.Company, world.Rome)
		for range 3 {
			w.file(w.citizen(access.Ordinary), sc65(company))
		}
		w.Clock.Advance(40 * 24 * time.Hour)
		for range 2 {
			w.lapse()
		}
		if n, lapsed := w.Count(
			t, "audit_records WHERE operation = 'lapseEnrolment'",
		), w.Count(t, "enrolments WHERE state = 'lapsed'"); n != 3 || lapsed != 3 {
			t.Errorf("%d lapsed, %d records", lapsed, n)
		}
	})
}

func TestEnrolment_WhoSeesAndDecides(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by := w.contributor(contributor.Company, world.Rome), w.citizen(access.Dispositive)
		filed := w.file(by, sc65(company))
		elsewhere, other := w.operator(world.Milan), w.citizen(access.Dispositive)
		_, err := w.service.Show(ctx, other, filed.ID)
		refused(t, "another citizen", err, fault.NotFound)
		_, err = w.service.ShowAtOffice(ctx, elsewhere, filed.ID)
		refused(t, "another office", err, fault.NotFound)
		_, err = w.service.Decide(ctx, elsewhere, filed.ID, review.Decision{Outcome: review.Accepted, Reason: "x"})
		refused(t, "decided elsewhere", err, fault.NotFound)
		_, err = w.service.Decide(ctx, w.operator(world.Rome), filed.ID, review.Decision{
			Outcome: review.Outcome(enrolment.Submitted), Reason: " ",
		})
		refused(t, "no decision", err, fault.Invalid, "/outcome", "enum", "/reason", "pattern")

		// Who filed becomes an operator of the office, and does not decide about it.
		w.Exec(t, "UPDATE people SET user_class = 'operator', office_code = ? WHERE id = ?", world.Rome, by.PersonID)
		_, err = w.service.Decide(ctx, w.enter(by.PersonID), filed.ID, review.Decision{Outcome: review.Accepted, Reason: "x"})
		refused(t, "one's own", err, fault.Forbidden)
		if got := w.rights(by, company); len(got) != 0 {
			t.Errorf("has %v", got)
		}
	})
}

func TestEnrolment_ListsComeInPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by, desk := w.citizen(access.Dispositive), w.operator(world.Rome)
		var filed []uuid.UUID
		for range 5 {
			filed = append(filed, w.file(by, sc65(w.contributor(contributor.Company, world.Rome))).ID)
			w.Clock.Advance(time.Second)
		}
		walk := func(list func(page.Request) (page.Page[enrolment.Details], error)) (ids []uuid.UUID) {
			for request := (page.Request{Limit: 2}); ; {
				found, err := list(request)
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range found.Items {
					ids = append(ids, h.ID)
				}
				if request.Cursor = found.Next; request.Cursor == "" {
					return ids
				}
			}
		}
		oldest := walk(func(r page.Request) (page.Page[enrolment.Details], error) {
			return w.service.OfOffice(ctx, desk, enrolment.Submitted, r)
		})
		if diff := cmp.Diff(filed, oldest); diff != "" {
			t.Error(diff)
		}
		newest := walk(func(r page.Request) (page.Page[enrolment.Details], error) { return w.service.Mine(ctx, by, r) })
		for i, id := range newest {
			if id != filed[len(filed)-1-i] {
				t.Fatalf("mine are %v", newest)
			}
		}
	})
}
