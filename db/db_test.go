package db_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

type office struct {
	Code  string `gorm:"primaryKey"`
	Title string
}

func count(t *testing.T, d *db.DB, code string) int64 {
	t.Helper()
	var n int64
	if err := d.From(context.Background()).Table("offices").Where("code = ?", code).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDB_TransactionRidesInTheContext(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		boom := errors.New("boom")
		err := d.InTx(ctx, func(ctx context.Context) error {
			if err := d.From(ctx).Create(&office{"7000", "Roma"}).Error; err != nil {
				return err
			}
			// An inner transaction that fails undoes its own part alone.
			if err := d.InTx(ctx, func(ctx context.Context) error {
				if err := d.From(ctx).Create(&office{"4900", "Milano"}).Error; err != nil {
					return err
				}
				return boom
			}); !errors.Is(err, boom) {
				t.Errorf("inner transaction returned %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if count(t, d, "7000") != 1 || count(t, d, "4900") != 0 {
			t.Error("the outer row must stay and the inner one must be gone")
		}
		if err := d.InTx(ctx, func(ctx context.Context) error {
			if err := d.From(ctx).Create(&office{"5100", "Napoli"}).Error; err != nil {
				return err
			}
			return boom
		}); !errors.Is(err, boom) {
			t.Errorf("transaction returned %v", err)
		}
		if count(t, d, "5100") != 0 {
			t.Error("a failed transaction left a row")
		}
	})
}

func TestDB_WritingOutsideATransactionFailsOnSQLite(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	if err := d.From(context.Background()).Create(&office{"7000", "Roma"}).Error; err == nil {
		t.Error("a write outside a transaction went through")
	}
}

func TestDB_TimesComeBackAsTheyWere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		type person struct {
			ID                                                         uuid.UUID
			TaxCode, GivenName, FamilyName, UserClass, CredentialLevel string
			SuspendedAt                                                *time.Time
			CreatedAt                                                  time.Time
		}
		at := time.Date(2026, 3, 29, 1, 30, 0, 120_000, time.UTC)
		in := person{
			ID: uuid.Must(uuid.NewV7()), TaxCode: "RSSMRA80A01H501U", GivenName: "Màrio", FamilyName: "Rossi", UserClass: "citizen",
			CredentialLevel: "ordinary", CreatedAt: at,
		}
		err := d.InTx(context.Background(), func(ctx context.Context) error { return d.From(ctx).Table("people").Create(&in).Error })
		if err != nil {
			t.Fatal(err)
		}
		var out person
		if err := d.From(context.Background()).Table("people").First(&out, "id = ?", in.ID).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Error(diff)
		}
		if out.CreatedAt.Location() != time.UTC {
			t.Errorf("location is %v", out.CreatedAt.Location())
		}
		again := in
		again.ID = uuid.Must(uuid.NewV7())
		err = d.InTx(context.Background(), func(ctx context.Context) error { return d.From(ctx).Table("people").Create(&again).Error })
		if !db.IsUnique(err) {
			t.Errorf("a second row with the same tax code gave %v", err)
		}
	})
}

// A server that answers was reached: what it refuses is said.
func TestDB_WhatTheServerRefusesIsSaid(t *testing.T) {
	there, err := url.Parse(dbtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	missing, stranger := *there, *there
	missing.Path = "/no_such_database"
	stranger.User = url.User("no_such_user")
	for want, target := range map[string]url.URL{
		`database "no_such_database" does not exist`: missing, "database server does not let this user in": stranger,
	} {
		_, err := db.Open(context.Background(), target.String())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "reached") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// counted counts how often its value is asked for.
type counted struct{ asked *int }

// Value implements driver.Valuer.
func (c counted) Value() (driver.Value, error) {
	*c.asked++
	return "a", nil
}

// TestStatement_IsNotWrittenDownAgain: values of a statement go to the database and nowhere else.
func TestStatement_IsNotWrittenDownAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		asked := 0
		var found string
		if err := d.From(t.Context()).Raw("SELECT CAST(? AS text)", counted{&asked}).Scan(&found).Error; err != nil {
			t.Fatal(err)
		}
		if asked != 1 || found != "a" {
			t.Errorf("the value was asked for %d times; found %q", asked, found)
		}
	})
}
