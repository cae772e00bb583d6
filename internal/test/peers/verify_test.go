//go:build peers

package peers

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/test/dbtest"
)

// logProof is what the example reads of a proof.
type logProof struct {
	Row        string   `json:"row"`
	Salt       string   `json:"salt"`
	Index      int64    `json:"index"`
	Hashes     []string `json:"hashes"`
	Checkpoint struct {
		Text string   `json:"text"`
		Keys []string `json:"keys"`
	} `json:"checkpoint"`
}

// TestVerify_InAnotherLanguage: the example says yes to a receipt with its proof, and no where one of
// them, the checkpoint or the key is another.
func TestVerify_InAnotherLanguage(t *testing.T) {
	e := start(t, dbtest.SQLite(t)).site().employer()
	receipt := func() (string, logProof) {
		t.Helper()
		id, _ := e.declare(true).field(t, "declaration_id").(string)
		path := "/v1/declarations/" + id + "/receipt"
		jws, _ := e.do(request{method: http.MethodGet, path: path, token: e.token}, http.StatusOK).field(t, "jws").(string)
		var p logProof
		if err := json.Unmarshal(e.do(request{method: http.MethodGet, path: path + "/proof", token: e.token}, http.StatusOK).body, &p); err != nil {
			t.Fatal(err)
		}
		return jws, p
	}
	otherJWS, other := receipt()
	jws, genuine := receipt()
	dir := t.TempDir()
	says := func(jws string, p logProof) string {
		t.Helper()
		proof, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"receipt": jws, "proof": string(proof), "checkpoint": p.Checkpoint.Text} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		program, err := filepath.Abs("../../../examples/verify/verify.mjs")
		if err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), "node", program, "receipt", "proof", "checkpoint", p.Checkpoint.Keys[0])
		command.Dir = dir
		out, err := command.Output()
		if yes := strings.HasPrefix(string(out), "yes: "); yes != (err == nil) {
			t.Errorf("it says %q and ends with %v", out, err)
		}
		return string(out)
	}
	if said := says(jws, genuine); !strings.HasPrefix(said, "yes: ") {
		t.Errorf("of a genuine receipt it says %q", said)
	}
	if said := says(otherJWS, other); !strings.HasPrefix(said, "yes: ") {
		t.Errorf("of an older receipt it says %q", said)
	}
	for name, alter := range map[string]func(jws string, p logProof) (string, logProof){
		"another receipt": func(_ string, p logProof) (string, logProof) { return otherJWS, p },
		"another row": func(jws string, p logProof) (string, logProof) {
			p.Row = strings.Replace(p.Row, `"number":`, `"number":1`, 1)
			return jws, p
		},
		"another salt":  func(jws string, p logProof) (string, logProof) { p.Salt = other.Salt; return jws, p },
		"another place": func(jws string, p logProof) (string, logProof) { p.Index--; return jws, p },
		"a place behind the end": func(jws string, p logProof) (string, logProof) {
			p.Index += 1000
			return jws, p
		},
		"a shorter path": func(jws string, p logProof) (string, logProof) { p.Hashes = p.Hashes[1:]; return jws, p },
		"a longer path": func(jws string, p logProof) (string, logProof) {
			p.Hashes = append(append([]string{}, p.Hashes...), p.Hashes[0])
			return jws, p
		},
		"another hash": func(jws string, p logProof) (string, logProof) {
			p.Hashes = append([]string{other.Salt}, p.Hashes[1:]...)
			return jws, p
		},
		"an older checkpoint": func(jws string, p logProof) (string, logProof) { p.Checkpoint = other.Checkpoint; return jws, p },
		"another size": func(jws string, p logProof) (string, logProof) {
			lines := strings.SplitN(p.Checkpoint.Text, "\n", 3)
			p.Checkpoint.Text = lines[0] + "\n1" + lines[1] + "\n" + lines[2]
			return jws, p
		},
		"no signature": func(jws string, p logProof) (string, logProof) {
			p.Checkpoint.Text, _, _ = strings.Cut(p.Checkpoint.Text, "\u2014")
			return jws, p
		},
		"another key": func(jws string, p logProof) (string, logProof) {
			p.Checkpoint.Keys = []string{"diresco.example/audit/log+903d9f6c+AUa3J9YLbyxXpR4oPR4gTsU0MSwzGkAKLxd9FtRJQxMF"}
			return jws, p
		},
	} {
		if said := says(alter(jws, genuine)); !strings.HasPrefix(said, "no: ") {
			t.Errorf("%s: it says %q", name, said)
		}
	}
}
