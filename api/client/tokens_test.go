package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"diresco/api/client"
)

const testIssuer = "https://diresco.example"

// authority is an authorization server without a network: it answers the forms that it is sent in
// turn.
type authority struct {
	given []func(*http.Request) (*http.Response, error)
	sent  []url.Values
	keys  []string
	at    []time.Time
}

// RoundTrip implements http.RoundTripper.
func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return answered(http.StatusOK, "", `{"issuer":"`+testIssuer+`","token_endpoint":"`+testIssuer+`/oauth2/token","revocation_endpoint":"`+
			testIssuer+`/oauth2/revoke","device_authorization_endpoint":"`+testIssuer+`/oauth2/device_authorization"}`)(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	a.sent, a.keys, a.at = append(a.sent, form), append(a.keys, r.Header.Get("Idempotency-Key")), append(a.at, time.Now())
	if len(a.given) == 0 {
		return nil, errors.New("nothing more is answered")
	}
	next := a.given[0]
	if len(a.given) > 1 {
		a.given = a.given[1:]
	}
	return next(r)
}

// answered is an answer with this status, Retry-After and body.
func answered(status int, after, body string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		if after != "" {
			h.Set("Retry-After", after)
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

// tokensOf is the answer with these tokens.
func tokensOf(n string) func(*http.Request) (*http.Response, error) {
	return answered(http.StatusOK, "", `{"access_token":"access-`+n+`","token_type":"Bearer","expires_in":600,"refresh_token":"refresh-`+n+`"}`)
}

// unanswered says nothing until the request is given up.
func unanswered(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func lostOnItsWay(*http.Request) (*http.Response, error) {
	return nil, errors.New("the connection broke")
}

// brokenOff is an answer that breaks in its body.
func brokenOff(r *http.Request) (*http.Response, error) {
	answer, err := tokensOf("2")(r)
	answer.Body = io.NopCloser(io.MultiReader(io.LimitReader(answer.Body, 20), brokenReader{}))
	return answer, err
}

type brokenReader struct{}

// Read implements io.Reader.
func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// confidential is an application with a key of its own, at an authority with these answers.
func confidential(t *testing.T, given ...func(*http.Request) (*http.Response, error)) (*client.App, *authority) {
	t.Helper()
	service := &authority{given: given}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	app, err := client.Discover(t.Context(), client.AppConfig{
		Issuer: testIssuer, ClientID: "a", HTTP: &http.Client{Transport: service}, Key: &jose.JSONWebKey{Key: key, KeyID: "k"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return app, service
}

// keeping is a store with the first tokens of a grant, whose access token has expired.
func keeping(t *testing.T) *client.MemoryStore {
	t.Helper()
	store := &client.MemoryStore{}
	if err := store.Save(t.Context(), &oauth2.Token{AccessToken: "access-1", RefreshToken: "refresh-1", Expiry: time.Now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	return store
}

// jtiOf is the identifier of an assertion.
func jtiOf(t *testing.T, form url.Values) string {
	t.Helper()
	signed, err := jose.ParseSignedCompact(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		ID  string `json:"jti"`
		Aud string `json:"aud"`
	}
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claims); err != nil || claims.Aud != testIssuer {
		t.Fatal(claims, err)
	}
	return claims.ID
}

func TestTokens_RepeatARenewalWithItsKeyAndAnotherAssertion(t *testing.T) {
	type answer = func(*http.Request) (*http.Response, error)
	for name, c := range map[string]struct {
		given []answer
		sent  int
		fails bool
	}{
		"at once":            {[]answer{tokensOf("2")}, 1, false},
		"lost twice":         {[]answer{lostOnItsWay, lostOnItsWay, tokensOf("2")}, 3, false},
		"broken in the body": {[]answer{brokenOff, tokensOf("2")}, 2, false},
		"away, then busy":    {[]answer{answered(503, "2", ""), answered(429, "7", ""), answered(502, "", "<html>"), tokensOf("2")}, 4, false},
		"never answered":     {[]answer{unanswered, unanswered, tokensOf("2")}, 3, false},
		"away too long":      {[]answer{answered(503, "", "")}, 4, true},
		"asked for too long": {[]answer{answered(503, "55", ""), tokensOf("2")}, 1, true},
		"refused":            {[]answer{answered(400, "", `{"error":"invalid_grant"}`), tokensOf("2")}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app, service := confidential(t, c.given...)
				got, err := app.Tokens(keeping(t)).AccessToken(t.Context(), "")
				if (err != nil) != c.fails || !c.fails && got != "access-2" || len(service.sent) != c.sent {
					t.Errorf("%q, %v after %d requests", got, err, len(service.sent))
				}
				seen := map[string]bool{}
				for i, form := range service.sent {
					seen[jtiOf(t, form)] = true
					if form.Get("refresh_token") != "refresh-1" || service.keys[i] != service.keys[0] || len(service.keys[i]) < 8 {
						t.Errorf("request %d: %v with %q", i, form, service.keys[i])
					}
				}
				if len(seen) != len(service.sent) {
					t.Errorf("%d assertions for %d requests", len(seen), len(service.sent))
				}
			})
		})
	}
}

// The service gives the same successor within a minute; later, the same token ends the grant.
func TestTokens_RepeatNoRenewalAfterAMinute(t *testing.T) {
	for name, c := range map[string][]func(*http.Request) (*http.Response, error){
		"never answered": {unanswered},
		"asked to wait":  {answered(503, "20", "")},
		"slow to say no": {func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(12 * time.Second): // of the test's own clock
				return answered(503, "10", "")(r)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app, service := confidential(t, c...)
				began := time.Now()
				if _, err := app.Tokens(keeping(t)).AccessToken(t.Context(), ""); err == nil {
					t.Error("it was renewed")
				}
				if last := service.at[len(service.at)-1].Sub(service.at[0]); last > 50*time.Second || len(service.at) < 2 || time.Since(began) > 50*time.Second {
					t.Errorf("%d requests, the last after %v; it took %v", len(service.at), last, time.Since(began))
				}
			})
		})
	}
}

func TestTokens_KeepARenewalThatItsCallerLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		app, service := confidential(t, func(r *http.Request) (*http.Response, error) {
			leave()
			if err := r.Context().Err(); err != nil {
				return nil, err
			}
			return tokensOf("2")(r)
		})
		store := keeping(t)
		tokens := app.Tokens(store)
		_, _ = tokens.AccessToken(ctx, "")
		if kept := must(store.Load(t.Context())); kept.RefreshToken != "refresh-2" {
			t.Errorf("kept %s", kept.RefreshToken)
		}
		if _, err := app.Tokens(keeping(t)).AccessToken(ctx, ""); !errors.Is(err, context.Canceled) || len(service.sent) != 1 {
			t.Errorf("who left already renews: %v, %d requests", err, len(service.sent))
		}
	})
}

