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

// Files that a process had in its hands when it ended are scanned by the next one at once.
func TestScan_AProcessThatEndsLeavesFilesToTheNext(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := world.New(t, d)
		ctx, end := context.WithCancel(t.Context())
		start := func(by scanner) *scan.Service {
			return scan.NewService(scan.Deps{Runner: w.Runner, Bucket: w.Blobs, Scanner: by, Log: slog.New(slog.DiscardHandler)})
		}
		ended := start(func(ctx context.Context) (string, error) {
			end()
			<-ctx.Done()
			return "", ctx.Err()
		})
		files := scan.Files{ID: uuid.Must(uuid.NewV7()), Kind: "ticket", Keys: []string{"one"}}
		if err := w.Blobs.WriteAll(ctx, "one", []byte("content"), nil); err != nil {
			t.Fatal(err)
		}
		w.Must(t, func(ctx context.Context) error {
			_, err := ended.Hold(ctx, files, w.Clock.Now())
			return err
		})
		if err := ended.Drain(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("it ended with %v", err)
		}
		next := start(func(context.Context) (string, error) { return "", nil })
		if err := next.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := next.Require(t.Context(), files.ID); err != nil {
			t.Errorf("not handed out: %v", err)
		}
	})
}
