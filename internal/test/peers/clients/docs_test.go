//go:build peers

package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The page of the documentation folds the operations and tells those apart that need no login. It
// shows code, and in the sandbox logs a test person in.
func TestDocs_ShowWhatTheContractSays(t *testing.T) {
	s := newService(t)
	w := newWorkshop(t, "docs", s)
	script, err := os.ReadFile(filepath.Join("..", "..", "..", "httpapi", "pages", "assets", "docs.js"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "docs.js"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "SERVICE="+s.url)
	if out := w.run("node", "docs.mjs"); !strings.HasSuffix(out, "shown\n") {
		t.Errorf("got %s", out)
	}
}
