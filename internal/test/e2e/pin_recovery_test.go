package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"diresco/api/client"
)

// secretTo returns the code in the newest message to a recipient whose text has the words.
func (w *fixture) secretTo(to, words string) string {
	w.t.Helper()
	for _, m := range w.sent(to) {
		if strings.Contains(m.Text, words) {
			return codeInText.FindString(m.Text)
		}
	}
	w.t.Fatalf("nothing about %q was sent to %s", words, to)
	return ""
}

// reachable makes a person with contacts of their own.
func (w *fixture) reachable(input map[string]any) (p client.SandboxPerson, mobile, email string) {
	w.t.Helper()
	n := len(w.people())
	mobile, email = fmt.Sprintf("+39333111%04d", n), fmt.Sprintf("persona%d@posta.example", n)
	input["contacts"] = []map[string]any{{"kind": "mobile", "value": mobile}, {"kind": "email", "value": email}}
	return w.createPerson(input), mobile, email
}

func recoveryOf(taxCode, mobile, email string) map[string]any {
	return map[string]any{
		"tax_code": taxCode, "contacts": []map[string]any{{"kind": "mobile", "value": mobile}, {"kind": "email", "value": email}},
	}
}

// TestPINRecovery_LostPINIsRecovered from the two contacts to the first login with the new PIN.
func TestPINRecovery_LostPINIsRecovered(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		p, mobile, email := w.reachable(map[string]any{"credential_level": "dispositive"})
		s := w.loginAs(p)
		started, err := w.as("").StartPinRecoveryWithResponse(ctx, nil, client.PinRecoveryStart{
			TaxCode:  strings.ToLower(p.TaxCode),
			Contacts: []client.ElectronicContact{{Kind: "mobile", Value: mobile}, {Kind: "email", Value: email}},
		})
		if err != nil || started.JSON202 == nil || started.HTTPResponse.Header.Get("Location") != "/v1/pin-recoveries" {
			t.Fatalf("%v %d %s", err, started.StatusCode(), started.Body)
		}
		code := w.secretTo(email, "recupero")
		if text := w.sent(email)[0].Text; strings.Contains(text, "/docs") || len(w.sent(mobile)) != 0 {
			t.Errorf("message %s", text)
		}
		typed := strings.ToLower(code[:4]) + " " + code[4:]
		confirmed, err := w.as("").ConfirmPinRecoveryWithResponse(ctx, nil, client.PinRecoveryConfirmation{
			TaxCode: p.TaxCode, RecoveryCode: typed,
		})
		if err != nil || confirmed.JSON200 == nil {
			t.Fatalf("%v %d %s", err, confirmed.StatusCode(), confirmed.Body)
		}
		deliveries := confirmed.JSON200.Deliveries
		if len(deliveries) != 2 || deliveries[0].Half != client.PinHalfFirst || deliveries[0].Channel != "sms" || !strings.HasSuffix(
			deliveries[0].To, mobile[len(mobile)-3:],
		) ||
			deliveries[1].Half != client.PinHalfSecond || deliveries[1].Channel != "email" || deliveries[1].To != "p***@posta.example" {
			t.Errorf("deliveries %+v", deliveries)
		}
		if strings.Contains(string(confirmed.Body), mobile) || strings.Contains(string(confirmed.Body), email) {
			t.Error("the contacts are shown")
		}
		whole := w.secretTo(mobile, "prima parte del Suo PIN") + w.secretTo(email, "seconda parte del Suo PIN")
		for _, to := range []string{mobile, email} {
			if !slices.ContainsFunc(w.sent(to), func(m client.SandboxMessage) bool {
				return strings.Contains(m.Text, "PIN è stato recuperato")
			}) {
				t.Errorf("%s is not told", to)
			}
		}
		for _, hidden := range []string{code, whole[:8], whole[8:], email, mobile, p.TaxCode} {
			if strings.Contains(w.log.String(), hidden) {
				t.Error("the log tells a secret, or who it was")
			}
		}
		w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusUnauthorized, "session-ended")
		w.tryLogin(p.TaxCode, p.Pin).want(t, http.StatusUnauthorized, "invalid-credentials")
		w.tryLogin(p.TaxCode, whole[:8]).want(t, http.StatusUnauthorized, "invalid-credentials")
		if listed := w.person(func(q client.SandboxPerson) bool { return q.PersonId == p.PersonId }); listed.Pin != whole {
			t.Error("the sandbox does not list the current PIN")
		}
		first := w.login(p.TaxCode, whole)
		if !first.PinChangeRequired || first.CredentialLevel != client.CredentialLevelDispositive {
			t.Errorf("session %+v", first)
		}
		w.do(http.MethodGet, "/v1/me", first.AccessToken, nil).want(t, http.StatusForbidden, "pin-change-required")
		w.do(http.MethodPost, "/v1/pin-recoveries/confirmation", "", map[string]any{"tax_code": p.TaxCode, "recovery_code": code}).want(
			t, http.StatusUnprocessableEntity, "code-invalid",
		)

		// The second half was sent already: the PIN expires unused 60 days later, and only its
		// holder is told so.
		w.clock.Advance(60 * 24 * time.Hour)
		w.tryLogin(p.TaxCode, wrongPIN).want(t, http.StatusUnauthorized, "invalid-credentials")
		expired := w.tryLogin(p.TaxCode, whole).want(t, http.StatusForbidden, "pin-expired")
		if detail, _ := expired.field("detail").(string); !strings.Contains(detail, "richieder") {
			t.Errorf("not told what to do: %s", detail)
		}
	})
}

