package contributor_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// An intermediary with many delegations reads a page of its clients from the range of an index,
// without a sort. Whoever has few clients, or few among the first names, reads them through their
// rights, and sorts them.
func TestContributor_APageOfManyContributorsIsARangeOfAnIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		p, delegate := a.Professional(t)
		a.Crowd(t, delegate)
		if d.Dialect() == db.Postgres {
			a.Exec(t, "ANALYZE")
		}
		// A small part of what there is.
		a.Contributors.SetStride(access.Stride{Many: access.DefaultStride().Many, Rows: 100})
		many := access.Actor{PersonID: p.ID, TaxCode: p.TaxCode}
		company, few := a.Employer(t)
		var own uuid.UUID
		a.Must(t, func(ctx context.Context) error {
			return d.From(ctx).Raw("SELECT contributor_id FROM delegations WHERE delegate_id = ? ORDER BY id LIMIT 1", delegate).Row().Scan(&own)
		})
		s := a.Software(t, p.ID, func(c *world.Consent) { c.EveryContributor, c.Contributors = false, []uuid.UUID{own, company.ID} })
		software := many
		software.Grant = &access.Grant{
			ConsentID: s.ConsentID, ApplicationID: s.ID, Services: access.ServiceSet{access.AllServices}, Contributors: []uuid.UUID{own, company.ID},
		}
		const count, end, walk, ask = "COUNT(*)", "OFFSET", "FROM contributors c WHERE", ") m "
		for _, c := range []struct {
			name   string
			by     access.Actor
			search contributor.Search
			items  int
			asked  []string
			index  string
		}{
			{"many", many, contributor.Search{}, 10, []string{count, end, walk}, "contributors_by_legal_name"},
			{
				"many, of a common name", many,
				contributor.Search{LegalName: "officine"},
				10,
				[]string{count, end, walk},
				"contributors_by_legal_name",
			},
			{
				"many, of a rare name", many,
				contributor.Search{LegalName: "officine 1199"},
				1,
				[]string{count, end, walk, ask},
				"contributors_pkey",
			},
			{"many, by tax code", many, contributor.Search{TaxCode: company.TaxCode}, 0, []string{walk}, "contributors_tax_code_key"},
			{
				"many, by a consent that names two", software,
				contributor.Search{},
				1,
				[]string{count + " FROM (SELECT 1 FROM (SELECT n.contributor_id FROM consent_contributors n", ask},
				"contributors_pkey",
			},
			{"few", few, contributor.Search{}, 1, []string{count, ask}, "contributors_pkey"},
		} {
			t.Run(c.name, func(t *testing.T) {
				heard := world.Listen(t, d, "")
				request := page.Request{Limit: 10}
				for _, which := range []string{"first", "next"} {
					*heard = nil
					got, err := a.Contributors.Mine(context.Background(), c.by, c.search, request)
					if err != nil || len(got.Items) != c.items || len(*heard) < len(c.asked) {
						t.Fatalf("%s page: %d items with %d statements, %v", which, len(got.Items), len(*heard), err)
					}
					for i, part := range c.asked {
						q := (*heard)[i]
						if !strings.Contains(q.Statement, part) {
							t.Errorf("statement %d is %s", i, q.Statement)
						}
						for _, plan := range world.Plans(t, d, q) {
							for line := range strings.Lines(plan) {
								line = strings.TrimLeft(strings.TrimSpace(line), "-> ")
								for _, table := range []string{
									"Seq Scan on contributors", "Seq Scan on delegations", "Seq Scan on positions", "SCAN g", "SCAN x",
								} {
									if line == table || strings.HasPrefix(line, table+" ") {
										t.Errorf("%s page: %s", which, plan)
									}
								}
							}
							// With a part of the name PostgreSQL may read the whole stride at once,
							// and sort what is left.
							if part == walk && c.search == (contributor.Search{}) &&
								(strings.Contains(plan, "Sort Key: c.legal_name") || strings.Contains(plan, "TEMP B-TREE")) {
								t.Errorf("%s page with a sort: %s", which, plan)
							}
							if part == walk && c.index == "contributors_by_legal_name" &&
								(!strings.Contains(plan, c.index) ||
									!strings.Contains(plan, "ROW(legal_name, id) <= ROW(") &&
										!strings.Contains(plan, "(legal_name,id)<(?,?)")) {
								t.Errorf("%s page: %s", which, plan)
							}
							if i == len(c.asked)-1 && d.Dialect() == db.Postgres && !strings.Contains(plan, c.index) {
								t.Errorf("%s page without %s: %s", which, c.index, plan)
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

// Positions that are read together are not planned anew for each number of them.
func TestContributor_PositionsAreNotPlannedAnew(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	a := world.New(t, d)
	company, _ := a.Employer(t)
	for range 40 {
		var together sync.WaitGroup
		for range 3 {
			together.Go(func() {
				if _, _, err := a.Contributors.Position(t.Context(), company.ID, company.Positions[0].ID); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
	}
	if again := dbtest.PlannedAnew(t, d); len(again) != 0 {
		t.Errorf("planned anew: %q", again)
	}
}
