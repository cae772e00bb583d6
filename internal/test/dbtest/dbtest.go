// Package dbtest gives every test a fresh, migrated database of its own, on SQLite and on
// PostgreSQL.
//
// PostgreSQL is the server that TEST_DATABASE_URL names, else a throwaway cluster started from the
// machine's server binaries. Where there is neither, the test fails and says what to do: it is
// never skipped.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"

	"diresco/db"
)

// Each runs the test once on SQLite and once on PostgreSQL, beside other tests. Under -short it
// runs on SQLite alone, for the loop of one package.
func Each(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	beside(t)
	EachAlone(t, test)
}

// EachAlone is Each while no other test of the package runs. It is for those that look at every
// goroutine of the process.
func EachAlone(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	eachURL(t, func(t *testing.T, rawURL string) {
		test(t, Open(t, rawURL))
	})
}

// EachURL is Each with the URL of the database, which is empty and migrated.
func EachURL(t *testing.T, test func(t *testing.T, rawURL string)) {
	t.Helper()
	beside(t)
	eachURL(t, test)
}

func eachURL(t *testing.T, test func(t *testing.T, rawURL string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	if testing.Short() {
		return
	}
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// begun are the tests that run beside others.
var begun sync.Map

// beside lets a test run beside others, since its databases are its own. It may be called again.
func beside(t *testing.T) {
	t.Helper()
	if _, again := begun.LoadOrStore(t, true); !again {
		t.Cleanup(func() { begun.Delete(t) })
		t.Parallel()
	}
}

// Open opens the database and closes it when the test ends.
func Open(t testing.TB, rawURL string) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// SQLite returns the URL of a SQLite database in a temporary directory, copied from a migrated one.
func SQLite(t testing.TB) string {
	t.Helper()
	content, err := migratedFile()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "diresco.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// migratedFile is an empty, migrated SQLite database: migrating takes much longer than copying.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "diresco-sqlite-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "diresco.db")
	if err := migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // the path was made here
})

// migrate migrates a database and closes it, which leaves all of SQLite's in the one file.
func migrate(rawURL string) (err error) {
	d, err := db.Open(context.Background(), rawURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Migrate(context.Background())
}

// Main runs the tests of a package and ends the cluster that they may have started. Call it from
// TestMain.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for packages that have more to end; it returns the exit code.
func Run(m *testing.M) int {
	code := m.Run()
	server.stop()
	return code
}

var server cluster

// cluster is the PostgreSQL server of this package's tests. It is one that was given, else one that
// is started when first needed.
type cluster struct {
	once  sync.Once
	url   *url.URL
	clone string
	err   error
	end   func()
}

func (c *cluster) stop() {
	if c.end != nil {
		c.end()
	}
}

// Postgres returns the URL of a PostgreSQL database cloned from a migrated template and dropped
// when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server.once.Do(func() { server.err = server.start() })
	if server.err != nil {
		t.Fatal(server.err)
	}
	name := "t_" + randomHex(t)
	administer(t, server.url, "CREATE DATABASE "+name+server.clone)
	t.Cleanup(func() { administer(t, server.url, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return withDatabase(server.url, name).String()
}

func (c *cluster) start() (err error) {
	rawURL := os.Getenv("TEST_DATABASE_URL")
	if rawURL == "" {
		if rawURL, c.end, err = Cluster(false); err != nil {
			return err
		}
	}
	if c.url, err = url.Parse(rawURL); err != nil {
		return err
	}
	c.clone, err = cloning(c.url)
	return err
}

func withDatabase(base *url.URL, name string) *url.URL {
	u := *base
	u.Path = "/" + name
	return &u
}

func administer(t testing.TB, base *url.URL, statement string) {
	t.Helper()
	if err := administerErr(base, statement); err != nil {
		t.Fatal(err)
	}
}

func administerErr(base *url.URL, statement string) error {
	pool, err := sql.Open("pgx", base.String())
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	if _, err := pool.Exec(statement); err != nil {
		return fmt.Errorf("test database: %w", err)
	}
	return nil
}

func randomHex(t testing.TB) string {
	t.Helper()
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// PlannedAnew returns the statements that PostgreSQL planned for their values more often than it
// does to learn that one plan is good for all, on any connection that is in use.
func PlannedAnew(t testing.TB, d *db.DB) []string {
	t.Helper()
	const connections = 8
	var found [connections][]string
	var held, asked sync.WaitGroup
	held.Add(connections)
	for i := range connections {
		asked.Go(func() {
			err := d.InTx(context.Background(), func(ctx context.Context) error {
				held.Done()
				held.Wait()
				return d.From(ctx).Raw("SELECT statement FROM pg_prepared_statements WHERE custom_plans > ?", 5).Scan(&found[i]).Error
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	asked.Wait()
	return slices.Concat(found[:]...)
}
