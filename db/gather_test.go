package db_test

import (
	"context"
	"errors"
	"testing"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

type codedOffice struct{ Code, Title string }

// TableName tells GORM the table.
func (codedOffice) TableName() string { return "offices" }

func codesOf(ctx context.Context, t *testing.T, d *db.DB) []string {
	t.Helper()
	var codes []string
	if err := d.From(ctx).Raw("SELECT code FROM offices ORDER BY code").Scan(&codes).Error; err != nil {
		t.Fatal(err)
	}
	return codes
}

// TestGather_IsSeenByWhatComesBehind: by statements of its own transaction, also behind a savepoint,
// and by all once it is committed.
func TestGather_IsSeenByWhatComesBehind(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		add := func(ctx context.Context, code string) error {
			return db.InsertAll(ctx, d, []codedOffice{{code, "Office"}})
		}
		undone := errors.New("undone")
		err := d.InTx(t.Context(), func(ctx context.Context) error {
			return d.Gather(ctx, func(ctx context.Context) error {
				if err := errors.Join(add(ctx, "7001"), add(ctx, "7002")); err != nil {
					return err
				}
				if got := codesOf(ctx, t, d); len(got) != 2 {
					t.Errorf("within: %v", got)
				}
				if err := add(ctx, "7003"); err != nil {
					return err
				}
				err := d.InTx(ctx, func(ctx context.Context) error {
					return errors.Join(add(ctx, "7004"), undone)
				})
				if !errors.Is(err, undone) {
					t.Errorf("a savepoint: %v", err)
				}
				if err := d.InTx(ctx, func(ctx context.Context) error { return add(ctx, "7005") }); err != nil {
					return err
				}
				return add(ctx, "7006")
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := codesOf(t.Context(), t, d); len(got) != 5 || got[2] != "7003" || got[3] != "7005" {
			t.Errorf("committed: %v", got)
		}
	})
}

// TestGather_FailsWithItsFirstError: nothing of the transaction stays, whoever finds the error.
func TestGather_FailsWithItsFirstError(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		twice := []codedOffice{{"7001", "Office"}}
		for what, then := range map[string]func(ctx context.Context) error{
			"at the end": func(context.Context) error { return nil },
			"at a question": func(ctx context.Context) error {
				return d.From(ctx).Exec("UPDATE offices SET title = 'Other'").Error
			},
			"at a savepoint": func(ctx context.Context) error {
				return d.InTx(ctx, func(context.Context) error { return nil })
			},
			"at rows that return": func(ctx context.Context) error {
				_, err := db.InsertReturning(ctx, d, []codedOffice{{"7003", "Office"}}, " RETURNING code")
				return err
			},
		} {
			err := d.InTx(t.Context(), func(ctx context.Context) error {
				return d.Gather(ctx, func(ctx context.Context) error {
					for _, rows := range [][]codedOffice{twice, {{"7002", "Office"}}, twice} {
						if err := db.InsertAll(ctx, d, rows); err != nil {
							return err
						}
					}
					return then(ctx)
				})
			})
			if !db.IsUnique(err) {
				t.Errorf("%s: %v", what, err)
			}
			if got := codesOf(t.Context(), t, d); len(got) != 0 {
				t.Errorf("%s, afterwards: %v", what, got)
			}
		}
	})
}
