package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
)

// EachRow reads the rows of a statement one after the other, for answers of any length: outside a
// transaction, or under FromReplica. It hands each to fn as the database gives it, nil for what is
// NULL; fn keeps nothing of it. On PostgreSQL that is its binary form, on SQLite text with instants
// as RFC 3339.
//
// The statement is what build makes of a handle, as GORM would send it.
func (d *DB) EachRow(ctx context.Context, build func(g *gorm.DB) *gorm.DB, fn func(values [][]byte) error) error {
	statement := build(d.read.WithContext(ctx).Session(&gorm.Session{DryRun: true})).Statement
	if statement.Error != nil {
		return statement.Error
	}
	if d.dialect == Postgres {
		return d.eachPostgres(ctx, statement.SQL.String(), statement.Vars, fn)
	}
	pool, err := d.read.DB()
	if err != nil {
		return err
	}
	return eachSQLite(ctx, pool, statement.SQL.String(), statement.Vars, fn)
}

// eachPostgres borrows a connection. Whatever has the statement repeated comes before its first row.
func (d *DB) eachPostgres(ctx context.Context, query string, args []any, fn func(values [][]byte) error) error {
	return d.Lend(ctx, func(conn *pgx.Conn) error {
		// It is planned for its values each time: the plan for any would take all for average.
		options := []any{pgx.QueryExecModeCacheDescribe, pgx.QueryResultFormats{pgx.BinaryFormatCode}}
		rows, err := conn.Query(ctx, query, append(options, args...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := fn(rows.RawValues()); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func eachSQLite(ctx context.Context, pool *sql.DB, query string, args []any, fn func(values [][]byte) error) (err error) {
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	raw, into, values := make([]sql.RawBytes, len(names)), make([]any, len(names)), make([][]byte, len(names))
	for i := range raw {
		into[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range raw {
			values[i] = raw[i]
		}
		if err := fn(values); err != nil {
			return err
		}
	}
	return rows.Err()
}
