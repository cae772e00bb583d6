package declaration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// The id and the time of the declaration i.
const (
	sqliteID   = "printf('%08x-0000-7000-8000-%012x', i, i)"
	sqliteAt   = "strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || i || ' seconds') || '+00:00'"
	postgresID = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid"
	postgresAt = "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'"
)

// fill makes 20,000 declarations for 50 workers. Two in three are the company's, the others those
// of 39 more as well; three in four are of one type. SQLite plans without looking at how many there
// are: a tenth will do.
func fill(t *testing.T, a *world.App, c world.Company, by access.Actor) {
	t.Helper()
	const companies = 40
	declarations := 2_000
	id, at := sqliteID, sqliteAt
	row := "(?, ?, ?, ?)"
	if a.DB.Dialect() == db.Postgres {
		declarations = 20_000
		id, at = postgresID, postgresAt
		row = "(?::integer, ?::uuid, ?::uuid, ?::text)"
	}
	var args []any
	var values []string
	for k := range companies {
		if k > 0 {
			c = a.Company(t, world.Rome)
		}
		values = append(values, row)
		args = append(args, k, c.ID, c.Positions[0].ID, c.Positions[0].OfficeCode)
	}
	statement := fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
		WHERE i < %d), c (k, contributor_id, position_id, office_code) AS (VALUES %s)
		INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content, worker_tax_code,
		person_id, acting_as, right_id, version,
			created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
		SELECT %s, c.contributor_id, c.position_id, c.office_code, CASE WHEN i %% 4 = 0 THEN '76-2013' ELSE 'RIOC' END, 1, 'single',
			CASE WHEN i / 7 %% 10 = 0 THEN 'draft' WHEN i / 7 %% 10 = 1 THEN 'accepted' ELSE 'submitted' END, '{}', 'W' || (i %% 50), ?,
			'legal_representative', ?, 1,
			%s, %s, %s, CASE WHEN i / 7 %% 10 = 0 THEN NULL ELSE %s END, CASE WHEN i / 7 %% 10 = 0 THEN NULL ELSE 'p' END,
			CASE WHEN i / 7 %% 10 = 0 THEN NULL ELSE 'd' END
		FROM n JOIN c ON c.k = CASE WHEN i %% 3 > 0 THEN 0 ELSE i %% %d END`, declarations, strings.Join(values, ","), id, at, at, at, at,
		companies)
	a.Exec(t, statement, append(args, by.PersonID, by.Rights[0].ID)...)
	if a.DB.Dialect() == db.Postgres {
		// The server does this by itself, in its own time.
		a.Exec(t, "ANALYZE")
	}
}

// A page is a range of an index, however many declarations there are. Nothing is sorted and the
// table is not read through.
func TestDeclaration_APageIsARangeOfAnIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome)
		desk := a.Desk(t, world.Rome, c.ID)
		fill(t, a, c, by)
		from, to := time.Date(2026, 1, 1, 0, 10, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
		// One in 40 is in charge of the operator, and one in 30 ends by itself.
		a.Exec(t, "UPDATE declarations SET state = 'in_charge', assigned_to = ? WHERE state = 'submitted' AND worker_tax_code = 'W3'", desk.PersonID)
		a.Exec(t, "UPDATE declarations SET ends_at = ? WHERE state = 'submitted' AND worker_tax_code IN ('W8', 'W9')", from)
		if a.DB.Dialect() == db.Postgres {
			a.Exec(t, "ANALYZE")
		}
		heard := world.Listen(t, d, "declarations d")
		ofContributor := func(f declaration.Filter, r page.Request) (page.Page[declaration.View], error) {
			return a.Declarations.OfContributor(ctx, by, f, r)
		}
		ofOffice := func(f declaration.Filter, r page.Request) (page.Page[declaration.View], error) {
			return a.Declarations.OfOffice(ctx, desk, f, r)
		}
		for _, c := range []struct {
			name   string
			list   func(declaration.Filter, page.Request) (page.Page[declaration.View], error)
			filter declaration.Filter
			index  string
		}{
			{"a contributor's", ofContributor, declaration.Filter{}, "declarations_by_contributor"},
			{"a contributor's of a type", ofContributor, declaration.Filter{Type: "76-2013"}, "declarations_by_contributor_type"},
			{
				"a contributor's in a state", ofContributor,
				declaration.Filter{State: declaration.Accepted},
				"declarations_by_contributor_state",
			},
			{
				"a contributor's of a time", ofContributor,
				declaration.Filter{SubmittedFrom: &from, SubmittedTo: &to},
				"declarations_by_contributor",
			},
			{"a contributor's about a worker", ofContributor, declaration.Filter{WorkerTaxCode: "W7"}, "declarations_by_worker"},
			{"an office's", ofOffice, declaration.Filter{}, "declarations_by_office"},
			{"an office's of a time", ofOffice, declaration.Filter{SubmittedFrom: &from, SubmittedTo: &to}, "declarations_by_office"},
			{"an office's of a type", ofOffice, declaration.Filter{Type: "76-2013"}, "declarations_by_office_type"},
			{"an office's in a state", ofOffice, declaration.Filter{State: declaration.Accepted}, "declarations_by_office_state"},
			{
				"an office's in nobody's charge", ofOffice,
				declaration.Filter{Assigned: review.AssignedToNobody},
				"declarations_by_office_state",
			},
			{"an office's in my charge", ofOffice, declaration.Filter{Assigned: review.AssignedToMe}, "declarations_by_operator"},
			{"an office's that end soon", ofOffice, declaration.Filter{LapsesBefore: &to}, "declarations_by_office_end"},
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
					for _, plan := range world.Plans(t, d, (*heard)[0]) {
						if !strings.Contains(plan, c.index+" ") || strings.Contains(plan, "Sort") ||
							strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Seq Scan on declarations") ||
							strings.Contains(plan, "Bitmap") || strings.Contains(plan, "SCAN d") {
							t.Errorf("%s page of %s: %s", which, c.name, plan)
						}
						// The next page begins where the last one ended: what lies before it is not
						// read.
						if which == "next" && !strings.Contains(plan, "(listed_at,id)<(?,?)") &&
							!strings.Contains(plan, "ROW(listed_at, id) < ROW(") {
							t.Errorf("the cursor is no part of the range: %s", plan)
						}
					}
				}
			})
		}
	})
}

// fillCrowd makes declarations for the crowd's contributors in turn, one in ten of them a draft.
func fillCrowd(t *testing.T, a *world.App, by access.Actor) {
	t.Helper()
	declarations, id, at := 6_000, sqliteID, sqliteAt
	if a.DB.Dialect() == db.Postgres {
		declarations, id, at = 20_000, postgresID, postgresAt
	}
	a.Exec(t, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
		WHERE i < %d), x AS (SELECT id, contributor_id, office_code, row_number() OVER (ORDER BY id) - 1 AS k FROM positions)
		INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content, worker_tax_code,
		person_id, acting_as, right_id, version,
			created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
		SELECT %s, x.contributor_id, x.id, x.office_code, CASE WHEN i %% 4 = 0 THEN '76-2013' ELSE 'RIOC' END, 1, 'single',
		CASE WHEN i %% 7 = 0 THEN 'draft' ELSE 'submitted' END, '{}', 'W' || (i %% 50), ?,
			'intermediary', ?, 1, %[3]s, %[3]s, %[3]s, CASE WHEN i %% 7 = 0 THEN NULL ELSE %[3]s END,
			CASE WHEN i %% 7 = 0 THEN NULL ELSE 'p' END, CASE WHEN i %% 7 = 0 THEN NULL ELSE 'd' END
		FROM n JOIN x ON x.k = i %% 2000`, declarations, id, at), by.PersonID, by.PersonID)
	if a.DB.Dialect() == db.Postgres {
		a.Exec(t, "ANALYZE")
	}
}

