package oauth_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/identity/dpop/dpoptest"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// proof is one of a key for an endpoint.
func (f *fixture) proof(key dpoptest.Key, path string) string {
	f.t.Helper()
	return key.Proof(f.t, "POST", pintest.PublicURL+path, f.Clock.Now(), "", nil)
}

// proves sends the next form to the token endpoint with a proof of the key.
func (f *fixture) proves(key dpoptest.Key) { f.proofs = []string{f.proof(key, oauth.TokenPath)} }

// boundTo ends the test unless an access token is bound to the key, or to none.
func (f *fixture) boundTo(got oauth.Tokens, thumbprint string) {
	f.t.Helper()
	claims, err := f.Sessions.Parse(f.context(), got.AccessToken)
	f.must(err)
	if want := (access.Binding{Key: thumbprint}); claims.Binding != want || got.Binding != want {
		f.t.Fatalf("the token is bound to %+v, handed with %+v, want %+v", claims.Binding, got.Binding, want)
	}
}

// A proof binds the tokens of every grant. The refresh token of a public application is good with the
// key alone; a confidential one proves by its own key who it is, and may come with another one.
func TestDPoP_BindsTokensToAKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		key, other := dpoptest.NewKey(t), dpoptest.NewKey(t)
		public, server := f.register("app-public", nil), f.register("app-server", confidential(p256(t)))
		refresh := func(c *client, token secret.Text) (oauth.Tokens, error) {
			return f.refresh(c, token, nil)
		}
		for _, c := range []*client{public, server} {
			f.proves(key)
			first, err := f.exchange(c, f.code(c, nil).Get("code"), nil)
			f.must(err)
			f.boundTo(first, key.Thumbprint(t))
			f.proves(key)
			second, err := refresh(c, first.RefreshToken)
			f.must(err)
			f.boundTo(second, key.Thumbprint(t))
			f.proves(other)
			third, err := refresh(c, second.RefreshToken)
			if c == public {
				refused(t, err, "invalid_grant")
				f.proofs = nil
				_, err = refresh(c, second.RefreshToken)
				refused(t, err, "invalid_grant")
				// A stolen old one without the key ends nothing.
				f.proves(other)
				_, err = refresh(c, first.RefreshToken)
				refused(t, err, "invalid_grant")
				f.proves(key)
				_, err = refresh(c, second.RefreshToken)
				f.must(err)
				continue
			}
			f.must(err)
			f.boundTo(third, other.Thumbprint(t))
			f.proofs = nil
			fourth, err := refresh(c, third.RefreshToken)
			f.must(err)
			f.boundTo(fourth, "")
		}
		f.proofs = nil
		device := f.device(public)
		flow, err := f.server.FlowByUserCode(f.context(), f.by, device.UserCode, browser)
		f.must(err)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything())
		f.must(err)
		f.proves(key)
		online, err := f.poll(public, device)
		f.must(err)
		f.boundTo(online, key.Thumbprint(t))
	})
}

// What an application learns of a token says to which key it is bound.
func TestDPoP_InspectionTellsTheKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, key := f.register("app-server", confidential(p256(t))), dpoptest.NewKey(t)
		f.proves(key)
		got, err := f.exchange(c, f.code(c, nil).Get("code"), nil)
		f.must(err)
		seen, err := f.server.Inspect(f.context(), oauth.Post{Form: f.says(c, url.Values{"token": {got.AccessToken.Reveal()}})})
		f.must(err)
		if !seen.Active || !seen.Access || seen.Binding.Key != key.Thumbprint(t) {
			t.Errorf("inspection %+v", seen)
		}
	})
}

