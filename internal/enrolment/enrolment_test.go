package enrolment_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/access"
	"diresco/internal/contributor"
	"diresco/internal/coretest"
	"diresco/internal/dbtest"
	"diresco/internal/enrolment"
	"diresco/internal/fault"
	"diresco/internal/page"
	"diresco/internal/taxcode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
)

func TestAcceptedThePersonHasTheRole(t *testing.T) {
	all := []access.Service{access.AllServices}
	cases := map[string]struct {
		kind     contributor.Kind
		services []access.Service
		want     access.Right
	}{
		"SC65 of a company":            {contributor.Company, nil, access.Right{ActingAs: access.LegalRepresentative, Services: all}},
		"SC65 of a self-employed":      {contributor.SelfEmployed, nil, access.Right{ActingAs: access.LegalRepresentative, Services: all}},
		"SC65 of a household employer": {contributor.Household, nil, access.Right{ActingAs: access.Employer, Services: all}},
		"RA012 of a public body": {contributor.PublicBody, []access.Service{access.ViewPayments, access.ViewDMA},
			access.Right{ActingAs: access.EmployeeDelegate, Services: []access.Service{access.ViewPayments, access.ViewDMA}}},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for name, c := range cases {
			at := w.contributor(c.kind, coretest.Milan)
			by, desk := w.citizen(access.Dispositive), w.operator(coretest.Milan)
			in := sc65(at)
			if c.services != nil {
				in = ra012(at, c.services...)
			}
			filed := w.file(by, in)
			if filed.State != enrolment.Submitted || filed.OfficeCode != coretest.Milan || !strings.HasPrefix(filed.ProtocolNumber, "INPS.4900.16/03/2026.") {
				t.Errorf("%s: filed as %+v", name, filed)
			}
			if got := w.rights(by, at); len(got) != 0 {
				t.Errorf("%s: before the decision %v", name, got)
			}
			decided := w.decide(desk, filed.ID, enrolment.Accepted)
			if decided.State != enrolment.Accepted || *decided.DecidedBy != desk.PersonID || decided.DecidedAt == nil || *decided.Reason != "Incarico documentato" {
				t.Errorf("%s: decided as %+v", name, decided)
			}
			c.want.ContributorID = at.ID
			if diff := cmp.Diff([]access.Right{c.want}, w.rights(by, at)); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
			if diff := cmp.Diff([]string{enrolment.Received, enrolment.Decided}, w.messages(by.PersonID)); diff != "" {
				t.Error(diff)
			}
			for _, operation := range []string{"fileEnrolment", "decideEnrolment"} {
				if n := w.Count(t, "audit_records WHERE operation = ? AND subject_id = ? AND contributor_id = ?", operation, filed.ID.String(), at.ID); n != 1 {
					t.Errorf("%s: %d audit records of %s", name, n, operation)
				}
			}
			if n := w.Count(t, "contributor_roles WHERE person_id = ? AND granted_by = ?", by.PersonID, desk.PersonID); n != 1 {
				t.Errorf("%s: the role does not say who gave it", name)
			}
			_, err := w.service.File(ctx, by, in)
			conflict(t, name+" once more", err, "already-enabled")
			_, err = w.service.Decide(ctx, desk, filed.ID, enrolment.Decision{Outcome: enrolment.NotAccepted, Reason: "Altro"})
			conflict(t, "decided once more", err, "enrolment-decided")
		}
	})
}

