//go:build peers

package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runExample builds and runs one of the examples until the test ends, and returns the address that
// it prints.
func runExample(t *testing.T, name string, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../../../examples/"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	printed, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := command.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	line, err := bufio.NewReader(printed).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + strings.Fields(line[strings.Index(line, "http://")+len("http://"):])[0]
}

// The example in a browser, on an origin of its own, lets somebody in, files a declaration, shows its
// receipt and hears of it. On none of its pages axe finds anything against WCAG 2.1 AA.
func TestWebapp_FilesAcrossOrigins(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("these tests need chromium (Debian: apt-get install chromium)")
	}
	s := newService(t)
	answer, err := http.Get(s.api + "/sandbox/people?key=rep-rome") //nolint:noctx // once, at a test's begin
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var people struct {
		Items []struct {
			TaxCode string `json:"tax_code"`
			PIN     string `json:"pin"`
		} `json:"items"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&people); err != nil || len(people.Items) != 1 {
		t.Fatalf("%v, %v", people, err)
	}
	page := runExample(t, "webapp", "-addr", "127.0.0.1:0", "-api", s.url)
	w := newWorkshop(t, "webapp", s)
	w.env = append(w.env, "SERVICE="+s.url, "WEBAPP="+page, "CHROMIUM="+chromium, "SHOTS="+filepath.Join(w.dir, "shots"), "DOWNLOADS="+t.TempDir(),
		"TAX_CODE="+people.Items[0].TaxCode, "PIN="+people.Items[0].PIN)
	if kept := os.Getenv("PAGES_SHOTS"); kept != "" {
		w.env = append(w.env, "SHOTS="+filepath.Join(kept, "webapp"))
	}
	w.run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	if out := w.run("node", "webapp.mjs"); strings.Count(out, "filed INPS.") != 2 {
		t.Errorf("got %s", out)
	}
}

// What its modules do when the line, the service or the login fails: no event is lost, nothing is
// asked for ever, and a login that has ended is forgotten.
func TestWebapp_RecoversFromFailures(t *testing.T) {
	static, err := filepath.Abs("../../../../examples/webapp/static")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkshop(t, "webapp", newService(t))
	w.env = append(w.env, "STATIC="+static)
	if out := w.run("node", "--test", "--test-reporter=tap", "units.mjs"); !strings.Contains(out, "# pass 13\n# fail 0") {
		t.Errorf("got %s", out)
	}
}
