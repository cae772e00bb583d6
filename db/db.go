// Package db opens the database, PostgreSQL or SQLite, and carries the transaction in the context.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"modernc.org/sqlite"
)

// Dialect is the kind of database behind a DB.
type Dialect string

// The dialects.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// DB is an open database. On SQLite it is two pools: one connection that writes and several that
// only read, so that a statement which writes outside InTx fails at once instead of waiting for the
// one writer.
type DB struct {
	dialect   Dialect
	write     *gorm.DB
	read      *gorm.DB
	listeners listeners
	// abandon lets every connection be replaced before its next use; nil on SQLite.
	abandon func()
	// timeout bounds every transaction but long ones.
	timeout time.Duration
	// replica answers reads; nil where there is none.
	replica *replica
	// hear is told of direct statements; see Hear.
	hear atomic.Pointer[func(statement string, args []any)]
}

type txKey struct{}

const (
	// transactionTimeout bounds every transaction but long ones. No time-out of the server ends a
	// commit that waits for a standby.
	transactionTimeout = time.Minute
	// longTimeout bounds a long transaction.
	longTimeout = 2 * time.Hour
)

// Open opens the database that the URL names: postgres://… or sqlite:PATH. It does not migrate.
func Open(ctx context.Context, rawURL string) (*DB, error) {
	switch {
	case strings.HasPrefix(rawURL, "postgres://"), strings.HasPrefix(rawURL, "postgresql://"):
		return openPostgres(ctx, rawURL)
	case strings.HasPrefix(rawURL, "sqlite:"):
		return openSQLite(ctx, strings.TrimPrefix(rawURL, "sqlite:"))
	default:
		// The URL may hold a password: it is not repeated.
		return nil, errors.New("the database is named by a URL that begins with postgres:// or with sqlite: and the path of a file")
	}
}

func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		// A statement that names its columns does not notice that one was added.
		QueryFields: true,
		// Statements would show personal data in the log; errors are returned and logged once, by
		// the edge.
		Logger: logger.Discard,
	}
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if path == "" || path == ":memory:" {
		return nil, fmt.Errorf("sqlite needs the path of a file: sqlite:PATH")
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	write, err := sqlitePool(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"journal_mode(WAL)", "foreign_keys(1)", "busy_timeout(10000)", "synchronous(FULL)", "temp_store(MEMORY)", "cache_size(-32000)",
		},
	}, 1)
	if err != nil {
		return nil, err
	}
	if err := write.PingContext(ctx); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("database file cannot be opened: %w", err)
	}
	read, err := sqlitePool(path, url.Values{
		"_pragma": {"query_only(1)", "busy_timeout(10000)", "temp_store(MEMORY)", "cache_size(-16000)"},
	}, max(4, 2*runtime.NumCPU()))
	if err != nil {
		_ = write.Close()
		return nil, err
	}
	w, err := gorm.Open(sqliteDialector{pool: write}, gormConfig())
	if err != nil {
		return nil, err
	}
	r, err := gorm.Open(sqliteDialector{pool: read}, gormConfig())
	if err != nil {
		return nil, err
	}
	return &DB{dialect: SQLite, write: w, read: r, timeout: transactionTimeout}, nil
}

func sqlitePool(path string, options url.Values, connections int) (*sql.DB, error) {
	options.Set("_time_format", "sqlite")
	options.Set("_timezone", "UTC")
	made, err := sqlite.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode())
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(keeper{made})
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxLifetime(0)
	return pool, nil
}

// Dialect tells which kind of database this is.
func (d *DB) Dialect() Dialect { return d.dialect }

// From returns the handle for statements under this context: the transaction that InTx began, else
// the database for reading.
func (d *DB) From(ctx context.Context) *gorm.DB {
	tx, ok := ctx.Value(txKey{}).(*gorm.DB)
	if !ok {
		return d.read.WithContext(ctx)
	}
	tx = tx.WithContext(ctx)
	if err := d.sendGathered(ctx); err != nil {
		_ = tx.AddError(err) // that of every statement by this handle
	}
	return tx
}

// WithinTx reports whether the context carries a transaction.
func (d *DB) WithinTx(ctx context.Context) bool {
	_, inside := ctx.Value(txKey{}).(*gorm.DB)
	return inside
}

