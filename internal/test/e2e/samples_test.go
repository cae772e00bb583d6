package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/test/dbtest"
	"diresco/internal/test/samples"
)

// runIn returns what a command prints that runs in the folder, with the variables beside those of
// the environment.
func runIn(t *testing.T, dir string, variables []string, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	command.Dir, command.Env = dir, append(os.Environ(), variables...)
	var wrong strings.Builder
	command.Stderr = &wrong
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out, wrong.String())
	}
	return string(out)
}

// isReceipt checks the page that a sample saved.
func isReceipt(t *testing.T, dir string) {
	t.Helper()
	pdf, err := os.ReadFile(samples.Receipt(dir))
	if err != nil || !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Errorf("the receipt: %v", err)
	}
}

// TestSamples_DoWhatTheyShow: what the documentation shows in code files a declaration in a fresh
// sandbox, as it stands there. The samples in TypeScript are run where there is node.
func TestSamples_DoWhatTheyShow(t *testing.T) {
	t.Run("curl", func(t *testing.T) {
		t.Parallel()
		w, dir := start(t, dbtest.SQLite(t)), t.TempDir()
		samples.Follow(t, w.url, samples.Of(t, w.url, "curl"), func(s samples.Sample, variables []string) string {
			return runIn(t, dir, variables, "bash", "-c", "set -euo pipefail\n"+s.Source)
		})
		isReceipt(t, dir)
	})
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		w, dir := start(t, dbtest.SQLite(t)), t.TempDir()
		all := samples.Of(t, w.url, "Go")
		write := func(name, content string) {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("go.mod", "module samples\n\ngo 1.26\n")
		write("bin/none", "")
		for _, s := range all {
			write(s.OperationID+"/main.go", s.Source)
		}
		runIn(t, dir, nil, "go", "vet", "./...")
		runIn(t, dir, nil, "go", "build", "-o", "bin", "./...")
		samples.Follow(t, w.url, all, func(s samples.Sample, variables []string) string {
			return runIn(t, dir, variables, filepath.Join(dir, "bin", s.OperationID))
		})
		isReceipt(t, dir)
	})
}
