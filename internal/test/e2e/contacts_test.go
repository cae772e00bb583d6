package e2e

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"diresco/api/client"
)

// sent returns the messages that the sandbox keeps for the address, the newest first.
func (w *fixture) sent(to string) []client.SandboxMessage {
	w.t.Helper()
	r, err := w.as("").ListSandboxMessagesWithResponse(context.Background(), &client.ListSandboxMessagesParams{To: &to})
	if err != nil || r.JSON200 == nil {
		w.t.Fatalf("messages: %v %s", err, r.Body)
	}
	return r.JSON200.Items
}

// told reports whether a message with these words went to the address.
func (w *fixture) told(to string, words ...string) bool {
	w.t.Helper()
	return slices.ContainsFunc(w.sent(to), func(m client.SandboxMessage) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(m.Subject+"\n"+m.Text, word) })
	})
}

var codeInText = regexp.MustCompile(`\b[2-9A-HJKMNP-Z]{8}\b`)

// codeTo returns the code in the newest message to the address.
func (w *fixture) codeTo(to string) string {
	w.t.Helper()
	messages := w.sent(to)
	if len(messages) == 0 {
		w.t.Fatalf("nothing was sent to %s", to)
	}
	code := codeInText.FindString(messages[0].Text)
	if code == "" {
		w.t.Fatalf("no code in %q", messages[0].Text)
	}
	return code
}

func (w *fixture) addContact(token, kind, value string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/v1/me/contacts", token, map[string]any{"kind": kind, "value": value}, key())
}

func (w *fixture) verifyContact(token, path, code string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, path+"/verification", token, map[string]any{"code": code}, key())
}

// TestContacts_AreProvedAndTold: who adds or removes a contact proves that it is theirs, and the
// others hear of it.
func TestContacts_AreProvedAndTold(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{"contacts": []map[string]any{
			{"kind": "mobile", "value": "+393331234567"}, {"kind": "email", "value": "mario@posta.example"},
		}})
		s := w.loginAs(p)
		token := s.AccessToken
		added := w.addContact(token, "pec", "Mario@PEC.example").want(t, http.StatusCreated, "")
		path := added.header.Get("Location")
		if added.field("value") != "Mario@pec.example" || added.field("state") != "unverified" ||
			added.field("counts_for_recovery_from") != nil {
			t.Errorf("added %s", added.body)
		}
		if !w.told("mario@posta.example", "È stato aggiunto un recapito", "M***@pec.example") ||
			!w.told("+393331234567", "M***@pec.example") {
			t.Error("the old contacts were not told")
		}
		w.addContact(token, "pec", "mario@pec.example").want(t, http.StatusConflict, "conflict")
		wrong := w.addContact(token, "mobile", "06 12345678").want(t, http.StatusUnprocessableEntity, "validation-failed")
		if !bytes.Contains(wrong.body, []byte(`"/value"`)) {
			t.Errorf("the field is not named: %s", wrong.body)
		}

		w.verifyContact(token, path, "22222222").want(t, http.StatusUnprocessableEntity, "code-invalid")
		code, once := w.codeTo("Mario@pec.example"), key()
		verify := func() answer {
			return w.do(
				http.MethodPost, path+"/verification", token, map[string]any{"code": code[:4] + " " + strings.ToLower(code[4:])}, once,
			)
		}
		verified := verify().want(t, http.StatusOK, "")
		until, _ := time.Parse(time.RFC3339, verified.field("counts_for_recovery_from").(string))
		if verified.field("state") != "verified" || !until.Equal(w.clock.Now().Add(24*time.Hour)) {
			t.Errorf("verified %s", verified.body)
		}
		if again := verify(); again.status != http.StatusOK || !bytes.Equal(again.body, verified.body) {
			t.Errorf("the same request again: %d %s", again.status, again.body)
		}
		w.verifyContact(token, path, code).want(t, http.StatusConflict, "conflict")
		shown := w.do(http.MethodGet, path, token, nil).want(t, http.StatusOK, "")
		w.do(http.MethodGet, path, token, nil, header{"If-None-Match", shown.header.Get("ETag")}).want(t, http.StatusNotModified, "")
		listed, _ := w.do(http.MethodGet, "/v1/me/contacts", token, nil).want(t, http.StatusOK, "").field("items").([]any)
		if len(listed) != 3 {
			t.Errorf("%d contacts", len(listed))
		}

		// Five minutes after the login the PIN is needed again, for these two alone.
		w.clock.Advance(5*time.Minute + time.Second)
		w.addContact(token, "email", "another@posta.example").want(t, http.StatusForbidden, "reauthentication-required")
		w.do(http.MethodDelete, path, token, nil).want(t, http.StatusForbidden, "reauthentication-required")
		w.do(http.MethodGet, path, token, nil).want(t, http.StatusOK, "")
		fresh := w.do(
			http.MethodPost, "/v1/sessions/current/authentications", token, map[string]any{"pin": p.Pin},
		).want(t, http.StatusOK, "")
		token, _ = fresh.field("access_token").(string)

		mobile := "/v1/me/contacts/" + listed[0].(map[string]any)["contact_id"].(string)
		w.do(http.MethodDelete, mobile, token, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodGet, mobile, token, nil).want(t, http.StatusNotFound, "not-found")
		for _, to := range []string{"+393331234567", "mario@posta.example", "Mario@pec.example"} {
			if !w.told(to, "*********67") && !w.told(to, "567") {
				t.Errorf("%s was not told of the removal: %+v", to, w.sent(to))
			}
		}
		w.do(http.MethodDelete, path, token, nil).want(t, http.StatusNoContent, "")
		last := w.do(http.MethodDelete, "/v1/me/contacts/"+listed[1].(map[string]any)["contact_id"].(string), token, nil, header{
			"Accept-Language", "en",
		}).want(
			t, http.StatusConflict, "conflict",
		)
		if !bytes.Contains(last.body, []byte("last verified contact")) {
			t.Errorf("the reason is not named: %s", last.body)
		}
		if log := w.log.String(); strings.Contains(log, code) || strings.Contains(log, "Mario@pec.example") ||
			strings.Contains(log, "+393331234567") {
			t.Error("the log holds a code or a contact")
		}
	})
}

