package scan_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/scan"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// scanner scans as it is told.
type scanner func(ctx context.Context) (finding string, err error)

// Scan implements scan.Scanner.
func (s scanner) Scan(ctx context.Context, _ io.Reader) (string, error) { return s(ctx) }

// clean finds nothing.
func clean(context.Context) (string, error) { return "", nil }

// start returns the service of another process.
func start(w *world.App, by scanner) *scan.Service {
	return scan.NewService(scan.Deps{Runner: w.Runner, Bucket: w.Blobs, Scanner: by, Log: slog.New(slog.DiscardHandler)})
}

// hold keeps a file closed, and returns the id of what it belongs to.
func hold(t *testing.T, w *world.App, s *scan.Service) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	if err := w.Blobs.WriteAll(t.Context(), id.String(), []byte("content"), nil); err != nil {
		t.Fatal(err)
	}
	w.Must(t, func(ctx context.Context) error {
		_, err := s.Hold(ctx, scan.Files{ID: id, Kind: "ticket", Keys: []string{id.String()}}, w.Clock.Now())
		return err
	})
	return id
}

// While one process claims files, another goes on with the next.
func TestScan_ProcessesDoNotWaitForEachOther(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := world.New(t, d)
	s := start(w, clean)
	first, second := hold(t, w, s), hold(t, w, s)
	w.Must(t, func(ctx context.Context) error {
		if err := d.From(ctx).Exec("UPDATE file_scans SET lease_owner = 'another' WHERE id = ?", first).Error; err != nil {
			return err
		}
		if err := s.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		return nil
	})
	if err := s.Require(t.Context(), second); err != nil {
		t.Errorf("not handed out: %v", err)
	}
}

// Files that a process had in its hands when it ended are scanned by the next one at once.
func TestScan_AProcessThatEndsLeavesFilesToTheNext(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := world.New(t, d)
		ctx, end := context.WithCancel(t.Context())
		ended := start(w, func(ctx context.Context) (string, error) {
			end()
			<-ctx.Done()
			return "", ctx.Err()
		})
		files := hold(t, w, ended)
		if err := ended.Drain(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("it ended with %v", err)
		}
		next := start(w, clean)
		if err := next.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := next.Require(t.Context(), files); err != nil {
			t.Errorf("not handed out: %v", err)
		}
	})
}
