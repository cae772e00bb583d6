package db_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

func columns(t *testing.T, d *db.DB, query string) map[string]bool {
	t.Helper()
	var rows []struct {
		TableName, ColumnName string
		NotNull               bool
	}
	if err := d.From(context.Background()).Raw(query).Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, r := range rows {
		if strings.HasPrefix(r.TableName, "goose") || strings.HasPrefix(r.TableName, "sqlite") {
			continue
		}
		out[r.TableName+"."+r.ColumnName] = r.NotNull
	}
	return out
}

func TestMigrate_BothDatabasesHaveTheSameTablesAndColumns(t *testing.T) {
	lite := columns(t, dbtest.Open(t, dbtest.SQLite(t)), `SELECT m.name AS table_name, c.name AS column_name, c."notnull" <> 0
		OR c.pk > 0 AS not_null
		FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'`)
	pg := columns(
		t, dbtest.Open(t, dbtest.Postgres(t)),
		`SELECT table_name, column_name, is_nullable = 'NO' AS not_null FROM information_schema.columns WHERE table_schema = 'public'`,
	)
	if len(pg) == 0 {
		t.Fatal("no columns read")
	}
	if diff := cmp.Diff(pg, lite); diff != "" {
		t.Errorf("postgres (-) and sqlite (+) differ:\n%s", diff)
	}
}

func TestMigrate_BothDialectsHaveTheSameMigrations(t *testing.T) {
	list := func(dir string) (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if diff := cmp.Diff(list("migrations/postgres"), list("migrations/sqlite")); diff != "" {
		t.Error(diff)
	}
}

func TestMigrate_SchemaIsCheckedAtStart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		if err := d.CheckSchema(ctx); err != nil {
			t.Error(err)
		}
		if err := d.Migrate(ctx); err != nil {
			t.Errorf("migrating twice: %v", err)
		}
	})
	empty := dbtest.Open(t, "sqlite:"+t.TempDir()+"/empty.db")
	if err := empty.CheckSchema(context.Background()); err == nil {
		t.Error("an empty database passed the check")
	}
}
