package e2e

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
)

// These are the tax codes of contributors of the sandbox. They are a company at the office of Rome,
// a public body at that of Florence, and another where everybody was enabled on 31 March 2023.
const (
	tiberineTaxCode = "04102730589"
	comuneTaxCode   = "80039510484"
	valdarnoTaxCode = "80073410526"
)

// enrol files a form.
func (w *fixture) enrol(token string, body map[string]any, headers ...header) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/v1/enrolments", token, body, slices.Concat([]header{key()}, headers)...)
}

// TestEnrolment_APublicBodysEmployeeGetsAccess: form RA012, the office, the message, and the
// services that are there at once.
func TestEnrolment_APublicBodysEmployeeGetsAccess(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		p := w.createPerson(map[string]any{"contacts": []map[string]any{{"kind": "email", "value": "nuova@comune.example"}}})
		token := w.loginAs(p).AccessToken
		me := w.as(token)
		var comune string
		if err := w.app.DB.From(ctx).Raw("SELECT id FROM contributors WHERE tax_code = ?", comuneTaxCode).Scan(&comune).Error; err != nil {
			t.Fatal(err)
		}
		w.createPerson(map[string]any{
			"contacts": []map[string]any{{"kind": "email", "value": "sindaca@comune.example"}},
			"roles":    []map[string]any{{"contributor_id": comune, "role": "legal_representative"}},
		})
		form := map[string]any{
			"form": "RA012", "contributor_tax_code": comuneTaxCode, "services": []string{"view_payments", "view_dma"},
			"notes": "Responsabile dell'ufficio\nragioneria",
		}
		once := key()
		filed := w.enrol(token, form, once).want(t, http.StatusAccepted, "")
		number, _ := filed.field("protocol_number").(string)
		if filed.field("state") != "submitted" || !protocolNumber.MatchString(number) || filed.field("office_code") != "3000" ||
			filed.field("contributor_tax_code") != comuneTaxCode || filed.field("notes") != form["notes"] {
			t.Fatalf("filed as %s", filed.body)
		}
		id, _ := filed.field("enrolment_id").(string)
		if filed.header.Get("Location") != "/v1/enrolments/"+id {
			t.Errorf("location %q", filed.header.Get("Location"))
		}
		w.enrol(token, form).want(t, http.StatusConflict, "conflict")
		if n := w.rows("audit_records", "operation = 'fileEnrolment'"); n != 1 {
			t.Errorf("%d audit rows", n)
		}
		shown, err := me.ShowEnrolmentWithResponse(ctx, uuid.MustParse(id), nil)
		if err != nil || shown.JSON200 == nil || shown.JSON200.ProtocolNumber != number || len(shown.JSON200.Services) != 2 {
			t.Fatalf("shown as %s, %v", shown.Body, err)
		}
		w.do(http.MethodGet, "/v1/enrolments/"+id, token, nil, header{
			"If-None-Match", shown.HTTPResponse.Header.Get("ETag"),
		}).want(t, http.StatusNotModified, "")

		// Nobody else sees it, and only an operator of the office decides.
		other := w.loginAs(w.createPerson(map[string]any{})).AccessToken
		w.do(http.MethodGet, "/v1/enrolments/"+id, other, nil).want(t, http.StatusNotFound, "not-found")
		rome := w.loginAs(w.person(operatorOf("7000"))).AccessToken
		decision := map[string]any{"outcome": "accepted", "reason": "Incarico documentato"}
		w.do(http.MethodGet, "/v1/backoffice/enrolments/"+id, rome, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodPost, "/v1/backoffice/enrolments/"+id+"/decision", rome, decision, key()).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodPost, "/v1/backoffice/enrolments/"+id+"/decision", other, decision, key()).want(
			t, http.StatusForbidden, "forbidden",
		)

		services := func() []string {
			contributors, err := me.ListContributorsWithResponse(ctx, nil)
			if err != nil || contributors.JSON200 == nil {
				t.Fatal(err, contributors.Body)
			}
			var codes []string
			for _, c := range contributors.JSON200.Items {
				for _, r := range c.Rights {
					codes = append(codes, string(r.ActingAs))
					codes = append(codes, r.Services...)
				}
			}
			return codes
		}
		if got := services(); len(got) != 0 {
			t.Errorf("before the decision %v", got)
		}
		desk := w.as(w.loginAs(w.person(operatorOf("3000"))).AccessToken)
		state := client.EnrolmentStateFilter("submitted")
		listed, err := desk.ListOfficeEnrolmentsWithResponse(ctx, &client.ListOfficeEnrolmentsParams{State: &state})
		if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != 1 || listed.JSON200.Items[0].Person.TaxCode != p.TaxCode {
			t.Fatalf("at the office %s, %v", listed.Body, err)
		}
		decided, err := desk.DecideEnrolmentWithResponse(ctx, listed.JSON200.Items[0].EnrolmentId, &client.DecideEnrolmentParams{
			IdempotencyKey: uuid.NewString(),
		},
			client.EnrolmentDecision{Outcome: client.EnrolmentDecisionOutcomeAccepted, Reason: "Incarico documentato"})
		if err != nil || decided.JSON200 == nil || decided.JSON200.State != client.EnrolmentStateAccepted ||
			decided.JSON200.Reason == nil || decided.JSON200.DecidedAt == nil {
			t.Fatalf("decided %s, %v", decided.Body, err)
		}
		if got := services(); !slices.Equal(got, []string{"employee_delegate", "view_payments", "view_dma"}) {
			t.Errorf("after the decision %v", got)
		}
		if menu := w.do(http.MethodGet, "/v1/me/services", token, nil).want(t, http.StatusOK, ""); !bytes.Contains(
			menu.body, []byte(`"view_payments"`),
		) || bytes.Contains(
			menu.body, []byte(`"compile_dma"`),
		) {
			t.Errorf("the menu is %s", menu.body)
		}
		told := func(address string, want ...string) {
			t.Helper()
			var subjects []string
			for _, m := range w.sent(address) {
				subjects = append(subjects, m.Subject)
			}
			slices.Reverse(subjects)
			if !slices.Equal(subjects, want) {
				t.Errorf("%s was told %q", address, subjects)
			}
		}
		told("nuova@comune.example", "Modulo RA012 ricevuto, protocollo "+number, "Modulo RA012 accolto, protocollo "+number)
		told(
			"sindaca@comune.example", "Richiesta di accesso per Comune di Castel Mugello, protocollo "+number,
			"Accesso concesso per Comune di Castel Mugello, protocollo "+number,
		)
		if shown := w.do(http.MethodGet, "/v1/me", token, nil).want(t, http.StatusOK, ""); shown.field("identity_confirmed") != true {
			t.Errorf("whom the office identified is %s", shown.body)
		}
		// The same request again gives the answer of then, a new one is not needed.
		if again := w.enrol(token, form, once).want(t, http.StatusAccepted, ""); !bytes.Equal(again.body, filed.body) {
			t.Errorf("a repeat answered %s", again.body)
		}
		w.enrol(token, form).want(t, http.StatusConflict, "conflict")
		if mine, err := me.ListEnrolmentsWithResponse(ctx, nil); err != nil || mine.JSON200 == nil || len(mine.JSON200.Items) != 1 ||
			mine.JSON200.Items[0].State != client.EnrolmentStateAccepted {
			t.Errorf("mine are %s, %v", mine.Body, err)
		}
	})
}

