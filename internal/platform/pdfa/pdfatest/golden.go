package pdfatest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Golden holds what a document says, as its structure has it, to a file in testdata. Where there is
// no such file it writes one, for somebody to read, and fails.
func Golden(t testing.TB, pdf []byte, file string) {
	t.Helper()
	got, err := Text(pdf)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", file)
	want, err := os.ReadFile(path) //nolint:gosec // a test names it
	if os.IsNotExist(err) {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("%s was written: read it", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("another text than %s (delete it to have it written anew):\n%s", path, diff)
	}
}