// TestPINRecovery_RecoveryTellsNobodyAnything: the same answers, whoever asks about whomever.
func TestPINRecovery_RecoveryTellsNobodyAnything(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p, mobile, email := w.reachable(map[string]any{})
		fresh, freshMobile, freshEmail := w.reachable(map[string]any{"pin": "fresh"})
		shape := func(a answer) string {
			h := a.header.Clone()
			for _, changing := range []string{"Date", "Request-Id", "RateLimit-Remaining", "RateLimit-Reset"} {
				h.Del(changing)
			}
			return fmt.Sprint(a.status, h, strings.ReplaceAll(string(a.body), a.header.Get("Request-Id"), ""))
		}
		same := func(path string, status int, bodies ...any) {
			t.Helper()
			first := shape(w.do(http.MethodPost, path, "", bodies[0]).want(t, status, ""))
			for i, body := range bodies[1:] {
				if other := shape(w.do(http.MethodPost, path, "", body)); strings.ReplaceAll(
					other, "MKJRLA80A01L407X", p.TaxCode,
				) != first {
					t.Errorf("%s, %d: answered\n%s\nand\n%s", path, i+1, first, other)
				}
			}
		}
		const stranger = "MKJRLA80A01L407X"
		start := recoveryOf(p.TaxCode, mobile, email)
		same("/v1/pin-recoveries", http.StatusAccepted, start, recoveryOf(
			p.TaxCode, mobile, "x@posta.example",
		), recoveryOf(stranger, mobile, email),
			recoveryOf(fresh.TaxCode, freshMobile, freshEmail), start, start, start)
		same("/v1/pin-revocations", http.StatusAccepted,
			map[string]any{"tax_code": p.TaxCode, "contact": map[string]any{"kind": "mobile", "value": mobile}},
			map[string]any{"tax_code": p.TaxCode, "contact": map[string]any{"kind": "mobile", "value": freshMobile}},
			map[string]any{"tax_code": stranger, "contact": map[string]any{"kind": "mobile", "value": mobile}})
		same("/v1/pin-recoveries/confirmation", http.StatusUnprocessableEntity,
			map[string]any{"tax_code": p.TaxCode, "recovery_code": "22222222"},
			map[string]any{"tax_code": stranger, "recovery_code": "22222222"},
			map[string]any{"tax_code": fresh.TaxCode, "recovery_code": "22222222"})
		same("/v1/pin-revocations/confirmation", http.StatusUnprocessableEntity,
			map[string]any{"tax_code": p.TaxCode, "code": "22222222"}, map[string]any{"tax_code": stranger, "code": "22222222"})
		// A request that is sent again is one request.
		again := key()
		revocation := map[string]any{"tax_code": fresh.TaxCode, "contact": map[string]any{"kind": "mobile", "value": freshMobile}}
		for range 2 {
			w.do(http.MethodPost, "/v1/pin-revocations", "", revocation, again).want(t, http.StatusAccepted, "")
		}
		if n := len(w.sent(freshMobile)); n != 1 {
			t.Errorf("%d codes for one request", n)
		}
		if n := len(w.sent(email)); n != 3 {
			t.Errorf("%d messages, want the three that are served in a day", n)
		}
		if sent := w.sent(freshEmail); len(sent) != 1 || !strings.Contains(sent[0].Text, "non è possibile") ||
			codeInText.MatchString(sent[0].Text) {
			t.Errorf("who never finished the first access got %+v", sent)
		}
		english := w.do(http.MethodPost, "/v1/pin-recoveries", "", start, header{"Accept-Language", "en"}).want(t, http.StatusAccepted, "")
		if detail, _ := english.field("detail").(string); !strings.HasPrefix(detail, "If the data") ||
			english.header.Get("Content-Language") != "en" {
			t.Errorf("in English: %s", english.body)
		}
	})
}

