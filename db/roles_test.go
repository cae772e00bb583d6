package db_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

// refused reports whether a role may not do something.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42501"
}

// TestRole_CannotRewriteHistory: what the service's role may do, and what it may not.
func TestRole_CannotRewriteHistory(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	owner := dbtest.Open(t, rawURL)
	d := dbtest.Open(t, dbtest.Restricted(t, rawURL))
	for _, statement := range []string{
		"UPDATE audit_records SET outcome = 'x'", "DELETE FROM access_log", "DELETE FROM receipts", "UPDATE protocol_entries SET number = 1",
		"DELETE FROM people", "INSERT INTO protocol_reserves SELECT FROM protocol_reserves", "TRUNCATE audit_records",
		"CREATE TABLE mine (id integer)", "UPDATE schema_compatibility SET oldest_program = 1", "DELETE FROM goose_db_version",
		"DELETE FROM audit_records", "UPDATE audit_records SET person_id = NULL, session_id = NULL, address = 'erased'",
		"ALTER TABLE audit_records DISABLE TRIGGER USER", "DROP TRIGGER audit_records_are_final ON audit_records",
		"DELETE FROM protocol_entries", "ALTER TABLE protocol_entries DISABLE TRIGGER USER", "DELETE FROM log_entries",
		"UPDATE log_entries SET salt = ''", "INSERT INTO log_erasures (position, digest, record_id) VALUES ( 0, '', gen_random_uuid())",
		"DELETE FROM log_tiles", "DELETE FROM log_state", "DELETE FROM log_cosignatures",
		"UPDATE staff_looks SET operation = 'x'", "DELETE FROM staff_looks",
	} {
		if err := run(d, statement); !refused(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{"DELETE FROM sessions", "DELETE FROM idempotency_keys", insertRome} {
		if err := run(d, statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if err := d.CheckSchema(context.Background()); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"postgres": "superuser", "Robert'); --": "small letters"} {
		if _, err := owner.CreateRole(context.Background(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRole_IsNotGivenWhereItMayMore: what the command cannot take from a role it says.
func TestRole_IsNotGivenWhereItMayMore(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct{ before, want string }{
		"becomes the owner at will":    {"ALTER ROLE SERVICE NOINHERIT; GRANT OWNER TO SERVICE", "superuser"},
		"is of a group that writes":    {"GRANT pg_write_all_data TO SERVICE", "audit_records"},
		"may what everybody may":       {"GRANT DELETE ON access_log TO PUBLIC", "access_log"},
		"may what everybody may there": {"GRANT UPDATE (outcome) ON audit_records TO PUBLIC", "audit_records"},
		"gives itself roles":           {"ALTER ROLE SERVICE CREATEROLE", "superuser"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rawURL := dbtest.Postgres(t)
			owner := dbtest.Open(t, rawURL)
			role := dbtest.RoleOf(t, dbtest.Restricted(t, rawURL))
			before := strings.NewReplacer("SERVICE", role, "OWNER", dbtest.RoleOf(t, rawURL)).Replace(c.before)
			if err := run(owner, before); err != nil {
				t.Fatal(err)
			}
			if _, err := owner.CreateRole(ctx, role); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestRole_LosesWhatItHadBefore: a role to which somebody gave all has what it needs and no more.
func TestRole_LosesWhatItHadBefore(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	owner := dbtest.Open(t, rawURL)
	role := dbtest.RoleOf(t, dbtest.Restricted(t, rawURL))
	if err := run(owner, "GRANT ALL ON ALL TABLES IN SCHEMA public TO "+role); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.CreateRole(context.Background(), role); err != nil {
		t.Fatal(err)
	}
	var more []string
	if err := owner.From(context.Background()).Raw(`SELECT c.relname || ' ' || a.privilege_type FROM pg_class c
		CROSS JOIN aclexplode(c.relacl) a WHERE a.grantee = ?::regrole
		AND a.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') ORDER BY 1`, role).Scan(&more).Error; err != nil {
		t.Fatal(err)
	}
	if len(more) > 0 {
		t.Errorf("it keeps %v", more)
	}
}

// TestRole_HasRightsOnLaterTables: a role that the command made has them by default. One that was
// made by hand has them with the next migration.
func TestRole_HasRightsOnLaterTables(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	rawURL := dbtest.Postgres(t)
	owner := dbtest.Open(t, rawURL)
	address := dbtest.Restricted(t, rawURL)
	d := dbtest.Open(t, address)
	const later = "INSERT INTO added_later (id) VALUES (1)"
	if err := run(owner, "CREATE TABLE added_later (id integer)"); err != nil {
		t.Fatal(err)
	}
	if err := run(d, later); err != nil {
		t.Errorf("at once: %v", err)
	}
	// As it was made by hand, with nothing for tables to come.
	role := dbtest.RoleOf(t, address)
	for _, statement := range []string{
		"ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM " + role, "REVOKE ALL ON added_later FROM " + role,
	} {
		if err := run(owner, statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(d, later); !refused(err) {
		t.Errorf("without a right: %v", err)
	}
	if err := owner.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if err := run(d, later); err != nil {
		t.Errorf("after a migration: %v", err)
	}
	if err := run(d, "DELETE FROM receipts"); !refused(err) {
		t.Errorf("the migration gave too much: %v", err)
	}
}

// TestRole_IsOfPostgres: SQLite says so.
func TestRole_IsOfPostgres(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.SQLite(t))
	if _, err := d.CreateRole(context.Background(), "diresco_app"); err == nil {
		t.Error("a role of a file")
	}
}

// The page about the role names the tables in which it may do less, each by what it may not.
func TestRole_ThePageSaysWhatItMayNot(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "It reads and adds everywhere, and\n")
	if !found {
		t.Fatal("the page does not say what the role may")
	}
	list, _, _ := strings.Cut(strings.TrimSpace(after), "\n\n")
	points := strings.Split(list, "\n* ")
	if len(points) != 3 {
		t.Fatalf("%d points: %q", len(points), points)
	}
	for i, tables := range [][]string{db.KeptAsWritten, db.NeverDeleted, db.OfOwner} {
		var named []string
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(points[i], -1) {
			named = append(named, name[1])
		}
		// In the page it is the list of migrations.
		want := slices.DeleteFunc(slices.Clone(tables), func(name string) bool { return name == "goose_db_version" })
		slices.Sort(named)
		slices.Sort(want)
		if !slices.Equal(named, want) {
			t.Errorf("the page names %q, want %q", named, want)
		}
	}
}

// TestRole_RightsAreGivenOneAfterTheOther: programs that migrate at once, or make a role, do not
// make each other fail.
func TestRole_RightsAreGivenOneAfterTheOther(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	role := dbtest.RoleOf(t, dbtest.Restricted(t, rawURL))
	const programs = 4
	outcomes := make(chan error, programs)
	for n := range programs {
		d := dbtest.Open(t, rawURL)
		go func() {
			if n%2 == 0 {
				outcomes <- d.Migrate(context.Background())
				return
			}
			_, err := d.CreateRole(context.Background(), role)
			outcomes <- err
		}()
	}
	for range programs {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
}
