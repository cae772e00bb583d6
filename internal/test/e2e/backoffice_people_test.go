package e2e

import (
	"bytes"
	"context"
	"errors"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

func ofClass(class client.UserClass) func(client.SandboxPerson) bool {
	return func(p client.SandboxPerson) bool { return p.UserClass == class && len(p.Pin) == 8 }
}

// administrator logs the sandbox's administrator in.
func (w *fixture) administrator() client.Session {
	w.t.Helper()
	return w.loginAs(w.person(ofClass(client.UserClassAdministrator)))
}

// rows counts what a table holds.
func (w *fixture) rows(table, where string, args ...any) int64 {
	w.t.Helper()
	var n int64
	if err := w.app.DB.From(context.Background()).Table(table).Where(where, args...).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestStaff_ACitizenBecomesAnOperator of an office, sees what was filed there, moves, and is a
// citizen again.
func TestStaff_ACitizenBecomesAnOperator(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.filer()
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		declarationID, _ := filed.field("declaration_id").(string)
		positions, err := w.as(f.token).ListPositionsWithResponse(ctx, f.contributor, nil)
		if err != nil || positions.JSON200 == nil {
			t.Fatal(err, positions.Body)
		}
		office := positions.JSON200.Items[0].OfficeCode

		admin := w.as(w.administrator().AccessToken)
		p := w.createPerson(map[string]any{"user_class": "citizen"})
		s := w.loginAs(p)
		w.do(http.MethodGet, "/v1/backoffice/declarations", s.AccessToken, nil).want(t, http.StatusForbidden, "forbidden")

		added, err := admin.AddOperatorWithResponse(ctx, &client.AddOperatorParams{IdempotencyKey: uuid.NewString()},
			client.OperatorInput{TaxCode: strings.ToLower(p.TaxCode), UserClass: client.StaffClassOperator, OfficeCode: &office})
		if err != nil || added.JSON201 == nil {
			t.Fatalf("%v %s", err, added.Body)
		}
		if o := added.JSON201; o.OperatorId != p.PersonId || o.TaxCode != p.TaxCode || o.OfficeCode == nil || *o.OfficeCode != office ||
			o.Suspended {
			t.Errorf("added %s", added.Body)
		}
		if added.HTTPResponse.Header.Get("Location") != "/v1/backoffice/operators/"+p.PersonId.String() {
			t.Errorf("location %q", added.HTTPResponse.Header.Get("Location"))
		}
		// The open session is an operator's from the next request on.
		seen, err := w.as(s.AccessToken).ListOfficeDeclarationsWithResponse(ctx, nil)
		if err != nil || seen.JSON200 == nil || len(seen.JSON200.Items) != 1 ||
			seen.JSON200.Items[0].DeclarationId.String() != declarationID {
			t.Errorf("sees %v %s", err, seen.Body)
		}
		w.do(http.MethodGet, "/v1/declarations/"+declarationID, s.AccessToken, nil).want(t, http.StatusOK, "")

		shown, err := admin.ShowOperatorWithResponse(ctx, p.PersonId, nil)
		if err != nil || shown.JSON200 == nil {
			t.Fatalf("%v %s", err, shown.Body)
		}
		path, token := "/v1/backoffice/operators/"+p.PersonId.String(), w.administrator().AccessToken
		tag := shown.HTTPResponse.Header.Get("ETag")
		if tag != added.HTTPResponse.Header.Get("ETag") {
			t.Errorf("the tag was %s and is %s", added.HTTPResponse.Header.Get("ETag"), tag)
		}
		w.do(http.MethodGet, path, token, nil, header{"If-None-Match", tag}).want(t, http.StatusNotModified, "")
		merge := header{"Content-Type", "application/merge-patch+json"}
		w.do(http.MethodPatch, path, token, map[string]any{"user_class": "contact_centre"}, merge).want(
			t, http.StatusPreconditionRequired, "precondition-required",
		)
		w.do(http.MethodPatch, path, token, map[string]any{"user_class": "contact_centre"}, merge, header{"If-Match", `"99"`}).want(
			t, http.StatusPreconditionFailed, "precondition-failed",
		)
		w.do(http.MethodPatch, path, token, map[string]any{"office_code": "9999"}, merge, header{"If-Match", tag}).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		w.do(http.MethodPatch, path, token, map[string]any{"suspended": true}, merge, header{"If-Match", tag}).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		moved := w.do(http.MethodPatch, path, token, map[string]any{"user_class": "contact_centre"}, merge, header{
			"If-Match", tag,
		}).want(t, http.StatusOK, "")
		if moved.field("user_class") != "contact_centre" || moved.field("office_code") != nil || moved.header.Get("ETag") == tag {
			t.Errorf("moved to %s", moved.body)
		}
		w.do(http.MethodGet, "/v1/declarations/"+declarationID, s.AccessToken, nil).want(t, http.StatusNotFound, "not-found")

		listed, err := admin.ListOperatorsWithResponse(ctx, nil)
		if err != nil || listed.JSON200 == nil {
			t.Fatalf("%v %s", err, listed.Body)
		}
		found, previous := false, ""
		for _, o := range listed.JSON200.Items {
			found = found || o.OperatorId == p.PersonId
			if o.FamilyName < previous {
				t.Errorf("%s after %s", o.FamilyName, previous)
			}
			previous = o.FamilyName
		}
		if !found {
			t.Errorf("not listed in %s", listed.Body)
		}

		if removed, err := admin.RemoveOperatorWithResponse(ctx, p.PersonId, nil); err != nil ||
			removed.StatusCode() != http.StatusNoContent {
			t.Fatalf("%v %s", err, removed.Body)
		}
		w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusUnauthorized, "session-ended")
		w.do(http.MethodGet, path, token, nil).want(t, http.StatusNotFound, "not-found")
		me := w.do(http.MethodGet, "/v1/me", w.loginAs(p).AccessToken, nil).want(t, http.StatusOK, "")
		if me.field("user_class") != "citizen" || me.field("office_code") != nil {
			t.Errorf("is %s", me.body)
		}
	})
}

