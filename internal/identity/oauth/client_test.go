package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// pushing is a request that shows how a client's proof fares.
func (f *fixture) pushing(c *client, proof url.Values) error {
	form := asking(c, nil)
	for name, value := range proof {
		form[name] = value
	}
	_, err := f.server.Push(f.context(), oauth.Post{Form: form})
	return err
}

func TestClientAssertion_IsForAnyOfOurAddresses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		key := p256(t)
		c := f.register("server", confidential(key))
		for _, audience := range []any{
			pintest.PublicURL, pintest.PublicURL + oauth.TokenPath, pintest.PublicURL + oauth.PushPath, pintest.PublicURL + oauth.DevicePath,
			pintest.PublicURL + oauth.IntrospectionPath,
			[]string{pintest.PublicURL, pintest.PublicURL + oauth.TokenPath},
		} {
			claims := f.claims(c)
			claims["aud"] = audience
			if err := f.pushing(c, asserted(sign(t, jwt.SigningMethodES256, key, map[string]any{"kid": "k1"}, claims))); err != nil {
				t.Errorf("aud %v: %v", audience, err)
			}
		}
		other := f.register("rsa", confidential(rsaKey(t, 2048)))
		f.must(f.pushing(other, f.says(other, nil)))
		// Without a kid, and without client_id, it is known all the same.
		form := asked(c, asserted(sign(t, jwt.SigningMethodES256, key, map[string]any{"typ": "client-authentication+jwt"}, f.claims(c))))
		form.Del("client_id")
		_, err := f.server.Push(f.context(), oauth.Post{Form: form})
		f.must(err)
	})
}

func asked(c *client, proof url.Values) url.Values {
	form := asking(c, nil)
	for name, value := range proof {
		form[name] = value
	}
	return form
}

func TestClientAssertion_HasOneAnswerForAllThatIsWrong(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		key, rsaPrivate, p384 := p256(t), rsaKey(t, 2048), must384(t)
		c := f.register("server", confidential(key))
		weak := f.register("weak", confidential(rsaKey(t, 1024)))
		public := f.register("public", nil)
		encodedKey, err := x509.MarshalPKIXPublicKey(key.Public())
		f.must(err)
		good := func() jwt.MapClaims { return f.claims(c) }
		with := func(name string, value any) jwt.MapClaims {
			claims := good()
			claims[name] = value
			if value == nil {
				delete(claims, name)
			}
			return claims
		}
		now := f.Clock.Now()
		kid := map[string]any{"kid": "k1"}
		es := func(header map[string]any, claims jwt.MapClaims) url.Values {
			return asserted(sign(t, jwt.SigningMethodES256, key, header, claims))
		}
		before := f.Count(t, "oauth_flows")
		var answers []string
		for name, proof := range map[string]url.Values{
			"nothing":              {},
			"a secret":             {"client_secret": {"a secret"}},
			"type alone":           {"client_assertion_type": asserted("")["client_assertion_type"]},
			"other type":           {"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "client_assertion": es(kid, good())["client_assertion"]},
			"no token":             asserted("no token"),
			"foreign audience":     es(kid, with("aud", "https://evil.example")),
			"one foreign audience": es(kid, with("aud", []string{pintest.PublicURL, "https://evil.example"})),
			"no audience":          es(kid, with("aud", nil)),
			"expired":              es(kid, with("exp", now.Add(-time.Minute).Unix())),
			"no end":               es(kid, with("exp", nil)),
			"too far":              es(kid, with("exp", now.Add(6*time.Minute).Unix())),
			"from the future":      es(kid, with("iat", now.Add(2*time.Minute).Unix())),
			"not yet":              es(kid, with("nbf", now.Add(2*time.Minute).Unix())),
			"no id":                es(kid, with("jti", nil)),
			"long id":              es(kid, with("jti", strings.Repeat("a", 300))),
			"other subject":        es(kid, with("sub", "public")),
			"other issuer":         es(kid, with("iss", "public")),
			"no issuer":            es(kid, with("iss", nil)),
			"none":                 asserted(sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, good())),
			"HS256 with our key":   asserted(sign(t, jwt.SigningMethodHS256, encodedKey, kid, good())),
			"RS256 with EC key":    asserted(sign(t, jwt.SigningMethodRS256, rsaPrivate, kid, good())),
			"PS256":                asserted(sign(t, jwt.SigningMethodPS256, rsaPrivate, kid, good())),
			"ES384":                asserted(sign(t, jwt.SigningMethodES384, p384, kid, good())),
			"another's key":        asserted(sign(t, jwt.SigningMethodES256, p256(t), kid, good())),
			"unknown kid":          es(map[string]any{"kid": "k2"}, good()),
			"brings its key":       es(map[string]any{"kid": "k1", "jwk": map[string]string{"kty": "EC"}}, good()),
			"names its key":        es(map[string]any{"kid": "k1", "jku": "https://evil.example/keys"}, good()),
			"asks for more":        es(map[string]any{"kid": "k1", "crit": []string{"b64"}}, good()),
			"an access token":      es(map[string]any{"kid": "k1", "typ": "at+jwt"}, good()),
			"line break":           asserted(es(kid, good()).Get("client_assertion") + "\n"),
		} {
			answers = append(answers, refusalOf(t, f.pushing(c, proof), "invalid_client").Error())
			if f.Count(t, "oauth_flows") != before {
				t.Fatalf("%s was taken", name)
			}
			f.Exec(t, "DELETE FROM address_failures")
		}
		answers = append(answers,
			refusalOf(t, f.pushing(weak, asserted(sign(t, jwt.SigningMethodRS256, weak.key, kid, f.claims(weak)))), "invalid_client").Error(),
			refusalOf(t, f.pushing(public, asserted(sign(t, jwt.SigningMethodES256, key, kid, f.claims(public)))), "invalid_client").Error(),
			refusalOf(t, f.pushing(public, es(kid, good())), "invalid_client").Error(),
			refusalOf(t, f.pushing(&client{}, nil), "invalid_client").Error())
		for _, answer := range answers {
			if answer != answers[0] {
				t.Errorf("%s is not %s", answer, answers[0])
			}
		}
	})
}