// An intermediary with many delegations reads a page from the range of an index, without a sort.
// Each client is asked once, through an index too, where too few of the latest are its clients',
// and for whoever has few clients.
func TestDeclaration_APageOverManyContributorsIsRangesOfIndexes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		p, delegate := a.Professional(t)
		a.Crowd(t, delegate)
		many := access.Actor{PersonID: p.ID, TaxCode: p.TaxCode}
		_, few := a.Employer(t)
		fillCrowd(t, a, many)
		from, to := time.Date(2026, 1, 1, 0, 10, 0, 0, time.UTC), time.Date(2026, 1, 1, 2, 30, 0, 0, time.UTC)
		const count, end, walk, ask = "COUNT(*)", "OFFSET", "FROM declarations d JOIN people", "newest AS MATERIALIZED"
		for _, c := range []struct {
			name   string
			by     access.Actor
			filter declaration.Filter
			items  int
			// The statements, by a part of each, and the index that the last of them reads
			// declarations by.
			asked []string
			index string
		}{
			{"many", many, declaration.Filter{}, 10, []string{count, end, walk}, "declarations_by_time"},
			{"many, of a type", many, declaration.Filter{Type: "76-2013"}, 10, []string{count, end, walk}, "declarations_by_time"},
			{
				"many, of a time", many,
				declaration.Filter{SubmittedFrom: &from, SubmittedTo: &to},
				10,
				[]string{count, end, walk},
				"declarations_by_time",
			},
			{"many, about a worker", many, declaration.Filter{WorkerTaxCode: "W7"}, 10, []string{walk}, "declarations_by_worker"},
			{
				"many, in a rare state", many,
				declaration.Filter{State: declaration.InCharge},
				0,
				[]string{count, end, walk, ask},
				"declarations_by_contributor_state",
			},
			{"few", few, declaration.Filter{}, 0, []string{count, ask}, "declarations_by_contributor"},
			{"few, of a type", few, declaration.Filter{Type: "76-2013"}, 0, []string{count, ask}, "declarations_by_contributor_type"},
		} {
			t.Run(c.name, func(t *testing.T) {
				heard := world.Listen(t, d, "FROM de")
				request := page.Request{Limit: 10}
				for _, which := range []string{"first", "next"} {
					*heard = nil
					got, err := a.Declarations.Mine(ctx, c.by, c.filter, request)
					if err != nil || len(got.Items) != c.items || len(*heard) != len(c.asked) {
						t.Fatalf("%s page: %d items with %d statements, %v", which, len(got.Items), len(*heard), err)
					}
					for i, q := range *heard {
						if !strings.Contains(q.Statement, c.asked[i]) {
							t.Errorf("statement %d is %s", i, q.Statement)
						}
						for _, plan := range world.Plans(t, d, q) {
							lines := strings.Split(plan, "\n")
							if scansATable(lines) ||
								c.asked[i] == walk && c.index == "declarations_by_time" &&
									(strings.Contains(plan, "Sort Key: d.listed_at") || strings.Contains(plan, "TEMP B-TREE")) {
								t.Errorf("%s page: %s", which, plan)
							}
							if i == len(c.asked)-1 && !strings.Contains(strings.ReplaceAll(plan, "\n", " "), c.index+" ") {
								t.Errorf("%s page without %s: %s", which, c.index, plan)
							}
							// It begins behind the page before and ends where the stride does.
							if c.asked[i] == walk && c.index == "declarations_by_time" &&
								!(strings.Contains(plan, "ROW(listed_at, id) >= ROW(") || strings.Contains(plan, "(listed_at,id)>(?,?)")) {
								t.Errorf("%s page without an end: %s", which, plan)
							}
						}
					}
					if request.Cursor = got.Next; got.Next == "" {
						break
					}
				}
			})
		}
	})
}