// TestStaff_OperatorsThatCannotBe added or removed.
func TestStaff_OperatorsThatCannotBe(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token := w.administrator().AccessToken
		p := w.createPerson(map[string]any{"user_class": "citizen"})
		add := func(body map[string]any) answer {
			return w.do(http.MethodPost, "/v1/backoffice/operators", token, body, key())
		}
		for pointer, body := range map[string]map[string]any{
			"/office_code": {"tax_code": p.TaxCode, "user_class": "operator"},
			"/user_class":  {"tax_code": p.TaxCode, "user_class": "citizen"},
			"/tax_code":    {"tax_code": "RSSMRAULALMHRLMD", "user_class": "contact_centre"},
		} {
			if a := add(body).want(t, http.StatusUnprocessableEntity, "validation-failed"); !strings.Contains(string(a.body), `"`+
				pointer+`"`) {
				t.Errorf("%s is not named in %s", pointer, a.body)
			}
		}
		once := key()
		body := map[string]any{"tax_code": p.TaxCode, "user_class": "contact_centre"}
		first := w.do(http.MethodPost, "/v1/backoffice/operators", token, body, once).want(t, http.StatusCreated, "")
		if again := w.do(
			http.MethodPost, "/v1/backoffice/operators", token, body, once,
		).want(t, http.StatusCreated, ""); string(again.body) != string(first.body) {
			t.Errorf("a repeat answered %s", again.body)
		}
		add(body).want(t, http.StatusConflict, "conflict")

		me := w.do(http.MethodGet, "/v1/me", token, nil).field("person_id").(string)
		other := w.person(func(p client.SandboxPerson) bool {
			return p.UserClass == client.UserClassAdministrator && p.PersonId.String() != me
		})
		w.do(http.MethodDelete, "/v1/backoffice/operators/"+other.PersonId.String(), token, nil).want(t, http.StatusNoContent, "")
		last := w.do(http.MethodDelete, "/v1/backoffice/operators/"+me, token, nil).want(t, http.StatusConflict, "conflict")
		if !strings.Contains(string(last.body), "ultimo amministratore") {
			t.Errorf("does not say why: %s", last.body)
		}
		tag := w.do(http.MethodGet, "/v1/backoffice/operators/"+me, token, nil).header.Get("ETag")
		w.do(http.MethodPatch, "/v1/backoffice/operators/"+me, token, map[string]any{"user_class": "contact_centre"},
			header{"Content-Type", "application/merge-patch+json"}, header{"If-Match", tag}).want(t, http.StatusConflict, "conflict")
		w.do(http.MethodGet, "/v1/me", token, nil).want(t, http.StatusOK, "")
	})
}