// failing is a store that cannot keep what it is given, for some time.
type failing struct {
	*client.MemoryStore
	failures int
}

// Save implements client.TokenStore.
func (s *failing) Save(ctx context.Context, token *oauth2.Token) error {
	if s.failures > 0 {
		s.failures--
		return errors.New("the disk is full")
	}
	return s.MemoryStore.Save(ctx, token)
}

func TestTokens_AreHandedOutOnceKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, service := confidential(t, tokensOf("2"))
		store := &failing{MemoryStore: keeping(t), failures: 2}
		tokens := app.Tokens(store)
		for range 2 {
			if got, err := tokens.AccessToken(t.Context(), ""); err == nil {
				t.Errorf("%s is handed out, and not kept", got)
			}
		}
		got, err := tokens.AccessToken(t.Context(), "")
		if err != nil || got != "access-2" || must(store.Load(t.Context())).RefreshToken != "refresh-2" || len(service.sent) != 1 {
			t.Errorf("%s, %v after %d requests", got, err, len(service.sent))
		}
	})
}

// A process that was slow does not put its tokens over those that another made of them.
func TestTokens_KeepTheNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := keeping(t)
		newer := &oauth2.Token{AccessToken: "access-3", RefreshToken: "refresh-3", Expiry: time.Now().Add(time.Hour)}
		app, _ := confidential(t, func(r *http.Request) (*http.Response, error) {
			if err := store.Save(r.Context(), newer); err != nil {
				return nil, err
			}
			return tokensOf("2")(r)
		})
		got, err := app.Tokens(store).AccessToken(t.Context(), "")
		if kept := must(store.Load(t.Context())); err != nil || got != "access-3" || kept.RefreshToken != "refresh-3" {
			t.Errorf("%s, %v, kept %s", got, err, kept.RefreshToken)
		}
	})
}