// TestContacts_PostalContact: the code for an address goes there, by letter.
func TestContacts_PostalContact(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{})
		token := w.loginAs(p).AccessToken
		const home = "Mario Rossi\nVia Roma 1\n00100 Roma RM"
		added := w.addContact(token, "postal", home).want(t, http.StatusCreated, "")
		if added.field("value") != home {
			t.Errorf("added %s", added.body)
		}
		letters := w.sent(home)
		if len(letters) != 1 || letters[0].Channel != client.MessageChannelLetter {
			t.Fatalf("letters %+v", letters)
		}
		// The post takes its time.
		w.clock.Advance(29 * 24 * time.Hour)
		w.verifyContact(w.loginAs(p).AccessToken, added.header.Get("Location"), w.codeTo(home)).want(t, http.StatusOK, "")
	})
}

// TestContacts_ContactCodesAreFew: at most three to one contact in 24 hours.
func TestContacts_ContactCodesAreFew(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token := w.loginAs(w.createPerson(map[string]any{})).AccessToken
		path := w.addContact(token, "email", "new@posta.example").want(t, http.StatusCreated, "").header.Get("Location")
		resend := func() answer { return w.do(http.MethodPost, path+"/code-deliveries", token, nil, key()) }
		first := w.codeTo("new@posta.example")
		w.clock.Advance(time.Minute)
		if a := resend().want(t, http.StatusAccepted, ""); a.header.Get("Location") != path || a.field("state") != "unverified" {
			t.Errorf("sent again: %s", a.body)
		}
		w.verifyContact(token, path, first).want(t, http.StatusUnprocessableEntity, "code-invalid")
		resend().want(t, http.StatusAccepted, "")
		if a := resend().want(t, http.StatusTooManyRequests, "rate-limited"); a.header.Get("Retry-After") != "86340" {
			t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
		}
		w.verifyContact(token, path, w.codeTo("new@posta.example")).want(t, http.StatusOK, "")
		resend().want(t, http.StatusConflict, "conflict")
	})
}