// TestStaff_ASecondAdministratorConfirms whom the first one made an administrator.
func TestStaff_ASecondAdministratorConfirms(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		first := w.administrator()
		me := w.do(http.MethodGet, "/v1/me", first.AccessToken, nil).field("person_id").(string)
		other := w.person(func(p client.SandboxPerson) bool {
			return p.UserClass == client.UserClassAdministrator && p.PersonId.String() != me
		})
		p, _, email := w.reachable(map[string]any{})
		s := w.loginAs(p)
		made := w.do(http.MethodPost, "/v1/backoffice/operators", first.AccessToken, map[string]any{
			"tax_code": p.TaxCode, "user_class": "administrator",
		}, key()).want(t, http.StatusCreated, "")
		if made.field("unconfirmed") != true || !w.told(email, "secondo amministratore") || !w.told(other.Contacts[0].Value, "incarico") {
			t.Errorf("made %s", made.body)
		}
		operators := "/v1/backoffice/operators"
		w.do(http.MethodGet, operators, s.AccessToken, nil).want(t, http.StatusForbidden, "forbidden")
		path := made.header.Get("Location") + "/confirmation"
		w.do(http.MethodPost, path, first.AccessToken, nil, key()).want(t, http.StatusForbidden, "forbidden")
		w.do(http.MethodPost, path, s.AccessToken, nil, key()).want(t, http.StatusForbidden, "forbidden")
		done := w.do(http.MethodPost, path, w.loginAs(other).AccessToken, nil, key()).want(t, http.StatusOK, "")
		if done.field("unconfirmed") != false || done.header.Get("ETag") == made.header.Get("ETag") {
			t.Errorf("confirmed %s", done.body)
		}
		w.do(http.MethodGet, operators, s.AccessToken, nil).want(t, http.StatusOK, "")
	})
}

