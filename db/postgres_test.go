package db_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

// with returns the URL with a further parameter.
func with(t *testing.T, rawURL, name, value string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}

// run executes a statement in a transaction.
func run(d *db.DB, statement string) error {
	return d.InTx(context.Background(), func(ctx context.Context) error { return d.From(ctx).Exec(statement).Error })
}

// alter changes a setting of the database for connections that are made from now on.
func alter(t *testing.T, d *db.DB, change string) {
	t.Helper()
	ctx := context.Background()
	var name string
	if err := d.From(ctx).Raw("SELECT current_database()").Scan(&name).Error; err != nil {
		t.Fatal(err)
	}
	if err := d.From(ctx).Exec("ALTER DATABASE " + name + " " + change).Error; err != nil {
		t.Fatal(err)
	}
}

func setting(ctx context.Context, t *testing.T, d *db.DB, name string) (value string) {
	t.Helper()
	if err := d.From(ctx).Raw("SELECT current_setting(?)", name).Scan(&value).Error; err != nil {
		t.Error(err)
	}
	return value
}

const insertRome = "INSERT INTO offices (code, title) VALUES ('7000', 'Roma')"

// TestReadOnly_PassesAndItsConnectionsAreDropped: what a leader that became a standby says is "come
// again". Once there is a leader nobody holds on to the old connections.
func TestReadOnly_PassesAndItsConnectionsAreDropped(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	owner := dbtest.Open(t, rawURL)
	ctx := context.Background()
	alter(t, owner, "SET default_transaction_read_only = on")
	d := dbtest.Open(t, rawURL)
	if err := d.Writable(ctx); !errors.Is(err, db.ErrReadOnly) || !db.IsUnavailable(err) {
		t.Errorf("whether it can write: %v", err)
	}
	if err := run(d, insertRome); judge(err) != (verdict{unavailable: true}) {
		t.Errorf("a write: %v", err)
	}
	alter(t, owner, "RESET default_transaction_read_only")
	// Connections that were made before would still refuse.
	for range 3 {
		if err := d.Writable(ctx); err != nil && !errors.Is(err, db.ErrReadOnly) {
			t.Error(err)
		}
	}
	if err := d.Writable(ctx); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := run(d, insertRome); err != nil {
		t.Errorf("a write afterwards: %v", err)
	}
}

func TestReadOnly_AWriteThatWasRefusedIsEnough(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	owner := dbtest.Open(t, rawURL)
	alter(t, owner, "SET default_transaction_read_only = on")
	d := dbtest.Open(t, rawURL)
	if err := run(d, insertRome); !db.IsUnavailable(err) {
		t.Errorf("a write: %v", err)
	}
	alter(t, owner, "RESET default_transaction_read_only")
	if err := run(d, insertRome); err != nil {
		t.Errorf("the next write, on another connection: %v", err)
	}
}

func TestWritable_SaysWhatTheDatabaseTakes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := d.Writable(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestTransaction_IsGivenUpAtItsDeadline(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		d.SetTransactionTimeout(100 * time.Millisecond)
		endless := "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
		if d.Dialect() == db.Postgres {
			endless = "SELECT pg_sleep(600)"
		}
		if err := run(d, endless); judge(err) != (verdict{unavailable: true}) {
			t.Errorf("a statement that goes on: %v", err)
		}
		// One that waits for something else than the database ends too.
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			<-ctx.Done()
			return d.From(ctx).Exec("SELECT 1").Error
		})
		if !db.IsUnavailable(err) {
			t.Errorf("a transaction that waits: %v", err)
		}
		d.SetTransactionTimeout(time.Minute)
		if err := run(d, insertRome); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestStatement_CutOffByTheServerPasses(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, with(t, dbtest.Postgres(t), "statement_timeout", "20ms"))
	if err := run(d, "SELECT pg_sleep(600)"); judge(err) != (verdict{unavailable: true}) {
		t.Errorf("%v", err)
	}
}

