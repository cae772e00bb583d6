//go:build peers

package openid

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/app"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/platform/config"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

// TestOpenID_OpensASession goes all the way: from an application over a provider of others to a
// session of this service.
func TestOpenID_OpensASession(t *testing.T) {
	const application, verifier = "https://app.example.org", "0123456789-0123456789-0123456789-0123456789"
	dir, listener := t.TempDir(), httptest.NewUnstartedServer(nil)
	t.Cleanup(listener.Close)
	origin := "http://" + listener.Listener.Addr().String()
	keys, err := keyring.LoadOrCreateFederation(filepath.Join(dir, "federation-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	issuer := startProvider(t, keys, origin+openid.CallbackPath)
	file := filepath.Join(dir, "openid.json")
	if err := os.WriteFile(file, []byte(`{"providers": [{
		"provider_id": "ente", "kind": "oidc", "display_name": "Ente", "login_method": "spid", "issuer": "`+issuer+`", "client_id": "portal-1",
		"authentication": {"method": "private_key_jwt"}, "scopes": ["openid", "profile"], "levels": {"2": "urn:level:2"}
	}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a, err := app.Open(context.Background(), config.Config{
		Addr: listener.Listener.Addr().String(), PublicURL: origin, DataDir: dir, DatabaseURL: secret.Text("sqlite:" + dir + "/d.db"),
		BlobURL: "file://" + dir + "/blobs", RatePerson: 1000, RateApplication: 1000, RateAddress: 1000, CORSOrigins: []string{application},
		OIDCProviders: file, FederationKeys: filepath.Join(dir, "federation-keys.json"),
	}, app.Options{Version: "test", Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	listener.Config.Handler = a.Handler()
	listener.Start()
	defer func() {
		listener.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if strings.Contains(log.String(), person) {
			t.Error("a tax code is in the log")
		}
	}()

	hash := sha256.Sum256([]byte(verifier))
	begun := post(t, origin+"/v1/federated-logins", map[string]any{
		"provider_id": "ente", "level": 2, "return_url": application + "/back", "code_challenge": base64.RawURLEncoding.EncodeToString(hash[:]),
	})
	begunURL, _ := begun["url"].(string)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back url.Values
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), application) {
			back = r.URL.Query()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	response, err := browser.Get(begunURL) //nolint:noctx // it ends with the test
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if back.Get("code") == "" {
		t.Fatalf("back with %v, after %d", back, response.StatusCode)
	}
	session := post(t, origin+"/v1/sessions/federated", map[string]any{"code": back.Get("code"), "code_verifier": verifier})
	if session["login_method"] != "spid" || session["login_level"] != 2.0 || session["login_provider"] != "ente" || session["access_token"] == "" {
		t.Errorf("%v", session)
	}
}

// post sends a body and returns the answer, which is a success.
func post(t *testing.T, address string, body map[string]any) map[string]any {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(address, "application/json", bytes.NewReader(encoded)) //nolint:noctx // it ends with the test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %d %v %v", address, response.StatusCode, answer, err)
	}
	return answer
}