// TestStaff_Suspension ends every session from the next request on, whatever token it comes with.
func TestStaff_Suspension(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		admin := w.as(w.administrator().AccessToken)
		p, _, email := w.reachable(map[string]any{})
		s, other := w.loginAs(p), w.loginAs(p)
		suspended, err := admin.SuspendPersonWithResponse(
			ctx, p.PersonId, &client.SuspendPersonParams{IdempotencyKey: uuid.NewString()},
			client.Suspension{Reason: "Credenziali cedute a terzi"},
		)
		if err != nil || suspended.JSON200 == nil || !suspended.JSON200.Suspended {
			t.Fatalf("%v %s", err, suspended.Body)
		}
		refused := func() {
			t.Helper()
			for _, session := range []client.Session{s, other} {
				w.do(http.MethodGet, "/v1/me", session.AccessToken, nil).want(t, http.StatusUnauthorized, "session-ended")
				w.do(http.MethodPost, "/v1/sessions/current/tokens", "", map[string]any{"refresh_token": session.RefreshToken}).want(
					t, http.StatusUnauthorized, "session-ended",
				)
			}
		}
		refused()
		w.tryLogin(p.TaxCode, p.Pin).want(t, http.StatusUnauthorized, "invalid-credentials")
		path, token := "/v1/backoffice/people/"+p.PersonId.String(), w.administrator().AccessToken
		w.do(http.MethodPost, path+"/suspension", token, map[string]any{"reason": "ancora"}, key()).want(t, http.StatusConflict, "conflict")
		me := w.do(http.MethodGet, "/v1/me", token, nil).field("person_id").(string)
		w.do(http.MethodPost, "/v1/backoffice/people/"+me+"/suspension", token, map[string]any{"reason": "prova"}, key()).want(
			t, http.StatusConflict, "conflict",
		)
		operator := w.loginAs(w.person(ofClass(client.UserClassOperator)))
		w.do(http.MethodPost, path+"/pins", operator.AccessToken, map[string]any{
			"document_kind": "passport", "document_number": "YA1234567",
		}).want(
			t, http.StatusConflict, "conflict",
		)

		if readmitted, err := admin.ReadmitPersonWithResponse(ctx, p.PersonId, nil); err != nil ||
			readmitted.StatusCode() != http.StatusNoContent {
			t.Fatalf("%v %s", err, readmitted.Body)
		}
		w.do(http.MethodDelete, path+"/suspension", token, nil).want(t, http.StatusConflict, "conflict")
		refused() // what ended stays ended
		w.do(http.MethodGet, "/v1/me", w.loginAs(p).AccessToken, nil).want(t, http.StatusOK, "")

		sent := w.sent(email)
		if len(sent) != 2 || !strings.Contains(sent[1].Text, "sospeso") || !strings.Contains(sent[0].Text, "riattivato") ||
			strings.Contains(sent[1].Text, "terzi") {
			t.Errorf("sent %+v", sent)
		}
	})
}

