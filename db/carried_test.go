package db_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

// earlier returns databases of an earlier schema, without rows.
func earlier(t *testing.T, version int64) map[db.Dialect]*db.DB {
	t.Helper()
	databases := map[db.Dialect]*db.DB{
		db.SQLite: dbtest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "earlier.db")), db.Postgres: dbtest.Open(t, dbtest.Postgres(t)),
	}
	if err := run(databases[db.Postgres], "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	for dialect, d := range databases {
		pool, err := d.Writer()
		if err != nil {
			t.Fatal(err)
		}
		engine := map[db.Dialect]goose.Dialect{db.SQLite: goose.DialectSQLite3, db.Postgres: goose.DialectPostgres}[dialect]
		provider, err := goose.NewProvider(engine, pool, os.DirFS("migrations/"+string(dialect)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.UpTo(context.Background(), version); err != nil {
			t.Fatal(err)
		}
	}
	return databases
}

// carried is what a program of schema 20 filed, with what stands beside it.
type carried struct {
	Number                       int
	SubjectID, Digest, JWS       string
	FiledState                   string
	FiledVersion                 int
	Key, RequestMac, ResourceID  string
	Messages, Deliveries, Others int
}

// TestMigrate_WhatWasFiledStays: what an earlier program filed keeps its receipt, to the byte, the
// state in which it was filed, its key and its messages.
func TestMigrate_WhatWasFiledStays(t *testing.T) {
	t.Parallel()
	rows, err := os.ReadFile("testdata/schema20.sql")
	if err != nil {
		t.Fatal(err)
	}
	const beside = `k.key, k.request_mac, k.resource_id, (SELECT COUNT(*) FROM outbox WHERE state = 'routed') AS messages,
		(SELECT COUNT(*) FROM deliveries) AS deliveries, (SELECT COUNT(*) FROM idempotency_keys) AS others
		FROM protocol_entries e LEFT JOIN idempotency_keys k ON k.resource_id = CAST(e.subject_id AS text) AND k.operation = 'draftDeclaration' `
	for dialect, d := range earlier(t, 20) {
		if err := run(d, string(rows)); err != nil {
			t.Fatal(err)
		}
		read := func(query string) (found []carried) {
			t.Helper()
			if err := d.From(context.Background()).Raw(query).Scan(&found).Error; err != nil {
				t.Fatal(err)
			}
			return found
		}
		want := read("SELECT e.number, e.subject_id, e.digest, x.jws, x.state AS filed_state, x.version AS filed_version, " + beside +
			"JOIN receipts x ON x.declaration_id = e.subject_id ORDER BY e.number, e.subject_id")
		if len(want) != 4 || strings.Count(want[0].JWS, ".") != 2 || want[0].Deliveries != 1 || want[0].Key == "" {
			t.Fatalf("%s: %+v", dialect, want)
		}
		if err := d.Migrate(context.Background()); err != nil {
			t.Fatal(err)
		}
		got := read("SELECT e.number, e.subject_id, e.digest, e.jws, e.filed_state, e.filed_version, " + beside + "ORDER BY e.number, e.subject_id")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: before (-) and now (+) differ:\n%s", dialect, diff)
		}
		for _, statement := range []string{
			"UPDATE protocol_entries SET jws = 'x'", "DELETE FROM protocol_entries",
			"INSERT INTO protocol_entries (office_code, year, number, at, kind, subject_id, digest) VALUES " +
				"('7000', 2026, 9, '2026-11-30', 'declaration', '01a22c93-24a7-70c1-b76d-0a9cdea141a9', 'x')",
		} {
			if err := run(d, statement); err == nil {
				t.Errorf("%s: %s is let through", dialect, statement)
			}
		}
	}
}
