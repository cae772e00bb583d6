package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

// elena is the contract's example of requestPin: somebody of the sandbox's register of persons
// without a PIN.
func elena() map[string]any {
	contract, err := readContract()
	if err != nil {
		panic(err)
	}
	example, ok := contract.Paths.Find("/pin-requests").Post.RequestBody.Value.Content["application/json"].Example.(map[string]any)
	if !ok {
		panic("requestPin has no example")
	}
	return maps.Clone(example)
}

// elenaWith is the example with other values.
func elenaWith(changes map[string]any) map[string]any {
	body := elena()
	maps.Copy(body, changes)
	return body
}

const (
	elenaMobile = "+393331112233"
	elenaEmail  = "elena.bianchi@posta.example"
)

func (w *fixture) requestPIN(body any) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/v1/pin-requests", "", body, key())
}

// letters returns the letters that the sandbox keeps, the newest first.
func (w *fixture) letters() []client.SandboxMessage {
	w.t.Helper()
	channel := client.MessageChannelLetter
	r, err := w.as("").ListSandboxMessagesWithResponse(context.Background(), &client.ListSandboxMessagesParams{Channel: &channel})
	if err != nil || r.JSON200 == nil {
		w.t.Fatalf("letters: %v %s", err, r.Body)
	}
	return r.JSON200.Items
}

// firstAccess logs in with an initial PIN and changes it; it returns the session and the new PIN.
func (w *fixture) firstAccess(taxCode, initial string) (client.Session, string) {
	w.t.Helper()
	ctx := context.Background()
	s := w.login(taxCode, initial)
	if !s.PinChangeRequired {
		w.t.Error("the first access does not force the change")
	}
	rotated, err := w.as(s.AccessToken).RotatePinWithResponse(ctx, nil)
	if err != nil || rotated.JSON201 == nil {
		w.t.Fatalf("%v %s", err, rotated.Body)
	}
	confirmed, err := w.as(s.AccessToken).ConfirmPinRotationWithResponse(
		ctx, rotated.JSON201.RotationId, nil, client.ConfirmPinRotationJSONRequestBody{Pin: rotated.JSON201.Pin},
	)
	if err != nil || confirmed.JSON200 == nil {
		w.t.Fatalf("%v %s", err, confirmed.Body)
	}
	return *confirmed.JSON200, rotated.JSON201.Pin
}

// contactCentre logs in somebody who answers the telephone.
func (w *fixture) contactCentre() client.Session {
	w.t.Helper()
	return w.loginAs(w.person(ofClass(client.UserClassContactCentre)))
}