// TestStaff_APINFromTheCounter: a person is registered and gets the PIN whole; it is ordinary at
// first.
func TestStaff_APINFromTheCounter(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		staff := w.loginAs(w.person(ofClass(client.UserClassOperator)))
		operator := w.as(staff.AccessToken)
		const taxCode, number = "RSSMRAULALMHRLMD", "CA98765ZZ"
		before, err := operator.SearchPeopleWithResponse(ctx, nil, client.PeopleSearch{TaxCode: taxCode})
		if err != nil || before.JSON200 == nil || len(before.JSON200.Items) != 0 {
			t.Fatalf("%v %s", err, before.Body)
		}
		contacts := []client.ElectronicContact{{Kind: "email", Value: "mario.rossi@posta.example"}}
		registered, err := operator.RegisterPersonWithResponse(ctx, &client.RegisterPersonParams{IdempotencyKey: uuid.NewString()},
			client.PersonRegistration{TaxCode: taxCode, GivenName: "Mario", FamilyName: "Rossi", Contacts: &contacts})
		if err != nil || registered.JSON201 == nil {
			t.Fatalf("%v %s", err, registered.Body)
		}
		p := *registered.JSON201
		if p.CredentialLevel != client.CredentialLevelOrdinary || p.PinState != client.PinStateNone || len(p.Contacts) != 1 ||
			p.Contacts[0].State != client.ContactStateUnverified || strings.Contains(p.Contacts[0].To, "mario.rossi") {
			t.Errorf("registered %s", registered.Body)
		}
		path := "/v1/backoffice/people/" + p.PersonId.String()
		if registered.HTTPResponse.Header.Get("Location") != path {
			t.Errorf("location %q", registered.HTTPResponse.Header.Get("Location"))
		}
		w.do(http.MethodPost, "/v1/backoffice/people", staff.AccessToken, map[string]any{
			"tax_code": taxCode, "given_name": "M", "family_name": "R",
		}, key()).want(
			t, http.StatusConflict, "conflict",
		)

		issue := map[string]any{"document_kind": "identity_card", "document_number": number}
		me := w.do(http.MethodGet, "/v1/me", staff.AccessToken, nil).field("person_id").(string)
		w.do(http.MethodPost, "/v1/backoffice/people/"+me+"/pins", staff.AccessToken, issue).want(t, http.StatusForbidden, "forbidden")
		w.do(http.MethodPost, "/v1/backoffice/people/"+uuid.NewString()+"/pins", staff.AccessToken, issue).want(
			t, http.StatusNotFound, "not-found",
		)
		once := key()
		handed := w.do(http.MethodPost, path+"/pins", staff.AccessToken, issue, once, header{
			"Request-Id", "counter-pin",
		}).want(t, http.StatusCreated, "")
		old, _ := handed.field("pin").(string)
		again := w.do(http.MethodPost, path+"/pins", staff.AccessToken, issue, once).want(t, http.StatusCreated, "")
		pin, _ := again.field("pin").(string)
		if len(pin) != 16 || pin == old || again.field("credential_level") != "ordinary" ||
			again.field("person_id") != p.PersonId.String() {
			t.Errorf("handed %s", again.body)
		}
		if at, err := time.Parse(time.RFC3339Nano, again.field("expires_at").(string)); err != nil ||
			!at.Equal(w.clock.Now().AddDate(0, 0, 60)) {
			t.Errorf("expires at %v, %v", at, err)
		}
		if n := w.rows(
			"audit_records",
			"request_id = 'counter-pin' AND operation = 'issuePin' AND subject_kind = 'pin-document-shown' AND subject_id = ?",
			p.PersonId.String(),
		); n != 1 {
			t.Errorf("%d audit rows tell of it", n)
		}
		// The first is replaced; the second lets its holder change it.
		w.tryLogin(taxCode, old).want(t, http.StatusUnauthorized, "invalid-credentials")
		s := w.login(taxCode, pin)
		if !s.PinChangeRequired || s.CredentialLevel != client.CredentialLevelOrdinary {
			t.Errorf("session %+v", s)
		}
		shown := w.do(http.MethodGet, path, staff.AccessToken, nil).want(t, http.StatusOK, "")
		if shown.field("pin_state") != "initial" || shown.field("credential_level") != "ordinary" ||
			shown.field("counter_pin", "issued_by", "given_name") != "Francesca" {
			t.Errorf("shown %s", shown.body)
		}
		w.do(http.MethodGet, path, staff.AccessToken, nil, header{
			"If-None-Match", shown.header.Get("ETag"),
		}).want(t, http.StatusNotModified, "")
		w.app.Answers.Flush(ctx)
		for table, where := range map[string]string{
			"idempotency_keys": "body LIKE ?", "audit_records": "subject_kind LIKE ?", "outbox": "data LIKE ?",
		} {
			for _, secret := range []string{pin, number} {
				if n := w.rows(table, where, "%"+secret+"%"); n != 0 {
					t.Errorf("%s keeps what was shown at the counter", table)
				}
			}
		}
		if log := w.log.String(); strings.Contains(log, pin) || strings.Contains(log, number) || strings.Contains(log, taxCode) {
			t.Error("the log holds what was shown at the counter")
		}

		centre := w.as(w.loginAs(w.person(ofClass(client.UserClassContactCentre))).AccessToken)
		if revoked, err := centre.RevokePersonPinWithResponse(
			ctx, p.PersonId, &client.RevokePersonPinParams{Reason: client.PinRevocationReasonLost},
		); err != nil ||
			revoked.StatusCode() != http.StatusNoContent {
			t.Fatalf("%v %s", err, revoked.Body)
		}
		w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusUnauthorized, "session-ended")
		w.tryLogin(taxCode, pin).want(t, http.StatusUnauthorized, "invalid-credentials")
		if revoked, err := centre.RevokePersonPinWithResponse(
			ctx, p.PersonId, &client.RevokePersonPinParams{Reason: client.PinRevocationReasonLost},
		); err != nil ||
			revoked.StatusCode() != http.StatusNotFound {
			t.Errorf("%v %s", err, revoked.Body)
		}
	})
}

