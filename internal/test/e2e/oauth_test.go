package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/internal/identity/dpop/dpoptest"
	"diresco/internal/identity/oauth"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/secret"
)

const (
	codeVerifier = "0123456789-0123456789-0123456789-0123456789"
)

// program is an application that somebody registered, with the secrets that it is given.
type program struct {
	w        *fixture
	id       string
	clientID string
	key      *ecdsa.PrivateKey
	secrets  *secrets
	// proves is the key that its tokens are bound to, if they are.
	proves *dpoptest.Key
	// scope is what it asks for.
	scope string
}

// program registers an application; with a key it is confidential.
func (w *fixture) program(token string, key *ecdsa.PrivateKey) *program {
	w.t.Helper()
	p := &program{w: w, key: key, secrets: &secrets{w: w, known: map[string]string{}}, scope: "declarations offline_access"}
	body := payrollOf(map[string]any{"scopes": []string{"declarations", "declarations.read", "events", "offline_access"}})
	if key != nil {
		body["kind"], body["token_endpoint_auth_method"] = "confidential", "private_key_jwt"
		body["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Use: "sig"}}}
	}
	made := w.do(http.MethodPost, "/v1/applications", token, body, header{"Idempotency-Key", uuid.NewString()}).want(w.t, http.StatusCreated, "")
	p.id, _ = made.field("application_id").(string)
	p.clientID, _ = made.field("client_id").(string)
	return p
}

// post sends a form as the program does.
func (p *program) post(path string, more url.Values, headers ...header) answer {
	w := p.w
	w.t.Helper()
	form := url.Values{"client_id": {p.clientID}}
	if p.key != nil {
		now := w.clock.Now()
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": p.clientID, "sub": p.clientID, "aud": w.url, "jti": uuid.NewString(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		})
		token.Header["kid"] = "k1"
		assertion, err := token.SignedString(p.key)
		if err != nil {
			w.t.Fatal(err)
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", p.secrets.add("assertion", assertion))
	}
	maps.Copy(form, more)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.proves != nil {
		request.Header.Set("DPoP", p.secrets.add("proof", p.proves.Proof(w.t, http.MethodPost, w.url+path, w.clock.Now(), "", nil)))
	}
	for _, h := range headers {
		request.Header.Set(h.name, h.value)
	}
	response, err := w.http.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	if len(body) > 0 && a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		w.t.Errorf("%s answers %v", path, a.header)
	}
	return a
}

// oauthError ends the test unless the answer is this error of the protocol.
func (a answer) oauthError(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.field("error") != code {
		t.Fatalf("answered %d %s, not %d %s", a.status, a.body, status, code)
	}
}

// asActor is the person of a session as the pages let them in.
func (w *fixture) asActor(token string) access.Actor {
	w.t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		w.t.Fatal(err)
	}
	var claims struct{ Sub, Sid uuid.UUID }
	if err := json.Unmarshal(payload, &claims); err != nil {
		w.t.Fatal(err)
	}
	return access.Actor{
		PersonID: claims.Sub, SessionID: claims.Sid, UserClass: access.Citizen, CredentialLevel: access.Dispositive,
		AuthenticatedAt: w.clock.Now(),
	}
}

// pushed pushes a request and lets the program in; it returns what the browser goes back with.
func (p *program) pushed(token string) url.Values {
	w := p.w
	w.t.Helper()
	sum := sha256.Sum256([]byte(codeVerifier))
	reference, _ := p.post("/oauth2/par", url.Values{
		"response_type": {"code"}, "redirect_uri": {"http://127.0.0.1:49152/callback"}, "scope": {p.scope},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "state": {"its own state"},
	}).want(w.t, http.StatusCreated, "").field("request_uri").(string)
	p.secrets.add("request", reference)
	ctx, binding := w.pageContext(), secret.Text(p.secrets.add("binding", "the secret of a browser"))
	flow, err := w.app.OAuth.Begin(ctx, url.Values{"client_id": {p.clientID}, "request_uri": {reference}}, binding)
	if err != nil {
		w.t.Fatal(err)
	}
	redirect, err := w.app.OAuth.Approve(ctx, w.asActor(token), flow.ID, binding, w.allOfIt())
	if err != nil {
		w.t.Fatal(err)
	}
	back, err := url.Parse(redirect)
	if err != nil {
		w.t.Fatal(err)
	}
	p.secrets.add("code", back.Query().Get("code"))
	return back.Query()
}