// TestPINRequest_FirstPIN is the way from the request to the first access: SMS and letter, both
// halves joined, login, change.
func TestPINRequest_FirstPIN(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		made := w.requestPIN(elena()).want(t, http.StatusAccepted, "")
		location := made.header.Get("Location")
		id, _ := made.field("request_id").(string)
		if made.field("state") != "served" || location != "/v1/pin-requests/"+id ||
			!regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(id) {
			t.Fatalf("%s at %s", made.body, location)
		}
		show := func() client.PinRequest {
			t.Helper()
			r, err := w.as("").ShowPinRequestWithResponse(ctx, id, nil)
			if err != nil || r.JSON200 == nil || r.HTTPResponse.Header.Get("ETag") == "" {
				t.Fatalf("%v %s", err, r.Body)
			}
			if bytes.Contains(r.Body, []byte(elenaMobile)) || bytes.Contains(r.Body, []byte("Nazionale")) {
				t.Errorf("not masked: %s", r.Body)
			}
			return *r.JSON200
		}
		states := func() (found []client.DeliveryState) {
			for _, d := range show().Deliveries {
				found = append(found, d.State)
			}
			return found
		}
		if got := states(); !slices.Equal(got, []client.DeliveryState{"sent", "handed_over"}) {
			t.Errorf("the halves are %v", got)
		}
		first, letters := w.codeTo(elenaMobile), w.letters()
		if len(letters) != 1 || !strings.Contains(letters[0].To, "Via Nazionale 10") || letters[0].Letter == nil {
			t.Fatalf("letters %+v", letters)
		}
		if pdf := w.do(
			http.MethodGet, *letters[0].Letter, "", nil,
		).want(t, http.StatusOK, ""); !bytes.HasPrefix(pdf.body, []byte("%PDF-")) {
			t.Error("the letter is no PDF")
		}
		second := codeInText.FindString(letters[0].Text)
		if got := states(); !slices.Equal(got, []client.DeliveryState{"sent", "handed_over"}) {
			t.Errorf("after both were sent: %v", got)
		}
		deliveries := show().Deliveries
		if deliveries[0].Half != "first" || deliveries[0].Channel != "sms" || !strings.HasSuffix(deliveries[0].To, "233") ||
			deliveries[1].Half != "second" || deliveries[1].Channel != "letter" || !strings.Contains(deliveries[1].To, "Roma") {
			t.Errorf("%+v", deliveries)
		}
		taxCode, _ := elena()["tax_code"].(string)
		for _, half := range []string{first, second, second + first} {
			w.tryLogin(taxCode, half).want(t, http.StatusUnauthorized, "invalid-credentials")
		}
		listed := w.person(func(p client.SandboxPerson) bool { return p.TaxCode == taxCode })
		if listed.Pin != first+second || listed.GivenName != "Elena" || listed.CredentialLevel != client.CredentialLevelOrdinary ||
			listed.UserClass != client.UserClassCitizen || len(listed.Contacts) != 0 {
			t.Errorf("listed %+v", listed)
		}
		s, pin := w.firstAccess(taxCode, strings.ToLower(first)+" "+second)
		me := w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusOK, "")
		if me.field("given_name") != "Elena" || me.field("credential_level") != "ordinary" {
			t.Errorf("%s", me.body)
		}
		if again := w.login(taxCode, pin); again.PinChangeRequired {
			t.Error("the new PIN must be changed again")
		}
		// The number that received half of the PIN counts from now on; the address that received
		// nothing does not yet.
		contacts, err := w.as(s.AccessToken).ListContactsWithResponse(ctx, nil)
		if err != nil || contacts.JSON200 == nil {
			t.Fatalf("%v %s", err, contacts.Body)
		}
		for _, c := range contacts.JSON200.Items {
			if want := c.Value == elenaMobile; (c.State == "verified") != want {
				t.Errorf("%s is %s", c.Kind, c.State)
			}
		}
		for _, secret := range []string{first, second, pin, taxCode, elenaMobile, elenaEmail} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the log holds %d characters of a secret or of personal data", len(secret))
			}
		}
	})
}

// TestPINRequest_ReadAlike: the answer to a request is the same whatever is the matter with it. The
// person is not in the register, has other data, has a PIN, or asks too often.
func TestPINRequest_ReadAlike(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		known := w.createPerson(map[string]any{})
		names := map[string]any{"tax_code": known.TaxCode, "given_name": known.GivenName, "family_name": known.FamilyName}
		requests := []map[string]any{
			elenaWith(map[string]any{"tax_code": "RSSMRA80A01H50MM"}),
			elenaWith(map[string]any{"given_name": "Anna"}),
			elenaWith(map[string]any{"residence": map[string]any{
				"street": "Via Nazionale 11", "postal_code": "00184", "town": "Roma", "province": "RM",
			}}),
			elenaWith(names), elenaWith(names), elenaWith(names), elenaWith(names),
		}
		shape := func(a answer) string {
			h := a.header.Clone()
			for _, changing := range []string{"Date", "Request-Id", "Ratelimit-Remaining", "Ratelimit-Reset"} {
				h.Del(changing)
			}
			id, _ := a.field("request_id").(string)
			return strings.ReplaceAll(fmt.Sprint(a.status, h, string(a.body)), id, strings.Repeat("x", len(id)))
		}
		// The tag is made from the answer, in which the id is.
		withoutTag := regexp.MustCompile(`Etag:\[[^\]]*\]`)
		var made, shown string
		for i, body := range requests {
			a := w.requestPIN(body).want(t, http.StatusAccepted, "")
			b := w.do(http.MethodGet, a.header.Get("Location"), "", nil).want(t, http.StatusOK, "")
			if i == 0 {
				made, shown = shape(a), withoutTag.ReplaceAllString(shape(b), "")
				if a.field("state") != "waiting" || len(a.field("deliveries").([]any)) != 0 {
					t.Errorf("%s", a.body)
				}
			}
			if shape(a) != made || withoutTag.ReplaceAllString(shape(b), "") != shown {
				t.Errorf("request %d reads otherwise:\n%s\n%s", i, shape(a), made)
			}
		}
		// Only who has a PIN is told, at most three times a day, and the PIN is what it was.
		if sent := w.sent(known.Contacts[0].Value); len(sent) != 3 || !strings.Contains(sent[0].Text, "chiesto un PIN") {
			t.Errorf("%d messages to the holder", len(sent))
		}
		if len(w.sent(elenaMobile)) != 0 || len(w.sent(elenaEmail)) != 0 || len(w.letters()) != 0 {
			t.Error("something was sent to where the requests said")
		}
		w.tryLogin(known.TaxCode, known.Pin).want(t, http.StatusCreated, "")
		w.do(http.MethodGet, "/v1/pin-requests/q7Vn2xWc9KfT4bLm8RzY1A", "", nil).want(t, http.StatusNotFound, "not-found")
	})
}

