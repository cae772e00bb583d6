package world

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"diresco/db"
)

// Question is a statement that was sent to the database.
type Question struct {
	Statement string
	Args      []any
}

// Listen returns the questions that the database is asked from the call on and that have the text
// in them.
func Listen(t testing.TB, d *db.DB, about string) *[]Question {
	t.Helper()
	return listen(t, d, about, false)
}

// ListenToRows is Listen for the statements that db.EachRow sends: GORM only writes those, as it
// writes what stands inside of others.
func ListenToRows(t testing.TB, d *db.DB, about string) *[]Question {
	t.Helper()
	return listen(t, d, about, true)
}

func listen(t testing.TB, d *db.DB, about string, dry bool) *[]Question {
	t.Helper()
	var heard []Question
	hear := func(g *gorm.DB) {
		if statement := g.Statement.SQL.String(); g.DryRun == dry && strings.Contains(statement, about) {
			heard = append(heard, Question{statement, g.Statement.Vars})
		}
	}
	callbacks := d.From(context.Background()).Callback()
	if err := errors.Join(
		callbacks.Query().After("gorm:query").Register("world:listen", hear),
		callbacks.Row().After("gorm:row").Register("coretest:listen", hear),
	); err != nil {
		t.Fatal(err)
	}
	if !dry {
		d.Hear(func(statement string, args []any) {
			if strings.Contains(statement, about) {
				heard = append(heard, Question{statement, args})
			}
		})
	}
	return &heard
}

// Plans returns how the database answers: on PostgreSQL with the plan for these values and with the
// one for any.
func Plans(t testing.TB, d *db.DB, q Question) []string {
	t.Helper()
	ctx := context.Background()
	pool, err := d.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if d.Dialect() == db.SQLite {
		return []string{explain(t, pool, "EXPLAIN QUERY PLAN "+q.Statement, q.Args...)}
	}
	literals := make([]string, len(q.Args))
	for i, arg := range q.Args {
		switch v := arg.(type) {
		case time.Time:
			literals[i] = "'" + v.Format(time.RFC3339Nano) + "'"
		case int:
			literals[i] = fmt.Sprint(v)
		case db.UUIDs:
			list, err := v.Value()
			if err != nil {
				t.Fatal(err)
			}
			literals[i] = fmt.Sprintf("'%v'", list)
		default:
			literals[i] = fmt.Sprintf("'%v'", v)
		}
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var all []string
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		for _, statement := range []string{"SET plan_cache_mode = " + mode, "PREPARE " + mode + " AS " + q.Statement} {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		all = append(all, mode+"\n"+explain(t, conn, "EXPLAIN (COSTS OFF) EXECUTE "+mode+" ("+strings.Join(literals, ", ")+")"))
		if _, err := conn.ExecContext(ctx, "DEALLOCATE "+mode); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

type queryer interface {
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}

func explain(t testing.TB, pool queryer, statement string, args ...any) string {
	t.Helper()
	rows, err := pool.QueryContext(context.Background(), statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		values := make([]any, len(names))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&plan, *values[len(values)-1].(*any))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
