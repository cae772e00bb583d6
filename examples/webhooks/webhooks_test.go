package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diresco/api/client"
	"diresco/examples/internal/trial"
)

// lines are what the program writes, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- strings.TrimSpace(string(p))
	return len(p), nil
}

// await returns the first line that begins so.
func (l lines) await(t *testing.T, begin string) string {
	t.Helper()
	for {
		select {
		case said := <-l:
			if strings.HasPrefix(said, begin) {
				return said
			}
			if strings.HasPrefix(said, "refused") || strings.HasPrefix(said, "not kept") {
				t.Fatal(said)
			}
		case <-t.Context().Done():
			t.Fatalf("it never said %q", begin)
		}
	}
}

// start runs the program, and returns what ends it.
func start(t *testing.T, args ...string) (said lines, end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	said, ended := make(lines, 64), make(chan error, 1)
	go func() { ended <- run(ctx, args, said) }()
	return said, func() {
		t.Helper()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestWebhooks_AreRegisteredReceivedAndKept: what somebody files is told to the receiver of the
// application that they let in; so it is after a restart with another secret.
func TestWebhooks_AreRegisteredReceivedAndKept(t *testing.T) {
	t.Parallel()
	service, dir := trial.Sandbox(t), t.TempDir()
	api := letIn(t, service)
	said, end := start(t, "-addr", "127.0.0.1:0", "-data", dir, "-register", "-api", service)
	listening := strings.Fields(said.await(t, "Listening at "))[2]
	address := strings.TrimSuffix(strings.TrimPrefix(listening, "http://"), "/events;")
	first := fileOne(t, api)
	said.await(t, "declaration.submitted: declaration "+first)
	end()

	said, end = start(t, "-addr", address, "-data", dir, "-register", "-rotate", "-api", service)
	said.await(t, "Listening at ")
	second := fileOne(t, api)
	said.await(t, "declaration.submitted: declaration "+second)
	end()

	var k keys
	text, err := os.ReadFile(filepath.Join(dir, "keys.json"))
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err != nil || len(k.Secrets) != 2 || k.Secrets[0] == k.Secrets[1] {
		t.Errorf("%d secrets, %v", len(k.Secrets), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "keys.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{first, second} {
		if n := strings.Count(string(kept), `"subject":{"kind":"declaration","id":"`+id+`"}`); n != 1 {
			t.Errorf("%s is kept %d times: %s", id, n, kept)
		}
	}
	for _, secret := range k.Secrets {
		if strings.Contains(string(kept), secret) {
			t.Error("a secret is among the events")
		}
	}
}

// letIn lets the application see the events of somebody, and returns the API as it calls it.
func letIn(t *testing.T, service string) *client.API {
	t.Helper()
	ctx := t.Context()
	app, err := client.Discover(ctx, client.AppConfig{
		Issuer: service, ClientID: "sandbox-payroll", RedirectURL: "http://127.0.0.1/callback",
		Scopes: []string{"declarations", "events", "offline_access"},
	})
	if err != nil {
		t.Fatal(err)
	}
	login, err := app.Authorize(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, err := app.Exchange(ctx, login, trial.NewPerson(t, service, "rep-rome").LetIn(login.URL))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := app.Begin(ctx, &client.MemoryStore{}, token)
	if err != nil {
		t.Fatal(err)
	}
	api, err := client.New(service+"/v1", client.Options{Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// fileOne files the example of a type, and returns the declaration's id.
func fileOne(t *testing.T, api *client.API) string {
	t.Helper()
	ctx := t.Context()
	contributors, err := api.ListContributorsWithResponse(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := contributors.JSON200.Items[0].ContributorId
	positions, err := api.ListPositionsWithResponse(ctx, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	of, err := api.ShowDeclarationTypeWithResponse(ctx, "RIOC", nil)
	if err != nil {
		t.Fatal(err)
	}
	submit := true
	filed, err := api.DraftDeclarationWithResponse(ctx, id, &client.DraftDeclarationParams{}, client.DeclarationDraft{
		Type: of.JSON200.Code, PositionId: positions.JSON200.Items[0].PositionId, Content: of.JSON200.ContentExample, Submit: &submit,
	})
	if err != nil {
		t.Fatal(err)
	}
	return filed.JSON201.DeclarationId.String()
}