// TestStaff_ACounterPINTakesASecondPerson: nobody lets somebody in with full effect alone. Another
// operator confirms the PIN by the document that was kept, the holder by a code, or a day passes.
func TestStaff_ACounterPINTakesASecondPerson(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		var operators []client.SandboxPerson
		for _, p := range w.people() {
			if p.UserClass == client.UserClassOperator {
				operators = append(operators, p)
			}
		}
		one, other := w.loginAs(operators[0]).AccessToken, w.loginAs(operators[1]).AccessToken
		p, mobile, email := w.reachable(map[string]any{})
		path := "/v1/backoffice/people/" + p.PersonId.String()
		issue := func() answer {
			return w.do(http.MethodPost, path+"/pins", one, map[string]any{
				"document_kind": "passport", "document_number": "YA1234567",
			}).want(t, http.StatusCreated, "")
		}
		confirm := func(token string, body map[string]any) answer {
			return w.do(http.MethodPost, path+"/pins/confirmation", token, body, key())
		}
		level := func() any {
			return w.do(http.MethodGet, path, one, nil).want(t, http.StatusOK, "").field("credential_level")
		}
		confirm(other, map[string]any{}).want(t, http.StatusConflict, "conflict")
		issued := issue()
		if !w.told(mobile, "allo sportello") || !w.told(email, "allo sportello") {
			t.Error("not every verified contact is told")
		}
		w.do(http.MethodPost, path+"/pins/document", other, documentForm(), upgradeType, key()).want(t, http.StatusForbidden, "forbidden")
		kept := w.do(http.MethodPost, path+"/pins/document", one, documentForm(), upgradeType, key()).want(t, http.StatusOK, "")
		if files, _ := kept.field("counter_pin", "document").([]any); len(files) != 1 {
			t.Errorf("kept %s", kept.body)
		}
		read := w.do(http.MethodGet, path+"/pins/document/1", other, nil).want(t, http.StatusOK, "")
		if string(read.body) != pngHead || read.header.Get("Content-Type") != "image/png" {
			t.Errorf("read %d bytes of %s", len(read.body), read.header.Get("Content-Type"))
		}
		confirm(one, map[string]any{}).want(t, http.StatusForbidden, "forbidden")
		if level() != "ordinary" {
			t.Error("confirmed by who issued it")
		}
		if done := confirm(other, map[string]any{}).want(t, http.StatusOK, ""); done.field("credential_level") != "dispositive" ||
			done.field("counter_pin") != nil {
			t.Errorf("confirmed %s", done.body)
		}

		issue()
		confirm(one, map[string]any{"code": "00000000"}).want(t, http.StatusUnprocessableEntity, "code-invalid")
		code := ""
		for _, m := range w.sent(mobile) {
			if found := regexp.MustCompile(`: (\d{8})\.`).FindStringSubmatch(m.Text); found != nil {
				code = found[1]
				break // the newest comes first
			}
		}
		if issued.field("code_to") == nil || code == "" {
			t.Fatalf("no code in %+v", w.sent(mobile))
		}
		once := key()
		first := w.do(http.MethodPost, path+"/pins/confirmation", one, map[string]any{"code": code}, once).want(t, http.StatusOK, "")
		again := w.do(http.MethodPost, path+"/pins/confirmation", one, map[string]any{"code": code}, once).want(t, http.StatusOK, "")
		if level() != "dispositive" || string(first.body) != string(again.body) {
			t.Errorf("confirmed by the code: %s, and again %s", first.body, again.body)
		}

		issue()
		if level() != "ordinary" {
			t.Error("dispositive at once")
		}
		w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"advance": "P1D"}).want(t, http.StatusOK, "")
		one = w.loginAs(operators[0]).AccessToken
		if level() != "dispositive" {
			t.Error("ordinary after a day")
		}
	})
}

