package chaos

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"diresco/api/client"
)

// anyPort lets the system choose where a sandbox listens.
const anyPort = "127.0.0.1:0"

var (
	apiLine  = regexp.MustCompile(`(?m)^\s+API\s+(http://127\.0\.0\.1:\d+)/v1$`)
	curlLine = regexp.MustCompile(`(?m)^\s+(curl .+)$`)
)

// greeting returns the one thing that the expression finds in what the process prints at its start.
func (p *process) greeting(wanted *regexp.Regexp) string {
	p.t.Helper()
	var found []string
	eventually(p.t, patience, "the sandbox says where it is", func() bool {
		if !p.runs() {
			p.t.Fatal("the sandbox ended by itself")
		}
		found = wanted.FindStringSubmatch(p.stdout.String())
		return found != nil
	})
	return found[1]
}

// names lists what is in a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// TestSandbox_Binary: the sandbox needs no configuration, tells where it is, and leaves nothing
// behind.
func TestSandbox_Binary(t *testing.T) {
	t.Run("from an empty directory", func(t *testing.T) {
		dir, temporary := t.TempDir(), t.TempDir()
		p := launch(t, dir, variables{"ADDR": anyPort}.environment("TMPDIR="+temporary), "sandbox")
		line := p.greeting(curlLine)
		at := newSite(t, p.greeting(apiLine))
		out, err := exec.CommandContext(t.Context(), "bash", "-c", line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		token := decode[client.Session](t, answer{body: out}).AccessToken
		at.get(t, "/v1/me", token).want(t, http.StatusOK, "")
		at.get(t, "/docs", "").want(t, http.StatusOK, "")
		if inside := names(t, temporary); len(inside) != 1 || !strings.HasPrefix(inside[0], "diresco-sandbox-") {
			t.Errorf("the temporary directory holds %q", inside)
		}
		p.terminate()
		if left := append(names(t, temporary), names(t, dir)...); len(left) != 0 {
			t.Errorf("it left %q behind", left)
		}
	})
	t.Run("is told to end while it starts", func(t *testing.T) {
		temporary := t.TempDir()
		p := launch(t, t.TempDir(), variables{"ADDR": anyPort}.environment("TMPDIR="+temporary), "sandbox")
		eventually(t, patience, "the temporary directory is there", func() bool { return len(names(t, temporary)) > 0 || !p.runs() })
		p.terminate()
		if left := names(t, temporary); len(left) != 0 {
			t.Errorf("it left %q behind", left)
		}
	})
	t.Run("its terminal is closed", func(t *testing.T) {
		temporary := t.TempDir()
		p := launch(t, t.TempDir(), variables{"ADDR": anyPort}.environment("TMPDIR="+temporary), "sandbox")
		p.greeting(apiLine)
		p.end(syscall.SIGHUP)
		if left := names(t, temporary); len(left) != 0 {
			t.Errorf("it left %q behind", left)
		}
	})
	t.Run("data outlive SIGKILL", func(t *testing.T) { sandboxOutlivesKill(t) })
	t.Run("open to strangers", func(t *testing.T) {
		p := launch(t, t.TempDir(), variables{"ADDR": anyPort, "SANDBOX_PUBLIC": "true"}.environment("TMPDIR="+t.TempDir()), "sandbox")
		at := newSite(t, p.greeting(apiLine))
		at.post(t, "/v1/sandbox/clock", "", map[string]string{"advance": "PT1M"}).want(t, http.StatusForbidden, "forbidden")
		at.post(t, "/v1/sandbox/reset", "", nil).want(t, http.StatusForbidden, "forbidden")
		people := decode[client.SandboxPersonList](t, at.get(t, "/v1/sandbox/people", "").want(t, http.StatusOK, ""))
		at.login(t, people.Items[0].TaxCode, people.Items[0].Pin)
		p.terminate()
	})
}

// sandboxOutlivesKill: with a data directory everything is there again after a crash, sessions and
// printed receipts too.
func sandboxOutlivesKill(t *testing.T) {
	s := newServer(t, "sandbox", variables{"DATA_DIR": filepath.Join(t.TempDir(), "made", "when", "needed")})
	s.start()
	people := decode[client.SandboxPersonList](t, s.site.get(t, "/v1/sandbox/people", "").want(t, http.StatusOK, ""))
	p := people.Items[0]
	token := s.site.login(t, p.TaxCode, p.Pin).AccessToken
	contributor := "/v1/contributors/" + p.ContributorIds[0].String()
	positions := decode[client.PositionList](t, s.site.get(t, contributor+"/positions", token).want(t, http.StatusOK, ""))
	shown := decode[client.DeclarationType](t, s.site.get(t, "/v1/declaration-types/RIOC", "").want(t, http.StatusOK, ""))
	filed := s.site.post(t, contributor+"/declarations", token, map[string]any{
		"type": "RIOC", "position_id": positions.Items[0].PositionId, "content": shown.ContentExample, "submit": true,
	}).want(t, http.StatusCreated, "")
	receipt := request{method: http.MethodGet, path: filed.header.Get("Location") + "/receipt", token: token, accept: "application/pdf"}
	printed := s.site.do(t, receipt).want(t, http.StatusOK, "")
	clock := decode[client.SandboxClock](
		t, s.site.post(t, "/v1/sandbox/clock", "", map[string]string{"advance": "PT2M"}).want(t, http.StatusOK, ""),
	)
	s.kill()
	s.start()
	again := s.site.get(t, filed.header.Get("Location"), token).want(t, http.StatusOK, "")
	if !bytes.Equal(again.body, filed.body) {
		t.Errorf("the declaration was\n%s and is\n%s", filed.body, again.body)
	}
	if !bytes.Equal(s.site.do(t, receipt).want(t, http.StatusOK, "").body, printed.body) {
		t.Error("the printed receipt is another one")
	}
	if now := decode[client.SandboxClock](
		t, s.site.get(t, "/v1/sandbox/clock", "").want(t, http.StatusOK, ""),
	); now.OffsetSeconds != clock.OffsetSeconds || now.Now.Before(clock.Now) {
		t.Errorf("the clock stood at %v and stands at %v", clock, now)
	}
	s.terminate()
}

// TestSandbox_OneClearLine: what is wrong with the configuration stops the start with one line,
// which never repeats a value.
func TestSandbox_OneClearLine(t *testing.T) {
	const secret = "hunter2"
	whole := variables{
		"DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "x.db"), "DATA_DIR": t.TempDir(), "ADDR": anyPort, "ADMIN_ADDR": "",
	}
	for name, tc := range map[string]struct {
		mode  string
		given variables
		says  string
	}{
		"nothing set":               {"serve", nil, "DIRESCO_DATABASE_URL: is missing"},
		"no database":               {"serve", variables{"DATA_DIR": t.TempDir()}, "DIRESCO_DATABASE_URL: is missing"},
		"no database to migrate":    {"migrate", nil, "DIRESCO_DATABASE_URL: is missing"},
		"an unknown variable":       {"sandbox", variables{"ADRESS": secret}, "DIRESCO_ADRESS: "},
		"a wrong log level":         {"sandbox", variables{"LOG_LEVEL": secret}, "DIRESCO_LOG_LEVEL: "},
		"a wrong rate":              {"serve", whole.with(variables{"RATE_PERSON": secret}), "DIRESCO_RATE_PERSON: "},
		"a sandbox for everybody":   {"sandbox", variables{"ADDR": "0.0.0.0:0"}, "DIRESCO_ADDR: "},
		"data keys that are none":   {"serve", whole.with(variables{"DATA_KEYS": secret}), "data key"},
		"signing keys that are not": {"serve", whole.with(variables{"SIGNING_KEYS": "/nowhere/keys.json"}), "/nowhere/keys.json"},
		"a server that is not": {
			"serve", whole.with(variables{"DATABASE_URL": "postgres://u:" + secret + "@127.0.0.1:1/x"}), "connection refused",
		},
		"a URL that is none": {
			"serve", whole.with(variables{"DATABASE_URL": "postgres://u:" + secret + "@:x:y/"}), "database URL cannot be read",
		},
		"a file that is a folder": {
			"serve", whole.with(variables{"DATABASE_URL": "sqlite:" + t.TempDir()}), "database file cannot be opened",
		},
	} {
		t.Run(name, func(t *testing.T) {
			line := refuse(t, tc.given, tc.mode)
			if !strings.Contains(line, tc.says) || strings.Contains(line, secret) {
				t.Errorf("it says %q, want %q", line, tc.says)
			}
		})
	}
}

// TestSandbox_TheTwoNeverMix: a sandbox's database is not served, and a service's is no sandbox's.
func TestSandbox_TheTwoNeverMix(t *testing.T) {
	start := func(mode string, v variables) {
		s := newServer(t, mode, v.with(variables{"ADMIN_ADDR": ""}))
		s.start()
		s.terminate()
	}
	sandbox, service := t.TempDir(), t.TempDir()
	start("sandbox", variables{"DATA_DIR": sandbox})
	start("serve", variables{"DATABASE_URL": "sqlite:" + filepath.Join(service, "service.db"), "DATA_DIR": service})

	line := refuse(t, variables{
		"DATABASE_URL": "sqlite:" + filepath.Join(sandbox, "diresco.db"), "DATA_DIR": service, "ADDR": anyPort, "ADMIN_ADDR": "",
	}, "serve")
	if !strings.Contains(line, "sandbox") {
		t.Errorf("on a sandbox's database serve says %q", line)
	}
	held := "sqlite:" + filepath.Join(service, "service.db")
	line = refuse(t, variables{"DATABASE_URL": held, "ADDR": anyPort}, "sandbox")
	if !strings.Contains(line, "real data") {
		t.Errorf("on a service's database the sandbox says %q", line)
	}
	// Not even the schema of an older one is touched.
	d := open(t, held)
	err := d.InTx(t.Context(), func(ctx context.Context) error {
		return d.From(ctx).Exec("DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)").Error
	})
	if err != nil {
		t.Fatal(err)
	}
	if line = refuse(t, variables{"DATABASE_URL": held, "ADDR": anyPort}, "sandbox"); !strings.Contains(line, "real data") {
		t.Errorf("on an older service's database the sandbox says %q", line)
	}
}

// TestSandbox_OnADatabaseStartsAgainWithoutADirectory: a database that outlives the process has its
// keys with it. So sessions and receipts go on, with two processes too.
func TestSandbox_OnADatabaseStartsAgainWithoutADirectory(t *testing.T) {
	_, onPostgres := postgres(t)
	for name, database := range map[string]string{"postgres": onPostgres, "sqlite": "sqlite:" + filepath.Join(t.TempDir(), "sandbox.db")} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, "sandbox", variables{"DATABASE_URL": database})
			s.start()
			people := decode[client.SandboxPersonList](t, s.site.get(t, "/v1/sandbox/people", "").want(t, http.StatusOK, ""))
			p := people.Items[0]
			token := s.site.login(t, p.TaxCode, p.Pin).AccessToken
			s.terminate()
			s.start()
			s.site.get(t, "/v1/me", token).want(t, http.StatusOK, "")
			if name == "postgres" {
				other := newServer(t, "sandbox", variables{"DATABASE_URL": database, "PUBLIC_URL": s.site.url})
				other.start()
				other.site.get(t, "/v1/me", token).want(t, http.StatusOK, "")
				other.terminate()
			}
			s.terminate()
			// What a directory of its own holds is never replaced.
			line := refuse(t, variables{"DATABASE_URL": database, "DATA_DIR": t.TempDir(), "ADDR": anyPort}, "sandbox")
			if !strings.Contains(line, "a key of this database is missing") {
				t.Errorf("with another directory it says %q", line)
			}
		})
	}
}
