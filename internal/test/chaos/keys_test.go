package chaos

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"diresco/api/client"
)

// TestKeys_AnotherDirectoryIsRefused: a process with another directory makes no new keys for a
// database that has some. It may have been mistyped.
func TestKeys_AnotherDirectoryIsRefused(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "mistyped")
	v := variables{"DATABASE_URL": "sqlite:" + filepath.Join(dir, "diresco.db"), "DATA_DIR": dir, "ADMIN_ADDR": ""}
	s := newServer(t, "serve", v)
	s.start()
	s.terminate()

	line := refuse(t, v.with(variables{"DATA_DIR": other, "ADDR": anyPort}), "serve")
	if !strings.Contains(line, "signing keys") || !strings.Contains(line, "session-") {
		t.Errorf("it says %q", line)
	}
	for _, name := range []string{"signing-keys.json", "data-keys"} {
		if _, err := os.Stat(filepath.Join(other, name)); !os.IsNotExist(err) {
			t.Errorf("%s was made: %v", name, err)
		}
	}
	content, err := os.ReadFile(filepath.Join(dir, "data-keys"))
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(string(content), ":")
	fresh := strings.TrimSpace(succeed(t, nil, "keys", "data"))
	line = refuse(t, v.with(variables{"DATA_KEYS": fresh, "ADDR": anyPort}), "serve")
	if !strings.Contains(line, "data key "+id) {
		t.Errorf("with another data key it says %q", line)
	}
	_, bytes, _ := strings.Cut(fresh, ":")
	line = refuse(t, v.with(variables{"DATA_KEYS": id + ":" + bytes, "ADDR": anyPort}), "serve")
	if !strings.Contains(line, "data key "+id) || strings.Contains(line, bytes) {
		t.Errorf("with another data key of the same id it says %q", line)
	}
	s.start()
	s.terminate()
}

const keysPage = "docs/keys.md"

