package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/platform/config"
	"diresco/internal/test/dbtest"
)

// signingKey is the service's own key with which a token was signed.
func (w *fixture) signingKey(token string) *jose.JSONWebKey {
	w.t.Helper()
	var header struct{ Kid string }
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err == nil {
		err = json.Unmarshal(raw, &header)
	}
	file, readErr := os.ReadFile(filepath.Join(w.dir, "signing-keys.json"))
	var set jose.JSONWebKeySet
	if err != nil || readErr != nil || json.Unmarshal(file, &set) != nil || len(set.Key(header.Kid)) != 1 {
		w.t.Fatalf("the key %s: %v, %v", header.Kid, err, readErr)
	}
	return &set.Key(header.Kid)[0]
}

// notTokens are what somebody sends instead of the token of a live session, by what is wrong.
func (w *fixture) notTokens(s client.Session) map[string]string {
	w.t.Helper()
	genuine := s.AccessToken
	own := w.signingKey(genuine)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	public, err := own.Public().Key.(*ecdsa.PublicKey).Bytes()
	if err != nil {
		w.t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(genuine, claims); err != nil {
		w.t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any, header map[string]any) string {
		token := jwt.NewWithClaims(method, claims)
		token.Header["typ"], token.Header["kid"] = "at+jwt", own.KeyID
		maps.Copy(token.Header, header)
		text, err := token.SignedString(key)
		if err != nil {
			w.t.Fatal(err)
		}
		return text
	}
	now, parts := w.clock.Now(), strings.Split(genuine, ".")
	return map[string]string{
		"nothing that is signed": parts[0] + "." + parts[1] + ".",
		"none":                   sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"HS256":                  sign(jwt.SigningMethodHS256, public, nil),
		"a foreign key":          sign(jwt.SigningMethodES256, foreign, nil),
		"its own key in it": sign(jwt.SigningMethodES256, foreign, map[string]any{
			"jwk": jose.JSONWebKey{Key: foreign.Public(), KeyID: own.KeyID},
		}),
		"a key elsewhere":  sign(jwt.SigningMethodES256, own.Key, map[string]any{"jku": "https://attacker.example/jwks.json"}),
		"an unknown key":   sign(jwt.SigningMethodES256, own.Key, map[string]any{"kid": "../../dev/null"}),
		"another type":     sign(jwt.SigningMethodES256, own.Key, map[string]any{"typ": "JWT"}),
		"another audience": w.forged(genuine, map[string]any{"aud": "https://other.example/v1"}),
		"another issuer":   w.forged(genuine, map[string]any{"iss": "https://other.example"}),
		"expired":          w.forged(genuine, map[string]any{"exp": now.Unix()}),
		"not yet good":     w.forged(genuine, map[string]any{"nbf": now.Add(time.Minute).Unix()}),
		"somebody else":    w.forged(genuine, map[string]any{"sub": uuid.NewString()}),
		"no session":       w.forged(genuine, map[string]any{"sid": nil}),
		"huge":             w.forged(genuine, map[string]any{"padding": strings.Repeat("A", 8192)}),
		"a refresh token":  s.RefreshToken,
	}
}

// overSessions are tokens that are good themselves, of sessions that are over, by what ended them.
func (w *fixture) overSessions() map[string]string {
	w.t.Helper()
	p, suspended := w.createPerson(map[string]any{}), w.createPerson(map[string]any{})
	out, changed, old, shut := w.loginAs(p), w.loginAs(p), w.loginAs(p), w.loginAs(suspended)
	w.do(http.MethodDelete, "/v1/sessions/current", out.AccessToken, nil).want(w.t, http.StatusNoContent, "")
	w.execute("UPDATE sessions SET expires_at = ? WHERE id = ?", w.clock.Now(), old.SessionId)
	w.rotated(&p) // the PIN is another one now
	w.suspend(suspended)
	idle := w.loginAs(w.createPerson(map[string]any{}))
	w.clock.Advance(30 * time.Minute)
	over := map[string]string{}
	for name, s := range map[string]client.Session{
		"logged out": out, "the PIN was changed": changed, "too old": old, "suspended": shut, "idle": idle,
	} {
		over[name] = w.forged(s.AccessToken, map[string]any{"iat": w.clock.Now().Unix(), "exp": w.clock.Now().Add(time.Minute).Unix()})
	}
	return over
}

// TestEveryOperation_NeedsALiveSession: every operation that needs a login × everything that is no
// token of a live session.
func TestEveryOperation_NeedsALiveSession(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		over := w.overSessions()
		f := w.filer()
		not := w.notTokens(w.loginAs(f.person))
		tried := 0
		for id, o := range operations(t) {
			if o.to == "anyone" {
				continue
			}
			tried++
			for name, token := range not {
				a := w.call(o, accessTable[id], f, uuid.NewString(), token)
				if a.problem() != "unauthenticated" || a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s with %s answered %d %s", id, name, a.status, a.body)
				}
			}
			for name, token := range over {
				a := w.call(o, accessTable[id], f, uuid.NewString(), token)
				if a.problem() != "session-ended" || a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s of a session that is over (%s) answered %d %s", id, name, a.status, a.body)
				}
			}
		}
		if tried < 100 {
			t.Errorf("%d operations", tried)
		}
		// What was sent is no secret of the service's, apart from what is wrong with it.
		if a := w.do(http.MethodGet, "/v1/me", w.forged(f.token, nil), nil); a.status != http.StatusOK {
			t.Errorf("the test's own way of making tokens must be good where nothing is wrong: %d", a.status)
		}
	})
}