func must384(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestClientAssertion_IsGoodOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		key, otherKey := p256(t), p256(t)
		c, other := f.register("server", confidential(key)), f.register("other", confidential(otherKey))
		claims := f.claims(c)
		claims["exp"] = f.Clock.Now().Add(5 * time.Minute).Unix()
		proof := asserted(sign(t, jwt.SigningMethodES256, key, nil, claims))
		f.must(f.pushing(c, proof))
		refused(t, f.pushing(c, proof), "invalid_client")
		// Nobody knows of another client's ids.
		same := f.claims(other)
		same["jti"] = claims["jti"]
		f.must(f.pushing(other, asserted(sign(t, jwt.SigningMethodES256, otherKey, nil, same))))
		// As long as it could be shown again it is remembered.
		f.Clock.Advance(5*time.Minute + 29*time.Second)
		f.must(f.server.Purge(f.context()))
		refused(t, f.pushing(c, proof), "invalid_client")
		f.Clock.Advance(2 * time.Second)
		f.must(f.server.Purge(f.context()))
		if got := f.Count(t, "oauth_assertions"); got != 0 {
			t.Errorf("%d ids are kept", got)
		}
		refused(t, f.pushing(c, proof), "invalid_client")
	})
}

func TestClientAuthentication_ManyFailuresMakeTheAddressWait(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("server", confidential(p256(t)))
		for range 30 {
			refused(t, f.pushing(c, nil), "invalid_client")
		}
		refusal := refusalOf(t, f.pushing(c, f.says(c, nil)), "temporarily_unavailable")
		if refusal.Status != http.StatusTooManyRequests || refusal.RetryAfter <= 0 {
			t.Errorf("refused with %d, %v", refusal.Status, refusal.RetryAfter)
		}
		// It is counted apart from what people type, and by address.
		f.must(f.Addresses.Check(f.context(), f.address))
		f.address = "192.0.2.8"
		f.must(f.pushing(c, f.says(c, nil)))
	})
}

