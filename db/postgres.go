package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

const (
	// lockTimeout is how long a duplicate of a running request waits for it, unless the URL says
	// otherwise.
	lockTimeout = "10s"
	// maxLifetime bounds the life of a connection. None stays at a server that is no leader any
	// more, or at a balancer that would like to send it elsewhere.
	maxLifetime = 30 * time.Minute
	maxIdleTime = 5 * time.Minute
)

func openPostgres(ctx context.Context, rawURL string) (*DB, error) {
	config, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return nil, fmt.Errorf("database URL cannot be read: %w", hidePassword(err))
	}
	if err := checkMode(config.DefaultQueryExecMode); err != nil {
		return nil, err
	}
	if err := writeToLeader(config, rawURL); err != nil {
		return nil, err
	}
	pool, abandon := newPool(config)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return nil, unreachable(err, config.Database)
	}
	g, err := gormPostgres(pool)
	if err != nil {
		_ = pool.Close()
		return nil, err
	}
	return &DB{dialect: Postgres, write: g, read: g, abandon: abandon, timeout: transactionTimeout}, nil
}

// newPool returns a pool that has no connection yet, and what lets every connection be replaced
// before its next use.
func newPool(config *pgx.ConnConfig) (pool *sql.DB, abandon func()) {
	if _, set := config.RuntimeParams["application_name"]; !set {
		config.RuntimeParams["application_name"] = "diresco"
	}
	c := &connector{begin: beginning(config)}
	c.Connector = stdlib.GetConnector(*config, stdlib.OptionAfterConnect(func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID,
			Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}))
	pool = sql.OpenDB(c)
	pool.SetMaxOpenConns(max(8, 4*runtime.NumCPU()))
	pool.SetMaxIdleConns(max(8, 4*runtime.NumCPU()))
	pool.SetConnMaxIdleTime(maxIdleTime)
	pool.SetConnMaxLifetime(maxLifetime)
	return pool, c.abandon
}

func gormPostgres(pool *sql.DB) (*gorm.DB, error) {
	config := gormConfig()
	// Whoever must be there is asked before; a replica need not be.
	config.DisableAutomaticPing = true
	return gorm.Open(postgresDialector{&postgres.Dialector{Config: &postgres.Config{Conn: pool}}}, config)
}

// beginning is the statement that begins a transaction, in one message. It pins the isolation, and
// sets lock_timeout for the transaction alone: a pooler such as PgBouncer refuses that as a
// parameter of the connection, and does not keep what was set for a session.
func beginning(config *pgx.ConnConfig) string {
	wait := lockTimeout
	if given, set := config.RuntimeParams["lock_timeout"]; set {
		wait = given
		delete(config.RuntimeParams, "lock_timeout")
	}
	return "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '" + strings.ReplaceAll(wait, "'", "''") + "'"
}

// checkMode refuses two kinds of pgx's modes. One sends values as something else than what the
// server asks for, the other can read the answer to another session's question.
func checkMode(mode pgx.QueryExecMode) error {
	if mode == pgx.QueryExecModeCacheStatement || mode == pgx.QueryExecModeCacheDescribe {
		return nil
	}
	return errors.New("database URL: default_query_exec_mode must be cache_describe (behind PgBouncer in transaction mode) or " +
		"cache_statement, which it is when it is left out")
}

// writeToLeader lets a URL with several hosts lead to the one that takes writes. Without it the
// pool would stay at the first that answers, which is a standby after a switchover.
func writeToLeader(config *pgx.ConnConfig, rawURL string) error {
	// A fallback may also be the same server without TLS.
	type server struct {
		host string
		port uint16
	}
	servers := map[server]bool{{config.Host, config.Port}: true}
	for _, f := range config.Fallbacks {
		servers[server{f.Host, f.Port}] = true
	}
	if len(servers) < 2 {
		return nil
	}
	wanted := ""
	if parsed, err := url.Parse(rawURL); err == nil {
		wanted = parsed.Query().Get("target_session_attrs")
	}
	switch wanted {
	case "", "any":
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	case "read-write", "primary":
	default:
		return errors.New("database URL: with several hosts target_session_attrs must be read-write, which it is when it is left out")
	}
	return nil
}

// postgresDialector is GORM's dialect for PostgreSQL.
type postgresDialector struct{ *postgres.Dialector }

