package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"
)

// The paths of the bare server.
const (
	barePath      = "/bare"
	bareReadyPath = "/ready"
)

// bareAnswer is a JSON document of the given length.
func bareAnswer(length int) []byte {
	return []byte(`{"text":"` + strings.Repeat("x", max(0, length-len(`{"text":""}`))) + `"}`)
}

// serveBare is the reference for everything that HTTP costs. It is echo with handlers that read
// what is sent and answer a fixed text.
func serveBare(ctx context.Context, address string, readSize, submitSize int) error {
	router := echo.New()
	router.HideBanner, router.HidePort = true, true
	read, submitted := bareAnswer(readSize), bareAnswer(submitSize)
	router.GET(bareReadyPath, func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	router.GET(barePath, func(c echo.Context) error { return c.JSONBlob(http.StatusOK, read) })
	router.POST(barePath, func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		return c.JSONBlob(http.StatusCreated, submitted)
	})
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- router.Close()
	}()
	if err := router.Start(address); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// startBare runs serveBare in a process of its own, as the service runs in one.
func startBare(ctx context.Context, dir string, readSize, submitSize int) (*server, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command( //nolint:gosec,noctx // ourselves; ended in order
		self, "-bare", address, "-bare-read", strconv.Itoa(readSize), "-bare-submit", strconv.Itoa(submitSize),
	)
	return start(ctx, command, address, bareReadyPath, filepath.Join(dir, "bare.log"))
}

// written says where the rows of one submission are, in the order in which the register writes
// them.
var written = []struct{ table, where string }{
	{"idempotency_keys", "resource_id = $1::text"},
	{"declarations", "id = $1::uuid"},
	{"protocol_entries", "subject_id = $1::uuid"},
	{"audit_records", "subject_id = $1::text"},
	{"deliveries", "data LIKE '%' || (SELECT protocol_number FROM declarations WHERE id = $1::uuid) || '%'"},
}

// row is a row that was written by a submission, and the statement that writes one like it.
type row struct {
	table     string
	statement string
	columns   []string
	values    []any
}

// sample reads what one submission wrote.
func (d *database) sample(ctx context.Context, declarationID string) ([]row, error) {
	var all []row
	for _, w := range written {
		rows, err := d.conn.Query(ctx, "SELECT * FROM "+w.table+" WHERE "+w.where, declarationID)
		if err != nil {
			return nil, err
		}
		r := row{table: w.table}
		var places []string
		for i, f := range rows.FieldDescriptions() {
			r.columns = append(r.columns, f.Name)
			places = append(places, "$"+strconv.Itoa(i+1))
		}
		r.statement = "INSERT INTO " + w.table + " (" + strings.Join(r.columns, ", ") + ") VALUES (" + strings.Join(places, ", ") + ")"
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("a submission wrote %d rows into %s, not one", len(found), w.table)
		}
		r.values = found[0]
		all = append(all, r)
	}
	return all, nil
}

// transactions is the reference for what the register does. It runs the same statements with the
// same rows, one transaction for each submission, on a connection for each client, without HTTP.
type transactions struct {
	conn     *pgx.Conn
	rows     []row
	session  any
	right    any
	id       uuid.UUID
	office   string
	protocol string
}

// newTransactions makes a client that repeats the submission.
func newTransactions(ctx context.Context, d *database, declarationID string) (*transactions, error) {
	rows, err := d.sample(ctx, declarationID)
	if err != nil {
		return nil, err
	}
	t := &transactions{rows: rows}
	if err := d.conn.QueryRow(
		ctx, "SELECT id, office_code, protocol_number FROM declarations WHERE id = $1", declarationID,
	).Scan(&t.id, &t.office, &t.protocol); err != nil {
		return nil, err
	}
	if err := d.conn.QueryRow(
		ctx, "SELECT session_id, right_id FROM audit_records WHERE subject_id = $1", declarationID,
	).Scan(&t.session, &t.right); err != nil {
		return nil, err
	}
	t.conn, err = pgx.Connect(ctx, d.url)
	return t, err
}

// submit does it once.
func (t *transactions) submit(ctx context.Context) error {
	return pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		id := uuid.Must(uuid.NewV7())
		if err := t.insert(ctx, tx, t.rows[0], id, 0); err != nil {
			return err
		}
		for statement, held := range map[string]any{
			"SELECT s.id FROM sessions s JOIN people p ON p.id = s.person_id WHERE s.id = $1 AND p.suspended_at IS NULL " +
				"FOR SHARE OF s": t.session,
			"SELECT r.id FROM contributor_roles r WHERE r.id = $1 AND r.withdrawn_at IS NULL " +
				"FOR SHARE OF r": t.right,
		} {
			var found uuid.UUID
			if err := tx.QueryRow(ctx, statement, held).Scan(&found); err != nil {
				return err
			}
		}
		var number int
		if err := tx.QueryRow(
			ctx, "SELECT last_number + 1 FROM protocol_counters WHERE office_code = $1 FOR UPDATE", t.office,
		).Scan(&number); err != nil {
			return err
		}
		for _, r := range t.rows[1:] {
			if err := t.insert(ctx, tx, r, id, number); err != nil {
				return err
			}
		}
		_, err := tx.Exec(
			ctx, "UPDATE protocol_counters SET last_number = $1, last_at = $2 WHERE office_code = $3", number, time.Now(), t.office,
		)
		return err
	})
}

// insert writes a row like the sample's, with ids, number and times of its own.
func (t *transactions) insert(ctx context.Context, tx pgx.Tx, r row, id uuid.UUID, number int) error {
	values := make([]any, len(r.values))
	now := time.Now()
	protocol := fmt.Sprintf("%s%07d", t.protocol[:len(t.protocol)-7], number)
	for i, value := range r.values {
		switch v := value.(type) {
		case time.Time:
			value = now
		case string:
			value = strings.ReplaceAll(strings.ReplaceAll(v, t.id.String(), id.String()), t.protocol, protocol)
		case [16]byte:
			if v == t.id {
				value = id
			}
		}
		switch column := r.columns[i]; {
		case column == "key":
			value = uuid.NewString()
		case column == "number":
			value = number
		case column == "id" && value != id:
			value = uuid.Must(uuid.NewV7())
		}
		values[i] = value
	}
	_, err := tx.Exec(ctx, r.statement, values...)
	return err
}
