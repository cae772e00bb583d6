package enrolment_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/mandate/enrolment"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestEnrolment_WhatIsNotFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, body := w.contributor(contributor.Company, world.Rome), w.contributor(contributor.PublicBody, world.Rome)
		nowhere := w.contributor(contributor.Company)
		by := w.citizen(access.Dispositive)
		unknown := world.Company{Contributor: contributor.Contributor{TaxCode: by.TaxCode}}
		text := func(s string) *string { return &s }
		cases := map[string]struct {
			in     enrolment.Input
			fields []string
		}{
			"SC65 with services": {
				enrolment.Input{Form: enrolment.SC65, ContributorTaxCode: company.TaxCode, Services: []access.Service{access.ViewDMA}},
				[]string{"/services", "not-applicable"},
			},
			"RA012 without services": {ra012(body), []string{"/services", "required"}},
			"RA012 with none": {
				enrolment.Input{Form: enrolment.RA012, ContributorTaxCode: body.TaxCode, Services: []access.Service{}},
				[]string{"/services", "too-few"},
			},
			"services of others": {
				ra012(body, access.Declarations, access.ViewDMA, access.ViewDMA),
				[]string{"/services/0", "enum", "/services/2", "duplicate"},
			},
			"an unknown form": {enrolment.Input{Form: "SC66", ContributorTaxCode: company.TaxCode}, []string{"/form", "enum"}},
			"notes with a bell": {
				enrolment.Input{Form: enrolment.SC65, ContributorTaxCode: company.TaxCode, Notes: text("\a")},
				[]string{"/notes", "pattern"},
			},
			"SC65 of a public body":  {sc65(body), []string{"/contributor_tax_code", "unknown-for-form"}},
			"RA012 of a company":     {ra012(company, access.ViewDMA), []string{"/contributor_tax_code", "unknown-for-form"}},
			"an unknown contributor": {sc65(unknown), []string{"/contributor_tax_code", "unknown-for-form"}},
			"unknown, at an office":  {at(unknown, world.Milan), []string{"/contributor_tax_code", "unknown-for-form"}},
			"an unknown office":      {at(company, "9999"), []string{"/office_code", "unknown-office"}},
			"unknown, both":          {at(unknown, "9999"), []string{"/office_code", "unknown-office"}},
			"an office of others":    {at(company, world.Milan), []string{"/office_code", "office-not-competent"}},
			"no office":              {sc65(nowhere), []string{"/office_code", "office-needed"}},
		}
		for name, c := range cases {
			_, err := w.service.File(ctx, by, c.in)
			refused(t, name, err, fault.Invalid, c.fields...)
		}
		if n := w.Count(t, "enrolments") + w.Count(t, "protocol_entries"); n != 0 {
			t.Errorf("%d rows", n)
		}
		named := at(nowhere, world.Milan)
		named.Notes = text("due\nrighe")
		if h := w.file(by, named); h.OfficeCode != world.Milan || *h.Notes != "due\nrighe" {
			t.Errorf("filed as %+v", h)
		}
	})
}

// TestEnrolment_TheCompetentOffice is that of a position of the contributor: the one that is named,
// else that of the first.
func TestEnrolment_TheCompetentOffice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company := w.contributor(contributor.Company, world.Rome, world.Milan)
		for office, in := range map[string]enrolment.Input{world.Rome: sc65(company), world.Milan: at(company, world.Milan)} {
			if h := w.file(w.citizen(access.Dispositive), in); h.OfficeCode != office {
				t.Errorf("filed at %s, want %s", h.OfficeCode, office)
			}
		}
		// That of a position that has ceased is still one; active ones come first.
		w.Exec(t, "UPDATE positions SET state = 'ceased' WHERE contributor_id = ? AND office_code = ?", company.ID, world.Rome)
		for office, in := range map[string]enrolment.Input{world.Milan: sc65(company), world.Rome: at(company, world.Rome)} {
			if h := w.file(w.citizen(access.Dispositive), in); h.OfficeCode != office {
				t.Errorf("filed at %s, want %s", h.OfficeCode, office)
			}
		}
	})
}