// What was sent is counted for who proved to have sent it: an application by its key, a grant by its
// refresh token, a flow by its code. Who only says who they are proves nothing.
func TestExchange_CountsForWhoProvedToHaveSentIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		web, server := f.register("web", nil), f.register("server", confidential(p256(t)))
		counts := func(what string, n int, of uuid.UUID, send func() error) {
			t.Helper()
			f.counted = nil
			if err := send(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if len(f.counted) != n || n > 0 && of != uuid.Nil && f.counted[n-1] != of {
				t.Errorf("%s: counted for %v", what, f.counted)
			}
		}
		counts("a public one says who it is", 0, uuid.Nil, func() error { return f.pushing(web, nil) })
		counts("a confidential one proves it", 1, server.ID, func() error { return f.pushing(server, f.says(server, nil)) })
		other := f.register("other", nil)
		for _, c := range []*client{web, server} {
			var tokens oauth.Tokens
			code := f.code(c, nil).Get("code")
			counts("a code", 1, uuid.Nil, func() (err error) { tokens, err = f.exchange(c, code, nil); return err })
			claims, err := f.Sessions.GrantOf(f.context(), tokens.RefreshToken)
			f.must(err)
			counts("a refresh token", 1, claims.SessionID, func() (err error) { tokens, err = f.refresh(c, tokens.RefreshToken, nil); return err })
			f.full = true
			f.counted = nil
			_, err = f.refresh(c, tokens.RefreshToken, nil)
			want(t, err, fault.RateLimited)
			f.full = false
			// It was not used by that.
			current, err := f.refresh(c, tokens.RefreshToken, nil)
			f.must(err)
			// A token that is another's or was used proves no grant; who has a key proves who they are.
			n, of := 0, uuid.Nil
			if c == server {
				n, of = 1, server.ID
			}
			wrong := func(by *client, token secret.Text) func() error {
				return func() error {
					_, err := f.refresh(by, token, nil)
					refused(t, err, "invalid_grant")
					return nil
				}
			}
			counts("somebody else's token", 0, uuid.Nil, wrong(other, current.RefreshToken))
			counts("somebody else's dead token", 0, uuid.Nil, wrong(other, tokens.RefreshToken))
			counts("a token that was used", n, of, wrong(c, tokens.RefreshToken))
			counts("a token of a grant that has ended", n, of, wrong(c, current.RefreshToken))
		}
		f.counted = nil
		_, err := f.refresh(web, "made up", nil)
		refused(t, err, "invalid_grant")
		_, err = f.exchange(web, "made up", nil)
		refused(t, err, "invalid_grant")
		if len(f.counted) > 0 {
			t.Errorf("what is made up counts for %v", f.counted)
		}
	})
}

// Keys that cannot be had let nobody in, and make no address wait: that is no guess. Who signs with
// another key than those that are there guesses.
func TestClientKeys_ThatAreAwayMakeNoAddressWait(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		var away atomic.Bool
		var published atomic.Value
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if away.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = w.Write(published.Load().([]byte))
		}))
		defer server.Close()
		c := f.register("server", func(c *client) {
			confidential(p256(t))(c)
			c.JWKSURI = server.URL + "/keys"
		})
		published.Store(keySet(t, c))
		away.Store(true)
		for range 40 {
			refused(t, f.pushing(c, f.says(c, nil)), "invalid_client")
		}
		away.Store(false)
		f.Clock.Advance(time.Minute)
		f.must(f.pushing(c, f.says(c, nil)))
		stranger := *c
		stranger.key = p256(t)
		for range 30 {
			refused(t, f.pushing(&stranger, f.says(&stranger, nil)), "invalid_client")
		}
		refused(t, f.pushing(c, f.says(c, nil)), "temporarily_unavailable")
	})
}