// TestStaff_ThePINOfOthersTakesAFreshLogin, and so do posts and suspensions.
func TestStaff_ThePINOfOthersTakesAFreshLogin(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin, operator := w.administrator().AccessToken, w.loginAs(w.person(ofClass(client.UserClassOperator))).AccessToken
		p := w.createPerson(map[string]any{})
		path := "/v1/backoffice/people/" + p.PersonId.String()
		w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"advance": "PT6M"}).want(t, http.StatusOK, "")
		for _, a := range []answer{
			w.do(http.MethodPost, path+"/pins", operator, map[string]any{"document_kind": "passport", "document_number": "YA1"}),
			w.do(http.MethodDelete, path+"/pin?reason=lost", operator, nil),
			w.do(http.MethodPost, path+"/suspension", admin, map[string]any{"reason": "prova"}, key()),
			w.do(http.MethodPost, "/v1/backoffice/operators", admin, map[string]any{
				"tax_code": p.TaxCode, "user_class": "contact_centre",
			}, key()),
			w.do(http.MethodPatch, "/v1/backoffice/operators/"+p.PersonId.String(), admin, map[string]any{"user_class": "contact_centre"},
				header{"Content-Type", "application/merge-patch+json"}, header{"If-Match", `"1"`}),
		} {
			a.want(t, http.StatusForbidden, "reauthentication-required")
		}
	})
}

// documentForm is the body that hands in the copy of a document.
func documentForm() string {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	_ = form.SetBoundary("confine")
	part, err := form.CreateFormFile("files", "documento.png")
	if err == nil {
		_, err = part.Write([]byte(pngHead))
	}
	if err = errors.Join(err, form.Close()); err != nil {
		panic(err)
	}
	return b.String()
}

// TestStaff_WhatWaitedIsCompletedWhenAPINIsConfirmed: what was filed with an ordinary PIN is
// submitted once the PIN from the counter is dispositive.
func TestStaff_WhatWaitedIsCompletedWhenAPINIsConfirmed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filerAs(w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelOrdinary)))
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		if filed.field("state") != "awaiting_credentials" {
			t.Fatalf("filed as %s", filed.body)
		}
		operator := w.loginAs(w.person(ofClass(client.UserClassOperator)))
		w.do(http.MethodPost, "/v1/backoffice/people/"+f.person.PersonId.String()+"/pins", operator.AccessToken,
			map[string]any{"document_kind": "passport", "document_number": "YA1234567"}).want(t, http.StatusCreated, "")
		w.do(http.MethodGet, "/v1/me", f.token, nil).want(t, http.StatusUnauthorized, "session-ended")
		second := w.loginAs(w.person(func(p client.SandboxPerson) bool {
			return p.UserClass == client.UserClassOperator && p.OfficeCode != nil && *p.OfficeCode == "4900"
		}))
		w.do(http.MethodPost, "/v1/backoffice/people/"+f.person.PersonId.String()+"/pins/confirmation", second.AccessToken,
			map[string]any{}, key()).want(t, http.StatusOK, "")
		var state, number string
		row := w.app.DB.From(context.Background()).Table("declarations").Select("state, protocol_number").Where(
			"id = ?", filed.field("declaration_id"),
		).Row()
		if err := row.Scan(&state, &number); err != nil || state != "submitted" || number != filed.field("protocol_number") {
			t.Errorf("it is %s with number %s, %v", state, number, err)
		}
	})
}

