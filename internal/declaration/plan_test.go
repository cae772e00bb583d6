package declaration_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/access"
	"diresco/internal/coretest"
	"diresco/internal/dbtest"
	"diresco/internal/declaration"
	"diresco/internal/page"

	"gorm.io/gorm"
)

// fill makes 20,000 declarations: two in three the company's, the others of 39 more as well, three in four of one type, for 50 workers.
// SQLite plans without looking at how many there are: a tenth will do.
func fill(t *testing.T, a *coretest.App, c coretest.Company, by access.Actor) {
	t.Helper()
	const companies = 40
	declarations := 2_000
	id := "printf('%08x-0000-7000-8000-%012x', i, i)"
	at := "strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || i || ' seconds') || '+00:00'"
	row := "(?, ?, ?, ?)"
	if a.DB.Dialect() == db.Postgres {
		declarations = 20_000
		id = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid"
		at = "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'"
		row = "(?::integer, ?::uuid, ?::uuid, ?::text)"
	}
	var args []any
	var values []string
	for k := range companies {
		if k > 0 {
			c = a.Company(t, coretest.Rome)
		}
		values = append(values, row)
		args = append(args, k, c.ID, c.Positions[0].ID, c.Positions[0].OfficeCode)
	}
	statement := fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d), c (k, contributor_id, position_id, office_code) AS (VALUES %s)
		INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content, worker_tax_code, person_id, acting_as, right_id, version,
			created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
		SELECT %s, c.contributor_id, c.position_id, c.office_code, CASE WHEN i %% 4 = 0 THEN '76-2013' ELSE 'RIOC' END, 1, 'single',
			CASE WHEN i / 7 %% 10 = 0 THEN 'draft' WHEN i / 7 %% 10 = 1 THEN 'accepted' ELSE 'submitted' END, '{}', 'W' || (i %% 50), ?, 'legal_representative', ?, 1,
			%s, %s, %s, CASE WHEN i / 7 %% 10 = 0 THEN NULL ELSE %s END, CASE WHEN i / 7 %% 10 = 0 THEN NULL ELSE 'p' END, CASE WHEN i / 7 %% 10 = 0 THEN NULL ELSE 'd' END
		FROM n JOIN c ON c.k = CASE WHEN i %% 3 > 0 THEN 0 ELSE i %% %d END`, declarations, strings.Join(values, ","), id, at, at, at, at, companies)
	a.Exec(t, statement, append(args, by.PersonID, by.Rights[0].ID)...)
	if a.DB.Dialect() == db.Postgres {
		// The server does this by itself, in its own time.
		a.Exec(t, "ANALYZE")
	}
}

// question is a statement that was sent to the database.
type question struct {
	statement string
	args      []any
}

// listen returns what lists ask, from the call on.
func listen(t *testing.T, d *db.DB) *[]question {
	t.Helper()
	var heard []question
	err := d.From(ctx).Callback().Query().After("gorm:query").Register("test:listen", func(g *gorm.DB) {
		if g.Statement.Table != "" && strings.Contains(g.Statement.SQL.String(), "declarations d") {
			heard = append(heard, question{g.Statement.SQL.String(), g.Statement.Vars})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return &heard
}

// plans returns how the database answers: on PostgreSQL with the plan for these values and with the one for any.
func plans(t *testing.T, d *db.DB, q question) []string {
	t.Helper()
	pool, err := d.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if d.Dialect() == db.SQLite {
		return []string{explain(t, pool, "EXPLAIN QUERY PLAN "+q.statement, q.args...)}
	}
	literals := make([]string, len(q.args))
	for i, arg := range q.args {
		switch v := arg.(type) {
		case time.Time:
			literals[i] = "'" + v.Format(time.RFC3339Nano) + "'"
		case int:
			literals[i] = fmt.Sprint(v)
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
		for _, statement := range []string{"SET plan_cache_mode = " + mode, "PREPARE " + mode + " AS " + q.statement} {
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

func explain(t *testing.T, pool queryer, statement string, args ...any) string {
	t.Helper()
	rows, err := pool.QueryContext(ctx, statement, args...)
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

// However many declarations there are, a page is a range of an index: nothing is sorted and the table is not read through.
func TestAPageIsARangeOfAnIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := coretest.New(t, d)
		c, by := a.Employer(t, coretest.Rome)
		desk := a.Desk(t, coretest.Rome, c.ID)
		fill(t, a, c, by)
		heard := listen(t, d)
		from, to := time.Date(2026, 1, 1, 0, 10, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
		ofContributor := func(f declaration.Filter, r page.Request) (page.Page[declaration.Filed], error) {
			return a.Declarations.OfContributor(ctx, by, f, r)
		}
		ofOffice := func(f declaration.Filter, r page.Request) (page.Page[declaration.Filed], error) {
			return a.Declarations.OfOffice(ctx, desk, f, r)
		}
		for _, c := range []struct {
			name   string
			list   func(declaration.Filter, page.Request) (page.Page[declaration.Filed], error)
			filter declaration.Filter
			index  string
		}{
			{"a contributor's", ofContributor, declaration.Filter{}, "declarations_by_contributor"},
			{"a contributor's of a type", ofContributor, declaration.Filter{Type: "76-2013"}, "declarations_by_contributor_type"},
			{"a contributor's in a state", ofContributor, declaration.Filter{State: declaration.Accepted}, "declarations_by_contributor_state"},
			{"a contributor's of a time", ofContributor, declaration.Filter{SubmittedFrom: &from, SubmittedTo: &to}, "declarations_by_contributor"},
			{"a contributor's about a worker", ofContributor, declaration.Filter{WorkerTaxCode: "W7"}, "declarations_by_worker"},
			{"an office's", ofOffice, declaration.Filter{}, "declarations_by_office"},
			{"an office's of a time", ofOffice, declaration.Filter{SubmittedFrom: &from, SubmittedTo: &to}, "declarations_by_office"},
		} {
			t.Run(c.name, func(t *testing.T) {
				request := page.Request{Limit: 10}
				for _, which := range []string{"first", "next"} {
					*heard = nil
					got, err := c.list(c.filter, request)
					if err != nil || len(got.Items) != 10 || got.Next == "" {
						t.Fatalf("%s page: %d items, next %q, %v", which, len(got.Items), got.Next, err)
					}
					request.Cursor = got.Next
					if len(*heard) != 1 {
						t.Fatalf("%s page: %d statements", which, len(*heard))
					}
					for _, plan := range plans(t, d, (*heard)[0]) {
						if !strings.Contains(plan, c.index+" ") || strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Seq Scan on declarations") ||
							strings.Contains(plan, "Bitmap") || strings.Contains(plan, "SCAN d") {
							t.Errorf("%s page of %s: %s", which, c.name, plan)
						}
						// The next page begins where the last one ended: what lies before it is not read.
						if which == "next" && !strings.Contains(plan, "(listed_at,id)<(?,?)") && !strings.Contains(plan, "ROW(listed_at, id) < ROW(") {
							t.Errorf("the cursor is no part of the range: %s", plan)
						}
					}
				}
			})
		}
	})
}