// TestEnrolment_RefusedTriesAreCounted with those that are filed, 20 in 24 hours, since an answer
// tells whether somebody is a contributor.
func TestEnrolment_RefusedTriesAreCounted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		home, company := w.contributor(contributor.Household, world.Rome), w.contributor(contributor.Company, world.Rome)
		by := w.citizen(access.Dispositive)
		unknown := world.Company{Contributor: contributor.Contributor{TaxCode: by.TaxCode}}
		filed, err := w.service.File(withKey(by, "key-1"), by, sc65(home))
		if err != nil {
			t.Fatal(err)
		}
		wrong := []enrolment.Input{ra012(home, access.ViewDMA), ra012(unknown, access.ViewDMA), at(company, world.Milan)}
		for i := range 19 {
			_, err := w.service.File(withKey(by, "key-2"), by, wrong[i%len(wrong)])
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("try %d: %v", i, err)
			}
		}
		for name, in := range map[string]enrolment.Input{
			"applies not": wrong[0], "unknown": wrong[1], "another office": wrong[2], "could be filed": sc65(company),
		} {
			var f *fault.Fault
			if _, err := w.service.File(asked("fileEnrolment"), by, in); !errors.As(err, &f) || f.Code != fault.RateLimited ||
				f.RetryAfter.Round(time.Second) != 24*time.Hour {
				t.Errorf("over the limit, %s: %v", name, err)
			}
		}
		if n := w.Count(t, "audit_records WHERE operation = 'fileEnrolment' AND person_id = ?", by.PersonID); n != 20 {
			t.Errorf("%d audit records", n)
		}
		for outcome, want := range map[string]int{"done": 1, "unknown-for-form": 13, "office-not-competent": 6} {
			if n := w.Count(t, "audit_records WHERE outcome = ?", outcome); n != want {
				t.Errorf("%d audit records say %s, want %d", n, outcome, want)
			}
		}
		// What was filed before is answered again, and others have their own count.
		if again, err := w.service.File(withKey(by, "key-1"), by, sc65(home)); err != nil || again.ID != filed.ID {
			t.Errorf("a repeat: %+v %v", again, err)
		}
		w.file(w.citizen(access.Dispositive), sc65(company))
		w.Clock.Advance(24 * time.Hour)
		w.file(by, sc65(company))
	})
}

// TestEnrolment_ManyTriesAtOnce are counted one after the other.
func TestEnrolment_ManyTriesAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		home, by := w.contributor(contributor.Household, world.Rome), w.citizen(access.Dispositive)
		errs := make([]error, 25)
		world.Parallel(len(errs), func(i int) { _, errs[i] = w.service.File(asked("fileEnrolment"), by, ra012(home, access.ViewDMA)) })
		told := 0
		for _, err := range errs {
			if fault.Is(err, fault.Invalid) {
				told++
			} else if !fault.Is(err, fault.RateLimited) {
				t.Error(err)
			}
		}
		if told != 20 {
			t.Errorf("%d tries were answered", told)
		}
	})
}

// TestEnrolment_WhoWasEnabledOn20230331 need not ask again for what their role covers, and may for
// the rest.
func TestEnrolment_WhoWasEnabledOn20230331(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		body := w.contributor(contributor.PublicBody, world.Rome)
		enabled, later := w.citizen(access.Dispositive), w.citizen(access.Dispositive)
		w.Role(t, enabled.PersonID, body.ID, access.EmployeeDelegate, access.ViewPayments, access.ViewDMA)
		w.Role(t, later.PersonID, body.ID, access.EmployeeDelegate, access.Declarations)
		_, err := w.service.File(ctx, enabled, ra012(body, access.ViewPayments))
		conflict(t, "who was enabled", err, "already-enabled")
		w.file(enabled, ra012(body, access.ViewPayments, access.CompileDMA))
		w.file(later, ra012(body, access.ViewPayments))
	})
}

