package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// gathered is what waits to be written in a transaction.
type gathered struct{ batch pgx.Batch }

type gatheredKey struct{}

func gatheredIn(ctx context.Context) *gathered {
	g, _ := ctx.Value(gatheredKey{}).(*gathered)
	return g
}

// Gather has what write inserts by InsertAll travel to PostgreSQL in one journey, in order, instead
// of one for each statement. It is for the context's transaction.
//
// What was gathered is sent ahead of any other statement, and at the end. So all sees what was
// written before it; but an error may be that of an earlier statement, which InsertAll does not
// return. On SQLite each goes at once.
func (d *DB) Gather(ctx context.Context, write func(ctx context.Context) error) error {
	if d.dialect != Postgres || !d.WithinTx(ctx) || gatheredIn(ctx) != nil {
		return write(ctx)
	}
	g := &gathered{}
	ctx = context.WithValue(ctx, gatheredKey{}, g)
	if err := write(ctx); err != nil {
		return err
	}
	return d.sendGathered(ctx)
}

// Exec executes a statement in the driver's own words: arguments are $1, $2 and so on for PostgreSQL.
// Under Gather it waits with the others, and its error may come later.
func (d *DB) Exec(ctx context.Context, statement string, args ...any) error {
	if g := gatheredIn(ctx); g != nil {
		g.batch.Queue(statement, args...)
		return nil
	}
	_, err := d.From(ctx).Statement.ConnPool.ExecContext(ctx, statement, args...)
	return err
}

// sendGathered sends what was gathered under the context, if anything was.
func (d *DB) sendGathered(ctx context.Context) error {
	g := gatheredIn(ctx)
	if g == nil || g.batch.Len() == 0 {
		return nil
	}
	// What fails is not sent again: its transaction has ended.
	batch := g.batch
	g.batch = pgx.Batch{}
	return d.lendNow(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, &batch).Close() })
}

// inner runs fn in a savepoint of the transaction. What it gathers is sent before the savepoint
// ends, or forgotten with it.
func (d *DB) inner(ctx context.Context, fn func(ctx context.Context) error) error {
	g := gatheredIn(ctx)
	if g == nil {
		return fn(ctx)
	}
	err := fn(ctx)
	if err == nil {
		return d.sendGathered(ctx)
	}
	g.batch = pgx.Batch{}
	return err
}