// TestPINRequest_TheContactCentreDecides: it sees why a request waits, serves one and refuses
// another.
func TestPINRequest_TheContactCentreDecides(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		clerk, admin := w.contactCentre(), w.administrator()
		asked := elenaWith(map[string]any{"given_name": "Èlena Maria"})
		waiting := w.requestPIN(asked).want(t, http.StatusAccepted, "")
		id, _ := waiting.field("request_id").(string)
		state := client.PinRequestStateWaiting
		list, err := w.as(clerk.AccessToken).ListPinRequestsWithResponse(ctx, &client.ListPinRequestsParams{State: &state})
		if err != nil || list.JSON200 == nil || len(list.JSON200.Items) != 1 {
			t.Fatalf("%v %s", err, list.Body)
		}
		item := list.JSON200.Items[0]
		if item.RequestId != id || item.WaitsBecause == nil || *item.WaitsBecause != client.PinRequestWaitReasonDataDiffer ||
			item.GivenName != "Èlena Maria" || item.FiledBy != nil || item.BirthDate.String() != "1985-08-01" ||
			item.Residence.Street != "Via Nazionale 10" || len(item.Contacts) != 2 || *item.Phone != asked["phone"] {
			t.Errorf("%s", list.Body)
		}
		decide := func(id, outcome string) answer {
			t.Helper()
			return w.do(http.MethodPost, "/v1/backoffice/pin-requests/"+id+"/decision", clerk.AccessToken, map[string]any{
				"outcome": outcome, "reason": "Dati confermati al telefono",
			}, key())
		}
		decided := decide(id, "served").want(t, http.StatusOK, "")
		if decided.field("state") != "served" || decided.field("decided_at") == nil ||
			decided.field("reason") != "Dati confermati al telefono" || decided.field("waits_because") != nil {
			t.Errorf("%s", decided.body)
		}
		decide(id, "refused").want(t, http.StatusConflict, "conflict")
		initial := w.codeTo(elenaMobile) + codeInText.FindString(w.letters()[0].Text)
		s, _ := w.firstAccess(item.TaxCode, initial)
		if me := w.do(http.MethodGet, "/v1/me", s.AccessToken, nil); me.field("given_name") != "Èlena Maria" {
			t.Errorf("%s", me.body)
		}

		// A caller's request waits too, when it cannot be served.
		filed := w.do(http.MethodPost, "/v1/backoffice/pin-requests", clerk.AccessToken, elena(), key()).want(t, http.StatusAccepted, "")
		if filed.field("waits_because") != "has_pin" || filed.field("filed_by", "given_name") != "Chiara" ||
			!strings.HasPrefix(filed.header.Get("Location"), "/v1/backoffice/pin-requests/") {
			t.Errorf("%s", filed.body)
		}
		second, _ := filed.field("request_id").(string)
		decide(second, "served").want(t, http.StatusForbidden, "forbidden")
		clerk = admin // who filed it does not decide about it
		decide(second, "served").want(t, http.StatusConflict, "conflict")
		refused := decide(second, "refused").want(t, http.StatusOK, "")
		if refused.field("state") != "refused" || len(refused.field("deliveries").([]any)) != 0 {
			t.Errorf("%s", refused.body)
		}
		if !w.told(elenaMobile, "respinta") {
			t.Error("the holder is not told of the refusal")
		}
		shown := w.do(http.MethodGet, filed.header.Get("Location"), clerk.AccessToken, nil).want(t, http.StatusOK, "")
		if shown.field("state") != "refused" || shown.header.Get("ETag") == "" {
			t.Errorf("%s", shown.body)
		}
		w.do(http.MethodGet, "/v1/pin-requests/"+second, "", nil).want(t, http.StatusOK, "")
		w.do(http.MethodGet, "/v1/backoffice/pin-requests/q7Vn2xWc9KfT4bLm8RzY1A", clerk.AccessToken, nil).want(
			t, http.StatusNotFound, "not-found",
		)
	})
}

