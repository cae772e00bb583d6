package db_test

import (
	"context"
	"errors"
	"testing"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

func TestLock_NamesAreLocked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		undo := errors.New("undo")
		err := d.InTx(ctx, func(first context.Context) error {
			if err := errors.Join(d.LockName(first, "a"), d.LockName(first, "a")); err != nil || d.Dialect() != db.Postgres {
				return errors.Join(err, undo)
			}
			return d.InTx(ctx, func(second context.Context) error {
				if err := errors.Join(d.From(second).Exec("SET LOCAL lock_timeout = '20ms'").Error, d.LockName(second, "b")); err != nil {
					return err
				}
				if err := d.LockName(second, "a"); !db.IsLockTimeout(err) {
					t.Errorf("the second got %v", err)
				}
				return undo
			})
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		if err := d.InTx(ctx, func(ctx context.Context) error { return d.LockName(ctx, "a") }); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
