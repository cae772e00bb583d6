package db

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"strings"
)

const (
	// statementsKept bounds how many statements a connection to SQLite keeps prepared.
	statementsKept = 128
	// statementLength bounds their texts, in bytes. Longer ones insert many rows, hardly ever as many
	// again, and what is prepared grows with them.
	statementLength = 16 << 10
)

// keeper makes connections to SQLite that keep statements prepared: preparing one there takes longer
// than running it.
type keeper struct{ driver.Connector }

// Connect implements driver.Connector.
func (k keeper) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, able := made.(liteConnection)
	if !able {
		return nil, errors.Join(errors.New("connection of another driver"), made.Close())
	}
	return &keeping{liteConnection: inner, statements: newKept(statementsKept)}, nil
}

// liteConnection is what the driver's connections can do.
type liteConnection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// liteStatement is what the driver's statements can do.
type liteStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// liteRows is what the driver's rows can do.
type liteRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// keeping is a connection that keeps statements prepared. One that is running is not among those
// kept, so nobody else gets it; one that failed is prepared anew. SQLite itself prepares a statement
// anew when the schema has changed.
type keeping struct {
	liteConnection
	statements *kept
}

// QueryContext implements driver.QueryerContext.
func (c *keeping) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !isKept(query) {
		return c.liteConnection.QueryContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	found, err := s.QueryContext(ctx, args)
	if err != nil {
		_ = s.Close() // the error says why already
		return nil, err
	}
	rows, able := found.(liteRows)
	if !able {
		return nil, errors.Join(errors.New("rows of another driver"), found.Close(), s.Close())
	}
	return &keptRows{liteRows: rows, of: c, query: query, statement: s}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *keeping) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if !isKept(query) {
		return c.liteConnection.ExecContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return result, c.statements.put(query, s)
}

// Close implements driver.Conn.
func (c *keeping) Close() error {
	return errors.Join(c.statements.close(), c.liteConnection.Close())
}

// isKept reports whether a statement is kept: one that reads or writes rows. What begins, ends or
// configures is short.
func isKept(query string) bool {
	if len(query) > statementLength {
		return false
	}
	text := strings.TrimLeft(query, " \t\r\n")
	for _, verb := range []string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"} {
		if strings.HasPrefix(text, verb) {
			return true
		}
	}
	return false
}

// take returns a statement that nobody else has.
func (c *keeping) take(ctx context.Context, query string) (liteStatement, error) {
	if s := c.statements.take(query); s != nil {
		return s, nil
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, able := made.(liteStatement)
	if !able {
		return nil, errors.Join(errors.New("statement of another driver"), made.Close())
	}
	return s, nil
}

// keptRows are rows whose statement is kept when they are closed.
type keptRows struct {
	liteRows
	of        *keeping
	query     string
	statement liteStatement
}

// Close implements driver.Rows.
func (r *keptRows) Close() error {
	if r.statement == nil {
		return nil
	}
	s := r.statement
	r.statement = nil
	if err := r.liteRows.Close(); err != nil {
		_ = s.Close()
		return err
	}
	return r.of.statements.put(r.query, s)
}

// kept is prepared statements by their text, the last used first.
type kept struct {
	most  int
	order *list.List
	texts map[string]*list.Element
}

type keptStatement struct {
	query     string
	statement liteStatement
}

func newKept(most int) *kept {
	return &kept{most: most, order: list.New(), texts: map[string]*list.Element{}}
}

// take removes a statement and returns it, nil if there is none.
func (k *kept) take(query string) liteStatement {
	e := k.texts[query]
	if e == nil {
		return nil
	}
	return k.remove(e)
}

// put keeps a statement. Another one of the same text is closed, as is the one that was not used for
// longest where there are too many.
func (k *kept) put(query string, s liteStatement) error {
	if k.texts[query] != nil {
		return s.Close()
	}
	k.texts[query] = k.order.PushFront(keptStatement{query, s})
	if k.order.Len() <= k.most {
		return nil
	}
	return k.remove(k.order.Back()).Close()
}

func (k *kept) remove(e *list.Element) liteStatement {
	found := k.order.Remove(e).(keptStatement)
	delete(k.texts, found.query)
	return found.statement
}

func (k *kept) close() error {
	var err error
	for k.order.Len() > 0 {
		err = errors.Join(err, k.remove(k.order.Front()).Close())
	}
	return err
}