// TestPINRequest_APINCanBeAskedForAgain once the old one is revoked, with what the description of a
// test person says of the register.
func TestPINRequest_APINCanBeAskedForAgain(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{"register": "labour_consultant"})
		told := regexp.MustCompile(`born (\S+) in (.+), lives in (.+), (\d{5}) (.+) ([A-Z]{2})$`).FindStringSubmatch(p.Description)
		if told == nil {
			t.Fatalf("description %q", p.Description)
		}
		body := map[string]any{
			"tax_code": p.TaxCode, "given_name": strings.ToUpper(p.GivenName), "family_name": p.FamilyName, "birth_date": told[1],
			"birth_place": told[2],
			"residence": map[string]any{
				"street": strings.Replace(told[3], "Via ", "V. ", 1), "postal_code": told[4], "town": told[5], "province": told[6],
			},
			"contacts": []map[string]any{{"kind": "pec", "value": "nuova@pec.example"}},
		}
		if a := w.requestPIN(body).want(t, http.StatusAccepted, ""); a.field("state") != "waiting" {
			t.Errorf("%s", a.body)
		}
		s := w.loginAs(p)
		w.do(http.MethodDelete, "/v1/me/pin", s.AccessToken, nil).want(t, http.StatusNoContent, "")
		a := w.requestPIN(body).want(t, http.StatusAccepted, "")
		if a.field("state") != "served" {
			t.Fatalf("%s", a.body)
		}
		w.tryLogin(p.TaxCode, p.Pin).want(t, http.StatusUnauthorized, "invalid-credentials")
		again, _ := w.firstAccess(p.TaxCode, w.codeTo("nuova@pec.example")+codeInText.FindString(w.letters()[0].Text))
		if again.CredentialLevel != client.CredentialLevelOrdinary {
			t.Errorf("%s credentials", again.CredentialLevel)
		}
		if !w.told(p.Contacts[0].Value, "nuovo PIN") {
			t.Error("the contacts from before are not told")
		}
	})
}

