package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"diresco/api/client"
	"diresco/db"
)

// secrets are what was issued to people, or entered by them, by what it is.
type secrets struct {
	w     *fixture
	known map[string]string
	// before are dumps of the database at times when some of it was promised and not sent.
	before []string
}

func (s *secrets) add(what, secret string) string {
	s.w.t.Helper()
	if len(secret) < 8 {
		s.w.t.Fatalf("%s has %d characters", what, len(secret))
	}
	s.known[fmt.Sprintf("%s (%d)", what, len(s.known))] = secret
	return secret
}

// session adds the tokens of a session.
func (s *secrets) session(of client.Session) client.Session {
	s.w.t.Helper()
	s.add("access token", of.AccessToken)
	s.add("refresh token", of.RefreshToken)
	return of
}

// firstAccess logs in with an initial PIN, changes it and adds all that is issued.
func (s *secrets) firstAccess(taxCode, initial string) (client.Session, string) {
	s.w.t.Helper()
	session, pin := s.w.firstAccess(taxCode, initial)
	return s.session(session), s.add("PIN", pin)
}

// promised keeps what the database holds before anything that was promised is sent. Nothing of it
// is known yet.
func (s *secrets) promised(messages int64) {
	s.w.t.Helper()
	if n := s.w.rows("outbox", "state = 'queued' AND sealed IS NOT NULL"); n != messages {
		s.w.t.Errorf("%d messages with a secret wait, want %d", n, messages)
	}
	s.before = append(s.before, s.w.dump())
}

// found names the secrets that a text has in it, in clear or as a digest that anybody can compute.
func (s *secrets) found(text string) (names []string) {
	for what, secret := range s.known {
		digest := sha256.Sum256([]byte(secret))
		for _, form := range []string{
			secret, strings.ToLower(secret), secret[:4] + " " + secret[4:], base64.StdEncoding.EncodeToString([]byte(secret)),
		} {
			if strings.Contains(text, form) {
				names = append(names, what)
			}
		}
		// A token is long enough for a plain digest; what people type is not.
		if len(secret) <= 16 &&
			(strings.Contains(text, hex.EncodeToString(digest[:])) ||
				strings.Contains(text, base64.RawURLEncoding.EncodeToString(digest[:])) ||
				strings.Contains(text, base64.RawStdEncoding.EncodeToString(digest[:]))) {
			names = append(names, "digest of "+what)
		}
	}
	slices.Sort(names)
	return names
}

// dump is all that the tables hold, except the sandbox's own, which are there to be read.
func (w *fixture) dump() string {
	w.t.Helper()
	ctx := context.Background()
	w.app.Answers.Flush(ctx)
	w.app.AccessLog.Flush(ctx)
	query := "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
	if w.app.DB.Dialect() == db.Postgres {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' " +
			"ORDER BY table_name"
	}
	var tables []string
	if err := w.app.DB.From(ctx).Raw(query).Scan(&tables).Error; err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, table := range tables {
		if strings.HasPrefix(table, "sandbox_") || strings.HasPrefix(table, "sqlite_") {
			continue
		}
		var rows []map[string]any
		if err := w.app.DB.From(ctx).Table(table).Find(&rows).Error; err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %d\n", table, len(rows))
		for _, row := range rows {
			for column, value := range row {
				if text, isBytes := value.([]byte); isBytes {
					value = string(text)
				}
				fmt.Fprintf(&b, "%s=%v\n", column, value)
			}
		}
	}
	return b.String()
}