// TestContacts_GuessesAtContactCodes: 100 flows of 5 guesses each, over many contacts and sessions,
// are one person's tries.
func TestContacts_GuessesAtContactCodes(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{})
		var tokens, paths []string
		for range 10 {
			tokens = append(tokens, w.loginAs(p).AccessToken)
		}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			paths = append(
				paths, w.addContact(tokens[0], "email", name+"@posta.example").want(t, http.StatusCreated, "").header.Get("Location"),
			)
		}
		var evaluated, limited atomic.Int32
		var all sync.WaitGroup
		for flow := range 100 {
			for range 5 {
				all.Go(func() {
					switch a := w.verifyContact(tokens[flow%10], paths[flow%5], "22222222"); a.problem() {
					case "code-invalid":
						evaluated.Add(1)
					case "rate-limited", "busy":
						limited.Add(1)
						if a.header.Get("Retry-After") == "" {
							t.Error("no Retry-After")
						}
					default:
						t.Errorf("answered %d %s", a.status, a.body)
					}
				})
			}
		}
		all.Wait()
		if evaluated.Load() > 10 || limited.Load() < 490 {
			t.Errorf("%d guesses evaluated, %d refused", evaluated.Load(), limited.Load())
		}
		// The PIN has a counter of its own.
		w.tryLogin(p.TaxCode, p.Pin).want(t, http.StatusCreated, "")
	})
}

// TestContacts_NobodyElsesContacts: what is another's is not there.
func TestContacts_NobodyElsesContacts(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		owner, other := w.loginAs(w.createPerson(map[string]any{})).AccessToken, w.loginAs(w.createPerson(map[string]any{})).AccessToken
		path := w.addContact(owner, "pec", "mario@pec.example").want(t, http.StatusCreated, "").header.Get("Location")
		code := w.codeTo("mario@pec.example")
		before := w.do(http.MethodGet, "/v1/me/contacts", owner, nil)
		w.do(http.MethodGet, path, other, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodDelete, path, other, nil).want(t, http.StatusNotFound, "not-found")
		w.verifyContact(other, path, code).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodPost, path+"/code-deliveries", other, nil, key()).want(t, http.StatusNotFound, "not-found")
		for _, list := range []string{"/v1/me/contacts", "/v1/me/activity"} {
			if a := w.do(http.MethodGet, list, other, nil).want(t, http.StatusOK, ""); bytes.Contains(
				a.body, []byte("mario@pec.example"),
			) || bytes.Contains(a.body, []byte(path[len("/v1/me/contacts/"):])) {
				t.Errorf("%s shows another's: %s", list, a.body)
			}
		}
		if after := w.do(http.MethodGet, "/v1/me/contacts", owner, nil); !bytes.Equal(before.body, after.body) {
			t.Errorf("something changed:\n%s\n%s", before.body, after.body)
		}
		// What only the server sets is refused.
		for _, field := range []string{"state", "verified_at", "contact_id", "person_id"} {
			w.do(http.MethodPost, "/v1/me/contacts", owner, map[string]any{
				"kind": "email", "value": "x@posta.example", field: "verified",
			}, key()).want(
				t, http.StatusUnprocessableEntity, "validation-failed",
			)
		}
	})
}

// TestContacts_Preferences: language, channel and silence, and nobody overwrites unawares.
func TestContacts_Preferences(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{"contacts": []map[string]any{
			{"kind": "mobile", "value": "+393331234567"}, {"kind": "email", "value": "mario@posta.example"},
		}})
		token := w.loginAs(p).AccessToken
		const path = "/v1/me/notification-preferences"
		replace := func(tag string, body map[string]any) answer {
			var headers []header
			if tag != "" {
				headers = append(headers, header{"If-Match", tag})
			}
			return w.do(http.MethodPut, path, token, body, headers...)
		}
		shown := w.do(http.MethodGet, path, token, nil).want(t, http.StatusOK, "")
		if got := strings.TrimSpace(string(shown.body)); got != `{"language":"it","muted":[]}` {
			t.Errorf("defaults %s", got)
		}
		wanted := map[string]any{"language": "en", "preferred_channel": "sms", "muted": []string{"reminders"}}
		replace("", wanted).want(t, http.StatusPreconditionRequired, "precondition-required")
		replace(`"7"`, wanted).want(t, http.StatusPreconditionFailed, "precondition-failed")
		replaced := replace(shown.header.Get("ETag"), wanted).want(t, http.StatusOK, "")
		if replaced.field("preferred_channel") != "sms" || replaced.header.Get("ETag") == shown.header.Get("ETag") {
			t.Errorf("replaced %s", replaced.body)
		}
		replace(shown.header.Get("ETag"), wanted).want(t, http.StatusPreconditionFailed, "precondition-failed")
		noPEC := replace(replaced.header.Get("ETag"), map[string]any{
			"language": "it", "preferred_channel": "pec", "muted": []string{},
		}).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		if !bytes.Contains(noPEC.body, []byte(`"/preferred_channel"`)) {
			t.Errorf("the field is not named: %s", noPEC.body)
		}
		// A message about safety comes all the same, in the language that was chosen.
		w.addContact(token, "pec", "mario@pec.example").want(t, http.StatusCreated, "")
		if !w.told("mario@posta.example", "A contact was added") || !w.told("mario@pec.example", "Code to verify your contact") {
			t.Errorf("told %+v", w.sent("mario@posta.example"))
		}
	})
}

