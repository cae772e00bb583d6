package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"diresco/internal/test/dbtest"
)

// together is how many submissions pgbench writes in one transaction.
const together = 16

// writer is PostgreSQL alone: functions in the database write what submissions write, and pgbench
// calls them. So nothing but the rows costs, and no service can be faster with them.
type writer struct {
	side
	pgbench, script string
}

func (b *bench) besidePgbench(ctx context.Context, dir string, now *revision) (err error) {
	w, s := &writer{}, &side{}
	trials := b.wanted(trial{"pgbench: submit", [2]turn{w.turn, func(ctx context.Context, c *comparison) error {
		results, err := s.works(ctx, func() work { return s.submit(true) })
		if err == nil {
			c.note(1, pgbenchRow, thousands, goal{}, results[0].rate())
			c.noteCost(1, pgbenchRow, results[0])
		}
		return err
	}}})
	if len(trials) == 0 {
		return nil
	}
	for who, into := range []*side{&w.side, s} {
		made, err := b.postgresSide(ctx, dir, fmt.Sprintf("pgbench_%d", who), who, now)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, made.database.close(ctx)) }()
		*into = *made
	}
	if err := w.prepare(ctx); err != nil {
		return fmt.Errorf("pgbench: %w", err)
	}
	b.fact("pgbench: the rows of %d submissions to a transaction, by %d connections, each at an office of its own", together, len(offices))
	c := &comparison{names: [2]string{"pgbench", now.name}}
	b.comparisons = append(b.comparisons, c)
	return takeTurns(ctx, b.options.rounds, trials, c)
}

// pgbenchRow is what both write.
const pgbenchRow = "submissions a second, 5 offices, of which pgbench writes the rows alone"

// prepare makes a function for each office, and a script by which the client of that number calls it.
func (w *writer) prepare(ctx context.Context) error {
	var err error
	if w.pgbench, err = dbtest.Program("pgbench"); err != nil {
		return err
	}
	for n := range offices {
		rows, err := w.database.sample(ctx, w.world.filers[n].filed[0])
		if err != nil {
			return err
		}
		body, err := w.body(ctx, rows, w.world.filers[n])
		if err != nil {
			return err
		}
		name := fmt.Sprintf("write_%d", n)
		statement := "CREATE FUNCTION " + name + "() RETURNS void LANGUAGE plpgsql AS $body$" + body + "$body$"
		if _, err := w.database.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	w.script = filepath.Join(w.dir, "write.sql")
	if err := os.WriteFile(w.script, []byte("SELECT write_:client_id();\n"), 0o600); err != nil {
		return err
	}
	return w.database.analyse(ctx)
}

// newID is an id of today, in the order of time as the service's are.
const newID = "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || " +
	"substr(md5(random()::text), 1, 19))::uuid"

// body writes rows like the sample's, each with ids, number and time of its own, as insert does.
func (w *writer) body(ctx context.Context, rows []row, f *filer) (string, error) {
	var id, protocol string
	if err := w.database.conn.QueryRow(
		ctx, "SELECT id::text, protocol_number FROM declarations WHERE id = $1", f.filed[0],
	).Scan(&id, &protocol); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `DECLARE ids uuid[] := array(SELECT %s FROM generate_series(1, %d)); last bigint; BEGIN
		UPDATE protocol_counters SET last_number = last_number + %d, last_at = clock_timestamp() WHERE office_code = %s
			RETURNING last_number - %d INTO last;`, newID, together, together, quoted(f.office), together)
	number := fmt.Sprintf("%s || lpad((last + n.at)::text, 7, '0')", quoted(protocol[:len(protocol)-7]))
	for i, r := range rows {
		values, err := w.values(ctx, i, r.columns, f.filed[0], id, protocol, number)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\nINSERT INTO %s (%s) SELECT %s FROM unnest(ids) WITH ORDINALITY n(id, at);",
			r.table, strings.Join(r.columns, ", "), strings.Join(values, ", "))
	}
	b.WriteString("\nEND")
	return b.String(), nil
}

// values are the expressions of a table's columns, made of the row that one submission wrote.
func (w *writer) values(ctx context.Context, table int, columns []string, declarationID, id, protocol, number string) ([]string, error) {
	var texts, types []string
	for _, column := range columns {
		texts = append(texts, column+"::text")
		types = append(types, "pg_typeof("+column+")::text")
	}
	rows, err := w.database.conn.Query(ctx, "SELECT ARRAY["+strings.Join(texts, ", ")+"], ARRAY["+strings.Join(types, ", ")+"] FROM "+
		written[table].table+" WHERE "+written[table].where, declarationID)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectOneRow(rows, func(row pgx.CollectableRow) (found struct{ values, types []*string }, err error) {
		return found, row.Scan(&found.values, &found.types)
	})
	if err != nil {
		return nil, err
	}
	var all []string
	for i, value := range found.values {
		kind := *found.types[i]
		expression := "NULL"
		switch {
		case columns[i] == "key":
			expression = "gen_random_uuid()::text"
		case columns[i] == "number":
			expression = "last + n.at"
		case value == nil:
		case strings.HasPrefix(kind, "timestamp"):
			expression = "clock_timestamp()"
		case columns[i] == "id" && *value != id:
			expression = newID
		case *value == id:
			expression = "n.id"
		default:
			expression = quoted(*value)
			for old, replacement := range map[string]string{id: "n.id::text", protocol: number} {
				if strings.Contains(*value, old) {
					expression = fmt.Sprintf("replace(%s, %s, %s)", expression, quoted(old), replacement)
				}
			}
		}
		all = append(all, "("+expression+")::"+kind)
	}
	return all, nil
}

// quoted writes a text as SQL has it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

var transactionsDone = regexp.MustCompile(`number of transactions actually processed: (\d+)`)

// turn lets pgbench write for the warm-up and then for the measured time.
func (w *writer) turn(ctx context.Context, c *comparison) error {
	fmt.Fprintln(os.Stderr, "pgbench")
	if err := w.database.quiet(ctx); err != nil {
		return err
	}
	if _, err := w.write(ctx, w.warmUp); err != nil {
		return err
	}
	before, err := w.meter.read(0)
	if err != nil {
		return err
	}
	begun := time.Now()
	done, err := w.write(ctx, w.duration)
	if err != nil {
		return err
	}
	elapsed := time.Since(begun)
	after, err := w.meter.read(0)
	if err != nil {
		return err
	}
	r := &result{usage: after.since(before), answers: map[int]int{0: done}}
	c.note(w.who, pgbenchRow, thousands, goal{}, float64(done)/elapsed.Seconds())
	c.noteCost(w.who, pgbenchRow, r)
	return nil
}

// write runs pgbench, with a connection for each office, and returns how many submissions it wrote.
func (w *writer) write(ctx context.Context, d time.Duration) (int, error) {
	seconds := strconv.Itoa(int(math.Ceil(d.Seconds())))
	out, err := output(ctx, "", w.pgbench, "--no-vacuum", "--client="+strconv.Itoa(len(offices)), "--time="+seconds, "--file="+w.script,
		w.databaseURL)
	if err != nil {
		return 0, err
	}
	return readPgbench(out)
}

// readPgbench reads how many submissions pgbench wrote.
func readPgbench(out string) (int, error) {
	found := transactionsDone.FindStringSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench does not say how many transactions it did: %s", out)
	}
	n, err := strconv.Atoi(found[1])
	return n * together, err
}