// TestIsolation_IsThatOfTheProgram: what an administrator sets for the database does not make
// transactions fail that lock what they read.
func TestIsolation_IsThatOfTheProgram(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	owner := dbtest.Open(t, rawURL)
	alter(t, owner, "SET default_transaction_isolation = 'repeatable read'")
	if err := run(owner, insertRome); err != nil {
		t.Fatal(err)
	}
	d := dbtest.Open(t, rawURL)
	err := d.InTx(context.Background(), func(ctx context.Context) error {
		if got := setting(ctx, t, d, "transaction_isolation"); got != "read committed" {
			t.Errorf("the isolation is %s", got)
		}
		if err := run(owner, "UPDATE offices SET title = 'Roma Centro' WHERE code = '7000'"); err != nil {
			return err
		}
		return d.From(ctx).Exec("UPDATE offices SET title = title || '!' WHERE code = '7000'").Error
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLockTimeout_IsOfTheTransaction: a pooler refuses it as a parameter of the connection. Nor
// does it keep what was set for a session.
func TestLockTimeout_IsOfTheTransaction(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	for given, want := range map[string]string{"": "10s", "250ms": "250ms"} {
		address := rawURL
		if given != "" {
			address = with(t, rawURL, "lock_timeout", given)
		}
		d := dbtest.Open(t, address)
		ctx := context.Background()
		if got := setting(ctx, t, d, "lock_timeout"); got != "0" {
			t.Errorf("outside a transaction it is %s", got)
		}
		err := d.InTx(ctx, func(ctx context.Context) error {
			if got := setting(ctx, t, d, "lock_timeout"); got != want {
				t.Errorf("it is %s, want %s", got, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestColumns_AreAddedUnderARunningProcess: plans that connections have prepared do not fail.
func TestColumns_AreAddedUnderARunningProcess(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	owner, d := dbtest.Open(t, rawURL), dbtest.Open(t, rawURL)
	ctx := context.Background()
	if err := run(owner, insertRome); err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context) error {
		var named []office
		if err := d.From(ctx).Find(&named).Error; err != nil {
			return err
		}
		return d.From(ctx).Raw("SELECT " + db.Columns[office]("o") + " FROM offices o").Scan(&named).Error
	}
	star := func(ctx context.Context) error {
		var rows []map[string]any
		return d.From(ctx).Raw("SELECT * FROM offices").Scan(&rows).Error
	}
	if err := errors.Join(read(ctx), star(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := run(owner, "ALTER TABLE offices ADD COLUMN added_later text"); err != nil {
		t.Fatal(err)
	}
	// What names its columns does not notice, and what does not is repeated.
	if err := d.InTx(ctx, read); err != nil {
		t.Errorf("in a transaction: %v", err)
	}
	if err := star(ctx); err != nil {
		t.Errorf("without names: %v", err)
	}
	if err := d.InTx(ctx, star); err != nil {
		t.Errorf("the plan is still there: %v", err)
	}
}

// TestHosts_SeveralLeadToTheOneThatWrites: the first that answers may be a standby.
func TestHosts_SeveralLeadToTheOneThatWrites(t *testing.T) {
	t.Parallel()
	var hosts []string
	for _, readOnly := range []bool{true, false} {
		server, err := dbtest.NewServer(false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		d := dbtest.Open(t, server.URL())
		if readOnly {
			alter(t, d, "SET default_transaction_read_only = on")
		}
		u, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, u.Query().Get("host"))
	}
	both := "postgres://postgres@/postgres?host=" + strings.Join(hosts, ",")
	for _, wanted := range []string{"", "any", "read-write"} {
		address := both
		if wanted != "" {
			address = with(t, both, "target_session_attrs", wanted)
		}
		d := dbtest.Open(t, address)
		if err := d.Writable(context.Background()); err != nil {
			t.Errorf("with %q: %v", wanted, err)
		}
	}
	if _, err := db.Open(context.Background(), with(t, both, "target_session_attrs", "standby")); err == nil ||
		!strings.Contains(err.Error(), "target_session_attrs") {
		t.Errorf("a standby: %v", err)
	}
}

// TestHosts_TwoPortsAreTwoServers: tunnels and balancers have many servers at one address.
func TestHosts_TwoPortsAreTwoServers(t *testing.T) {
	t.Parallel()
	_, err := db.Open(context.Background(), "postgres://postgres@127.0.0.1:1,127.0.0.1:2/diresco?target_session_attrs=standby")
	if err == nil || !strings.Contains(err.Error(), "with several hosts") {
		t.Errorf("a standby of two: %v", err)
	}
}

// TestMode_OneThatSendsSomethingElseIsRefused: a pooler has another remedy, which the error names.
func TestMode_OneThatSendsSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	rawURL := dbtest.Postgres(t)
	for _, mode := range []string{"exec", "simple_protocol", "describe_exec"} {
		_, err := db.Open(context.Background(), with(t, rawURL, "default_query_exec_mode", mode))
		if err == nil || !strings.Contains(err.Error(), "cache_describe") {
			t.Errorf("%s: %v", mode, err)
		}
	}
	for _, mode := range []string{"cache_describe", "cache_statement"} {
		d := dbtest.Open(t, with(t, rawURL, "default_query_exec_mode", mode))
		if err := d.Writable(context.Background()); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
