//go:build peers

package peers

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/test/dbtest"
)

// TestWebhooks_AreVerifiedByALibraryOfOthers: the one from npm takes what is sent, by the secret that
// was shown, and no other body.
func TestWebhooks_AreVerifiedByALibraryOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "webhooks"))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v: %s", err, out)
	}
	receiver := exec.CommandContext(t.Context(), "node", "receive.mjs")
	receiver.Dir, receiver.Stderr = dir, os.Stderr
	input, err := receiver.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := receiver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = receiver.Wait() })
	lines := bufio.NewScanner(output)
	lines.Scan()
	port, found := strings.CutPrefix(lines.Text(), "listening on ")
	if !found {
		t.Fatalf("the receiver says %q", lines.Text())
	}

	at := start(t, dbtest.SQLite(t)).site()
	person := at.do(request{method: "POST", path: "/v1/sandbox/people", body: map[string]any{"credential_level": "dispositive"}}, 201)
	key, _ := person.field(t, "key").(string)
	session := at.do(request{method: "POST", path: "/v1/sandbox/people/" + key + "/sessions"}, 201)
	token, _ := session.field(t, "access_token").(string)
	app := at.do(request{method: "POST", path: "/v1/applications", token: token, body: map[string]any{
		"display_name": "Paghe Facili", "kind": "public", "token_endpoint_auth_method": "none", "contact_email": "sviluppo@paghe.example",
		"redirect_uris": []string{"http://127.0.0.1/callback"}, "scopes": []string{"declarations.read", "events"},
	}}, 201)
	id, _ := app.field(t, "application_id").(string)
	path := "/v1/applications/" + id + "/webhooks"
	hook := at.do(request{method: "POST", path: path, token: token, body: map[string]any{"url": "http://127.0.0.1:" + port + "/"}}, 201)
	secret, _ := hook.field(t, "secret").(string)
	name, _ := hook.field(t, "webhook_id").(string)
	at.do(request{method: "POST", path: path + "/" + name + "/pings", token: token}, 202)
	if _, err := io.WriteString(input, secret+"\n"); err != nil {
		t.Fatal(err)
	}
	if lines.Scan(); lines.Text() != "verified webhook.ping" {
		t.Errorf("the receiver says %q", lines.Text())
	}
}