func (w *fixture) pageContext() context.Context {
	return audit.WithOrigin(context.Background(), audit.Origin{RequestID: "request-1", Address: "192.0.2.1"})
}

func (w *fixture) allOfIt() oauth.Choice {
	return oauth.Choice{Services: access.ServiceSet{access.AllServices}, ExpiresAt: w.clock.Now().AddDate(0, 6, 0)}
}

// tokens are those of the answer, which are secrets.
func (p *program) tokens(a answer) (access, refresh string) {
	p.w.t.Helper()
	a.want(p.w.t, http.StatusOK, "")
	access, _ = a.field("access_token").(string)
	refresh, _ = a.field("refresh_token").(string)
	return p.secrets.add("access token", access), p.secrets.add("refresh token", refresh)
}

// exchange redeems a code.
func (p *program) exchange(code string) answer {
	return p.post("/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"http://127.0.0.1:49152/callback"}, "code_verifier": {codeVerifier},
	})
}

func (p *program) refresh(token string, headers ...header) answer {
	return p.post("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, headers...)
}

// file files a declaration with a token.
func (f filer) file(w *fixture, token string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, f.path, token, f.draft(map[string]any{"submit": true}), header{"Idempotency-Key", uuid.NewString()})
}

// TestOAuth_FromRegistrationToTheEndOfTheGrant is the story of payroll software that never sees a
// PIN.
func TestOAuth_FromRegistrationToTheEndOfTheGrant(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		p := w.program(f.token, nil)
		back := p.pushed(f.token)
		if back.Get("iss") != w.url || back.Get("state") != "its own state" {
			t.Errorf("the browser goes back with %v", back)
		}
		answered := p.exchange(back.Get("code"))
		token, refresh := p.tokens(answered)
		if answered.field("token_type") != "Bearer" || answered.field("scope") != "declarations offline_access" {
			t.Errorf("answered %s", answered.body)
		}
		filed := f.file(w, token).want(t, http.StatusCreated, "")
		if n := w.rows("audit_records", "application_id = ? AND person_id = ? AND subject_id = ?",
			p.id, f.person.PersonId, filed.field("declaration_id")); n != 1 {
			t.Errorf("%d rows of the trail name the application", n)
		}
		w.do(http.MethodGet, filed.header.Get("Location"), token, nil).want(t, http.StatusOK, "")
		// What needs the person is not for software, whatever it was given.
		for _, path := range []string{"/v1/me/contacts", "/v1/sessions", "/v1/me/consents", "/v1/applications"} {
			w.do(http.MethodGet, path, token, nil).want(t, http.StatusForbidden, "forbidden")
		}

		// The next token, a lost answer, and a copy.
		renewal := key()
		next, second := p.tokens(p.refresh(refresh, renewal))
		_, again := p.tokens(p.refresh(refresh, renewal))
		if again != second {
			t.Error("the repeat gave another token")
		}
		f.file(w, next).want(t, http.StatusCreated, "")
		p.refresh(refresh).oauthError(t, http.StatusBadRequest, "invalid_grant")
		p.refresh(second).oauthError(t, http.StatusBadRequest, "invalid_grant")
		f.file(w, next).want(t, http.StatusUnauthorized, "session-ended")

		// A code that is used again.
		code := p.pushed(f.token).Get("code")
		token, _ = p.tokens(p.exchange(code))
		f.file(w, token).want(t, http.StatusCreated, "")
		p.exchange(code).oauthError(t, http.StatusBadRequest, "invalid_grant")
		f.file(w, token).want(t, http.StatusUnauthorized, "session-ended")

		// The application gives its tokens back.
		token, refresh = p.tokens(p.exchange(p.pushed(f.token).Get("code")))
		p.post("/oauth2/revocation", url.Values{"token": {refresh}}).want(t, http.StatusOK, "")
		f.file(w, token).want(t, http.StatusUnauthorized, "session-ended")
		p.refresh(refresh).oauthError(t, http.StatusBadRequest, "invalid_grant")

		// The application is removed.
		token, refresh = p.tokens(p.exchange(p.pushed(f.token).Get("code")))
		w.do(http.MethodDelete, "/v1/applications/"+p.id, f.token, nil).want(t, http.StatusNoContent, "")
		f.file(w, token).want(t, http.StatusUnauthorized, "session-ended")
		p.refresh(refresh).oauthError(t, http.StatusUnauthorized, "invalid_client")

		for _, place := range map[string]string{"log": w.log.String(), "database": w.dump()} {
			if found := p.secrets.found(place); len(found) > 0 {
				t.Errorf("found %v", found)
			}
		}
	})
}

