package db_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
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
		FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table'`)
	pg := columns(
		t, dbtest.Open(t, dbtest.Postgres(t)),
		// On SQLite one process has the database, so nothing is there for programs of the release before.
		`SELECT table_name, column_name, is_nullable = 'NO' AS not_null FROM information_schema.columns WHERE table_schema = 'public'
			AND table_name NOT IN ('receipts', 'receipts_ahead')`,
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

// raises is what a migration writes that older programs cannot bear.
var raises = regexp.MustCompile(`UPDATE schema_compatibility SET oldest_program = ([0-9]+);`)

// TestMigrate_WhatTakesAwaySaysSo: a program that still runs would miss what was taken away.
func TestMigrate_WhatTakesAwaySaysSo(t *testing.T) {
	takes := regexp.MustCompile(`(?i)DROP (TABLE|COLUMN)|RENAME (TO|COLUMN)`)
	// A view stands where the table stood.
	dropped := regexp.MustCompile(`DROP TABLE (\w+);`)
	entries, err := os.ReadDir("migrations/postgres")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		if number <= "0029" {
			continue // before there was such a table
		}
		want := strings.TrimLeft(number, "0")
		for _, dialect := range []string{"postgres", "sqlite"} {
			text, err := os.ReadFile("migrations/" + dialect + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range dropped.FindAllSubmatch(text, -1) {
				if bytes.Contains(text, []byte("CREATE VIEW "+string(d[1])+" AS")) {
					text = bytes.ReplaceAll(text, d[0], nil)
				}
			}
			found := raises.FindStringSubmatch(string(text))
			if dialect == "postgres" && takes.Match(text) && found == nil {
				t.Errorf("%s takes something away and does not write UPDATE schema_compatibility SET oldest_program = %s;", e.Name(), want)
			}
			if found != nil && found[1] != want {
				t.Errorf("%s of %s raises the oldest program to %s", e.Name(), dialect, found[1])
			}
		}
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
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		// A newer program was here.
		newer := func(statements ...string) {
			t.Helper()
			for _, s := range statements {
				if err := run(d, s); err != nil {
					t.Fatal(err)
				}
			}
		}
		newer("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, TRUE)")
		if err := d.CheckSchema(ctx); err != nil {
			t.Errorf("on a newer schema that only added something: %v", err)
		}
		if err := d.Migrate(ctx); err == nil || !strings.Contains(err.Error(), "newer program") {
			t.Errorf("migrating a newer schema: %v", err)
		}
		newer("UPDATE schema_compatibility SET oldest_program = 9000")
		if err := d.CheckSchema(ctx); err == nil || !strings.Contains(err.Error(), "newer program") ||
			strings.Contains(err.Error(), "diresco migrate") {
			t.Errorf("on a newer schema that this program cannot bear: %v", err)
		}
	})
	empty := dbtest.Open(t, "sqlite:"+t.TempDir()+"/empty.db")
	if err := empty.CheckSchema(context.Background()); err == nil {
		t.Error("an empty database passed the check")
	}
}

// TestMigrate_TwoAtOnce: programs that start together on an empty database find it migrated.
func TestMigrate_TwoAtOnce(t *testing.T) {
	rawURL := dbtest.Postgres(t)
	if err := run(dbtest.Open(t, rawURL), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	const programs = 3
	outcomes := make(chan error, programs)
	for range programs {
		d := dbtest.Open(t, rawURL)
		go func() { outcomes <- errors.Join(d.Migrate(context.Background()), d.CheckSchema(context.Background())) }()
	}
	for range programs {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
}

// TestMigrate_TellsHowFarItIs: each migration that is missing counts once, and none is told of where
// none is missing.
func TestMigrate_TellsHowFarItIs(t *testing.T) {
	d := dbtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "d.db"))
	var told [][2]int
	tell := func(done, missing int) { told = append(told, [2]int{done, missing}) }
	if err := d.MigrateTelling(context.Background(), tell); err != nil {
		t.Fatal(err)
	}
	for i, at := range told {
		if at != [2]int{i, len(told) - 1} {
			t.Errorf("%d: it told %v", i, at)
		}
	}
	if err := d.CheckSchema(context.Background()); err != nil || len(told) < 50 {
		t.Errorf("told %d times, %v", len(told), err)
	}
	told = nil
	if err := d.MigrateTelling(context.Background(), tell); err != nil || told != nil {
		t.Errorf("again it told %v, %v", told, err)
	}
}