// A code that was asked for with a key is good with that key alone, however it was named. A refusal
// does not use it up.
func TestDPoP_BindsTheCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, key, other := f.register("app-public", nil), dpoptest.NewKey(t), dpoptest.NewKey(t)
		thumbprint := key.Thumbprint(t)
		pushed := func(proofs []string, change url.Values) string {
			p, err := f.server.Push(f.context(), oauth.Post{Form: f.says(c, asking(c, change)), Proofs: proofs})
			f.must(err)
			flow, err := f.server.Begin(f.context(), url.Values{"client_id": {c.ClientID}, "request_uri": {p.RequestURI.Reveal()}}, browser)
			f.must(err)
			return f.approve(flow).Get("code")
		}
		named := url.Values{"dpop_jkt": {thumbprint}}
		for how, code := range map[string]string{
			"in the browser":  f.code(c, named).Get("code"),
			"pushed":          pushed(nil, named),
			"by a proof":      pushed([]string{f.proof(key, oauth.PushPath)}, nil),
			"by both of them": pushed([]string{f.proof(key, oauth.PushPath)}, named),
		} {
			f.proofs = nil
			_, err := f.exchange(c, code, nil)
			if got := refusalOf(t, err, "invalid_grant"); !strings.Contains(got.Description, "key") {
				t.Errorf("%s: %s", how, got.Description)
			}
			f.proves(other)
			_, err = f.exchange(c, code, nil)
			refused(t, err, "invalid_grant")
			f.proves(key)
			got, err := f.exchange(c, code, nil)
			f.must(err)
			f.boundTo(got, thumbprint)
		}
		for how, post := range map[string]oauth.Post{
			"another key":     {Form: f.says(c, asking(c, url.Values{"dpop_jkt": {other.Thumbprint(t)}})), Proofs: []string{f.proof(key, oauth.PushPath)}},
			"no thumbprint":   {Form: f.says(c, asking(c, url.Values{"dpop_jkt": {"key"}}))},
			"named two times": {Form: f.says(c, asking(c, url.Values{"dpop_jkt": {thumbprint, thumbprint}}))},
		} {
			_, err := f.server.Push(f.context(), post)
			if got := refusalOf(t, err, "invalid_request"); got.Status != 400 {
				t.Errorf("%s: %+v", how, got)
			}
		}
		_, err := f.server.Push(f.context(), oauth.Post{Form: f.says(c, asking(c, nil)), Proofs: []string{f.proof(key, oauth.TokenPath)}})
		refused(t, err, "invalid_dpop_proof")
	})
}

// A proof that is wrong is refused before anything is used up, and one that is right is good once,
// whichever process it is sent to.
func TestDPoP_ProofsAtTheTokenEndpoint(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		key := dpoptest.NewKey(t)
		c := f.register("app-public", nil)
		at := func(change func(header, claims map[string]any)) []string {
			return []string{key.Proof(t, "POST", pintest.PublicURL+oauth.TokenPath, f.Clock.Now(), "", change)}
		}
		code := f.code(c, nil).Get("code")
		for name, proofs := range map[string][]string{
			"rubbish": {"rubbish"}, "two": {f.proof(key, oauth.TokenPath), f.proof(key, oauth.TokenPath)},
			"of another endpoint": {f.proof(key, oauth.PushPath)},
			"old":                 at(func(_, claims map[string]any) { claims["iat"] = f.Clock.Now().Add(-2 * time.Minute).Unix() }),
			"private":             at(func(header, _ map[string]any) { header["jwk"] = key.Private(t) }),
		} {
			f.proofs = proofs
			_, err := f.exchange(c, code, nil)
			if got := refusalOf(t, err, "invalid_dpop_proof"); got.Status != 400 || strings.Contains(got.Description, key.Thumbprint(t)) {
				t.Errorf("%s: %+v", name, got)
			}
		}
		f.proves(key)
		tokens, err := f.exchange(c, code, nil)
		f.must(err)
		// One proof, sent with one refresh token to two processes at once.
		processes := []*oauth.Service{f.serve(true), f.serve(true)}
		f.proves(key)
		var mu sync.Mutex
		outcomes := map[string]int{}
		var all sync.WaitGroup
		for i := range 8 {
			post := oauth.Post{Proofs: f.proofs, IdempotencyKey: "one", Form: f.says(c, url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken.Reveal()},
			})}
			all.Go(func() {
				_, err := processes[i%2].Exchange(f.context(), post)
				outcome := "given"
				if err != nil {
					outcome = err.Error()[:strings.IndexByte(err.Error(), ':')]
				}
				mu.Lock()
				defer mu.Unlock()
				outcomes[outcome]++
			})
		}
		all.Wait()
		if outcomes["given"] != 1 || outcomes["invalid_dpop_proof"] != 7 {
			t.Errorf("outcomes %v", outcomes)
		}
	})
}

// An application that was registered so gets bound tokens or none.
func TestDPoP_IsRequiredWhereItWasRegistered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, key := f.register("app-public", nil), dpoptest.NewKey(t)
		f.Exec(t, "UPDATE applications SET dpop_bound_access_tokens = true WHERE id = ?", c.ID)
		code := f.code(c, nil).Get("code")
		_, err := f.exchange(c, code, nil)
		refused(t, err, "invalid_dpop_proof")
		f.proves(key)
		got, err := f.exchange(c, code, nil)
		f.must(err)
		f.boundTo(got, key.Thumbprint(t))
		f.proofs = nil
		_, err = f.refresh(c, got.RefreshToken, nil)
		refused(t, err, "invalid_dpop_proof")
		device := f.device(c)
		_, err = f.poll(c, device)
		refused(t, err, "invalid_dpop_proof")
	})
}