// TestARoleIsExtended: who is an employee delegate already has one role, with what was asked for beside what it had.
func TestARoleIsExtended(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		body, by := w.contributor(contributor.PublicBody, coretest.Rome), w.citizen(access.Dispositive)
		role := w.Role(t, by.PersonID, body.ID, access.EmployeeDelegate, access.Declarations, access.ViewDMA)
		filed := w.file(by, ra012(body, access.ViewDMA, access.CompileDMA))
		w.decide(w.operator(coretest.Rome), filed.ID, enrolment.Accepted)
		rights, err := w.Contributors.Held(ctx, by.PersonID, body.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := []access.Right{{ID: role, ContributorID: body.ID, ActingAs: access.EmployeeDelegate, Services: []access.Service{access.Declarations, access.ViewDMA, access.CompileDMA}}}
		if diff := cmp.Diff(want, rights); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNotAcceptedChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by := w.contributor(contributor.Company, coretest.Rome), w.citizen(access.Dispositive)
		filed := w.file(by, sc65(company))
		w.decide(w.operator(coretest.Rome), filed.ID, enrolment.NotAccepted)
		if got := w.rights(by, company); len(got) != 0 {
			t.Errorf("has %v", got)
		}
		// Another request can be filed.
		if again := w.file(by, sc65(company)); again.ID == filed.ID || again.State != enrolment.Submitted {
			t.Errorf("again as %+v", again)
		}
	})
}

func TestWhatIsNotFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, body := w.contributor(contributor.Company, coretest.Rome), w.contributor(contributor.PublicBody, coretest.Rome)
		nowhere := w.contributor(contributor.Company)
		by := w.citizen(access.Dispositive)
		text := func(s string) *string { return &s }
		cases := map[string]struct {
			in     enrolment.Input
			fields []string
		}{
			"SC65 with services":     {enrolment.Input{Form: enrolment.SC65, ContributorTaxCode: company.TaxCode, Services: []access.Service{access.ViewDMA}}, []string{"/services", "not-applicable"}},
			"RA012 without services": {ra012(body), []string{"/services", "required"}},
			"services of others":     {ra012(body, access.Declarations, access.ViewDMA, access.ViewDMA), []string{"/services/0", "enum", "/services/2", "duplicate"}},
			"an unknown form":        {enrolment.Input{Form: "SC66", ContributorTaxCode: company.TaxCode}, []string{"/form", "enum"}},
			"notes with a bell":      {enrolment.Input{Form: enrolment.SC65, ContributorTaxCode: company.TaxCode, Notes: text("\a")}, []string{"/notes", "pattern"}},
			"SC65 of a public body":  {sc65(body), []string{"/form", "not-applicable"}},
			"RA012 of a company":     {ra012(company, access.ViewDMA), []string{"/form", "not-applicable"}},
			"an unknown contributor": {enrolment.Input{Form: enrolment.SC65, ContributorTaxCode: by.TaxCode}, []string{"/contributor_tax_code", "unknown-contributor"}},
			"an unknown office":      {enrolment.Input{Form: enrolment.SC65, ContributorTaxCode: company.TaxCode, OfficeCode: "9999"}, []string{"/office_code", "unknown-office"}},
			"no office":              {sc65(nowhere), []string{"/office_code", "office-needed"}},
		}
		for name, c := range cases {
			_, err := w.service.File(ctx, by, c.in)
			refused(t, name, err, fault.Invalid, c.fields...)
		}
		if n := w.Count(t, "enrolments") + w.Count(t, "protocol_entries"); n != 0 {
			t.Errorf("%d rows", n)
		}
		named := sc65(nowhere)
		named.OfficeCode, named.Notes = coretest.Milan, text("due\nrighe")
		if h := w.file(by, named); h.OfficeCode != coretest.Milan || *h.Notes != "due\nrighe" {
			t.Errorf("filed as %+v", h)
		}
	})
}

// TestWhoWasEnabledOn20230331 and has a role there need not ask again; others at the same body do.
func TestWhoWasEnabledOn20230331(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		body := w.contributor(contributor.PublicBody, coretest.Rome)
		w.Exec(t, "UPDATE contributors SET enabled_2023 = ? WHERE id = ?", true, body.ID)
		enabled, stranger := w.citizen(access.Dispositive), w.citizen(access.Dispositive)
		w.Role(t, enabled.PersonID, body.ID, access.EmployeeDelegate, access.Declarations)
		_, err := w.service.File(ctx, enabled, ra012(body, access.ViewPayments))
		conflict(t, "who was enabled", err, "already-enabled")
		w.file(stranger, ra012(body, access.ViewPayments))
	})
}