func TestTokens_AreGoneAfterTheEnd(t *testing.T) {
	for name, store := range map[string]client.TokenStore{
		"memory": &client.MemoryStore{}, "file": client.FileStore(filepath.Join(t.TempDir(), "tokens.json")),
	} {
		app, service := confidential(t, answered(http.StatusOK, "", ""))
		tokens, err := app.Begin(t.Context(), store, &oauth2.Token{AccessToken: "access-1", RefreshToken: "refresh-1", Expiry: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if err := tokens.End(t.Context()); err != nil || service.sent[0].Get("token") != "refresh-1" {
			t.Errorf("%s: %v, %v", name, err, service.sent)
		}
		for _, source := range []*client.Tokens{tokens, app.Tokens(store)} {
			if got, err := source.AccessToken(t.Context(), ""); !errors.Is(err, client.ErrLogInAgain) {
				t.Errorf("%s: %q is handed out, %v", name, got, err)
			}
		}
		if kept, err := store.Load(t.Context()); err != nil || kept != nil {
			t.Errorf("%s: kept %v, %v", name, kept, err)
		}
		if err := tokens.End(t.Context()); err != nil || len(service.sent) != 1 {
			t.Errorf("%s: the second end: %v, %d requests", name, err, len(service.sent))
		}
	}
	// What could not be kept is ended as well, and is not kept later.
	synctest.Test(t, func(t *testing.T) {
		app, service := confidential(t, tokensOf("2"), answered(http.StatusOK, "", ""))
		store := &failing{MemoryStore: keeping(t), failures: 1}
		tokens := app.Tokens(store)
		if _, err := tokens.AccessToken(t.Context(), ""); err == nil {
			t.Error("not kept, and handed out")
		}
		if err := tokens.End(t.Context()); err != nil || service.sent[1].Get("token") != "refresh-2" {
			t.Errorf("%v, %v", err, service.sent)
		}
		if _, err := tokens.AccessToken(t.Context(), ""); !errors.Is(err, client.ErrLogInAgain) {
			t.Errorf("after the end: %v", err)
		}
		if kept := must(store.Load(t.Context())); kept != nil {
			t.Errorf("kept %v", kept)
		}
	})
}

// A code is good once: a second use would end what the first began.
func TestApp_SendsACodeOnce(t *testing.T) {
	for name, given := range map[string]func(*http.Request) (*http.Response, error){"lost": lostOnItsWay, "away": answered(503, "", "")} {
		app, service := confidential(t, given)
		_, err := app.Exchange(t.Context(), &client.Authorization{State: "s", Verifier: "v"}, url.Values{"state": {"s"}, "iss": {testIssuer}, "code": {"c"}})
		if err == nil || len(service.sent) != 1 {
			t.Errorf("%s: %v after %d requests", name, err, len(service.sent))
		}
	}
}

// A service that is away for a moment does not end the wait for a device (RFC 8628 3.5).
func TestApp_WaitsForADeviceWhileTheServiceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := answered(503, "1", "")
		app, service := confidential(
			t, answered(400, "", `{"error":"authorization_pending"}`), away, lostOnItsWay, away, away, away, away, tokensOf("1"),
		)
		got, err := app.WaitForDevice(t.Context(), &oauth2.DeviceAuthResponse{DeviceCode: "d", Interval: 5})
		if err != nil || got.AccessToken != "access-1" || len(service.sent) != 8 {
			t.Errorf("%v, %v after %d requests", got, err, len(service.sent))
		}
	})
}
