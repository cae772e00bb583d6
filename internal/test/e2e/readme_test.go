package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"diresco/internal/test/dbtest"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestReadmeCommands runs every shell block of the README, in order, in one shell.
func TestReadmeCommands(t *testing.T) {
	w := start(t, dbtest.SQLite(t))
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -euo pipefail\n"
	blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 10 {
		t.Fatalf("the README has %d shell blocks", len(blocks))
	}
	for _, block := range blocks {
		script += block[1]
	}
	script = strings.ReplaceAll(script, "http://127.0.0.1:8080", w.url)
	command := exec.CommandContext(t.Context(), "bash", "-c", script)
	command.Dir = t.TempDir()
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`"acting_as":"legal_representative"`, `"acting_as":"employee_delegate"`, `"acting_as":"intermediary"`, `"acting_as":"sub_delegate"`, `"state":"active"`, `"state":"revoked"`, `"protocol_number":"INPS.`, `"valid":true`, "\n404\n", "\n401\n", `"pin_change_required":true`, `"channel":"email"`, `"half":"first"`, `"state":"accepted"`, `"service_code":"view_payments"`, `"state":"failed"`, `"state":"done"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output has no %s:\n%s", want, out)
		}
	}
	pdf, err := os.ReadFile(filepath.Join(command.Dir, "receipt.pdf"))
	if err != nil || !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Errorf("receipt.pdf: %v", err)
	}
}