// may is the token of somebody who may use the operation by their class, and is otherwise nobody's.
func (w *fixture) may(o operation, tokens map[string]string) string {
	w.t.Helper()
	class := fmt.Sprint(client.UserClassCitizen)
	if len(o.classes) > 0 {
		class = fmt.Sprint(o.classes[0])
	}
	if tokens[class] == "" {
		tokens[class] = w.loginAs(w.person(func(p client.SandboxPerson) bool {
			return string(p.UserClass) == class && len(p.Pin) == 8
		})).AccessToken
	}
	return tokens[class]
}

// TestEveryOperation_AsksForItsProof: no step is skipped. What the contract calls fresh needs a PIN
// of the last five minutes, and what it calls dispositive needs such credentials.
func TestEveryOperation_AsksForItsProof(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		tokens, fresh, dispositive := map[string]string{}, 0, 0
		all := operations(t)
		for _, o := range all {
			if o.fresh {
				w.may(o, tokens)
			}
		}
		w.clock.Advance(5*time.Minute + time.Second)
		for id, o := range all {
			if !o.fresh {
				continue
			}
			fresh++
			a := w.call(o, accessTable[id], f, uuid.NewString(), w.may(o, tokens))
			if a.status != http.StatusForbidden || a.problem() != "reauthentication-required" {
				t.Errorf("%s after five minutes answered %d %s", id, a.status, a.body)
			}
		}
		clear(tokens)
		w.execute("UPDATE people SET credential_level = 'ordinary'")
		for id, o := range all {
			if !o.dispositive {
				continue
			}
			dispositive++
			a := w.call(o, accessTable[id], f, uuid.NewString(), w.may(o, tokens))
			if a.status != http.StatusForbidden || a.problem() != "dispositive-credentials-required" {
				t.Errorf("%s with an ordinary PIN answered %d %s", id, a.status, a.body)
			}
		}
		if fresh < 10 || dispositive < 60 {
			t.Errorf("%d fresh, %d dispositive operations", fresh, dispositive)
		}
	})
}

// TestEveryOperation_CountsForItsAddress: requests without a login count for the address from which
// they come, whatever they ask for and whatever they say of themselves.
func TestEveryOperation_CountsForItsAddress(t *testing.T) {
	const most = 20
	w := startWith(t, dbtest.SQLite(t), cheapPINs, func(c *config.Config) { c.RateAddress = most })
	f := filer{contributor: uuid.New(), position: uuid.New()}
	answered := 0
	all := operations(t)
	for i, id := range slices.Sorted(maps.Keys(all)) {
		o := all[id]
		if o.signed {
			continue // they count by themselves: see TestEdge_ReportsAreCountedByThemselves
		}
		from := header{"X-Forwarded-For", fmt.Sprintf("203.0.113.%d, 2001:db8:%x::1", i%256, i)}
		a := w.call(o, row{headers: []header{from, {
			"Forwarded", "for=198.51.100." + fmt.Sprint(i%256),
		}, {"X-Real-Ip", "192.0.2.1"}}}, f, uuid.NewString(), "")
		switch {
		case a.status != http.StatusTooManyRequests:
			if answered++; answered > most {
				t.Errorf("%s was answered with %d, after %d others", id, a.status, answered-1)
			}
		case a.problem() != "rate-limited" || a.header.Get("Retry-After") == "":
			t.Errorf("%s answered %s", id, a.body)
		}
	}
	if answered != most {
		t.Errorf("%d requests were answered", answered)
	}
}