func TestClientKeys_AreFetchedWhereTheApplicationKeepsThem(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		var asked atomic.Int32
		var published atomic.Value
		published.Store([]byte("{}"))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			_, _ = w.Write(published.Load().([]byte))
		}))
		defer server.Close()
		c := f.register("server", func(c *client) {
			confidential(p256(t))(c)
			c.JWKSURI = server.URL + "/keys"
		})
		refused(t, f.pushing(c, f.says(c, nil)), "invalid_client")
		published.Store(keySet(t, c))
		// What failed is not asked again at once.
		refused(t, f.pushing(c, f.says(c, nil)), "invalid_client")
		f.Clock.Advance(30 * time.Second)
		f.must(f.pushing(c, f.says(c, nil)))
		f.must(f.pushing(c, f.says(c, nil)))
		if asked.Load() != 2 {
			t.Errorf("the keys were fetched %d times", asked.Load())
		}
		// A new key is found, though not by whoever makes up names for keys.
		c.key, c.kid = p256(t), "k2"
		published.Store(keySet(t, c))
		for range 5 {
			refused(t, f.pushing(c, f.says(c, nil)), "invalid_client")
		}
		f.Clock.Advance(30 * time.Second)
		f.must(f.pushing(c, f.says(c, nil)))
		if asked.Load() != 3 {
			t.Errorf("the keys were fetched %d times", asked.Load())
		}
		// A key that was taken back is good for five minutes more at most.
		published.Store([]byte(`{"keys":[]}`))
		f.Clock.Advance(4 * time.Minute)
		f.must(f.pushing(c, f.says(c, nil)))
		f.Clock.Advance(time.Minute)
		refused(t, f.pushing(c, f.says(c, nil)), "invalid_client")
	})
}

// Anybody can have the keys fetched, by naming one that is not there. Where that fails those that
// were good stay.
func TestClientKeys_OutliveAFetchThatFails(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		var published atomic.Value
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			content := published.Load().([]byte)
			if content == nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, _ = w.Write(content)
		}))
		defer server.Close()
		c := f.register("server", func(c *client) {
			confidential(p256(t))(c)
			c.JWKSURI = server.URL + "/keys"
		})
		published.Store(keySet(t, c))
		f.must(f.pushing(c, f.says(c, nil)))
		published.Store([]byte(nil))
		f.Clock.Advance(time.Minute)
		stranger := *c
		stranger.key, stranger.kid = p256(t), "made-up"
		refused(t, f.pushing(&stranger, f.says(&stranger, nil)), "invalid_client")
		f.must(f.pushing(c, f.says(c, nil)))
		f.Clock.Advance(4 * time.Minute)
		refused(t, f.pushing(c, f.says(c, nil)), "invalid_client")
	})
}

func TestClientKeys_AreNotFetchedFromWithin(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		var asked atomic.Int32
		var content atomic.Value
		content.Store([]byte(nil))
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		defer elsewhere.Close()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			switch r.URL.Path {
			case "/moved":
				http.Redirect(w, r, elsewhere.URL, http.StatusFound)
			case "/long":
				_, _ = w.Write([]byte(strings.Repeat(" ", 64<<10)))
				_, _ = w.Write(content.Load().([]byte))
			default:
				_, _ = w.Write(content.Load().([]byte))
			}
		}))
		defer server.Close()
		at := func(address string) *client {
			c := f.register(uuid.NewString(), func(c *client) {
				confidential(p256(t))(c)
				c.JWKSURI = address
			})
			content.Store(keySet(t, c))
			return c
		}
		for _, address := range []string{server.URL + "/moved", server.URL + "/long"} {
			asked.Store(0)
			c := at(address)
			refused(t, f.pushing(c, f.says(c, nil)), "invalid_client")
			if asked.Load() != 1 {
				t.Errorf("%s: %d requests", address, asked.Load())
			}
		}
		asked.Store(0)
		f.server = f.serve(false)
		for _, address := range []string{
			server.URL + "/keys", strings.Replace(server.URL, "127.0.0.1", "localhost", 1), strings.Replace(server.URL, "http://127.0.0.1", "https://[::1]", 1),
			"https://10.0.0.1/keys", "https://169.254.169.254/keys", "file:///etc/passwd",
		} {
			c := at(address)
			refused(t, f.pushing(c, f.says(c, nil)), "invalid_client")
		}
		if asked.Load() != 0 {
			t.Errorf("%d requests came in", asked.Load())
		}
	})
}
