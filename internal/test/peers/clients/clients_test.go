//go:build peers

package clients

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"diresco/internal/app"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
	"diresco/internal/test/samples"
)

// service is a running sandbox, and its contract for clients in a file.
type service struct{ url, api, contract string }

func newService(t *testing.T) service {
	t.Helper()
	s, _ := newServiceWith(t, func(*config.Config) {})
	return s
}

// newServiceWith is newService, configured otherwise.
func newServiceWith(t *testing.T, configure func(*config.Config)) (service, *app.App) {
	t.Helper()
	dir := t.TempDir()
	listener := httptest.NewUnstartedServer(nil)
	c := config.Config{
		Addr: listener.Listener.Addr().String(), PublicURL: "http://" + listener.Listener.Addr().String(), DataDir: dir,
		DatabaseURL: secret.Text("sqlite:" + filepath.Join(dir, "diresco.db")), BlobURL: "file://" + dir + "/blobs",
		RatePerson: 100_000, RateApplication: 100_000, RateAddress: 100_000,
	}
	configure(&c)
	a, err := app.Open(t.Context(), c, app.Options{Sandbox: true, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener.Config.Handler = a.Handler()
	listener.Start()
	t.Cleanup(func() {
		listener.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	answer, err := http.Get(listener.URL + "/openapi.client.json") //nolint:noctx // once, at a test's begin
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	contract, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the contract: %d, %v", answer.StatusCode, err)
	}
	file := filepath.Join(dir, "openapi.client.json")
	if err := os.WriteFile(file, contract, 0o600); err != nil {
		t.Fatal(err)
	}
	return service{url: listener.URL, api: listener.URL + "/v1", contract: file}, a
}

// workshop is a copy of the folder in testdata, where commands run.
type workshop struct {
	t   *testing.T
	dir string
	env []string
}

func newWorkshop(t *testing.T, folder string, s service) workshop {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", folder))); err != nil {
		t.Fatal(err)
	}
	return workshop{t: t, dir: dir, env: append(os.Environ(), "API="+s.api, "CONTRACT="+s.contract)}
}

// run returns what the command prints, and ends the test if it fails.
func (w workshop) run(name string, args ...string) string {
	w.t.Helper()
	command := exec.CommandContext(context.WithoutCancel(w.t.Context()), name, args...)
	command.Dir, command.Env = w.dir, w.env
	out, err := command.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// filed ends the test unless a program says that it filed a declaration and got its receipt.
func (w workshop) filed(out string) {
	w.t.Helper()
	if !strings.Contains(out, "filed INPS.") {
		w.t.Fatalf("nothing was filed: %s", out)
	}
}

// Each generator makes a client of the contract as it is served. A program without casts, under the
// compiler's strictest settings, logs in with it, files a declaration and fetches its receipt.
func TestClients_GeneratedForTypeScriptFile(t *testing.T) {
	s := newService(t)
	w := newWorkshop(t, "npm", s)
	w.run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	for name, generate := range map[string][]string{
		"openapi-fetch": {"openapi-typescript", s.contract, "--output", "generated/openapi-typescript.ts"},
		"hey-api":       {"openapi-ts", "--input", s.contract, "--output", "generated/hey-api", "--client", "@hey-api/client-fetch"},
		"orval":         {"orval", "--config", "orval.config.mjs"},
	} {
		t.Run(name, func(t *testing.T) {
			w := w
			w.t = t
			w.run(filepath.Join("node_modules", ".bin", generate[0]), generate[1:]...)
			w.run(filepath.Join("node_modules", ".bin", "tsc"), "--project", "tsconfig."+name+".json")
			w.filed(w.run("node", filepath.Join("built", name+".js")))
		})
	}
}

// What the documentation shows in TypeScript compiles under the strictest settings, and files a
// declaration.
func TestSamples_InTypeScriptDoWhatTheyShow(t *testing.T) {
	s := newService(t)
	w := newWorkshop(t, "npm", s)
	w.run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	all := samples.Of(t, s.url, "TypeScript")
	for _, one := range all {
		if err := os.WriteFile(filepath.Join(w.dir, "samples", one.OperationID+".ts"), []byte(one.Source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.run(filepath.Join("node_modules", ".bin", "tsc"), "--project", filepath.Join("samples", "tsconfig.json"))
	own := w.env
	samples.Follow(t, s.url, all, func(one samples.Sample, variables []string) string {
		w.env = append(slices.Clone(own), variables...)
		return w.run("node", filepath.Join("built", one.OperationID+".js"))
	})
	page, err := os.ReadFile(samples.Receipt(w.dir))
	if err != nil || !strings.HasPrefix(string(page), "%PDF-") {
		t.Errorf("the receipt: %v", err)
	}
}

// ogen makes a client for Go.
func TestClients_GeneratedForGoFile(t *testing.T) {
	s := newService(t)
	w := newWorkshop(t, "ogen", s)
	w.run("go", "tool", "ogen", "--target", "oas", "--package", "oas", "--config", "ogen.yaml", s.contract)
	w.filed(w.run("go", "run", "."))
}