// tellNothing are the operations without a login that take a tax code. An operation that is not among
// them fails the test. Whether somebody is registered must not be seen in the answer.
var tellNothing = map[string]string{
	"startSession": "/sessions", "startPinRecovery": "/pin-recoveries", "confirmPinRecovery": "/pin-recoveries/confirmation",
	"startPinRevocation": "/pin-revocations", "confirmPinRevocation": "/pin-revocations/confirmation", "requestPin": "/pin-requests",
}

// TestEveryOperation_TellsNobodyWhoIsRegistered: the same question about somebody who is registered
// and about nobody is answered alike.
func TestEveryOperation_TellsNobodyWhoIsRegistered(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		known := w.createPerson(map[string]any{})
		tried := 0
		for id, o := range operations(t) {
			body := bodyOf(t, o)
			if o.to != "anyone" || o.sandbox || body == nil || body["tax_code"] == nil {
				continue
			}
			tried++
			if tellNothing[id] != o.path {
				t.Errorf("%s takes a tax code, and is not known to tell nothing", id)
			}
			var seen []string
			for _, taxCode := range []string{known.TaxCode, "MKJRLA80A01L407X"} {
				asked := maps.Clone(body)
				asked["tax_code"] = taxCode
				if asked["pin"] != nil {
					asked["pin"] = wrongPIN
				}
				a := w.do(o.method, "/v1"+o.path, "", asked, key())
				var members map[string]any
				_ = json.Unmarshal(a.body, &members) // a refusal without a body is one, too
				seen = append(seen, fmt.Sprint(
					a.status, a.problem(), slices.Sorted(maps.Keys(a.header)), slices.Sorted(maps.Keys(members)),
				))
				if strings.Contains(string(a.body), known.FamilyName) {
					t.Errorf("%s names somebody: %s", id, a.body)
				}
			}
			if seen[0] != seen[1] {
				t.Errorf("%s tells them apart:\n%s\n%s", id, seen[0], seen[1])
			}
		}
		if tried != len(tellNothing) {
			t.Errorf("%d operations were tried", tried)
		}
	})
}

// bodyOf is the contract's example of an operation's JSON body; nil where it takes none.
func bodyOf(t *testing.T, o operation) map[string]any {
	t.Helper()
	if o.body == nil {
		return nil
	}
	for _, content := range o.body.Content {
		if example, is := content.Example.(map[string]any); is {
			var own map[string]any
			if err := json.Unmarshal([]byte(mustJSON(t, example)), &own); err != nil {
				t.Fatal(err)
			}
			return own
		}
	}
	return nil
}

