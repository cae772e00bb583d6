package dbtest

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// TestTemplate_IsMadeOnce: packages that look for it at the same moment share one, and one that was
// begun is made anew.
func TestTemplate_IsMadeOnce(t *testing.T) {
	s, err := NewServer(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	clauses := make([]string, 4)
	var group sync.WaitGroup
	for i := range clauses {
		group.Go(func() {
			clause, err := cloning(s.address)
			if err != nil {
				t.Error(err)
			}
			clauses[i] = clause
		})
	}
	group.Wait()
	for _, clause := range clauses {
		if clause != clauses[0] {
			t.Errorf("%q and %q", clauses[0], clause)
		}
	}
	made := templates(t, s.address)
	if len(made) != 1 {
		t.Fatalf("templates: %v", made)
	}
	if _, err := cloning(s.address); err != nil {
		t.Fatal(err)
	}
	if again := templates(t, s.address); again[0] != made[0] {
		t.Errorf("%v was made again: %v", made, again)
	}
	name, _, _ := strings.Cut(made[0], " ")
	administer(t, s.address, "DROP DATABASE "+name)
	administer(t, s.address, "CREATE DATABASE "+name)
	if _, err := cloning(s.address); err != nil {
		t.Fatal(err)
	}
	administer(t, s.address, "CREATE DATABASE clone"+clauses[0])
	d := Open(t, withDatabase(s.address, "clone").String())
	if err := d.CheckSchema(context.Background()); err != nil {
		t.Error(err)
	}
}

// templates lists the templates on the server, each with its object id.
func templates(t *testing.T, server *url.URL) []string {
	t.Helper()
	var found []string
	d := Open(t, server.String())
	err := d.From(context.Background()).Raw(
		"SELECT datname || ' ' || oid FROM pg_database WHERE datname LIKE 'diresco_template_%'",
	).Scan(&found).Error
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestPostgres_IsEmptyAndApart: each test has a migrated database that shows nothing of another's.
func TestPostgres_IsEmptyAndApart(t *testing.T) {
	ctx := context.Background()
	one, other := Open(t, Postgres(t)), Open(t, Postgres(t))
	if err := one.From(ctx).Exec("CREATE TABLE of_one (n integer)").Error; err != nil {
		t.Fatal(err)
	}
	var seen *string
	if err := other.From(ctx).Raw("SELECT to_regclass('of_one')::text").Scan(&seen).Error; err != nil || seen != nil {
		t.Errorf("%v %v", seen, err)
	}
	if err := other.CheckSchema(ctx); err != nil {
		t.Error(err)
	}
}
