//go:build long

package chaos

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// beforeVariable names the commit whose program is the release before.
	beforeVariable = "CHAOS_BEFORE"
	// releaseBefore is the last program that kept receipts in a table of their own (schema 55).
	// Schemas of now bear programs from 52 on.
	releaseBefore = "5efd59a"
)

// buildBefore builds the program of the release before from its tree, and returns its path.
func buildBefore(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	archive, program := filepath.Join(tree, "source.tar"), filepath.Join(tree, "diresco-before")
	for _, step := range []struct {
		dir     string
		command []string
	}{
		{root, []string{"git", "archive", "--output", archive, cmp.Or(os.Getenv(beforeVariable), releaseBefore)}},
		{tree, []string{"tar", "-xf", archive}},
		{tree, []string{"go", "build", "-trimpath", "-o", program, "./cmd/diresco"}},
	} {
		run := exec.CommandContext(t.Context(), step.command[0], step.command[1:]...)
		run.Dir, run.Env = step.dir, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(step.command, " "), err, out)
		}
	}
	return program
}

// TestReleases_TwoServeOneDatabase: this release migrates while the one before serves, and both
// file. The one before is started again on the newer schema, and leaves at last. Nobody's filing is
// lost, done twice or left untold.
func TestReleases_TwoServeOneDatabase(t *testing.T) {
	program := buildBefore(t)
	_, database := postgres(t)
	dir := t.TempDir()
	common := variables{
		"DATABASE_URL": database, "SIGNING_KEYS": filepath.Join(dir, "signing-keys.json"), "BLOB_URL": "file://" + filepath.Join(dir, "blobs"),
		"ADMIN_ADDR": "", "PUBLIC_URL": "https://diresco.example.org", "RATE_PERSON": "1000000", "RATE_ADDRESS": "1000000",
	}
	succeed(t, nil, "keys", "signing", common["SIGNING_KEYS"])
	common["DATA_KEYS"] = strings.TrimSpace(succeed(t, nil, "keys", "data"))
	migration := launchProgram(t, program, dir, common.environment(), "migrate")
	if code := migration.code(patience); code != 0 {
		t.Fatalf("the release before ended with %d: %s", code, migration.stderr.end())
	}
	older := newServer(t, "serve", common)
	older.program = program
	older.start()
	if line := refuse(t, common.with(variables{"ADDR": freeAddress(t)}), "serve"); !strings.Contains(line, "diresco migrate") {
		t.Fatalf("on the schema of the release before this one says %q", line)
	}
	audit := filepath.Join(dir, "audit-keys")
	succeed(t, nil, "keys", "log", "--name", "diresco.example.org/audit/log", audit)
	newer := newServer(t, "serve", common.with(variables{"AUDIT_KEYS": audit}))

	// What people and contributors are has not changed since.
	l := newLoad(t, newSeeder(t, database).filers(clients/2), older.site)
	stage := func(what string, meanwhile func(), sites ...site) {
		t.Helper()
		filed, broken := l.filed(), l.broken.Load()
		l.sites, l.stop = sites, make(chan struct{})
		l.begin(clients)
		l.advance(5 * clients)
		meanwhile()
		l.round.Add(1)
		l.advance(5 * clients)
		l.end()
		t.Logf("%s: %d acknowledged, %d requests without an answer", what, l.filed()-filed, l.broken.Load()-broken)
	}
	stage("the one before, while this one migrates", func() { succeed(t, newer.given, "migrate") }, older.site)
	newer.start()
	stage("both", func() {}, older.site, newer.site)
	stage("both, while the one before is started again", func() {
		older.terminate()
		older.start()
	}, older.site, newer.site)
	l.renew(older.site)
	stage("both, with tokens of the one before", func() {}, older.site, newer.site)
	older.terminate()
	stage("this one alone", func() {}, newer.site)

	acknowledged := l.done
	l.askAgain(newer.site, acknowledged)
	d := open(t, database)
	eventually(t, patience, "all that was filed is told and an event", func() bool {
		return rows[int](t, d, "SELECT count(*) FROM outbox WHERE state = 'queued'")[0] == 0 &&
			rows[int](t, d, "SELECT count(DISTINCT subject_id) FROM events WHERE subject_kind = 'declaration'")[0] == len(acknowledged)
	})
	var said string
	eventually(t, patience, "all of the trail is sealed", func() bool {
		said = succeed(t, newer.given, "audit", "verify")
		return strings.Contains(said, "not sealed yet: 0 rows")
	})
	t.Log(said)
	newer.terminate()
	checkRegister(t, d, acknowledged)
}