// Explain implements gorm.Dialector; see that of sqliteDialector.
func (postgresDialector) Explain(string, ...any) string { return "" }

// connector makes the connections of a pool.
type connector struct {
	driver.Connector
	// begin is the statement that begins a transaction.
	begin string
	// generation grows when a server was found that takes no writes. Older connections are used no
	// more.
	generation atomic.Int64
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	generation := c.generation.Load()
	made, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ours := made.(*stdlib.Conn)
	if !ours {
		return nil, errors.Join(errors.New("connection of another driver"), made.Close())
	}
	return &connection{Conn: inner, pool: c, generation: generation}, nil
}

// abandon lets every connection that there is be replaced before its next use.
func (c *connector) abandon() { c.generation.Add(1) }

// connection repeats what failed because the schema changed. It is thrown away when its server
// takes no writes.
type connection struct {
	*stdlib.Conn
	pool       *connector
	generation int64
}

// BeginTx implements driver.ConnBeginTx.
func (c *connection) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if options != (driver.TxOptions{}) {
		return c.Conn.BeginTx(ctx, options)
	}
	conn := c.Conn.Conn()
	if conn.IsClosed() {
		return nil, driver.ErrBadConn
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: c.pool.begin})
	if err != nil {
		if pgconn.SafeToRetry(err) {
			return nil, driver.ErrBadConn
		}
		return nil, err
	}
	return transaction{ctx, tx}, nil
}

// QueryContext implements driver.QueryerContext.
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if c.mayRepeat(err) {
		rows, err = c.Conn.QueryContext(ctx, query, args)
	}
	return rows, c.heed(err)
}

// ExecContext implements driver.ExecerContext.
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if use := loanOf(args); use != nil {
		return driver.RowsAffected(0), c.lend(use)
	}
	result, err := c.Conn.ExecContext(ctx, query, args)
	if c.mayRepeat(err) {
		result, err = c.Conn.ExecContext(ctx, query, args)
	}
	return result, c.heed(err)
}

// mayRepeat reports whether a statement was refused because its plan is of an older schema, outside
// a transaction. pgx has forgotten the plan by then; within a transaction all is lost.
func (c *connection) mayRepeat(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "0A000" && refused.Routine == "RevalidateCachedQuery" &&
		c.Conn.Conn().PgConn().TxStatus() == 'I'
}

// heed looks whether an error says that the server takes no writes. All connections may lead there.
func (c *connection) heed(err error) error {
	if isReadOnly(err) {
		c.pool.generation.CompareAndSwap(c.generation, c.generation+1)
	}
	return err
}

// IsValid implements driver.Validator.
func (c *connection) IsValid() bool {
	return c.generation == c.pool.generation.Load() && !c.Conn.Conn().IsClosed()
}

// ResetSession implements driver.SessionResetter.
func (c *connection) ResetSession(ctx context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return c.Conn.ResetSession(ctx)
}

// transaction ends under the context under which it began, as those of stdlib do.
type transaction struct {
	ctx context.Context //nolint:containedctx // driver.Tx has no room for another
	tx  pgx.Tx
}

// Commit implements driver.Tx.
func (t transaction) Commit() error { return t.tx.Commit(t.ctx) }

// Rollback implements driver.Tx.
func (t transaction) Rollback() error { return t.tx.Rollback(t.ctx) }

// unreachable says which is wrong: the address, or what is asked for there.
func unreachable(err error, database string) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return fmt.Errorf("database cannot be reached: %s", reason(err))
	}
	switch refused.Code {
	case "3D000":
		return fmt.Errorf("database %q does not exist on that server: create it first", database)
	case "28P01", "28000":
		return fmt.Errorf("database server does not let this user in: %s", refused.Message)
	}
	return fmt.Errorf("database server refuses the connection: %s (%s)", refused.Message, refused.Code)
}

// reason says in one line why there is no connection. pgx does not repeat the password there.
func reason(err error) string {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		err = connect.Unwrap()
	}
	return strings.Join(strings.Split(err.Error(), "\n"), "; ")
}

// hidePassword keeps the cause and drops the text, since pgx repeats the connection string in it.
func hidePassword(err error) error {
	text := err.Error()
	if i := strings.Index(text, "`"); i >= 0 {
		text = "invalid connection string"
	}
	return fmt.Errorf("%s", text)
}