// scansATable reports whether any of the tables that grow is read through.
func scansATable(plan []string) bool {
	return slices.ContainsFunc(plan, func(line string) bool {
		line = strings.TrimLeft(line, " ->")
		return strings.HasPrefix(line, "Seq Scan on de") && !strings.HasPrefix(line, "Seq Scan on delegates ") &&
			!strings.HasPrefix(line, "Seq Scan on delegate_roles ") ||
			line == "SCAN d" || strings.HasPrefix(line, "SCAN d USING") && !strings.Contains(line, "declarations_by_time") ||
			strings.HasPrefix(line, "SCAN g") || strings.HasPrefix(line, "SCAN z")
	})
}

// What an export reads is a range of an index too, page after page: nothing is sorted but the page.
func TestExport_APageIsARangeOfAnIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome)
		desk := a.Desk(t, world.Rome, c.ID)
		fill(t, a, c, by)
		from := time.Date(2026, 1, 1, 0, 5, 0, 0, time.UTC)
		heard := world.ListenToRows(t, d, "FROM declarations d")
		for _, c := range []struct {
			name  string
			begin func() (*declaration.Export, error)
			index string
		}{
			{"a contributor's", func() (*declaration.Export, error) {
				return a.Declarations.ExportOfContributor(by, declaration.Filter{SubmittedFrom: &from}, declaration.Layout{})
			}, "declarations_by_contributor"},
			{"an office's", func() (*declaration.Export, error) {
				return a.Declarations.ExportOfOffice(ctx, desk, declaration.Filter{}, declaration.Layout{})
			}, "declarations_by_office"},
			{"mine", func() (*declaration.Export, error) {
				return a.Declarations.ExportMine(by, declaration.Filter{}, declaration.Layout{})
			}, "declarations_by_contributor"},
		} {
			t.Run(c.name, func(t *testing.T) {
				*heard = nil
				e, err := c.begin()
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				for chunk := []byte{0}; chunk != nil; {
					if chunk, err = e.Next(ctx); err != nil {
						t.Fatal(err)
					}
				}
				asked := slices.DeleteFunc(*heard, func(q world.Question) bool { return !strings.Contains(q.Statement, "JOIN people p") })
				if len(asked) == 0 {
					t.Fatal("nothing was asked")
				}
				// Of what is left for the last page the order does not matter.
				for _, q := range asked[:max(len(asked)-1, 1)] {
					// Exports are planned for their values alone.
					plan := world.Plans(t, d, q)[0]
					page := plan
					if d.Dialect() == db.Postgres {
						_, page, _ = strings.Cut(plan, "Limit")
					}
					if !strings.Contains(page, c.index+" ") || strings.Contains(page, "Sort") || strings.Contains(page, "TEMP B-TREE") ||
						strings.Contains(page, "Seq Scan on declarations") || strings.Contains(page, "Bitmap") {
						t.Errorf("%s", plan)
					}
				}
			})
		}
	})
}