// shellBlock is a block of commands, which may stand in a list.
var shellBlock = regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```$")

// shellBlocks returns the shell blocks of a page.
func shellBlocks(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, strings.ReplaceAll(block[2], "\n"+block[1], "\n"))
	}
	return blocks
}

// shell runs a block of a page as an operator of the house would, and returns what it printed. What
// the block exports of the names counts for the house's processes from then on.
func (h *house) shell(block string, exported ...string) string {
	h.t.Helper()
	return h.shellIn(h.t.TempDir(), block, exported...)
}

// shellIn is shell in a directory.
func (h *house) shellIn(dir, block string, exported ...string) string {
	t := h.t
	t.Helper()
	script := "set -euo pipefail\n" + block
	for _, name := range exported {
		script += "\nprintf '\\0%s' \"$DIRESCO_" + name + "\" >&3"
	}
	command := exec.CommandContext(t.Context(), "bash", "-c", script)
	command.Dir = dir
	command.Env = append(h.common.environment(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	values, err := os.Create(filepath.Join(t.TempDir(), "exported"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = values.Close() }()
	command.ExtraFiles = []*os.File{values}
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, block, out)
	}
	written, err := os.ReadFile(values.Name())
	if err != nil {
		t.Fatal(err)
	}
	for i, value := range strings.Split(string(written), "\x00")[1:] {
		h.common[exported[i]] = value
	}
	return string(out)
}

// restart replaces a process of the house by one with what its settings are now.
func (h *house) restart(s *server) {
	h.t.Helper()
	s.terminate()
	for name, value := range h.common {
		s.given[name] = value
	}
	s.start()
}

// TestKeys_RotateUnseen: two processes under load, and the procedure of the page. No client sees
// an error, and in the end neither process has one of the old keys.
func TestKeys_RotateUnseen(t *testing.T) {
	_, database := postgres(t)
	h := newHouse(t, database)
	a, b := h.server(), h.server()
	a.start()
	b.start()
	blocks := shellBlocks(t, keysPage)
	if len(blocks) != 5 {
		t.Fatalf("%d shell blocks", len(blocks))
	}
	l := newLoad(t, h.seed.filers(8), a.site, b.site)
	l.begin(16)
	_, taxCode := h.seed.person()
	// Whatever one process gives out the other takes.
	across := func() {
		t.Helper()
		l.advance(16)
		for _, pair := range [][2]site{{a.site, b.site}, {b.site, a.site}} {
			s := pair[0].login(t, taxCode, h.seed.pin)
			pair[1].get(t, "/v1/me", s.AccessToken).want(t, http.StatusOK, "")
			renewed := pair[1].post(t, "/v1/sessions/current/tokens", "", map[string]string{"refresh_token": s.RefreshToken})
			token := decode[client.Session](t, renewed.want(t, http.StatusOK, "")).AccessToken
			pair[0].get(t, "/v1/me", token).want(t, http.StatusOK, "")
		}
	}
	across()
	if out := h.shell(blocks[0]); strings.Count(out, "\n") != 3 {
		t.Errorf("the keys at the beginning:\n%s", out)
	}
	old := h.common["DATA_KEYS"]
	h.shell(blocks[1], "DATA_KEYS")
	for _, s := range []*server{a, b} {
		h.restart(s)
		across()
	}
	eventually(t, patience, "the new keys are used", func() bool {
		return strings.Count(h.shell("diresco keys list"), "used") == 2
	})
	h.shell(blocks[2])
	across()
	if line := refuse(t, h.common.with(variables{"DATA_KEYS": old, "ADDR": anyPort}), "serve"); !strings.Contains(line, "data key") {
		t.Errorf("with the old list it says %q", line)
	}

	// Three days later nobody sends again what was sent under the old key. A process uses the new one
	// once it has seen that another does.
	eventually(t, patience, "every process has looked since", func() bool {
		return rows[int](t, h.seed.db, "SELECT count(*) FROM processes p WHERE p.seen_at <= (SELECT max(used_at) FROM data_keys) + "+
			"interval '1 second' AND p.seen_at > now() - interval '1 minute'")[0] == 0
	})
	l.settle()
	h.seed.do(func(ctx context.Context) error {
		return h.seed.db.From(ctx).Exec("UPDATE data_keys SET used_at = used_at - interval '3 days'").Error
	})
	h.shell(blocks[3], "DATA_KEYS")
	eventually(t, patience, "every process has looked since", func() bool {
		return rows[int](t, h.seed.db, "SELECT count(*) FROM processes p WHERE p.seen_at <= (SELECT max(retired_at) FROM data_keys) + "+
			"interval '1 second' AND p.seen_at > now() - interval '1 minute'")[0] == 0
	})
	l.settle()
	for _, s := range []*server{a, b} {
		h.restart(s)
		across()
	}
	if h.common["DATA_KEYS"] == old || strings.Contains(h.common["DATA_KEYS"], ",") {
		t.Error("the old data key is still there")
	}
	acknowledged := l.end()

	// The file is stolen: new keys, and the old ones are revoked.
	stolen := a.site.login(t, taxCode, h.seed.pin)
	h.shell(`diresco keys signing --add "$DIRESCO_SIGNING_KEYS"`)
	for _, s := range []*server{a, b} {
		h.restart(s)
	}
	eventually(t, patience, "the new keys are known", func() bool {
		return !strings.Contains(h.shell("diresco keys list"), "unknown to")
	})
	for _, at := range []site{a.site, b.site} {
		at.get(t, "/v1/me", stolen.AccessToken).want(t, http.StatusOK, "")
	}
	h.shell(blocks[4])
	for _, at := range []site{a.site, b.site} {
		eventually(t, patience, "a revoked key's token is refused", func() bool {
			return at.get(t, "/v1/me", stolen.AccessToken).status == http.StatusUnauthorized
		})
	}
	renewed := b.site.post(t, "/v1/sessions/current/tokens", "", map[string]string{"refresh_token": stolen.RefreshToken})
	a.site.get(t, "/v1/me", decode[client.Session](t, renewed.want(t, http.StatusOK, "")).AccessToken).want(t, http.StatusOK, "")
	h.receipts(acknowledged[0], a.site, b.site)
	a.terminate()
	b.terminate()
	checkRegister(t, h.seed.db, acknowledged)
}
