package db_test

import (
	"context"
	"errors"
	"testing"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

func TestAnnounce_WhatIsCommittedIsAnnounced(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		heard, stop := d.Listen("post")
		other, stopOther := d.Listen("other")
		defer stopOther()
		has := func(c <-chan struct{}) bool {
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		boom := errors.New("boom")
		announce := func(end error) error {
			return d.InTx(context.Background(), func(ctx context.Context) error {
				// Also from within a savepoint, and more than once.
				for range 3 {
					if err := d.InTx(ctx, func(ctx context.Context) error {
						d.Announce(ctx, "post")
						return nil
					}); err != nil {
						t.Error(err)
					}
				}
				if has(heard) {
					t.Error("announced before it was committed")
				}
				return end
			})
		}
		if err := announce(nil); err != nil || !has(heard) || has(heard) || has(other) {
			t.Errorf("not announced once, to those who listen; %v", err)
		}
		if err := announce(boom); !errors.Is(err, boom) || has(heard) {
			t.Error("announced, and rolled back")
		}
		d.Announce(context.Background(), "post")
		if has(heard) {
			t.Error("announced outside of a transaction")
		}
		stop()
		if err := announce(nil); err != nil || has(heard) {
			t.Error("announced to who does not listen any more")
		}
	})
}