// TestPINRecovery_RecoverySendsToStoredContactsAlone, whatever is written into the request.
func TestPINRecovery_RecoverySendsToStoredContactsAlone(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p, mobile, email := w.reachable(map[string]any{})
		right := []map[string]any{{"kind": "mobile", "value": mobile}, {"kind": "email", "value": email}}
		body := func(contacts any, more map[string]any) map[string]any {
			b := map[string]any{"tax_code": p.TaxCode, "contacts": contacts}
			for name, value := range more {
				b[name] = value
			}
			return b
		}
		const thief = "thief@posta.example"
		for name, b := range map[string]any{
			"array of values":  body([]map[string]any{right[0], {"kind": "email", "value": []string{email, thief}}}, nil),
			"two in one value": body([]map[string]any{right[0], {"kind": "email", "value": email + "," + thief}}, nil),
			"a second header":  body([]map[string]any{right[0], {"kind": "email", "value": email + "\r\nBcc: " + thief}}, nil),
			"display name":     body([]map[string]any{right[0], {"kind": "email", "value": "<" + email + "> " + thief}}, nil),
			"one kind twice":   body([]map[string]any{right[1], {"kind": "email", "value": thief}}, nil),
			"four contacts": body([]map[string]any{
				right[0], right[1], {"kind": "pec", "value": thief}, {"kind": "pec", "value": thief},
			}, nil),
			"one contact":        body(right[:1], nil),
			"postal":             body([]map[string]any{right[0], {"kind": "postal", "value": "Via Roma 1"}}, nil),
			"extra field":        body(right, map[string]any{"email": thief}),
			"extra in a contact": body([]map[string]any{right[0], {"kind": "email", "value": email, "send_to": thief}}, nil),
			"array of tax codes": map[string]any{"tax_code": []string{p.TaxCode}, "contacts": right},
			"not a tax code":     map[string]any{"tax_code": p.TaxCode[:15] + "0", "contacts": right},
		} {
			a := w.do(http.MethodPost, "/v1/pin-recoveries", "", b)
			if a.status != http.StatusUnprocessableEntity || a.field("errors") == nil {
				t.Errorf("%s: answered %d %s", name, a.status, a.body)
			}
		}
		w.do(
			http.MethodPost, "/v1/pin-recoveries", "",
			`{"tax_code":"`+p.TaxCode+`","contacts":[{"kind":"mobile","value":"`+mobile+`"},{"kind":"email","value":"`+email+
				`","value":"`+thief+`"}]}`,
		).
			want(t, http.StatusBadRequest, "malformed-request")
		if n := len(w.sent(email)) + len(w.sent(mobile)) + len(w.sent(thief)); n != 0 {
			t.Errorf("%d messages were sent", n)
		}

		// What is answered as always, and sends nothing anywhere but to what is stored.
		for _, contacts := range [][]map[string]any{
			{right[0], {"kind": "email", "value": thief}},
			{{"kind": "mobile", "value": "+393339999999"}, right[1]},
			{right[0], {"kind": "email", "value": thief}, {"kind": "pec", "value": email}},
			{right[0], right[1], {"kind": "pec", "value": thief}},
		} {
			w.do(http.MethodPost, "/v1/pin-recoveries", "", body(contacts, nil), header{
				"X-Forwarded-Host", "evil.example",
			}, header{"Forwarded", "host=evil.example"}).want(t, http.StatusAccepted, "")
		}
		w.do(http.MethodPost, "/v1/pin-revocations", "", map[string]any{
			"tax_code": p.TaxCode, "contact": map[string]any{"kind": "email", "value": thief},
		}).want(t, http.StatusAccepted, "")
		w.do(http.MethodPost, "/v1/pin-revocations", "", map[string]any{"tax_code": p.TaxCode, "contact": []map[string]any{right[0]}}).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		w.withHost("evil.example", func() {
			w.do(http.MethodPost, "/v1/pin-recoveries", "", body(right, nil)).want(t, http.StatusAccepted, "")
		})
		if n := len(w.sent(thief)) + len(w.sent("+393339999999")) + len(w.sent(mobile)); n != 0 {
			t.Errorf("%d messages went elsewhere", n)
		}
		sent := w.sent(email)
		if len(sent) != 2 {
			t.Errorf("%d messages to the stored address, want 2", len(sent))
		}
		for _, m := range sent {
			if strings.Contains(m.Text, "evil.example") || strings.Contains(m.Text, "/docs") {
				t.Errorf("message %s", m.Text)
			}
		}
	})
}

