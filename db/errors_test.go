package db_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

// verdict is what the three questions about an error say.
type verdict struct{ unique, lock, unavailable bool }

func judge(err error) verdict {
	return verdict{db.IsUnique(err), db.IsLockTimeout(err), db.IsUnavailable(err)}
}

func TestErrors_OfNoDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want verdict
	}{
		"none":              {nil, verdict{}},
		"any":               {errors.New("any"), verdict{}},
		"a lost connection": {fmt.Errorf("wrapped: %w", driver.ErrBadConn), verdict{unavailable: true}},
		"refused":           {&net.OpError{Op: "dial", Err: errors.New("refused")}, verdict{unavailable: true}},
		"no time left":      {context.DeadlineExceeded, verdict{unavailable: true}},
		"a closed socket":   {net.ErrClosed, verdict{unavailable: true}},
	} {
		if got := judge(c.err); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, err := range []error{gorm.ErrRecordNotFound, sql.ErrNoRows, fmt.Errorf("wrapped: %w", sql.ErrNoRows)} {
		if !db.IsNotFound(err) {
			t.Errorf("%v is not taken for no row", err)
		}
	}
	if db.IsNotFound(nil) || db.IsNotFound(errors.New("any")) {
		t.Error("anything is taken for no row")
	}
}

func TestErrors_OfBothDatabases(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		run := func(statements ...string) error {
			return d.InTx(context.Background(), func(ctx context.Context) error {
				for _, s := range statements {
					if err := d.From(ctx).Exec(s).Error; err != nil {
						return err
					}
				}
				return nil
			})
		}
		const insert = "INSERT INTO offices (code, title) VALUES ('7000', 'Roma')"
		for name, c := range map[string]struct {
			err  error
			want verdict
		}{
			"a primary key twice": {run(insert, insert), verdict{unique: true}},
			"a broken check":      {run("INSERT INTO offices (code, title) VALUES ('70000', 'Roma')"), verdict{}},
			"a missing value":     {run("INSERT INTO offices (code) VALUES ('7000')"), verdict{}},
			"a missing parent": {
				run("INSERT INTO protocol_counters (office_code, year, last_number, last_at) VALUES ('9999', 1, 1, '2026-01-01')"),
				verdict{},
			},
			"no such table": {run("INSERT INTO nothing VALUES (1)"), verdict{}},
		} {
			if c.err == nil || judge(c.err) != c.want {
				t.Errorf("%s: %v is %+v", name, c.err, judge(c.err))
			}
		}
	})
}

func TestErrors_ALockThatTakesTooLong(t *testing.T) {
	rawURL := dbtest.Postgres(t)
	d := dbtest.Open(t, rawURL)
	impatient, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	query := impatient.Query()
	query.Set("lock_timeout", "20ms")
	impatient.RawQuery = query.Encode()
	other := dbtest.Open(t, impatient.String())
	err = d.InTx(context.Background(), func(ctx context.Context) error {
		const insert = "INSERT INTO offices (code, title) VALUES ('7000', 'Roma')"
		if err := d.From(ctx).Exec(insert).Error; err != nil {
			return err
		}
		waiting := other.InTx(context.Background(), func(ctx context.Context) error { return other.From(ctx).Exec(insert).Error })
		if got := judge(waiting); got != (verdict{lock: true}) {
			t.Errorf("%v is %+v", waiting, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrors_AServerThatGoesAway(t *testing.T) {
	rawURL := dbtest.Postgres(t)
	d, other := dbtest.Open(t, rawURL), dbtest.Open(t, rawURL)
	err := d.InTx(context.Background(), func(ctx context.Context) error {
		var pid int
		if err := d.From(ctx).Raw("SELECT pg_backend_pid()").Scan(&pid).Error; err != nil {
			t.Fatal(err)
		}
		if err := other.From(context.Background()).Exec("SELECT pg_terminate_backend(?)", pid).Error; err != nil {
			t.Fatal(err)
		}
		for {
			if err := d.From(ctx).Exec("SELECT 1").Error; err != nil {
				return err
			}
		}
	})
	if !db.IsUnavailable(err) {
		t.Errorf("a lost connection: %v", err)
	}
	if err := d.Ping(context.Background()); err != nil {
		t.Errorf("the next connection: %v", err)
	}
	for _, wrong := range []string{
		"postgres://somebody:hunter2@/none?host=/nowhere", "postgres://somebody:hunter2@127.0.0.1:1/none",
		"postgres://somebody:hunter2@%zz/none", "mysql://somebody:hunter2@db/none",
	} {
		_, err := db.Open(context.Background(), wrong)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestErrors_APanicUndoesTheTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = d.InTx(context.Background(), func(ctx context.Context) error {
				if err := d.From(ctx).Create(&office{"7000", "Roma"}).Error; err != nil {
					t.Error(err)
				}
				panic("in the middle")
			})
		}()
		if count(t, d, "7000") != 0 {
			t.Error("a transaction that panicked left a row")
		}
		// The connection is free again.
		if err := d.InTx(context.Background(), func(ctx context.Context) error {
			return d.From(ctx).Create(&office{"7000", "Roma"}).Error
		}); err != nil {
			t.Error(err)
		}
	})
}
