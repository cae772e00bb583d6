// Package contract compares the contract with the one that was released last. It is a module of its
// own, since its tool needs other versions of what the program needs, too. Run it by `make contract-check`.
package contract

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	released = "../../api/contract/released.yaml"
	current  = "../../openapi.yaml"
)

// broken is what changing one contract into the other breaks for those who use it; "" if nothing.
// Something that may break them is let through as oasdiff's warnings are: a value more in an answer, which programs
// ignore by the rules of /v1.
func broken(t *testing.T, before, after string) string {
	t.Helper()
	out, err := exec.CommandContext(
		context.WithoutCancel(t.Context()), "go", "tool", "oasdiff", "breaking", before, after,
		"--fail-on", "ERR", "--format", "singleline", "--color", "never", "--deprecation-days-stable", "365", "--severity-levels", "levels.txt",
	).CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &failed) && failed.ExitCode() == 1:
		return string(out)
	}
	t.Fatalf("oasdiff: %v\n%s", err, out)
	return ""
}

// Nothing that a released contract promises is taken away. After a release, `make release` renews what is compared with.
func TestContract_BreaksNoPromise(t *testing.T) {
	if found := broken(t, released, current); found != "" {
		t.Errorf("the contract breaks what was released (docs/changes.md):\n%s", found)
	}
}

// edited is the contract with one part of its text replaced.
func edited(t *testing.T, part, by string) string {
	t.Helper()
	text, err := os.ReadFile(current)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), part) != 1 {
		t.Fatalf("the contract has %d times what should be changed:\n%s", strings.Count(string(text), part), part)
	}
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), part, by, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	applicationOfReceipt = `        client_id:
          type: string
          maxLength: 64
          pattern: '^[A-Za-z0-9_-]*$'
          description: The application by which it was filed, which stands in the signed receipt too; absent where the person filed it themselves.
          example: 018f3b501a2b7c3d8e4f5a6b7c8d9e0f
`
	reservationOfDraft = "        reservation_id: { $ref: '#/components/schemas/Id' }\n"
	restOfDraft        = `        supersedes_id: { $ref: '#/components/schemas/Id' }
        right_id: { $ref: '#/components/schemas/Id' }
        content:
          type: object
          maxProperties: 100
          description: What is declared. Must meet the ` + "`content_schema` of the type; until it is filed, required"
)

// What is checked is seen to be checked: the released contract is compared with changes of it.
func TestContract_BreaksAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		part, by string
		want     string // "" for what breaks nothing
	}{
		"an operation is removed": {
			part: "  /declarations/{declaration_id}/receipt/pdf:\n", by: "  /declarations/{declaration_id}/receipt/paper:\n",
			want: "removed without deprecation",
		},
		"a field of an answer is removed":           {part: "        jws: { $ref: '#/components/schemas/ReceiptJws' }\n        client_id:", by: "        client_id:", want: "`jws`"},
		"an optional field of an answer is removed": {part: applicationOfReceipt, by: "", want: "`client_id`"},
		"a field that requests have is removed": {
			part: reservationOfDraft + restOfDraft, by: restOfDraft, want: "`reservation_id`",
		},
		"a field of a request becomes required": {
			part: "      required: [type, position_id, content]\n", by: "      required: [type, position_id, content, right_id]\n", want: "`right_id`",
		},
		"an operation goes before its time": {
			part: "      operationId: downloadReceiptPdf\n", by: "      operationId: downloadReceiptPdf\n      deprecated: true\n      x-sunset: '2026-12-01'\n",
			want: "sunset",
		},
		"a field is added to an answer": {
			part: applicationOfReceipt, by: applicationOfReceipt + "        pages:\n          type: integer\n          minimum: 1\n          maximum: 9\n",
		},
		"a field that may stand in requests is added": {
			part: reservationOfDraft + restOfDraft, by: reservationOfDraft + "        remark: { $ref: '#/components/schemas/Id' }\n" + restOfDraft,
		},
		"a code is added": {part: "        - malformed-request\n        - invalid-credentials\n", by: "        - malformed-request\n        - teapot\n        - invalid-credentials\n"},
		"an operation will go": {
			part: "      operationId: downloadReceiptPdf\n",
			by:   "      operationId: downloadReceiptPdf\n      deprecated: true\n      x-deprecated-since: '2027-01-01'\n      x-sunset: '2199-12-01'\n",
		},
	} {
		found := broken(t, current, edited(t, c.part, c.by))
		if (c.want == "") != (found == "") || !strings.Contains(found, c.want) {
			t.Errorf("%s: got %q, want %q", name, found, c.want)
		}
	}
}