// hostTransport sends requests with another Host header.
type hostTransport struct {
	http.RoundTripper
	host string
}

// RoundTrip implements http.RoundTripper.
func (h hostTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = h.host
	return h.RoundTripper.RoundTrip(r)
}

// withHost runs work with another Host header in every request.
func (w *fixture) withHost(host string, work func()) {
	was := w.http
	defer func() { w.http = was }()
	w.http = &http.Client{Transport: hostTransport{was.Transport, host}}
	work()
}

// TestPINRecovery_GuessesAtCodes: each kind of code has its own counter, and a right code waits
// too.
func TestPINRecovery_GuessesAtCodes(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p, mobile, email := w.reachable(map[string]any{})
		w.do(http.MethodPost, "/v1/pin-recoveries", "", recoveryOf(p.TaxCode, mobile, email)).want(t, http.StatusAccepted, "")
		code := w.secretTo(email, "recupero")
		confirm := func(taxCode, code string) answer {
			return w.do(http.MethodPost, "/v1/pin-recoveries/confirmation", "", map[string]any{"tax_code": taxCode, "recovery_code": code})
		}
		for _, taxCode := range []string{p.TaxCode, "MKJRLA80A01L407X"} {
			for range 10 {
				confirm(taxCode, "22222222").want(t, http.StatusUnprocessableEntity, "code-invalid")
			}
			locked := confirm(taxCode, code).want(t, http.StatusTooManyRequests, "rate-limited")
			if seconds, err := strconv.Atoi(locked.header.Get("Retry-After")); err != nil || seconds != 300 {
				t.Errorf("Retry-After is %q", locked.header.Get("Retry-After"))
			}
		}
		w.loginAs(p)
		w.do(http.MethodPost, "/v1/pin-revocations/confirmation", "", map[string]any{"tax_code": p.TaxCode, "code": code}).want(
			t, http.StatusUnprocessableEntity, "code-invalid",
		)
		w.clock.Advance(5 * time.Minute)
		confirm("MKJRLA80A01L407X", code).want(t, http.StatusUnprocessableEntity, "code-invalid")
		right := func() answer {
			return w.do(http.MethodPost, "/v1/pin-recoveries/confirmation", "", map[string]any{
				"tax_code": p.TaxCode, "recovery_code": code,
			}, header{"Idempotency-Key", "recovery-of-the-pin"}).want(t, http.StatusOK, "")
		}
		if first, again := right(), right(); string(first.body) != string(again.body) ||
			first.header.Get("Content-Type") != again.header.Get("Content-Type") {
			t.Errorf("the same request was answered %s and %s", first.body, again.body)
		}
	})
}

// TestPINRecovery_RevokedPIN, by its holder with a login and by whoever lost it without.
func TestPINRecovery_RevokedPIN(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p, mobile, email := w.reachable(map[string]any{})
		s, elsewhere := w.loginAs(p), w.loginAs(p)
		w.clock.Advance(5*time.Minute + time.Second)
		w.do(http.MethodDelete, "/v1/me/pin", s.AccessToken, nil).want(t, http.StatusForbidden, "reauthentication-required")
		w.do(
			http.MethodPost, "/v1/sessions/current/authentications", s.AccessToken, map[string]any{"pin": p.Pin},
		).want(t, http.StatusOK, "")
		records := w.auditRecords("revokePin")
		w.do(http.MethodDelete, "/v1/me/pin", s.AccessToken, nil).want(t, http.StatusNoContent, "")
		if n := w.auditRecords("revokePin") - records; n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
		for _, token := range []string{s.AccessToken, elsewhere.AccessToken} {
			w.do(http.MethodGet, "/v1/me", token, nil).want(t, http.StatusUnauthorized, "session-ended")
		}
		w.tryLogin(p.TaxCode, p.Pin).want(t, http.StatusUnauthorized, "invalid-credentials")
		for _, to := range []string{mobile, email} {
			if sent := w.sent(to); len(sent) != 1 || !strings.Contains(sent[0].Text, "PIN è stato revocato") {
				t.Errorf("%s got %+v", to, sent)
			}
		}

		lost, lostMobile, _ := w.reachable(map[string]any{"pin": "fresh"})
		forced := w.loginAs(lost)
		w.do(http.MethodDelete, "/v1/me/pin", forced.AccessToken, nil).want(t, http.StatusForbidden, "pin-change-required")
		ctx := context.Background()
		started, err := w.as("").StartPinRevocationWithResponse(ctx, nil, client.PinRevocationStart{
			TaxCode: lost.TaxCode, Contact: client.ElectronicContact{Kind: "mobile", Value: lostMobile},
		})
		if err != nil || started.JSON202 == nil {
			t.Fatalf("%v %d %s", err, started.StatusCode(), started.Body)
		}
		code := w.secretTo(lostMobile, "revoca")
		records = w.auditRecords("confirmPinRevocation")
		revoked, err := w.as("").ConfirmPinRevocationWithResponse(ctx, nil, client.PinRevocationConfirmation{
			TaxCode: lost.TaxCode, Code: code,
		})
		if err != nil || revoked.JSON200 == nil || !revoked.JSON200.RevokedAt.Equal(w.clock.Now()) {
			t.Fatalf("%v %d %s", err, revoked.StatusCode(), revoked.Body)
		}
		if n := w.auditRecords("confirmPinRevocation") - records; n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
		w.tryLogin(lost.TaxCode, lost.Pin).want(t, http.StatusUnauthorized, "invalid-credentials")
		w.do(http.MethodPost, "/v1/pin-revocations/confirmation", "", map[string]any{"tax_code": lost.TaxCode, "code": code}).want(
			t, http.StatusUnprocessableEntity, "code-invalid",
		)
	})
}