func TestEnrolment_OneOpenRequestForTheSame(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		body, other := w.contributor(contributor.PublicBody, world.Rome), w.contributor(contributor.PublicBody, world.Rome)
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

// TestEnrolment_AnotherRequestForOtherServices may be filed while one waits, and both are decided.
func TestEnrolment_AnotherRequestForOtherServices(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		body, by, desk := w.contributor(contributor.PublicBody, world.Rome), w.citizen(access.Dispositive), w.operator(world.Rome)
		first := w.file(by, ra012(body, access.ViewPayments, access.ViewDMA))
		_, err := w.service.File(ctx, by, ra012(body, access.CompileDMA, access.ViewDMA))
		conflict(t, "one of the same", err, "enrolment-open")
		second := w.file(by, ra012(body, access.CompileDMA))
		w.decide(desk, second.ID, review.Accepted)
		w.decide(desk, first.ID, review.Accepted)
		want := []access.Right{{
			ContributorID: body.ID, ActingAs: access.EmployeeDelegate,
			Services: []access.Service{access.CompileDMA, access.ViewPayments, access.ViewDMA},
		}}
		if diff := cmp.Diff(want, w.rights(by, body)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestEnrolment_TheDatabaseKeepsOneOpenRequestForTheSame, whoever files it.
func TestEnrolment_TheDatabaseKeepsOneOpenRequestForTheSame(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		add := func(form enrolment.Form, by access.Actor, c world.Company, services ...access.Service) error {
			return w.DB.InTx(ctx, func(ctx context.Context) error {
				return w.DB.From(ctx).Exec(`INSERT INTO enrolments (id, form, person_id, contributor_id, office_code, services,
					protocol_number, digest, awaited, state, submitted_at, version)
					VALUES (?, ?, ?, ?, ?, ?, 'x', 'x', ?, 'submitted', ?, 1)`, uuid.New(), form, by.PersonID, c.ID, world.Rome,
					world.Services(services...), false, w.Clock.Now()).Error
			})
		}
		for _, service := range access.PublicBodyServices() {
			body, by := w.contributor(contributor.PublicBody, world.Rome), w.citizen(access.Dispositive)
			others := slices.DeleteFunc(access.PublicBodyServices(), func(s access.Service) bool { return s == service })
			if err := errors.Join(add(enrolment.RA012, by, body, service), add(enrolment.RA012, by, body, others...)); err != nil {
				t.Error(err)
			}
			if err := add(enrolment.RA012, by, body, service); !db.IsUnique(err) {
				t.Errorf("%s twice: %v", service, err)
			}
		}
		company, by := w.contributor(contributor.Company, world.Rome), w.citizen(access.Dispositive)
		if err := add(enrolment.SC65, by, company, []access.Service{}...); err != nil {
			t.Error(err)
		}
		if err := add(enrolment.SC65, by, company, []access.Service{}...); !db.IsUnique(err) {
			t.Errorf("SC65 twice: %v", err)
		}
	})
}

// TestEnrolment_ARepeatedDecisionAfterAMove: what an office decided is not told again to who has
// left it, kept answers included.
func TestEnrolment_ARepeatedDecisionAfterAMove(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		filed := w.file(w.citizen(access.Dispositive), sc65(w.contributor(contributor.Company, world.Rome)))
		desk := w.operator(world.Rome)
		decide := func(by access.Actor) error {
			_, err := w.service.Decide(world.WithKey(ctx, by, "one-decision"), by, filed.ID, review.Decision{
				Outcome: review.Accepted, Reason: "Documento valido",
			})
			return err
		}
		if err := decide(desk); err != nil {
			t.Fatal(err)
		}
		w.Exec(t, "UPDATE idempotency_keys SET status = 200, headers = '{}', body = ?", []byte("{}"))
		desk.OfficeCode = world.Milan
		refused(t, "from another office", decide(desk), fault.NotFound)
	})
}
