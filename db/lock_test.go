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

// Many share a name; who locks it waits for them, and who would share it then waits for that one.
func TestLock_NamesAreShared(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		undo := errors.New("undo")
		share := func(ctx context.Context) error {
			if d.Dialect() != db.Postgres {
				return nil
			}
			return d.From(ctx).Exec(db.SharingNames("SELECT CAST( ? AS text)"), "a").Error
		}
		// beside runs each in a transaction of its own, all of them open together.
		var beside func(steps ...func(ctx context.Context) error) error
		beside = func(steps ...func(ctx context.Context) error) error {
			if len(steps) == 0 {
				return undo
			}
			return d.InTx(ctx, func(ctx context.Context) error {
				if d.Dialect() == db.Postgres {
					if err := d.From(ctx).Exec("SET LOCAL lock_timeout = '20ms'").Error; err != nil {
						return err
					}
				}
				if err := steps[0](ctx); err != nil {
					return err
				}
				if d.Dialect() != db.Postgres {
					return undo
				}
				return beside(steps[1:]...)
			})
		}
		waits := func(take func(ctx context.Context) error) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				if err := take(ctx); !db.IsLockTimeout(err) {
					t.Errorf("it got %v", err)
				}
				return undo
			}
		}
		lock := func(ctx context.Context) error { return d.LockName(ctx, "a") }
		for what, steps := range map[string][]func(ctx context.Context) error{
			"shared, shared, locked": {share, share, waits(lock)},
			"locked, shared":         {lock, waits(share)},
		} {
			if err := beside(steps...); !errors.Is(err, undo) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