// InTx runs fn in a transaction that From finds in the context; inside another one it is a
// savepoint. The transaction is committed when fn returns nil and rolled back otherwise, also when
// fn panics.
func (d *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.inTx(ctx, d.timeout, fn)
}

// InLongTx is InTx for work that grows with what somebody sent, such as a whole register. Nobody
// may wait for what it locks.
func (d *DB) InLongTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.inTx(ctx, longTimeout, fn)
}

func (d *DB) inTx(ctx context.Context, timeout time.Duration, fn func(ctx context.Context) error) error {
	if d.WithinTx(ctx) {
		outer := d.From(ctx)
		if outer.Error != nil {
			return outer.Error
		}
		return outer.Transaction(func(tx *gorm.DB) error {
			return d.inner(context.WithValue(ctx, txKey{}, tx), fn)
		})
	}
	var announced []string
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := d.write.WithContext(bounded).Transaction(func(tx *gorm.DB) error {
		return fn(context.WithValue(context.WithValue(bounded, announcedKey{}, &announced), txKey{}, tx))
	})
	if err == nil {
		d.tell(announced)
		return nil
	}
	if ctx.Err() == nil && bounded.Err() != nil {
		return fmt.Errorf("transaction given up: %w (%w)", bounded.Err(), err)
	}
	return err
}

// Now returns the time of the database: that of the statement, also in the middle of a transaction.
// SQLite tells it to the millisecond.
func (d *DB) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	if d.dialect == Postgres {
		err := d.From(ctx).Raw("SELECT clock_timestamp()").Scan(&now).Error
		return now, err
	}
	var text string
	if err := d.From(ctx).Raw("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')").Scan(&text).Error; err != nil {
		return now, err
	}
	return time.Parse("2006-01-02 15:04:05.000", text)
}

// ErrReadOnly means that the database answers and takes no writes: it is a standby, for example.
var ErrReadOnly = errors.New("the database takes no writes")

// Writable reports whether the database answers and takes writes.
func (d *DB) Writable(ctx context.Context) error {
	if d.dialect == SQLite {
		// It begins with the lock for writing.
		return d.InTx(ctx, func(context.Context) error { return nil })
	}
	var readOnly string
	if err := d.From(ctx).Raw("SELECT current_setting('transaction_read_only')").Scan(&readOnly).Error; err != nil {
		return err
	}
	if readOnly != "off" {
		d.abandon()
		return ErrReadOnly
	}
	return nil
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	pool, err := d.read.DB()
	if err != nil {
		return err
	}
	return pool.PingContext(ctx)
}

// Writer returns the pool that may write, for migrations.
func (d *DB) Writer() (*sql.DB, error) { return d.write.DB() }

// Close closes every connection.
func (d *DB) Close() error {
	pool, err := d.write.DB()
	if err != nil {
		return err
	}
	err = pool.Close()
	if d.read != d.write {
		if reader, readErr := d.read.DB(); readErr == nil {
			if closeErr := reader.Close(); err == nil {
				err = closeErr
			}
		}
	}
	if d.replica != nil {
		err = errors.Join(err, d.replica.pool.Close())
	}
	return err
}

// ForUpdate is the suffix of a SELECT that locks its rows against everybody else. It is empty for
// SQLite, which has one writer at a time.
func (d *DB) ForUpdate() string {
	if d.dialect == Postgres {
		return " FOR UPDATE"
	}
	return ""
}

// ForUpdateOfFree is ForUpdate that passes over rows which another transaction has locked.
func (d *DB) ForUpdateOfFree() string {
	if d.dialect == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// ForNoKeyUpdate is ForUpdate for rows that keep their key: rows that refer to them can be inserted
// meanwhile.
func (d *DB) ForNoKeyUpdate() string {
	if d.dialect == Postgres {
		return " FOR NO KEY UPDATE"
	}
	return ""
}

// ForShare is the suffix that locks the rows of a SELECT, from the tables named, against writers.
func (d *DB) ForShare(tables string) string {
	if d.dialect == Postgres {
		return " FOR SHARE OF " + tables
	}
	return ""
}