// spoilt are files that harm, by what is wrong with them, for whatever takes files.
var spoilt = map[string]sent{
	"nothing":             {"a.pdf", ""},
	"a program":           {"a.pdf", "MZ\x90\x00\x03\x00\x00\x00"},
	"a script":            {"a.pdf", "#!/bin/sh\nrm -rf /\n"},
	"a page":              {"a.pdf", "<script>alert(1)</script>%PDF-1.7"},
	"a picture that runs": {"a.svg", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`},
	"an archive":          {"a.pdf", "PK\x03\x04\x14\x00\x00\x00\x08\x00"},
	"one too long":        {"a.pdf", pdfHead + strings.Repeat("x", 6<<20)},
}

// fileForms writes a form of an operation with files.
var fileForms = map[string]func(f filer, files ...sent) string{
	"openTicket":        func(f filer, files ...sent) string { return ticketForm(f, nil, files...) },
	"requestPinUpgrade": func(_ filer, files ...sent) string { return upgradeForm(nil, files...) },
	"keepPinDocument":   func(_ filer, files ...sent) string { return filesForm(files...) },
}

// filesForm is a form with nothing but files.
func filesForm(files ...sent) string {
	return strings.ReplaceAll(ticketForm(filer{}, map[string]string{}, files...), `name="attachments"`, `name="files"`)
}

// fileOf is what a body of one file is like, by its operation and type.
var fileOf = map[string]string{
	"importRegister text/csv": "text/csv", "importRegister application/jsonl": "application/jsonl",
	"draftDelegationBatch text/csv": "text/csv", "fileDmaSubmission application/xml": "application/xml",
}

// TestEveryOperation_TakesNoFileThatHarms: what takes files refuses those that harm, and nothing of
// them is kept. An operation that takes files and has no row fails the test.
func TestEveryOperation_TakesNoFileThatHarms(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.ordinary()
		w.ticketOf(f)
		tokens := map[string]string{string(client.UserClassCitizen): f.token}
		before := w.stored()
		tried := 0
		for id, o := range operations(t) {
			if o.body == nil {
				continue
			}
			for mediaType := range o.body.Content {
				if strings.Contains(mediaType, "json") && mediaType != "application/jsonl" || mediaType == "application/jose" {
					continue
				}
				form := fileForms[id]
				if mediaType != "multipart/form-data" {
					form = nil
					if fileOf[id+" "+mediaType] == "" {
						t.Errorf("%s takes %s, and is not tried", id, mediaType)
					}
				} else if form == nil {
					t.Errorf("%s takes a form, and is not tried", id)
					continue
				}
				for name, file := range spoilt {
					body, sentAs := file.content, mediaType
					if form != nil {
						body, sentAs = form(f, file), ticketType.value
					}
					tried++
					r := row{body: func(filer) any { return body }, headers: []header{{"Content-Type", sentAs}}, query: accessTable[id].query}
					if id == "importRegister" {
						r.query = "?register=people"
					}
					a := w.call(o, r, f, uuid.NewString(), w.may(o, tokens))
					// A file of a register is looked at when its turn comes.
					if !a.turnedDown() && (id != "importRegister" || a.status != http.StatusAccepted) {
						t.Errorf("%s took %s as %s: %d %s", id, name, mediaType, a.status, a.body)
					}
				}
			}
		}
		if n := w.stored() - before; n != 0 {
			t.Errorf("%d files are kept", n)
		}
		if tried < 40 {
			t.Errorf("%d files were tried", tried)
		}
	})
}

// addresses are the members of bodies that are addresses on the web, by operation and pointer, with
// the test that shows what becomes of them. One that is not among them fails the test.
var addresses = map[string]string{
	"registerApplication /redirect_uris/0": "FuzzRedirect",
	"registerApplication /jwks_uri":        "TestClientKeys_AreNotFetchedFromWithin",
	"registerApplication /logo_uri":        "TestApplication_FieldsThatAreRefused",
	"changeApplication /redirect_uris/0":   "FuzzRedirect",
	"changeApplication /jwks_uri":          "TestClientKeys_AreNotFetchedFromWithin",
	"changeApplication /logo_uri":          "TestApplication_FieldsThatAreRefused",
	"addWebhook /url":                      "TestWebhook_AddressesAreRefusedWhenTheyAreDialled",
	"changeWebhook /url":                   "TestWebhook_AddressesAreRefusedWhenTheyAreDialled",
	"startFederatedLogin /return_url":      "TestLogin_BeginRefusals",
}

// namesAddress reports whether a member of a body is an address on the web.
func namesAddress(name string, s *openapi3.Schema) bool {
	if strings.HasPrefix(name, "tls_client_auth_") {
		return false // it is the name of a certificate, which nobody asks for anything
	}
	return s.Type.Is(openapi3.TypeString) &&
		(s.Format == "uri" || name == "url" || strings.HasSuffix(name, "_uri") || strings.HasSuffix(name, "_url"))
}

// addressesIn lists the addresses that a schema has.
func addressesIn(pointer, name string, s *openapi3.Schema, depth int) (found []string) {
	if s == nil || depth > 8 {
		return nil
	}
	if namesAddress(name, s) {
		found = append(found, pointer)
	}
	for _, of := range slices.Concat(s.AllOf, s.AnyOf, s.OneOf) {
		found = append(found, addressesIn(pointer, name, of.Value, depth+1)...)
	}
	if s.Items != nil {
		found = append(found, addressesIn(pointer+"/0", strings.TrimSuffix(name, "s"), s.Items.Value, depth+1)...)
	}
	for member, of := range s.Properties {
		found = append(found, addressesIn(pointer+"/"+member, member, of.Value, depth+1)...)
	}
	return found
}

// private are addresses that no user may make the service ask.
var private = []string{
	"file:///etc/passwd", "gopher://attacker.example/", "ftp://attacker.example/", "javascript:alert(1)",
	"http://169.254.169.254/latest/meta-data/",
	"http://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "//attacker.example/", "https://user:secret@attacker.example/", "https://",
}

// TestEveryOperation_AsksNoPrivateAddress: an address that a user gives is refused where it is none
// of the web, or leads inside. That what a name leads to is looked at when it is dialled, is shown in
// diresco/internal/platform/egress.
func TestEveryOperation_AsksNoPrivateAddress(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		w.applicationOf(f)
		known := map[string]bool{}
		for id, o := range operations(t) {
			if o.body == nil {
				continue
			}
			for mediaType, content := range o.body.Content {
				if !strings.Contains(mediaType, "json") || content.Schema == nil {
					continue
				}
				for _, pointer := range addressesIn("", "", content.Schema.Value, 0) {
					if known[id+" "+pointer] = true; addresses[id+" "+pointer] == "" {
						t.Errorf("%s has the address %s, and is not tried", id, pointer)
					}
				}
			}
		}
		tests := testNames(t)
		for place, test := range addresses {
			if !tests[test] {
				t.Errorf("no test %s shows what becomes of %s", test, place)
			}
			id, pointer, _ := strings.Cut(place, " ")
			if !known[place] {
				t.Errorf("%s is not in the contract", place)
				continue
			}
			o := operations(t)[id]
			for _, address := range private {
				r := accessTable[id]
				body := bodyOf(t, o)
				if r.body != nil {
					body = r.decoded(t, f)
				}
				if pointer == "/jwks_uri" {
					delete(body, "jwks")
				}
				put(body, strings.Split(pointer, "/")[1:], address)
				r.body = func(filer) any { return body }
				a := w.call(o, r, f, uuid.NewString(), f.token)
				if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), pointer) {
					t.Errorf("%s with %s at %s answered %d %s", id, address, pointer, a.status, a.body)
				}
			}
		}
	})
}

// put sets the member of a body to which the names lead.
func put(body map[string]any, names []string, value any) {
	switch {
	case len(names) == 1:
		body[names[0]] = value
	case names[1] == "0" && len(names) == 2:
		body[names[0]] = []any{value}
	default:
		inner, _ := body[names[0]].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
			body[names[0]] = inner
		}
		put(inner, names[1:], value)
	}
}

// guessed are the operations that take something that could be guessed, with the test that shows how
// few guesses are looked at. One that is not among them fails the test.
var guessed = map[string]string{
	"startSession":         "TestLogin_TenWrongPINs",
	"confirmPinRecovery":   "TestPINRecovery_GuessesAtCodes",
	"confirmPinRevocation": "TestPINRecovery_GuessesAtCodes",
	"verifyContact":        "TestContacts_GuessesAtContactCodes",
	"reauthenticate":       "TestSession_ReauthenticationSharesTheCounter",
	"confirmPinRotation":   "TestRotation_ConfirmationSharesTheCounter",
	"activateDelegation":   "TestOTP_TenWrongCodesInARowAndThenAWait",
	"confirmIssuedPin":     "TestStaff_GuessesAtTheHoldersCode",
}

// random are members that nobody can guess: they have 128 bits and more.
var random = map[string]string{
	"renewSession refresh_token":          "TestRefreshToken_ForgedRefreshTokensTouchNothing",
	"startFederatedSession code":          "TestRedeem_Refusals",
	"startFederatedSession code_verifier": "TestRedeem_Refusals",
	"reauthenticate code":                 "TestReauthenticate_Refusals",
	"reauthenticate code_verifier":        "TestReauthenticate_Refusals",
}

// notSecret are members that only have the name of one.
var notSecret = []string{"publishDeclarationType code"}

// secretMembers are what people type, or programs hand back, to prove who they are.
var secretMembers = []string{"pin", "otp", "code", "recovery_code", "refresh_token", "code_verifier"}

// TestEveryOperation_CountsGuesses: whatever takes a secret has a test that counts the guesses at it.
func TestEveryOperation_CountsGuesses(t *testing.T) {
	tests := testNames(t)
	tried := 0
	for id, o := range operations(t) {
		if o.body == nil || o.sandbox {
			continue
		}
		for _, content := range o.body.Content {
			if content.Schema == nil {
				continue
			}
			for _, name := range secretMembers {
				if !hasMember(content.Schema.Value, name, 0) || slices.Contains(notSecret, id+" "+name) {
					continue
				}
				tried++
				test := random[id+" "+name]
				if test == "" {
					test = guessed[id]
				}
				if !tests[test] {
					t.Errorf("%s takes a %s, and no test (%q) counts the guesses", id, name, test)
				}
			}
		}
	}
	if tried < len(guessed) {
		t.Errorf("%d secrets of %d operations", tried, len(guessed))
	}
}

func hasMember(s *openapi3.Schema, name string, depth int) bool {
	if s == nil || depth > 4 {
		return false
	}
	for _, of := range slices.Concat(s.AllOf, s.AnyOf, s.OneOf) {
		if hasMember(of.Value, name, depth+1) {
			return true
		}
	}
	return s.Properties[name] != nil
}