func TestOAuth_AServerGoesOnAtNight(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p := w.program(f.token, key)
		token, refresh := p.tokens(p.exchange(p.pushed(f.token).Get("code")))
		seen := p.post("/oauth2/introspection", url.Values{"token": {token}}).want(t, http.StatusOK, "")
		if seen.field("active") != true || seen.field("sub") != f.person.PersonId.String() || seen.field("client_id") != p.clientID {
			t.Errorf("it is told %s", seen.body)
		}
		// Nobody was at the keyboard for a week, and no session of the person lives.
		for range 7 {
			w.clock.Advance(24 * time.Hour)
			token, refresh = p.tokens(p.refresh(refresh))
			f.file(w, token).want(t, http.StatusCreated, "")
		}
		p.post("/oauth2/token", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_assertion": {"no proof"},
		}).oauthError(t, http.StatusUnauthorized, "invalid_client")
		w.clock.Advance(200 * 24 * time.Hour)
		p.refresh(refresh).oauthError(t, http.StatusBadRequest, "invalid_grant")
		for _, place := range map[string]string{"log": w.log.String(), "database": w.dump()} {
			if found := p.secrets.found(place); len(found) > 0 {
				t.Errorf("found %v", found)
			}
		}
	})
}

func TestOAuth_ADeviceIsLetInFromElsewhere(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		p := w.program(f.token, nil)
		shown := p.post("/oauth2/device-authorization", url.Values{"scope": {"declarations offline_access"}}).want(t, http.StatusOK, "")
		if complete := shown.field("verification_uri_complete"); complete != nil {
			t.Errorf("a link that brings the code: %v", complete)
		}
		code, _ := shown.field("device_code").(string)
		user, _ := shown.field("user_code").(string)
		p.secrets.add("device code", code)
		p.secrets.add("user code", user)
		p.secrets.add("user code, as it is compared", strings.ReplaceAll(user, "-", ""))
		poll := func() answer {
			return p.post("/oauth2/token", url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code},
			})
		}
		poll().oauthError(t, http.StatusBadRequest, "authorization_pending")
		poll().oauthError(t, http.StatusBadRequest, "slow_down")
		ctx, by, binding := w.pageContext(), w.asActor(f.token), secret.Text("the secret of a browser")
		flow, err := w.app.OAuth.FlowByUserCode(ctx, by, secret.Text(user), binding)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.app.OAuth.Approve(ctx, by, flow.ID, binding, w.allOfIt()); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(10 * time.Second)
		token, _ := p.tokens(poll())
		f.file(w, token).want(t, http.StatusCreated, "")
		for _, place := range map[string]string{"log": w.log.String(), "database": w.dump()} {
			if found := p.secrets.found(place); len(found) > 0 {
				t.Errorf("found %v", found)
			}
		}
	})
}

func TestOAuth_EndpointsAnswerBrowsersAndErrorsAsClientsExpect(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.program(w.filer().token, nil)
		for _, path := range []string{oauth.TokenPath, oauth.PushPath, oauth.RevocationPath, oauth.DevicePath} {
			asked := w.do(http.MethodOptions, path, "", nil, header{"Origin", "http://localhost:5173"}, header{"Access-Control-Request-Method", "POST"})
			if asked.status != http.StatusNoContent || asked.header.Get("Access-Control-Allow-Origin") != "http://localhost:5173" {
				t.Errorf("%s: %d %v", path, asked.status, asked.header)
			}
			wrong := w.do(http.MethodGet, path, "", nil)
			wrong.oauthError(t, http.StatusMethodNotAllowed, "invalid_request")
			if wrong.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %v", path, wrong.header)
			}
			w.do(http.MethodPost, path, "", map[string]any{}).oauthError(t, http.StatusBadRequest, "invalid_request")
		}
		got := p.post(oauth.TokenPath, url.Values{"grant_type": {"client_credentials"}}, header{"Origin", "http://localhost:5173"})
		got.oauthError(t, http.StatusBadRequest, "unsupported_grant_type")
		if got.header.Get("Access-Control-Allow-Origin") != "http://localhost:5173" || got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("answered with %v", got.header)
		}
		described := w.do(http.MethodGet, oauth.MetadataPath, "", nil, header{"Origin", "https://anywhere.example"}).want(t, http.StatusOK, "")
		if described.field("issuer") != w.url || described.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("described by %s", described.body)
		}
	})
}
