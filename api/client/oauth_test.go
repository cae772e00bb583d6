package client_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"diresco/api/client"
	"diresco/internal/sandbox"
)

// discovered is one of the sandbox's applications.
func discovered(t *testing.T, server, clientID string) *client.App {
	t.Helper()
	c := client.AppConfig{
		Issuer: strings.TrimSuffix(server, "/v1"), ClientID: clientID, RedirectURL: "http://127.0.0.1/callback",
		Scopes: []string{"declarations", "offline_access"},
	}
	if clientID == sandbox.BureauClientID {
		key := must(sandbox.BureauKey())
		c.Key = &key
	}
	app, err := client.Discover(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// mayAct reports whether tokens let anybody in.
func mayAct(ctx context.Context, server string, tokens client.TokenSource) error {
	api, err := client.New(server, client.Options{Tokens: tokens})
	if err != nil {
		return err
	}
	_, err = api.ListContributorsWithResponse(ctx, nil)
	return err
}

func TestApp_LogsInAndGoesOn(t *testing.T) {
	server, end := exampleSandbox()
	defer end()
	for clientID, key := range map[string]string{sandbox.PayrollClientID: "rep-rome", sandbox.BureauClientID: "caf-worker"} {
		app, who := discovered(t, server, clientID), somebody(server, key)
		auth, err := app.Authorize(t.Context(), client.Access{Services: []string{"declarations"}})
		if err != nil {
			t.Fatal(err)
		}
		answer := back(who.decide(who.visit(auth.URL), "approve"))
		for name, value := range map[string]string{"state": "another", "iss": "https://mix-up.example"} {
			wrong := maps.Clone(answer)
			wrong.Set(name, value)
			if _, err := app.Exchange(t.Context(), auth, wrong); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("another %s: %v", name, err)
			}
		}
		first, err := app.Exchange(t.Context(), auth, answer)
		if err != nil {
			t.Fatal(err)
		}
		store := client.FileStore(filepath.Join(t.TempDir(), "tokens.json"))
		tokens, err := app.Begin(t.Context(), store, first)
		if err != nil {
			t.Fatal(err)
		}
		if err := mayAct(t.Context(), server, tokens); err != nil {
			t.Fatal(err)
		}
		// Another process has the store alone, and goes on with what is kept there.
		again := app.Tokens(store)
		renewed, err := again.AccessToken(t.Context(), first.AccessToken)
		if err != nil || renewed == first.AccessToken {
			t.Fatal(renewed, err)
		}
		kept, err := store.Load(t.Context())
		if err != nil || kept.AccessToken != renewed || kept.RefreshToken == first.RefreshToken {
			t.Errorf("kept %v, %v", kept.AccessToken == renewed, err)
		}
		if err := again.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := mayAct(t.Context(), server, app.Tokens(store)); !errors.Is(err, client.ErrLogInAgain) {
			t.Errorf("after the end: %v", err)
		}
		// Who says no is understood.
		if auth, err = app.Authorize(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = app.Exchange(t.Context(), auth, back(who.decide(who.visit(auth.URL), "refuse")))
		var no *oauth2.RetrieveError
		if !errors.As(err, &no) || no.ErrorCode != "access_denied" {
			t.Errorf("refused: %v", err)
		}
	}
}

// forgetful is a store of one of several processes that all begin with the same tokens.
type forgetful struct{ client.MemoryStore }

// Processes that renew the same token at once are given the same successor, and end nothing.
func TestTokens_AreRenewedByManyAtOnce(t *testing.T) {
	server, end := exampleSandbox()
	defer end()
	app, who := discovered(t, server, sandbox.PayrollClientID), somebody(server, "rep-rome")
	auth := must(app.Authorize(t.Context()))
	first := must(app.Exchange(t.Context(), auth, back(who.decide(who.visit(auth.URL), "approve"))))
	var running sync.WaitGroup
	got := make([]string, 8)
	stores := make([]forgetful, len(got)/2)
	for i := range stores {
		must(app.Begin(t.Context(), &stores[i], first))
	}
	for i := range got {
		tokens := app.Tokens(&stores[i%len(stores)])
		running.Go(func() {
			if _, err := tokens.AccessToken(t.Context(), first.AccessToken); err != nil {
				t.Error(err)
			}
			kept, _ := stores[i%len(stores)].Load(t.Context())
			got[i] = kept.RefreshToken
		})
	}
	running.Wait()
	for _, token := range got {
		if token != got[0] || token == first.RefreshToken {
			t.Error("not one successor")
		}
	}
	if err := mayAct(t.Context(), server, app.Tokens(&stores[0])); err != nil {
		t.Error(err)
	}
	if _, err := app.Tokens(&client.MemoryStore{}).AccessToken(t.Context(), ""); !errors.Is(err, client.ErrLogInAgain) {
		t.Errorf("without tokens: %v", err)
	}
}

func TestApp_IsOfItsIssuer(t *testing.T) {
	server, end := exampleSandbox()
	defer end()
	moved := strings.Replace(strings.TrimSuffix(server, "/v1"), "127.0.0.1", "localhost", 1)
	if _, err := client.Discover(t.Context(), client.AppConfig{Issuer: moved, ClientID: "a"}); err == nil || !strings.Contains(err.Error(), "another issuer") {
		t.Errorf("got %v", err)
	}
	app := discovered(t, server, "nobody")
	_, err := app.Authorize(t.Context())
	var no *oauth2.RetrieveError
	if !errors.As(err, &no) || no.ErrorCode != "invalid_client" {
		t.Errorf("got %v", err)
	}
	if _, err := app.Exchange(t.Context(), &client.Authorization{State: "a"}, url.Values{}); err == nil {
		t.Error("an answer to nothing is taken")
	}
}
