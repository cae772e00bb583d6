package db_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
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

// TestMigrate_AProgramOfBeforeGoesOnFiling: while processes are replaced, those of the release before
// write receipts and lines of the register as they always did, and find each other's.
func TestMigrate_AProgramOfBeforeGoesOnFiling(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	role := "before_" + strings.ToLower(rand.Text())
	if _, err := d.CreateRole(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run(d, "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	})
	type receipt struct {
		JWS     string `gorm:"column:jws"`
		State   string
		Version int
	}
	const before, now = "01a22c93-24a7-70c1-b76d-0a9cdea141a8", "01a22c93-24a7-70c1-b76d-0a9cdea141a9"
	err := d.InTx(t.Context(), func(ctx context.Context) error {
		for _, statement := range []string{
			"SET LOCAL ROLE " + role,
			"INSERT INTO receipts (declaration_id, jws, state, version) SELECT * FROM unnest(ARRAY['" + before +
				"']::uuid[], ARRAY['a.b.c'], ARRAY['submitted'], ARRAY[2])",
			"INSERT INTO protocol_entries (office_code, year, number, at, kind, subject_id, digest) VALUES ('7000', 2026, 1, now(), 'declaration', '" +
				before + "', 'x')",
			"INSERT INTO protocol_entries (office_code, year, number, at, kind, subject_id, digest, jws, filed_state, filed_version) VALUES " +
				"('7000', 2026, 2, now(), 'declaration', '" + now + "', 'x', 'd.e.f', 'submitted', 1)",
		} {
			if err := d.From(ctx).Exec(statement).Error; err != nil {
				return err
			}
		}
		for _, c := range []struct {
			query string
			want  receipt
		}{
			{"SELECT jws, filed_state AS state, filed_version AS version FROM protocol_entries WHERE subject_id = '" + before + "'", receipt{"a.b.c", "submitted", 2}},
			{"SELECT jws, state, version FROM receipts WHERE declaration_id = '" + before + "'", receipt{"a.b.c", "submitted", 2}},
			{"SELECT jws, state, version FROM receipts WHERE declaration_id = '" + now + "'", receipt{"d.e.f", "submitted", 1}},
		} {
			var found []receipt
			if err := d.From(ctx).Raw(c.query).Scan(&found).Error; err != nil {
				return err
			}
			if len(found) != 1 || found[0] != c.want {
				t.Errorf("%s: %+v", c.query, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestMigrate_AProgramOfBeforeLeavesMessagesWhole: one that takes a delivery with its message in it finds
// no message, puts the delivery off as it always did, and thereby loses nothing of it.
func TestMigrate_AProgramOfBeforeLeavesMessagesWhole(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	const id, apart = "01a22c93-24a7-70c1-b76d-0a9cdea141a8", "01a22c93-24a7-70c1-b76d-0a9cdea141a9"
	const columns = "id, message_id, person_id, kind, channel, recipient, locale, state, attempts, next_at, deadline_at, created_at, updated_at"
	for _, statement := range []string{
		"INSERT INTO deliveries (" + columns + ", data) VALUES ('" + id + "', NULL, '" + apart + "', 'k', 'email', 'm@posta.example', 'it', 'queued', " +
			"0, now(), now(), now(), now(), '{}')",
		// What it promises itself has a row apart, as ever.
		"INSERT INTO outbox (id, kind, data, channel, recipient, state, created_at, deadline_at) VALUES ('" + apart +
			"', 'k', '{}', 'email', 'm@posta.example', 'routed', now(), now())",
		"INSERT INTO deliveries (" + columns + ") VALUES ('" + apart + "', '" + apart + "', NULL, 'k', 'email', 'm@posta.example', 'it', 'queued', " +
			"0, now(), now(), now(), now())",
	} {
		if err := run(d, statement); err != nil {
			t.Fatal(err)
		}
	}
	var claimed []struct {
		MessageID uuid.UUID
		Kind      string
	}
	if err := d.From(t.Context()).Raw("UPDATE deliveries SET lease_owner = 'before' WHERE id = '" + id + "' RETURNING message_id, kind").
		Scan(&claimed).Error; err != nil {
		t.Fatal(err)
	}
	if len(claimed) != 1 || claimed[0].MessageID != uuid.Nil || claimed[0].Kind != "k" {
		t.Errorf("it takes %+v", claimed)
	}
	if err := run(d, "INSERT INTO deliveries ("+columns+") VALUES ('"+id+"', '"+uuid.Nil.String()+"', '"+apart+
		"', 'k', 'email', 'm@posta.example', 'it', 'queued', 1, now(), now(), now(), now()) ON CONFLICT (id) DO UPDATE SET state = excluded.state, "+
		"attempts = excluded.attempts, lease_owner = NULL WHERE deliveries.lease_owner = 'before'"); err != nil {
		t.Fatal(err)
	}
	type delivery struct {
		MessageID *uuid.UUID
		Attempts  int
		Data      *string
	}
	var found []delivery
	if err := d.From(t.Context()).Raw("SELECT message_id, attempts, data FROM deliveries ORDER BY id").Scan(&found).Error; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]delivery{{nil, 1, new("{}")}, {new(uuid.MustParse(apart)), 0, nil}}, found); diff != "" {
		t.Error(diff)
	}
	if err := run(d, "UPDATE deliveries SET data = NULL WHERE id = '"+id+"'"); err == nil {
		t.Error("a delivery has no message at all")
	}
}
