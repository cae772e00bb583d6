package job_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/job"
)

// exports are lists that somebody asked for, and that take a while to be drawn.
type exports struct {
	db    *db.DB
	clock clock.Clock
	owner string
	drawn chan string
}

// order leaves an export to the workers.
func (e exports) order(ctx context.Context, name string) error {
	return e.db.InTx(ctx, func(ctx context.Context) error {
		e.db.Announce(ctx, "exports")
		return e.db.From(ctx).Exec("INSERT INTO exports (name, state) VALUES (?, 'queued')", name).Error
	})
}

// claim leases the next export. Where another worker is quicker, this one comes back at the next
// interval.
func (e exports) claim(ctx context.Context) (string, bool, error) {
	now := e.clock.Now()
	var names []string
	err := e.db.From(ctx).Raw(`SELECT name FROM exports WHERE state = 'queued'
		AND (lease_until IS NULL OR lease_until <= ?) ORDER BY name LIMIT 1`, now).Scan(&names).Error
	if err != nil || len(names) == 0 {
		return "", false, err
	}
	mine := false
	err = e.db.InTx(ctx, func(ctx context.Context) (err error) {
		mine, err = job.NewLease(e.owner, now, time.Minute).Take(ctx, e.db, "exports", "name = ? AND state = 'queued'", names[0])
		return err
	})
	return names[0], mine, err
}

// draw makes an export, outside of any transaction, and notes it if it is still this worker's.
func (e exports) draw(ctx context.Context, name string) error {
	err := e.db.InTx(ctx, func(ctx context.Context) error {
		done := e.db.From(ctx).Exec(`UPDATE exports SET state = 'done', lease_owner = NULL, lease_until = NULL
			WHERE name = ? AND lease_owner = ?`, name, e.owner)
		if done.Error == nil && done.RowsAffected == 0 {
			return job.ErrLost
		}
		return done.Error
	})
	if err == nil {
		e.drawn <- name
	}
	return err
}

// A domain says what to claim and what to do with one. A worker does it whenever there is
// something, and Drain does what there is.
func Example() {
	ctx := context.Background()
	e, remove, err := openExports(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer remove()
	step := job.Leased(e.claim, e.draw)

	worker := job.NewWorker(job.Options{
		Step: step, Topic: "exports", DB: e.db, Every: time.Second, Log: slog.Default(), Failure: "exports not drawn",
	})
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		worker.Run(running)
	}()
	if err := e.order(ctx, "declarations.csv"); err != nil {
		fmt.Println(err)
	}
	fmt.Println("the worker has drawn", <-e.drawn)
	stop()
	<-ended

	if err := errors.Join(e.order(ctx, "delegations.csv"), step.Drain(ctx)); err != nil {
		fmt.Println(err)
	}
	fmt.Println("drained:", <-e.drawn)
	// Output:
	// the worker has drawn declarations.csv
	// drained: delegations.csv
}

func openExports(ctx context.Context) (exports, func(), error) {
	dir, err := os.MkdirTemp("", "exports")
	if err != nil {
		return exports{}, nil, err
	}
	d, err := db.Open(ctx, "sqlite:"+filepath.Join(dir, "exports.db"))
	if err != nil {
		return exports{}, nil, err
	}
	err = d.InTx(ctx, func(ctx context.Context) error {
		return d.From(ctx).Exec("CREATE TABLE exports (name TEXT PRIMARY KEY, state TEXT, lease_owner TEXT, lease_until TIMESTAMP)").Error
	})
	return exports{d, clock.System{}, uuid.NewString(), make(chan string, 1)}, func() { _, _ = d.Close(), os.RemoveAll(dir) }, err
}