// certificate makes one of a key that nobody vouches for.
func (f *fixture) certificate(key *ecdsa.PrivateKey, until time.Time) *x509.Certificate {
	f.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Paghe"}, NotBefore: f.Clock.Now().Add(-time.Hour), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	f.must(err)
	c, err := x509.ParseCertificate(der)
	f.must(err)
	return c
}

// A certificate proves which application it is where it stands in its key set, and nowhere else. Its
// tokens are bound to it where the application was registered for that.
func TestMutualTLS_ProvesWhoItIsAndBindsTokens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		own, later := p256(t), f.Clock.Now().Add(time.Hour)
		shown := f.certificate(own, later)
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: own.Public(), KeyID: "k1", Certificates: []*x509.Certificate{shown}}}})
		f.must(err)
		certified := func(c *client) {
			c.Kind, c.AuthMethod, c.JWKSURI = application.Confidential, application.SelfSignedTLS, "https://unused.example"
			c.RedirectURIs = []string{webRedirect}
		}
		c, other := f.register("app-certified", certified), f.register("app-signing", confidential(p256(t)))
		f.Exec(t, "UPDATE applications SET jwks = ?, jwks_uri = '', tls_client_certificate_bound_access_tokens = true WHERE id = ?", string(set), c.ID)
		exchange := func(c *client, with *x509.Certificate, code string) (oauth.Tokens, error) {
			return f.server.Exchange(f.context(), oauth.Post{Certificate: with, Form: f.says(c, url.Values{
				"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {webRedirect}, "code_verifier": {verifier},
			})})
		}
		code := f.code(c, nil).Get("code")
		for name, with := range map[string]*x509.Certificate{
			"none": nil, "of another key": f.certificate(p256(t), later), "another of the key": f.certificate(own, later.Add(time.Hour)),
		} {
			_, err := exchange(c, with, code)
			if got := refusalOf(t, err, "invalid_client"); got.Status != 401 {
				t.Errorf("%s: %+v", name, got)
			}
		}
		tokens, err := exchange(c, shown, code)
		f.must(err)
		claims, err := f.Sessions.Parse(f.context(), tokens.AccessToken)
		f.must(err)
		if want := (access.Binding{Certificate: oauth.CertificateHash(shown)}); claims.Binding != want || tokens.Binding != want {
			t.Errorf("bound to %+v", claims.Binding)
		}
		// It proves who it is at the other endpoints, too.
		seen, err := f.server.Inspect(f.context(), oauth.Post{Certificate: shown, Form: url.Values{
			"client_id": {c.ClientID}, "token": {tokens.AccessToken.Reveal()},
		}})
		if err != nil || seen.Binding != claims.Binding {
			t.Errorf("inspected %+v, %v", seen, err)
		}
		// So a code may be typed for it, wherever it runs.
		_, err = f.server.AuthorizeDevice(f.context(), oauth.Post{Certificate: shown, Form: url.Values{"client_id": {c.ClientID}}})
		f.must(err)
		// A client that signs is not let in by a certificate, nor is one that shows it let in by a signature of its key.
		_, err = f.server.Exchange(f.context(), oauth.Post{Certificate: shown, Form: url.Values{"client_id": {other.ClientID}, "grant_type": {"refresh_token"}}})
		refused(t, err, "invalid_client")
		c.key, c.kid = own, "k1"
		_, err = exchange(c, shown, code)
		refused(t, err, "invalid_client")
		c.key = nil
		f.Clock.Advance(time.Hour + time.Second)
		_, err = exchange(c, shown, code)
		refused(t, err, "invalid_client")
	})
}

// A public application chooses its certificate, and its refresh token is good with that one alone.
func TestMutualTLS_BindsTheRefreshTokenOfAPublicApplication(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, later := f.register("app-public", nil), f.Clock.Now().Add(time.Hour)
		f.Exec(t, "UPDATE applications SET tls_client_certificate_bound_access_tokens = true WHERE id = ?", c.ID)
		own, thief := f.certificate(p256(t), later), f.certificate(p256(t), later)
		send := func(with *x509.Certificate, form url.Values) (oauth.Tokens, error) {
			return f.server.Exchange(f.context(), oauth.Post{Certificate: with, Form: f.says(c, form)})
		}
		redeem := url.Values{
			"grant_type": {"authorization_code"}, "code": {f.code(c, nil).Get("code")}, "redirect_uri": {webRedirect}, "code_verifier": {verifier},
		}
		_, err := send(nil, redeem)
		refused(t, err, "invalid_request")
		tokens, err := send(own, redeem)
		f.must(err)
		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken.Reveal()}}
		_, err = send(thief, refresh)
		refused(t, err, "invalid_grant")
		_, err = send(own, refresh)
		f.must(err)
	})
}
