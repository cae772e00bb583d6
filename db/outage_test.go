package db_test

import (
	"context"
	"strings"
	"testing"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

// TestOutage_ALostServerIsAnOutage: losing PostgreSQL is reported as an outage and as nothing else.
// That holds for what is under way when it is killed and for what comes while it is down. Once
// the server is back, so is the pool.
func TestOutage_ALostServerIsAnOutage(t *testing.T) {
	server, err := dbtest.NewServer(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	d := dbtest.Open(t, server.URL())
	ctx := context.Background()

	waiting := make(chan error, 1)
	go func() {
		waiting <- d.InTx(ctx, func(ctx context.Context) error { return d.From(ctx).Exec("SELECT pg_sleep(?)", 60).Error })
	}()
	for asleep := 0; asleep == 0; {
		if err := d.From(ctx).Raw("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").Scan(&asleep).Error; err != nil {
			t.Fatal(err)
		}
	}
	outages := map[string]error{}
	outages["a statement in a transaction"] = d.InTx(ctx, func(ctx context.Context) error {
		if err := d.From(ctx).Exec("SELECT 1").Error; err != nil {
			t.Error(err)
		}
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
		return d.From(ctx).Exec("SELECT 1").Error
	})
	outages["a statement that runs"] = <-waiting
	outages["a transaction while it is down"] = d.InTx(ctx, func(context.Context) error { return nil })
	outages["a statement while it is down"] = d.From(ctx).Exec("SELECT 1").Error
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	outages["a commit"] = d.InTx(ctx, func(ctx context.Context) error {
		if err := d.From(ctx).Exec("SELECT 1").Error; err != nil {
			t.Error(err)
		}
		return server.StopAtOnce()
	})
	for what, err := range outages {
		if !db.IsUnavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := d.From(ctx).Exec("SELECT 1").Error; err != nil {
		t.Errorf("after its return: %v", err)
	}
}

// TestOutage_AnUnreachableServerSaysWhy: in one line, for whoever reads it in a log, and without
// the password.
func TestOutage_AnUnreachableServerSaysWhy(t *testing.T) {
	for _, url := range []string{
		"postgres://u:hunter2@127.0.0.1:1/x", "postgres://u:hunter2@127.0.0.1:1,127.0.0.1:2/x",
		"postgres://u:hunter2@127.0.0.1:1/x?sslmode=require",
	} {
		_, err := db.Open(context.Background(), url)
		if err == nil {
			t.Fatal("opened")
		}
		if text := err.Error(); !strings.Contains(text, "connection refused") || strings.Contains(text, "hunter2") ||
			strings.Contains(text, "\n") {
			t.Errorf("it says %q", text)
		}
	}
}
