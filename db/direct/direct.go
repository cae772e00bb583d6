// Package direct asks PostgreSQL on its own connection, past GORM and database/sql, for the few
// statements that are sent most. Their rows are read in binary and without reflection.
//
// A statement goes the way of all others: in the context's transaction or on any connection of the
// pool, prepared under a name of its own or, as the URL of the database says, without names. On
// SQLite nothing here works: a repository asks for the dialect and goes by GORM there.
//
// Arguments are $1, $2 and so on. Ids and lists of ids (db.UUIDs) travel in binary. A list stands
// in its statement as ANY ((SELECT $1::uuid[])) or unnest((SELECT $1::uuid[])): without the SELECT
// PostgreSQL makes a new plan for each call, since it counts the ids to see whether that pays.
package direct

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"diresco/db"
)

// All returns what read makes of each row, nil for none. read takes every column, in order.
func All[T any](ctx context.Context, d *db.DB, read func(r *Row) T, statement string, args ...any) ([]T, error) {
	d.Heard(statement, args)
	sent := inBinary(args)
	var found []T
	err := d.Lend(ctx, func(conn *pgx.Conn) error {
		// What was read before the connection was lost is read anew.
		found = nil
		rows, err := conn.Query(ctx, statement, sent...)
		if err != nil {
			return err
		}
		found, err = readAll(rows, read)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func readAll[T any](rows pgx.Rows, read func(r *Row) T) ([]T, error) {
	defer rows.Close()
	var found []T
	var row Row
	for rows.Next() {
		row.begin(rows)
		found = append(found, read(&row))
		if err := row.end(); err != nil {
			return nil, err
		}
	}
	return found, rows.Err()
}

// Batch is statements that go to the server in one journey, in the order in which they were added.
// The first that fails keeps those behind it from being done.
type Batch struct {
	statements []batched
	answered   int
}

type batched struct {
	statement string
	args      []any
	read      func(rows pgx.Rows) error
}

// errNoTransaction keeps batches from being repeated by half.
var errNoTransaction = errors.New("a batch is sent in a transaction")

// Do adds a statement without an answer.
func (b *Batch) Do(statement string, args ...any) {
	b.statements = append(b.statements, batched{statement: statement, args: args})
}

// Ask adds a statement whose rows are in found once the batch was sent; see All.
func Ask[T any](b *Batch, found *[]T, read func(r *Row) T, statement string, args ...any) {
	b.statements = append(b.statements, batched{statement, args, func(rows pgx.Rows) (err error) {
		*found, err = readAll(rows, read)
		return err
	}})
}

// Send sends the batch in the context's transaction.
func (b *Batch) Send(ctx context.Context, d *db.DB) error {
	if !d.WithinTx(ctx) {
		return errNoTransaction
	}
	b.answered = 0
	var batch pgx.Batch
	for _, s := range b.statements {
		d.Heard(s.statement, s.args)
		queued := batch.Queue(s.statement, inBinary(s.args)...)
		queued.Query(func(rows pgx.Rows) error {
			err := s.take(rows)
			if err == nil {
				b.answered++
			}
			return err
		})
	}
	if batch.Len() == 0 {
		return nil
	}
	return d.Lend(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, &batch).Close() })
}

// Len returns how many statements the batch has.
func (b *Batch) Len() int { return len(b.statements) }

// Answered returns how many statements succeeded, from the first on, when the batch was sent.
func (b *Batch) Answered() int { return b.answered }

// take takes the rows that the statement returns, which nobody reads where it has no answer.
func (s batched) take(rows pgx.Rows) error {
	if s.read != nil {
		return s.read(rows)
	}
	rows.Close()
	return rows.Err()
}

// inBinary is the arguments with ids as pgx sends them in binary. It would ask a uuid.UUID for its
// text.
func inBinary(args []any) []any {
	sent := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case uuid.UUID:
			sent[i] = pgtype.UUID{Bytes: v, Valid: true}
		case *uuid.UUID:
			if v != nil {
				sent[i] = pgtype.UUID{Bytes: *v, Valid: true}
			}
		default:
			sent[i] = arg
		}
	}
	return sent
}
