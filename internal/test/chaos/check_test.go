package chaos

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// lineOf returns the lines of what diresco check printed that are about one thing.
func lineOf(printed, what string) string {
	var lines []string
	for line := range strings.Lines(printed) {
		if _, rest, _ := strings.Cut(line, " "); strings.HasPrefix(strings.TrimSpace(rest), what+" ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestCheck_SaysWhatIsWrongBeforeAnybodyIsLetIn: each part is tried, with one line and the exit
// code.
func TestCheck_SaysWhatIsWrongBeforeAnybodyIsLetIn(t *testing.T) {
	_, database := postgres(t)
	dir := t.TempDir()
	v := variables{
		"DATABASE_URL": database, "DATA_DIR": dir, "ADMIN_ADDR": "", "LOG_LEVEL": "warn",
	}
	check := func(v variables, wantCode int, want map[string]string) {
		t.Helper()
		printed, said, code := command(t, v, "check")
		if code != wantCode || (code == 0) != (said == "") {
			t.Errorf("it ended with %d, not %d, and said %q:\n%s", code, wantCode, said, printed)
		}
		for what, expression := range want {
			if !regexp.MustCompile("(?m)^" + expression).MatchString(lineOf(printed, what)) {
				t.Errorf("of %s it says %q, not %s", what, lineOf(printed, what), expression)
			}
		}
		if strings.Contains(printed+said, "hunter2") {
			t.Error("a secret was printed")
		}
	}
	check(variables{"DATABASE_URL": database}, 1, map[string]string{"settings": "fail .*DIRESCO_BLOB_URL: "})
	check(v.with(variables{"DATABASE_URL": "postgres://u:hunter2@127.0.0.1:1/x"}), 1, map[string]string{
		"database": "fail .*cannot be reached",
	})
	check(v, 1, map[string]string{"schema": "fail .*run `diresco migrate`", "database": "ok .*PostgreSQL"})

	for _, says := range []string{
		`^the database schema was brought from version 0 to [1-9][0-9]*\n$`, `^the database schema is at version [1-9][0-9]* already\n$`,
	} {
		if out := succeed(t, v, "migrate"); !regexp.MustCompile(says).MatchString(out) {
			t.Errorf("migrate says %q, not %s", out, says)
		}
	}
	check(v, 0, map[string]string{
		"schema": "ok ", "database": "ok .*can be written", "role": "note ", "clock": "ok ", "keys": "note .*the first start makes",
		"bucket": "ok ", "smtp": "note ", "public url": "note ", "log keys": "note .*the first start makes", "mirror": "note ",
	})
	if inside := names(t, filepath.Join(dir, "blobs")); len(inside) > 1 || len(names(t, dir)) != 1 {
		t.Errorf("it left %q and %q", names(t, dir), inside)
	}
	s := newServer(t, "serve", v)
	s.start()
	s.terminate()
	mirror := t.TempDir()
	check(v.with(variables{"AUDIT_MIRROR": "file://" + mirror}), 0, map[string]string{"keys": "ok ", "log keys": "ok ", "mirror": "ok "})

	broken := filepath.Join(t.TempDir(), "broken.pem")
	if err := os.WriteFile(broken, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	check(v.with(variables{
		"DATA_DIR": other, "SMTP_URL": "smtp://u:hunter2@127.0.0.1:1?from=a@b.it", "PEC_SPOOL_DIR": other, "PEC_CA": broken,
		"TLS_CERT": broken, "TLS_KEY": broken, "BLOB_URL": "file:///proc/nowhere", "PUBLIC_URL": "https://127.0.0.1:1",
	}), 1, map[string]string{
		"keys": "fail .*signing keys", "log keys": "note .*the first start makes", "smtp": "fail ", "pec receipts": "fail ", "certificate": "fail ", "bucket": "fail ", "public url": "fail ",
	})

	// The role may read nothing that came with a later migration.
	d := open(t, database)
	for _, statement := range []string{"CREATE ROLE check_app LOGIN", "GRANT SELECT ON goose_db_version, installation TO check_app"} {
		if err := d.From(t.Context()).Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	check(v.with(variables{"DATABASE_URL": strings.Replace(database, "postgres@", "check_app@", 1)}), 1, map[string]string{
		"role": "fail .*may not read .*people", "database": "fail .*cannot be written",
	})
}

// TestVersion_NamesCommitAndSchema: a bug report says which program it is about.
func TestVersion_NamesCommitAndSchema(t *testing.T) {
	if out := succeed(t, nil, "version"); !regexp.MustCompile(`^diresco \S+\ncommit  .+\nschema  [1-9][0-9]*\ngo\S+ \S+\n$`).MatchString(out) {
		t.Errorf("version says %q", out)
	}
}