// TestContacts_EveryChangeOfContactsLeavesItsTrace, which the person can read.
func TestContacts_EveryChangeOfContactsLeavesItsTrace(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token := w.loginAs(w.createPerson(map[string]any{})).AccessToken
		var want []string
		step := func(operation string, send func(named header) answer) answer {
			a := send(header{"Request-Id", "trace-" + operation})
			want = append([]string{operation}, want...)
			var n int64
			if err := w.app.DB.From(context.Background()).Table("audit_records").Where("request_id = ? AND operation = ? AND outcome = "+
				"'done' AND address <> ''", "trace-"+operation, operation).Count(&n).Error; err != nil || n != 1 {
				t.Errorf("%s left %d audit rows, %v", operation, n, err)
			}
			return a
		}
		path := step("addContact", func(named header) answer {
			return w.do(http.MethodPost, "/v1/me/contacts", token, map[string]any{
				"kind": "pec", "value": "mario@pec.example",
			}, key(), named).want(t, http.StatusCreated, "")
		}).header.Get("Location")
		step("resendContactCode", func(named header) answer {
			return w.do(http.MethodPost, path+"/code-deliveries", token, nil, key(), named).want(t, http.StatusAccepted, "")
		})
		w.verifyContact(token, path, "22222222").want(t, http.StatusUnprocessableEntity, "code-invalid")
		step("verifyContact", func(named header) answer {
			return w.do(
				http.MethodPost, path+"/verification", token, map[string]any{"code": w.codeTo("mario@pec.example")}, key(), named,
			).want(t, http.StatusOK, "")
		})
		step("replaceNotificationPreferences", func(named header) answer {
			return w.do(http.MethodPut, "/v1/me/notification-preferences", token, map[string]any{
				"language": "it", "muted": []string{},
			}, header{"If-Match", `"1"`}, named).want(t, http.StatusOK, "")
		})
		step("removeContact", func(named header) answer {
			return w.do(http.MethodDelete, path, token, nil, named).want(t, http.StatusNoContent, "")
		})
		want = append(want, "startSession")

		var got []string
		for next := "/v1/me/activity?limit=2"; next != ""; {
			page := w.do(http.MethodGet, next, token, nil).want(t, http.StatusOK, "")
			listed, _ := page.field("items").([]any)
			for _, item := range listed {
				entry, _ := item.(map[string]any)
				got = append(got, entry["operation"].(string))
				if entry["address"] == "" || entry["outcome"] != "done" || entry["session_id"] == nil {
					t.Errorf("activity %v", entry)
				}
			}
			next, _ = page.field("_links", "next", "href").(string)
		}
		if !slices.Equal(got, want) {
			t.Errorf("activity %v, want %v", got, want)
		}
	})
}

// TestContacts_HalvesOfThePINVerifyTheirContact: it counts from the first access on, also for
// recovery. The other one still needs its code.
func TestContacts_HalvesOfThePINVerifyTheirContact(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.requestPIN(elena()).want(t, http.StatusAccepted, "")
		taxCode, _ := elena()["tax_code"].(string)
		first := w.codeTo(elenaMobile)
		s, _ := w.firstAccess(taxCode, first+codeInText.FindString(w.letters()[0].Text))
		r, err := w.as(s.AccessToken).ListContactsWithResponse(context.Background(), nil)
		if err != nil || r.JSON200 == nil || len(r.JSON200.Items) != 2 {
			t.Fatalf("contacts: %v %s", err, r.Body)
		}
		for _, c := range r.JSON200.Items {
			if received := c.Value == elenaMobile; received != (c.State == client.ContactStateVerified) ||
				received != (c.CountsForRecoveryFrom != nil) {
				t.Errorf("%s is %s", c.Kind, c.State)
			} else if received && c.CountsForRecoveryFrom.After(w.clock.Now()) {
				t.Errorf("%s counts for recovery from %v", c.Kind, c.CountsForRecoveryFrom)
			}
		}
	})
}
