package db

import (
	"context"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
)

// Lend gives the connection of the context's transaction, or one of the pool, to use. It is for
// PostgreSQL alone; package direct has what repositories call.
//
// The connection comes by way of a statement of database/sql that the driver does not send. So
// whatever holds for statements holds here: one at a time on a connection, and another connection
// where one was lost. Outside a transaction use may therefore run again: it makes one round trip
// and begins anew each time.
func (d *DB) Lend(ctx context.Context, use func(conn *pgx.Conn) error) error {
	if err := d.sendGathered(ctx); err != nil {
		return err
	}
	return d.lendNow(ctx, use)
}

func (d *DB) lendNow(ctx context.Context, use func(conn *pgx.Conn) error) error {
	pool := d.read.ConnPool
	if tx, inside := ctx.Value(txKey{}).(*gorm.DB); inside {
		pool = tx.Statement.ConnPool
	}
	_, err := pool.ExecContext(ctx, "", loan(use))
	return err
}

// loan is the only argument of a statement that is not sent.
type loan func(conn *pgx.Conn) error

func loanOf(args []driver.NamedValue) loan {
	if len(args) != 1 {
		return nil
	}
	use, _ := args[0].Value.(loan)
	return use
}

// lend does what QueryContext does for statements.
func (c *connection) lend(use loan) error {
	conn := c.Conn.Conn()
	if conn.IsClosed() {
		return driver.ErrBadConn
	}
	err := use(conn)
	if c.mayRepeat(err) {
		err = use(conn)
	}
	if err != nil && pgconn.SafeToRetry(err) {
		return driver.ErrBadConn
	}
	return c.heed(err)
}

// Hear has hear called with each statement that package direct sends from now on, as tests of plans
// need it.
func (d *DB) Hear(hear func(statement string, args []any)) {
	before := d.hear.Load()
	d.hear.Store(new(func(statement string, args []any) {
		if before != nil {
			(*before)(statement, args)
		}
		hear(statement, args)
	}))
}

// Heard tells who wants to hear of a statement.
func (d *DB) Heard(statement string, args []any) {
	if hear := d.hear.Load(); hear != nil {
		(*hear)(statement, args)
	}
}
