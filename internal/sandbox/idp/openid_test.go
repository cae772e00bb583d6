package idp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	redirectURI = publicURL + "/federation/oidc/callback"
	verifier    = "0123456789012345678901234567890123456789012345678901234567890123"
)

func authorizeQuery() url.Values {
	return url.Values{
		"client_id": {"oidc"}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "scope": {"openid profile"},
		"state": {"st&ate"}, "nonce": {"once"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
		"acr_values": {class(2)},
	}
}

// serve shows the provider by HTTP as its pages do.
func (w world) serve() *httptest.Server {
	answer := func(rw http.ResponseWriter, value any, err error) {
		var refused *ProtocolError
		switch {
		case errors.As(err, &refused):
			rw.WriteHeader(refused.Status)
			value = map[string]string{"error": refused.Code}
		case err != nil:
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(rw).Encode(value); err != nil {
			w.t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc(DiscoveryPath, func(rw http.ResponseWriter, _ *http.Request) { answer(rw, w.Discovery(), nil) })
	mux.HandleFunc(KeysPath, func(rw http.ResponseWriter, _ *http.Request) { answer(rw, w.PublicKeys(), nil) })
	mux.HandleFunc(TokenPath, func(rw http.ResponseWriter, r *http.Request) {
		value, err := w.Token(r)
		answer(rw, value, err)
	})
	mux.HandleFunc(UserinfoPath, func(rw http.ResponseWriter, r *http.Request) {
		value, err := w.Userinfo(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		answer(rw, value, err)
	})
	server := httptest.NewServer(mux)
	w.t.Cleanup(server.Close)
	return server
}

// A client made of the usual libraries finds the provider, goes its way, and reads who it was.
func TestOpenID_ServesTheUsualClient(t *testing.T) {
	w := newWorld(t)
	served := w.serve()
	var err error
	if w.issuer, err = url.Parse(served.URL); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, served.URL+OpenIDPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		endpoint := provider.Endpoint()
		endpoint.AuthStyle = style
		client := oauth2.Config{
			ClientID: "oidc", ClientSecret: "kept/by oidc", Endpoint: endpoint, RedirectURL: redirectURI, Scopes: []string{"openid"},
		}
		asked, err := url.Parse(client.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("a nonce"),
			oauth2.SetAuthURLParam("acr_values", class(3)+" "+class(2))))
		if err != nil {
			t.Fatal(err)
		}
		id, err := w.ReadOpenID(asked.Query())
		if err != nil {
			t.Fatal(err)
		}
		if r, err := w.Waiting(id); err != nil || r.Level != 2 {
			t.Errorf("asked %+v: %v", r, err)
		}
		answer, err := w.Answer(id, Choice{Person: marco, Level: 3, Outcome: Granted})
		if err != nil {
			t.Fatal(err)
		}
		back, err := url.Parse(answer.URL)
		if err != nil || back.Query().Get("state") != "a state" || back.Query().Get("iss") != w.Issuer() || answer.Form != nil {
			t.Fatalf("back at %+v: %v", answer, err)
		}
		token, err := client.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := token.Extra("id_token").(string)
		read, err := provider.Verifier(&oidc.Config{ClientID: "oidc", Now: w.clock.Now}).Verify(ctx, raw)
		if err != nil {
			t.Fatal(err)
		}
		var claims struct{ ACR string }
		if err := read.Claims(&claims); err != nil || claims.ACR != class(3) || read.Nonce != "a nonce" {
			t.Errorf("got %+v %q: %v", claims, read.Nonce, err)
		}
		if err := read.VerifyAccessToken(token.AccessToken); err != nil {
			t.Error(err)
		}
		info, err := provider.UserInfo(ctx, client.TokenSource(ctx, token))
		if err != nil {
			t.Fatal(err)
		}
		var told map[string]any
		if err := info.Claims(&told); err != nil || told[claimPrefix+"fiscal_number"] != "TINIT-"+marco.TaxCode ||
			told["given_name"] != "Marco" || told["sub"] != read.Subject || told["phone_number"] != nil {
			t.Errorf("told %v: %v", told, err)
		}
		if _, err := client.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier)); err == nil {
			t.Error("a code is exchanged twice")
		}
	}
	if _, err := w.Userinfo("nothing"); err == nil {
		t.Error("a token that was never given is good")
	}
}

// What is not as it should be is refused before anybody chooses anything.
func TestOpenID_RefusesWrongRequests(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]url.Values{
		"client_id": {"client_id": {"other"}}, "redirect_uri": {"redirect_uri": {"https://elsewhere.example/"}}, "response_type": {"response_type": {"token"}},
		"scope": {"scope": {"profile"}}, "code_challenge": {"code_challenge": {"short"}}, "method": {"code_challenge_method": {"plain"}},
		"state": {"state": nil}, "nonce": {"nonce": nil}, "acr_values": {"acr_values": {class(4)}}, "repeated": {"state": {"a", "b"}},
	} {
		query := authorizeQuery()
		for k, v := range change {
			query[k] = v
		}
		var invalid *Invalid
		if _, err := w.ReadOpenID(query); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each refusal goes back with its number. A code of a provider that is out of order is good for nothing.
func TestOpenID_TellsWhatWentWrong(t *testing.T) {
	w := newWorld(t)
	exchange := func(form url.Values) error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, TokenPath, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, err := w.Token(r)
		return err
	}
	answer := func(outcome Outcome) url.Values {
		id, err := w.ReadOpenID(authorizeQuery())
		if err != nil {
			t.Fatal(err)
		}
		a, err := w.Answer(id, Choice{Person: marco, Level: 2, Outcome: outcome})
		if err != nil {
			t.Fatal(err)
		}
		back, err := url.Parse(a.URL)
		if err != nil {
			t.Fatal(err)
		}
		return back.Query()
	}
	for outcome, want := range map[Outcome]string{
		Refused: "ErrorCode nr22", Cancelled: "ErrorCode nr25", TimedOut: "ErrorCode nr21", LevelTooLow: "ErrorCode nr20", Blocked: "ErrorCode nr23",
		WrongTries: "ErrorCode nr19",
	} {
		if got := answer(outcome); got.Get("error") != "access_denied" || got.Get("error_description") != want || got.Get("code") != "" {
			t.Errorf("%s: %v", outcome, got)
		}
	}
	form := func(code string) url.Values {
		return url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier},
			"client_id": {"oidc"}, "client_secret": {"kept/by oidc"},
		}
	}
	if err := exchange(form(answer(Down).Get("code"))); !errors.Is(err, ErrDown) {
		t.Errorf("out of order: %v", err)
	}
	for name, want := range map[string]string{
		"client_id": "invalid_client", "client_secret": "invalid_client", "grant_type": "unsupported_grant_type", "code": "invalid_grant",
		"redirect_uri": "invalid_grant", "code_verifier": "invalid_grant",
	} {
		wrong := form(answer(Granted).Get("code"))
		wrong.Set(name, "wrong")
		var refused *ProtocolError
		if err := exchange(wrong); !errors.As(err, &refused) || refused.Code != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := form(answer(Granted).Get("code"))
	other.Set("client_id", "cie")
	other.Set("client_secret", "kept-by-cie")
	var refused *ProtocolError
	if err := exchange(other); !errors.As(err, &refused) || refused.Code != "invalid_grant" {
		t.Errorf("another client's code: %v", err)
	}
}
