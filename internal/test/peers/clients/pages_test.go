//go:build peers

package clients

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A real browser, without scripts, goes through the pages on which applications are let in. On none
// of them axe finds anything against WCAG 2.1 AA, and each fits a phone.
func TestPages_AreAccessibleInABrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("these tests need chromium (Debian: apt-get install chromium)")
	}
	s := newService(t)
	answer, err := http.Get(s.api + "/sandbox/people?limit=100") //nolint:noctx // once, at a test's begin
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var people struct {
		Items []struct {
			TaxCode         string `json:"tax_code"`
			PIN             string `json:"pin"`
			CredentialLevel string `json:"credential_level"`
			Roles           []struct {
				Role string `json:"role"`
			} `json:"roles"`
		} `json:"items"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&people); err != nil {
		t.Fatal(err)
	}
	w := newWorkshop(t, "pages", s)
	w.env = append(w.env, "SERVICE="+s.url, "CHROMIUM="+chromium, "SHOTS="+filepath.Join(w.dir, "shots"))
	if kept := os.Getenv("PAGES_SHOTS"); kept != "" {
		w.env = append(w.env, "SHOTS="+kept)
	}
	found := map[string]bool{}
	for _, p := range people.Items {
		name := ""
		switch {
		case len(p.PIN) == 16:
			name = "NEW_" // at the first login
		case len(p.Roles) == 0 || p.Roles[0].Role != "legal_representative" || p.CredentialLevel != "dispositive":
			continue
		}
		if !found[name] {
			found[name] = true
			w.env = append(w.env, name+"TAX_CODE="+p.TaxCode, name+"PIN="+p.PIN)
		}
	}
	w.run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	if out := w.run("node", "pages.mjs"); !strings.HasSuffix(out, "let in\n") {
		t.Errorf("got %s", out)
	}
}