// TestSecrets_NoSecretInClear: nothing that was issued in a PIN's life stands in a log or a table.
// While a message waits to be sent its secret is sealed, and afterwards it is gone.
func TestSecrets_NoSecretInClear(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		s := &secrets{w: w, known: map[string]string{}}
		taxCode, _ := elena()["tax_code"].(string)
		post := func(path, token string, body any, status int) answer {
			t.Helper()
			return w.do(http.MethodPost, path, token, body, key()).want(t, status, "")
		}
		initial := func(first, second string) string {
			return s.add("initial PIN", s.add("first half", first)+s.add("second half", second))
		}

		// A first PIN, by SMS and letter.
		w.requestPIN(elena()).want(t, http.StatusAccepted, "")
		s.promised(2)
		session, pin := s.firstAccess(taxCode, initial(w.codeTo(elenaMobile), codeInText.FindString(w.letters()[0].Text)))

		// An address is verified: once with a code that ends unused, once with the right one.
		contacts := w.do(http.MethodGet, "/v1/me/contacts", session.AccessToken, nil).want(t, http.StatusOK, "")
		var path string
		items, _ := contacts.field("items").([]any)
		for _, item := range items {
			if c, _ := item.(map[string]any); c["kind"] == "email" {
				path = "/v1/me/contacts/" + c["contact_id"].(string)
			}
		}
		for range 2 {
			post(path+"/code-deliveries", session.AccessToken, nil, http.StatusAccepted)
			s.promised(1)
			s.add("contact code", w.codeTo(elenaEmail))
		}
		w.verifyContact(session.AccessToken, path, s.add("wrong code", "22223333")).want(t, http.StatusUnprocessableEntity, "code-invalid")
		w.verifyContact(session.AccessToken, path, w.codeTo(elenaEmail)).want(t, http.StatusOK, "")
		added := w.addContact(session.AccessToken, "pec", "elena@pec.example").want(t, http.StatusCreated, "")
		s.promised(1)
		w.verifyContact(
			session.AccessToken, added.header.Get("Location"), s.add("contact code", w.codeTo("elena@pec.example")),
		).want(t, http.StatusOK, "")
		s.session(decoded[client.Session](
			t, post("/v1/sessions/current/authentications", session.AccessToken, map[string]any{"pin": pin}, http.StatusOK),
		))

		// The PIN is lost, and recovered.
		w.clock.Advance(25 * time.Hour)
		post("/v1/pin-recoveries", "", recoveryOf(taxCode, elenaMobile, elenaEmail), http.StatusAccepted)
		s.promised(1)
		code := s.add("recovery code", w.secretTo(elenaEmail, "recupero"))
		post("/v1/pin-recoveries/confirmation", "", map[string]any{"tax_code": taxCode, "recovery_code": code}, http.StatusOK)
		s.promised(2)
		s.firstAccess(
			taxCode, initial(w.secretTo(elenaMobile, "prima parte del Suo PIN"), w.secretTo(elenaEmail, "seconda parte del Suo PIN")),
		)

		// It is revoked without a login, and another is requested and never used.
		post("/v1/pin-revocations", "", map[string]any{
			"tax_code": taxCode, "contact": map[string]any{"kind": "mobile", "value": elenaMobile},
		}, http.StatusAccepted)
		s.promised(1)
		code = s.add("revocation code", w.secretTo(elenaMobile, "revoca"))
		post("/v1/pin-revocations/confirmation", "", map[string]any{"tax_code": taxCode, "code": code}, http.StatusOK)
		w.requestPIN(elena()).want(t, http.StatusAccepted, "")
		s.promised(2)
		initial(w.secretTo(elenaMobile, "prima parte del Suo PIN"), codeInText.FindString(w.letters()[0].Text))

		// One comes from the counter.
		operator := s.session(w.loginAs(w.person(ofClass(client.UserClassOperator))))
		found := post("/v1/backoffice/people-searches", operator.AccessToken, map[string]any{"tax_code": taxCode}, http.StatusOK)
		people, _ := found.field("items").([]any)
		person, _ := people[0].(map[string]any)["person_id"].(string)
		handed, _ := post("/v1/backoffice/people/"+person+"/pins", operator.AccessToken, map[string]any{
			"document_kind": "passport", "document_number": s.add("document", "YA1234567"),
		}, http.StatusCreated).field("pin").(string)
		session, pin = s.firstAccess(taxCode, s.add("counter PIN", handed))

		// What is typed into the wrong field, or wrong, is kept no more than what is right.
		w.tryLogin(pin, taxCode)
		w.tryLogin(taxCode, s.add("wrong PIN", "0K0W0X0Z")).want(t, http.StatusUnauthorized, "")
		w.do(http.MethodPost, "/v1/pin-revocations", "", map[string]any{
			"tax_code": pin, "contact": map[string]any{"kind": "email", "value": pin},
		}, key())
		w.do(http.MethodGet, "/v1/me?pin="+pin, session.AccessToken, nil).want(t, http.StatusBadRequest, "")
		renewed := post("/v1/sessions/current/tokens", "", map[string]any{"refresh_token": session.RefreshToken}, http.StatusOK)
		session = s.session(decoded[client.Session](t, renewed))
		w.do(http.MethodDelete, "/v1/me/pin", session.AccessToken, nil).want(t, http.StatusNoContent, "")
		w.letters()

		if n := w.rows("outbox", "sealed IS NOT NULL"); n != 0 {
			t.Errorf("%d messages that were sent still have their secret", n)
		}
		for i, dump := range append(s.before, w.dump()) {
			if !strings.Contains(dump, taxCode) || !strings.Contains(dump, "confirmPinRotation") && i > 0 {
				t.Fatal("the dump does not show what the tables hold")
			}
			if names := s.found(dump); len(names) > 0 {
				t.Errorf("dump %d of the database has in clear: %v", i, names)
			}
		}
		if names := s.found(w.log.String()); len(names) > 0 {
			t.Errorf("the log has %v", names)
		}
		for _, personal := range []string{taxCode, elenaMobile, elenaEmail} {
			if strings.Contains(w.log.String(), personal) {
				t.Error("the log has personal data")
			}
		}
	})
}

// decoded reads the body of an answer.
func decoded[T any](t *testing.T, a answer) (v T) {
	t.Helper()
	a.decode(t, &v)
	return v
}