// TestStaff_ThePeopleOfTheCounterAreWatched: each change has one audit row. Each search and reading
// has a row in the access log, which says who was looked at.
func TestStaff_ThePeopleOfTheCounterAreWatched(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin, operator := w.administrator().AccessToken, w.loginAs(w.person(ofClass(client.UserClassOperator))).AccessToken
		p := w.createPerson(map[string]any{"user_class": "citizen"})
		person, operators := "/v1/backoffice/people/"+p.PersonId.String(), "/v1/backoffice/operators"
		changed := func(operation, token, method, path string, body any, status int, headers ...header) {
			t.Helper()
			id := "trace-" + operation
			w.do(method, path, token, body, append(headers, header{"Request-Id", id})...).want(t, status, "")
			if n := w.rows("audit_records", "request_id = ?", id); n != 1 {
				t.Errorf("%s left %d audit rows", operation, n)
			}
			if n := w.rows("audit_records", "request_id = ? AND operation = ? AND person_id <> ? AND session_id IS NOT NULL AND "+
				"subject_id IS NOT NULL AND outcome = 'done' AND address <> ''", id, operation, p.PersonId); n != 1 {
				t.Errorf("the audit row of %s does not tell who did what to whom, from where", operation)
			}
		}
		changed("registerPerson", operator, http.MethodPost, "/v1/backoffice/people", map[string]any{
			"tax_code": "RSSMRAULALMHRLMD", "given_name": "M", "family_name": "R",
		}, http.StatusCreated, key())
		changed("issuePin", operator, http.MethodPost, person+"/pins", map[string]any{
			"document_kind": "passport", "document_number": "YA1234567",
		}, http.StatusCreated)
		changed("revokePersonPin", operator, http.MethodDelete, person+"/pin?reason=lost", nil, http.StatusNoContent)
		changed("suspendPerson", admin, http.MethodPost, person+"/suspension", map[string]any{"reason": "prova"}, http.StatusOK, key())
		changed("readmitPerson", admin, http.MethodDelete, person+"/suspension", nil, http.StatusNoContent)
		// Who is to work here has dispositive credentials.
		p = w.createPerson(map[string]any{"user_class": "citizen"})
		person = "/v1/backoffice/people/" + p.PersonId.String()
		changed("addOperator", admin, http.MethodPost, operators, map[string]any{
			"tax_code": p.TaxCode, "user_class": "administrator",
		}, http.StatusCreated, key())
		tag := w.do(http.MethodGet, operators+"/"+p.PersonId.String(), admin, nil).header.Get("ETag")
		changed("changeOperator", admin, http.MethodPatch, operators+"/"+p.PersonId.String(), map[string]any{
			"user_class": "contact_centre",
		}, http.StatusOK,
			header{"If-Match", tag}, header{"Content-Type", "application/merge-patch+json"})
		changed("removeOperator", admin, http.MethodDelete, operators+"/"+p.PersonId.String(), nil, http.StatusNoContent)

		reads := map[string]answer{
			"watch-found": w.do(http.MethodPost, "/v1/backoffice/people-searches", operator, map[string]any{"tax_code": p.TaxCode}, header{
				"Request-Id", "watch-found",
			}),
			"watch-nobody": w.do(http.MethodPost, "/v1/backoffice/people-searches", operator, map[string]any{
				"tax_code": "RSSMRA80A01H50MM",
			}, header{
				"Request-Id", "watch-nobody",
			}),
			"watch-shown":  w.do(http.MethodGet, person, operator, nil, header{"Request-Id", "watch-shown"}),
			"watch-listed": w.do(http.MethodGet, operators, admin, nil, header{"Request-Id", "watch-listed"}),
		}
		refused := w.do(http.MethodPost, person+"/suspension", operator, map[string]any{"reason": "prova"}, key(), header{
			"Request-Id", "watch-refused",
		}).want(
			t, http.StatusForbidden, "forbidden",
		)
		w.app.AccessLog.Flush(context.Background())
		for id, a := range reads {
			a.want(t, http.StatusOK, "")
			if n := w.rows("access_log", "request_id = ? AND outcome = 'read' AND person_id IS NOT NULL", id); n != 1 {
				t.Errorf("%s left %d rows in the access log", id, n)
			}
		}
		for _, id := range []string{"watch-found", "watch-shown", "watch-refused"} {
			if n := w.rows("access_log", "request_id = ? AND subject_id = ?", id, p.PersonId.String()); n != 1 {
				t.Errorf("%s does not say who was looked at", id)
			}
		}
		if refused.field("pin_state") != nil {
			t.Errorf("a refusal shows %s", refused.body)
		}
	})
}