// TestEnrolment_WhatAnEnrolmentNeeds: the fields that are wrong are named; who was enabled in 2023
// need not ask again.
func TestEnrolment_WhatAnEnrolmentNeeds(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token := w.loginAs(w.createPerson(map[string]any{})).AccessToken
		for _, c := range []struct {
			field string
			body  map[string]any
		}{
			{"/services required", map[string]any{"form": "RA012", "contributor_tax_code": comuneTaxCode}},
			{
				"/services/0 enum",
				map[string]any{"form": "RA012", "contributor_tax_code": comuneTaxCode, "services": []string{"declarations"}},
			},
			{"/contributor_tax_code unknown-for-form", map[string]any{"form": "SC65", "contributor_tax_code": comuneTaxCode}},
			{"/contributor_tax_code unknown-for-form", map[string]any{"form": "SC65", "contributor_tax_code": "00743110157"}},
			{"/office_code unknown-office", map[string]any{"form": "SC65", "contributor_tax_code": tiberineTaxCode, "office_code": "9999"}},
			{
				"/office_code office-not-competent",
				map[string]any{"form": "SC65", "contributor_tax_code": tiberineTaxCode, "office_code": "5100"},
			},
			{"/state unknown-field", map[string]any{"form": "SC65", "contributor_tax_code": tiberineTaxCode, "state": "accepted"}},
		} {
			if a := w.enrol(token, c.body).want(t, http.StatusUnprocessableEntity, "validation-failed"); a.fieldCode() != c.field {
				t.Errorf("%q is named, want %q: %s", a.fieldCode(), c.field, a.body)
			}
		}
		enabled := w.loginAs(w.person(described("Employee delegate (dipendente delegata) of a public body who was enabled"))).AccessToken
		w.enrol(enabled, map[string]any{"form": "RA012", "contributor_tax_code": valdarnoTaxCode, "services": []string{"view_dma"}}).want(
			t, http.StatusConflict, "conflict",
		)
		w.enrol(token, map[string]any{
			"form": "RA012", "contributor_tax_code": valdarnoTaxCode, "services": []string{"view_dma"},
		}).want(t, http.StatusAccepted, "")
		w.enrol(w.loginAs(w.person(operatorOf("7000"))).AccessToken, map[string]any{
			"form": "SC65", "contributor_tax_code": tiberineTaxCode,
		}).want(
			t, http.StatusForbidden, "forbidden",
		)
	})
}

