package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

// countdown counts from a number down to one, a row for each.
const countdown = "WITH RECURSIVE n (x) AS (SELECT ? UNION ALL SELECT x - 1 FROM n WHERE x > 1) SELECT x FROM n"

// onlyWriter returns the connection of SQLite that writes, so that all statements meet on it.
func onlyWriter(t *testing.T) (*db.DB, *sql.Conn) {
	t.Helper()
	d := dbtest.Open(t, dbtest.SQLite(t))
	pool, err := d.Writer()
	if err != nil {
		t.Fatal(err)
	}
	return d, connectionOf(t, pool)
}

func connectionOf(t *testing.T, pool *sql.DB) *sql.Conn {
	t.Helper()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// asker is a connection or a transaction.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func execute(t *testing.T, on asker, statement string, args ...any) {
	t.Helper()
	if _, err := on.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// numbers returns the first column, of numbers.
func numbers(t *testing.T, on asker, query string, args ...any) []int {
	t.Helper()
	rows, err := on.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	return rest(t, rows)
}

func rest(t *testing.T, rows *sql.Rows) (found []int) {
	t.Helper()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		found = append(found, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

func wantNumbers(t *testing.T, got []int, want ...int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStatement_IsKeptAndGivesWhatIsAskedEachTime(t *testing.T) {
	t.Parallel()
	_, conn := onlyWriter(t)
	before, err := db.KeptStatements(conn)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		wantNumbers(t, numbers(t, conn, countdown, 3), 3, 2, 1)
		wantNumbers(t, numbers(t, conn, countdown, 1), 1)
		wantNumbers(t, numbers(t, conn, "SELECT 1 WHERE ? IS NULL", nil), 1)
		wantNumbers(t, numbers(t, conn, "SELECT 1 WHERE ? IS NULL", "a"))
	}
	if after, err := db.KeptStatements(conn); err != nil || after != before+2 {
		t.Errorf("%d statements are kept, before %d: %v", after, before, err)
	}
}

func TestStatement_HasNothingOfTheValuesBefore(t *testing.T) {
	t.Parallel()
	_, conn := onlyWriter(t)
	wantNumbers(t, numbers(t, conn, "SELECT 1 WHERE ? = ?", "a", "a"), 1)
	rows, err := conn.QueryContext(t.Context(), "SELECT 1 WHERE ? = ?", "a")
	if err == nil {
		_ = rows.Close()
		t.Error("a value that was not given was taken from the statement before")
	}
	wantNumbers(t, numbers(t, conn, "SELECT 1 WHERE ? = ?", "a", "b"))
}

func TestStatement_TwoAtOnceHaveRowsOfTheirOwn(t *testing.T) {
	t.Parallel()
	_, conn := onlyWriter(t)
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for range 2 {
		outer, err := tx.QueryContext(t.Context(), countdown, 4)
		if err != nil {
			t.Fatal(err)
		}
		if !outer.Next() {
			t.Fatal(outer.Err())
		}
		wantNumbers(t, numbers(t, tx, countdown, 2), 2, 1)
		wantNumbers(t, rest(t, outer), 3, 2, 1)
		if err := outer.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestStatement_ClosedEarlyHoldsNoSnapshot: the same statement sees what was written since.
func TestStatement_ClosedEarlyHoldsNoSnapshot(t *testing.T) {
	t.Parallel()
	d, writer := onlyWriter(t)
	execute(t, writer, "CREATE TABLE items (n integer)")
	execute(t, writer, "INSERT INTO items VALUES (1), (2)")
	pool, err := d.From(t.Context()).DB()
	if err != nil {
		t.Fatal(err)
	}
	reader := connectionOf(t, pool)
	const query = "SELECT n FROM items ORDER BY n"
	for i := range 3 {
		rows, err := reader.QueryContext(t.Context(), query)
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		execute(t, writer, "INSERT INTO items VALUES (?)", i+3)
		if got := numbers(t, reader, query); len(got) != i+3 {
			t.Errorf("after %d more: %v", i+1, got)
		}
	}
}

// TestStatement_CancelledLeavesTheNextRight: before its first row, between rows, and as a write.
func TestStatement_CancelledLeavesTheNextRight(t *testing.T) {
	t.Parallel()
	d, writer := onlyWriter(t)
	execute(t, writer, "CREATE TABLE items (n integer)")
	pool, err := d.From(t.Context()).DB()
	if err != nil {
		t.Fatal(err)
	}
	// It ends with a limit alone, or never.
	const endless = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT ?) SELECT count(*) FROM n"
	const never = -1
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		var n int
		if err := pool.QueryRowContext(ctx, endless, never).Scan(&n); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled before a row: %v", err)
		}
		cancel()
		wantNumbers(t, numbers(t, pool, endless, 5), 5)

		ctx, cancel = context.WithCancel(t.Context())
		rows, err := pool.QueryContext(ctx, countdown, 1000)
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		cancel()
		for rows.Next() {
		}
		_ = rows.Close()
		wantNumbers(t, numbers(t, pool, countdown, 2), 2, 1)

		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err = writer.ExecContext(ctx, "INSERT INTO items "+endless, never)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled while it writes: %v", err)
		}
		cancel()
		execute(t, writer, "INSERT INTO items "+endless, 7)
		wantNumbers(t, numbers(t, writer, "SELECT n FROM items"), 7)
		execute(t, writer, "DELETE FROM items")
	}
}

func TestStatement_SeesAnotherSchema(t *testing.T) {
	t.Parallel()
	d, writer := onlyWriter(t)
	execute(t, writer, "CREATE TABLE items (n integer)")
	execute(t, writer, "INSERT INTO items VALUES (1)")
	pool, err := d.From(t.Context()).DB()
	if err != nil {
		t.Fatal(err)
	}
	reader := connectionOf(t, pool)
	const query = "SELECT * FROM items"
	for _, change := range []struct {
		statement string
		columns   int
	}{
		{"ALTER TABLE items ADD COLUMN word text DEFAULT 'new'", 2},
		{"ALTER TABLE items DROP COLUMN word", 1},
		{"CREATE INDEX by_n ON items (n)", 1},
	} {
		wantNumbers(t, numbers(t, reader, "SELECT n FROM items WHERE n > ?", 0), 1)
		execute(t, writer, change.statement)
		for on, conn := range map[string]*sql.Conn{"reader": reader, "writer": writer} {
			rows, err := conn.QueryContext(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			if columns, err := rows.Columns(); err != nil || len(columns) != change.columns || !rows.Next() {
				t.Errorf("%s after %s: %v, %v", on, change.statement, columns, err)
			}
			_ = rows.Close()
		}
	}
	execute(t, writer, "DROP TABLE items")
	if rows, err := reader.QueryContext(t.Context(), query); err == nil {
		_ = rows.Close()
		t.Error("a table that is gone was read")
	}
	execute(t, writer, "CREATE TABLE items (n integer)")
	wantNumbers(t, numbers(t, reader, query))
}

func TestStatement_ThatFailedSucceedsAfterwards(t *testing.T) {
	t.Parallel()
	_, conn := onlyWriter(t)
	execute(t, conn, "CREATE TABLE items (n integer PRIMARY KEY)")
	for n := range 3 {
		execute(t, conn, "INSERT INTO items VALUES (?)", n)
		if _, err := conn.ExecContext(t.Context(), "INSERT INTO items VALUES (?)", n); !db.IsUnique(err) {
			t.Errorf("the second %d: %v", n, err)
		}
	}
	wantNumbers(t, numbers(t, conn, "SELECT n FROM items ORDER BY n"), 0, 1, 2)
}

func TestStatement_NoMoreAreKeptThanMany(t *testing.T) {
	t.Parallel()
	_, conn := onlyWriter(t)
	for range 2 {
		for n := range 2 * db.StatementsKept {
			wantNumbers(t, numbers(t, conn, fmt.Sprintf("SELECT %d", n)), n)
		}
		if got, err := db.KeptStatements(conn); err != nil || got != db.StatementsKept {
			t.Errorf("%d statements are kept: %v", got, err)
		}
	}
}