// TestPINRequest_LeaveOneRecord: each changing operation leaves one audit record, reads of
// another's data one in the access log.
func TestPINRequest_LeaveOneRecord(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		clerk, admin := w.contactCentre(), w.administrator()
		record := func(operation, outcome string, send func(header) answer, status int) answer {
			t.Helper()
			id := "trace-" + operation + "-" + outcome
			a := send(header{"Request-Id", id}).want(t, status, "")
			if n := w.rows("audit_records", "request_id = ?", id); n != 1 {
				t.Errorf("%s: %d records", id, n)
			}
			by := "person_id IS NULL"
			if strings.HasPrefix(operation, "file") || strings.HasPrefix(operation, "decide") {
				by = "person_id IS NOT NULL AND session_id IS NOT NULL"
			}
			requestID, _ := a.field("request_id").(string)
			if n := w.rows("audit_records", by+
				" AND request_id = ? AND operation = ? AND outcome = ? AND subject_kind = 'pin-request' AND subject_id = ? "+
				"AND address <> ''", id,
				operation, outcome, requestID); n != 1 {
				t.Errorf("%s: the record does not say what was done", id)
			}
			return a
		}
		post := func(path, token string, body any) func(header) answer {
			return func(h header) answer { return w.do(http.MethodPost, path, token, body, key(), h) }
		}
		stranger := elenaWith(map[string]any{"tax_code": "RSSMRA80A01H50MM"})
		record("requestPin", "served", post("/v1/pin-requests", "", elena()), http.StatusAccepted)
		record("requestPin", "waiting", post("/v1/pin-requests", "", stranger), http.StatusAccepted)
		first := record("filePinRequest", "waiting", post("/v1/backoffice/pin-requests", clerk.AccessToken, stranger), http.StatusAccepted)
		second := w.requestPIN(stranger)
		for outcome, a := range map[string]answer{"refused": first, "served": second} {
			id, _ := a.field("request_id").(string)
			record("decidePinRequest", outcome, post("/v1/backoffice/pin-requests/"+id+"/decision", admin.AccessToken, map[string]any{
				"outcome": outcome, "reason": "prova",
			}), http.StatusOK)
		}
		// One that is refused leaves nothing.
		id, _ := first.field("request_id").(string)
		before := w.rows("audit_records", "1 = 1")
		w.do(http.MethodPost, "/v1/backoffice/pin-requests/"+id+"/decision", admin.AccessToken, map[string]any{
			"outcome": "served", "reason": "prova",
		}, key()).want(
			t, http.StatusConflict, "conflict",
		)
		w.requestPIN(elenaWith(map[string]any{"birth_date": "2999-01-01"})).want(t, http.StatusUnprocessableEntity, "validation-failed")
		if n := w.rows("audit_records", "1 = 1"); n != before {
			t.Errorf("%d records of what was refused", n-before)
		}
		w.do(http.MethodGet, "/v1/backoffice/pin-requests/"+id, clerk.AccessToken, nil, header{
			"Request-Id", "trace-read-one",
		}).want(t, http.StatusOK, "")
		w.do(http.MethodGet, "/v1/backoffice/pin-requests", clerk.AccessToken, nil, header{
			"Request-Id", "trace-read-all",
		}).want(t, http.StatusOK, "")
		w.app.AccessLog.Flush(context.Background())
		if w.rows("access_log", "request_id = 'trace-read-one' AND outcome = 'read' AND subject_id = ?", id) != 1 ||
			w.rows("access_log", "request_id = 'trace-read-all' AND outcome = 'read'") != 1 {
			t.Error("who read the requests is not in the access log")
		}
	})
}

// TestPINRequest_OneIntentIsOnePINRequest: a repeat with the same key gets the first answer, and
// wrong fields are named.
func TestPINRequest_OneIntentIsOnePINRequest(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		one := key()
		first := w.do(http.MethodPost, "/v1/pin-requests", "", elena(), one).want(t, http.StatusAccepted, "")
		w.clock.Advance(time.Minute)
		again := w.do(http.MethodPost, "/v1/pin-requests", "", elena(), one).want(t, http.StatusAccepted, "")
		if !bytes.Equal(first.body, again.body) || again.header.Get("Location") != first.header.Get("Location") ||
			w.rows("pin_requests", "1 = 1") != 1 {
			t.Errorf("%s\n%s", first.body, again.body)
		}
		for pointer, changes := range map[string]map[string]any{
			"/tax_code":    {"tax_code": "BNCLNE85M41H501A"},
			"/birth_date":  {"birth_date": "1985-02-30"},
			"/family_name": {"family_name": "  "},
			"/residence/province": {"residence": map[string]any{
				"street": "Via Roma 1", "postal_code": "00184", "town": "Roma", "province": "Roma",
			}},
			"/contacts/1/kind": {"contacts": []map[string]any{
				{"kind": "mobile", "value": "+393331112233"}, {"kind": "mobile", "value": "+393331112234"},
			}},
			"/contacts/0/value": {"contacts": []map[string]any{{"kind": "email", "value": "nessuno"}}},
			"/contacts":         {"contacts": []map[string]any{}},
			"/state":            {"state": "served"},
			"/residence/second_street": {"residence": map[string]any{
				"street": "Via Roma 1", "postal_code": "00184", "town": "Roma", "province": "RM", "second_street": "x",
			}},
		} {
			a := w.requestPIN(elenaWith(changes)).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if !bytes.Contains(a.body, []byte(`"`+pointer+`"`)) {
				t.Errorf("%s: %s", pointer, a.body)
			}
		}
		if w.rows("people", "tax_code = ?", elena()["tax_code"]) != 1 || w.rows("pin_requests", "id = ?", uuid.NewString()) != 0 ||
			w.rows("pin_requests", "1 = 1") != 1 {
			t.Error("a refused request was kept")
		}
	})
}