// TestEnrolment_TriesToEnrolAreCounted: the contract's 20 in 24 hours.
func TestEnrolment_TriesToEnrolAreCounted(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token := w.loginAs(w.createPerson(map[string]any{})).AccessToken
		form := map[string]any{"form": "SC65", "contributor_tax_code": comuneTaxCode}
		for range 20 {
			w.enrol(token, form).want(t, http.StatusUnprocessableEntity, "validation-failed")
		}
		refused := w.enrol(token, form).want(t, http.StatusTooManyRequests, "rate-limited")
		if seconds, err := strconv.Atoi(refused.header.Get("Retry-After")); err != nil || seconds < 23*60*60 {
			t.Errorf("to be tried again after %q", refused.header.Get("Retry-After"))
		}
		if n := w.rows("audit_records", "operation = 'fileEnrolment' AND outcome = 'unknown-for-form'"); n != 20 {
			t.Errorf("%d audit rows", n)
		}
	})
}

// TestEnrolment_WaitsForDispositiveCredentials, which the office gives, or lapses.
func TestEnrolment_WaitsForDispositiveCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		form := map[string]any{"form": "SC65", "contributor_tax_code": tiberineTaxCode, "office_code": "7000"}
		f := w.ordinary()
		filed := w.enrol(f.token, form).want(t, http.StatusAccepted, "")
		path := filed.header.Get("Location")
		id, _ := filed.field("enrolment_id").(string)
		if filed.field("state") != "awaiting_credentials" || filed.field("office_code") != "7000" {
			t.Fatalf("filed as %s", filed.body)
		}
		operator := w.loginAs(w.person(operatorOf("7000"))).AccessToken
		decision := map[string]any{"outcome": "not_accepted", "reason": "Manca l'incarico"}
		w.do(http.MethodPost, "/v1/backoffice/enrolments/"+id+"/decision", operator, decision, key()).want(
			t, http.StatusConflict, "conflict",
		)

		asked := w.upgrade(f.token, upgradeForm(nil)).want(t, http.StatusAccepted, "")
		upgrade, _ := asked.field("upgrade_id").(string)
		naples := w.loginAs(w.person(operatorOf("5100")))
		w.do(http.MethodPost, "/v1/backoffice/pin-upgrades/"+upgrade+"/decision", naples.AccessToken, map[string]any{
			"outcome": "accepted", "reason": "Valido",
		}, key()).want(t, http.StatusOK, "")
		shown := w.do(http.MethodGet, path, f.token, nil).want(t, http.StatusOK, "")
		if shown.field("state") != "submitted" || shown.field("protocol_number") != filed.field("protocol_number") {
			t.Errorf("after the upgrade %s", shown.body)
		}
		refused := w.do(http.MethodPost, "/v1/backoffice/enrolments/"+id+"/decision", operator, decision, key()).want(t, http.StatusOK, "")
		if refused.field("state") != "not_accepted" || refused.field("reason") != "Manca l'incarico" {
			t.Errorf("decided as %s", refused.body)
		}

		late := w.createPerson(map[string]any{"credential_level": "ordinary"})
		waits := w.enrol(w.loginAs(late).AccessToken, form).want(t, http.StatusAccepted, "").header.Get("Location")
		w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"advance": "P31D"}).want(t, http.StatusOK, "")
		if a := w.do(http.MethodGet, waits, w.loginAs(late).AccessToken, nil).want(t, http.StatusOK, ""); a.field("state") != "lapsed" {
			t.Errorf("after 31 days %s", a.body)
		}
		if n := w.rows("enrolments", "state = 'lapsed'"); n != 1 {
			t.Errorf("%d lapses are noted", n)
		}
	})
}