// auditRecords counts what an operation left in the trail.
func (w *fixture) auditRecords(operation string) int64 {
	w.t.Helper()
	var n int64
	if err := w.app.DB.From(context.Background()).Table("audit_records").Where("operation = ?", operation).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestPINRecovery_NoStepIsSkipped: no code is good for what it was not made for.
func TestPINRecovery_NoStepIsSkipped(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p, mobile, email := w.reachable(map[string]any{})
		other, otherMobile, otherEmail := w.reachable(map[string]any{})
		recovery := func(taxCode, code string) answer {
			return w.do(http.MethodPost, "/v1/pin-recoveries/confirmation", "", map[string]any{"tax_code": taxCode, "recovery_code": code})
		}
		revocation := func(taxCode, code string) answer {
			return w.do(http.MethodPost, "/v1/pin-revocations/confirmation", "", map[string]any{"tax_code": taxCode, "code": code})
		}
		for _, nothing := range []string{"22222222", " ", "-", "null"} {
			recovery(p.TaxCode, nothing).want(t, http.StatusUnprocessableEntity, "code-invalid")
			revocation(p.TaxCode, nothing).want(t, http.StatusUnprocessableEntity, "code-invalid")
		}
		recovery(p.TaxCode, "").want(t, http.StatusUnprocessableEntity, "validation-failed")
		w.do(http.MethodPost, "/v1/pin-recoveries", "", recoveryOf(p.TaxCode, mobile, email)).want(t, http.StatusAccepted, "")
		w.do(http.MethodPost, "/v1/pin-recoveries", "", recoveryOf(other.TaxCode, otherMobile, otherEmail)).want(t, http.StatusAccepted, "")
		w.do(http.MethodPost, "/v1/pin-revocations", "", map[string]any{
			"tax_code": p.TaxCode, "contact": map[string]any{"kind": "mobile", "value": mobile},
		}).want(t, http.StatusAccepted, "")
		code, another, revoke := w.secretTo(email, "recupero"), w.secretTo(otherEmail, "recupero"), w.secretTo(mobile, "revoca")
		recovery(p.TaxCode, another).want(t, http.StatusUnprocessableEntity, "code-invalid")
		recovery(p.TaxCode, revoke).want(t, http.StatusUnprocessableEntity, "code-invalid")
		revocation(p.TaxCode, code).want(t, http.StatusUnprocessableEntity, "code-invalid")
		recovery(other.TaxCode, code).want(t, http.StatusUnprocessableEntity, "code-invalid")
		w.tryLogin(p.TaxCode, code).want(t, http.StatusUnauthorized, "invalid-credentials")
		w.loginAs(p)
		w.loginAs(other)
		revocation(p.TaxCode, revoke).want(t, http.StatusOK, "")
		// What is revoked is not recovered by an older code.
		recovery(p.TaxCode, code).want(t, http.StatusUnprocessableEntity, "code-invalid")
		recovery(other.TaxCode, another).want(t, http.StatusOK, "")
	})
}