func TestOneOpenRequestForTheSame(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		body, other := w.contributor(contributor.PublicBody, coretest.Rome), w.contributor(contributor.PublicBody, coretest.Rome)
		by := w.citizen(access.Dispositive)
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, errs[i] = w.service.File(ctx, by, ra012(body, access.ViewPayments)) })
		}
		all.Wait()
		filed := 0
		for _, err := range errs {
			if err == nil {
				filed++
				continue
			}
			conflict(t, "the same at once", err, "enrolment-open")
		}
		if filed != 1 || w.Count(t, "enrolments") != 1 || w.Count(t, "protocol_entries") != 1 {
			t.Errorf("%d were filed", filed)
		}
		w.file(by, ra012(other, access.ViewPayments))
		w.file(w.citizen(access.Dispositive), ra012(body, access.ViewPayments))
	})
}

func TestARepeatGetsWhatWasFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by := w.contributor(contributor.Company, coretest.Rome), w.citizen(access.Ordinary)
		first, err := w.service.File(withKey(by, "key-1"), by, sc65(company))
		if err != nil {
			t.Fatal(err)
		}
		w.becomesDispositive(by)
		w.decide(w.operator(coretest.Rome), first.ID, enrolment.Accepted)
		again, err := w.service.File(withKey(by, "key-1"), by, sc65(company))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again, cmpopts.EquateComparable(taxcode.Code{})); diff != "" {
			t.Error(diff)
		}
	})
}

// TestOrdinaryCredentialsWait until they are dispositive, under the number that the request always had.
func TestOrdinaryCredentialsWait(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by, desk := w.contributor(contributor.Company, coretest.Rome), w.citizen(access.Ordinary), w.operator(coretest.Rome)
		filed := w.file(by, sc65(company))
		if filed.State != enrolment.AwaitingCredentials {
			t.Fatalf("filed as %s", filed.State)
		}
		_, err := w.service.Decide(ctx, desk, filed.ID, enrolment.Decision{Outcome: enrolment.Accepted, Reason: "x"})
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
		w.decide(desk, filed.ID, enrolment.Accepted)
		if diff := cmp.Diff([]string{enrolment.Received, enrolment.Completed, enrolment.Decided}, w.messages(by.PersonID)); diff != "" {
			t.Error(diff)
		}
		// Filed on the old session after the credentials became dispositive, nothing waits.
		if h := w.file(by, sc65(w.contributor(contributor.Company, coretest.Rome))); h.State != enrolment.Submitted {
			t.Errorf("filed as %s", h.State)
		}
	})
}

// TestWhatWaitsLapses at the end of the thirtieth day in Rome, whether somebody notes it or not.
func TestWhatWaitsLapses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by, desk := w.contributor(contributor.Company, coretest.Rome), w.citizen(access.Ordinary), w.operator(coretest.Rome)
		filed := w.file(by, sc65(company))
		other := w.citizen(access.Ordinary)
		late := w.file(other, sc65(company))
		end := time.Date(2026, 4, 15, 22, 0, 0, 0, time.UTC)
		w.Clock.Advance(end.Add(-time.Second).Sub(w.Clock.Now()))
		source := w.waiting.Lapses()
		if _, found, err := source.Next(ctx, coretest.Start, w.Clock.Now()); found || err != nil {
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
		if got := w.state(by, filed.ID); got != enrolment.Lapsed || listed(enrolment.Lapsed) != 2 || listed(enrolment.AwaitingCredentials) != 0 {
			t.Errorf("at its end it is %s", got)
		}
		_, err := w.service.Decide(ctx, desk, filed.ID, enrolment.Decision{Outcome: enrolment.Accepted, Reason: "x"})
		conflict(t, "what lapsed", err, "enrolment-lapsed")

		// Somebody who files again notes the lapse of their own; the due event that of the others.
		w.Clock.Advance(time.Hour)
		if again := w.file(by, sc65(company)); again.State != enrolment.AwaitingCredentials {
			t.Errorf("again as %s", again.State)
		}
		at, found, err := source.Next(ctx, coretest.Start, w.Clock.Now())
		if err != nil || !found || !at.Equal(end) {
			t.Errorf("lapses at %v %v %v", at, found, err)
		}
		w.becomesDispositive(other)
		if got := w.state(other, late.ID); got != enrolment.Lapsed {
			t.Errorf("dispositive too late, it is %s", got)
		}
		w.Must(t, func(ctx context.Context) error { return source.Do(ctx, coretest.Start, w.Clock.Now()) })
		for id, who := range map[uuid.UUID]access.Actor{filed.ID: by, late.ID: other} {
			if n := w.Count(t, "audit_records WHERE operation = 'lapseEnrolment' AND subject_id = ?", id.String()); n != 1 {
				t.Errorf("%d audit records of the lapse", n)
			}
			if kinds := w.messages(who.PersonID); kinds[1] != enrolment.LapsedKind {
				t.Errorf("told %v", kinds)
			}
		}
	})
}

// TestTheDueEventNotesLapses of everybody, once.
func TestTheDueEventNotesLapses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company := w.contributor(contributor.Company, coretest.Rome)
		for range 3 {
			w.file(w.citizen(access.Ordinary), sc65(company))
		}
		w.Clock.Advance(40 * 24 * time.Hour)
		for range 2 {
			w.Must(t, func(ctx context.Context) error { return w.waiting.Lapses().Do(ctx, coretest.Start, w.Clock.Now()) })
		}
		if n, lapsed := w.Count(t, "audit_records WHERE operation = 'lapseEnrolment'"), w.Count(t, "enrolments WHERE state = 'lapsed'"); n != 3 || lapsed != 3 {
			t.Errorf("%d lapsed, %d records", lapsed, n)
		}
	})
}

func TestWhoSeesAndDecides(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by := w.contributor(contributor.Company, coretest.Rome), w.citizen(access.Dispositive)
		filed := w.file(by, sc65(company))
		elsewhere, other := w.operator(coretest.Milan), w.citizen(access.Dispositive)
		_, err := w.service.Show(ctx, other, filed.ID)
		refused(t, "another citizen", err, fault.NotFound)
		_, err = w.service.ShowAtOffice(ctx, elsewhere, filed.ID)
		refused(t, "another office", err, fault.NotFound)
		_, err = w.service.Decide(ctx, elsewhere, filed.ID, enrolment.Decision{Outcome: enrolment.Accepted, Reason: "x"})
		refused(t, "decided elsewhere", err, fault.NotFound)
		_, err = w.service.Decide(ctx, w.operator(coretest.Rome), filed.ID, enrolment.Decision{Outcome: enrolment.Submitted, Reason: " "})
		refused(t, "no decision", err, fault.Invalid, "/outcome", "enum", "/reason", "pattern")

		// Who filed becomes an operator of the office, and does not decide about it.
		w.Exec(t, "UPDATE people SET user_class = 'operator', office_code = ? WHERE id = ?", coretest.Rome, by.PersonID)
		_, err = w.service.Decide(ctx, w.enter(by.PersonID), filed.ID, enrolment.Decision{Outcome: enrolment.Accepted, Reason: "x"})
		refused(t, "one's own", err, fault.Forbidden)
		if got := w.rights(by, company); len(got) != 0 {
			t.Errorf("has %v", got)
		}
	})
}

func TestListsComeInPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by, desk := w.citizen(access.Dispositive), w.operator(coretest.Rome)
		var filed []uuid.UUID
		for range 5 {
			filed = append(filed, w.file(by, sc65(w.contributor(contributor.Company, coretest.Rome))).ID)
			w.Clock.Advance(time.Second)
		}
		walk := func(list func(page.Request) (page.Page[enrolment.Held], error)) (ids []uuid.UUID) {
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
		oldest := walk(func(r page.Request) (page.Page[enrolment.Held], error) {
			return w.service.OfOffice(ctx, desk, enrolment.Submitted, r)
		})
		if diff := cmp.Diff(filed, oldest); diff != "" {
			t.Error(diff)
		}
		newest := walk(func(r page.Request) (page.Page[enrolment.Held], error) { return w.service.Mine(ctx, by, r) })
		for i, id := range newest {
			if id != filed[len(filed)-1-i] {
				t.Fatalf("mine are %v", newest)
			}
		}
	})
}
