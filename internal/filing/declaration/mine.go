package declaration

import (
	"context"
	"fmt"
	"maps"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
)

// ofRights returns a page of the declarations that the person's rights show, the latest first.
// These are what was submitted for every position over which the person has a right that covers
// declarations, and the own drafts there.
//
// No index can hold that order for each person, since a right shows also what others filed before
// it began. So a page costs one of two things. Neither grows with how many declarations there are,
// except as the logarithm:
//   - with few rights, one index probe for each contributor's newest declaration, then up to a page
//     of each contributor whose newest is among the newest;
//   - with many rights, a walk over the latest declarations of all, a few index probes each, until
//     the page is full. Where the walk was in vain, the former follows (see access.Stride).
//
// What a filter or a right over some positions alone leaves out is passed over within a
// contributor's range.
func (r *repository) ofRights(
	ctx context.Context, rights *access.Repository, by access.Actor, f Filter, request page.Request,
) (page.Page[View], error) {
	var none page.Page[View]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	m := mine{r: r, reached: rights.Declared(by, access.Declarations), filter: f, after: after, size: request.Size()}
	rows, err := m.read(ctx, rights)
	if err != nil {
		return none, err
	}
	return page.Cut(rows, m.size, listedKey), nil
}

// mine reads a page, and one row more where there is one.
type mine struct {
	r       *repository
	reached access.Reached
	filter  Filter
	after   *page.Key
	size    int
}

func (m mine) read(ctx context.Context, rights *access.Repository) ([]View, error) {
	if m.filter.WorkerTaxCode != "" {
		// A worker's declarations are few.
		return m.walk(ctx, nil)
	}
	many, err := rights.HasMany(ctx, m.reached, m.r.stride.Many)
	if err != nil {
		return nil, err
	}
	if many {
		end, err := m.end(ctx)
		if err != nil {
			return nil, err
		}
		rows, err := m.walk(ctx, end)
		if err != nil || end == nil || len(rows) > m.size {
			return rows, err
		}
	}
	return m.ask(ctx)
}

const latestFirst = " ORDER BY d.listed_at DESC, d.id DESC LIMIT %d"

// visible is the condition for the rows d within a range that the page may hold. The filter lets
// them through and the person may see them.
func (m mine) visible(within narrowing) narrowing {
	only := m.filter.only()
	n := narrowing{
		sql: m.reached.Covers + within.sql + only.sql + " AND (d.state <> 'draft' OR d.person_id = @person)", args: maps.Clone(within.args),
	}
	maps.Copy(n.args, only.args)
	maps.Copy(n.args, m.reached.Args)
	return n
}

// walk reads the latest of all declarations, down to the end if there is one.
func (m mine) walk(ctx context.Context, end *page.Key) ([]View, error) {
	f := m.filter
	if end != nil {
		// One end alone, as in within.
		f.SubmittedFrom = nil
	}
	within := f.within(m.after)
	if end != nil {
		within.args["end_at"] = end.At
		within.and("(d.listed_at, d.id) >= (@end_at, @end_id)", "end_id", end.ID)
	}
	where := m.visible(within)
	return m.filed(
		ctx,
		" SELECT "+listColumns+
			" FROM declarations d JOIN people p ON p.id = d.person_id WHERE "+where.sql+
			fmt.Sprintf(latestFirst, m.size+1),
		where.args,
	)
}

// end is where a walk that is in vain ends, nil where the declarations end before.
func (m mine) end(ctx context.Context) (*page.Key, error) {
	var rows []Declaration
	query := m.r.db.From(ctx).Table("declarations d").Select("d.listed_at, d.id").
		Order("d.listed_at DESC, d.id DESC").Limit(1).Offset(m.r.stride.Rows - 1)
	err := m.filter.within(m.after).of(query).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &page.Key{At: rows[0].ListedAt, ID: rows[0].ID}, nil
}

// ask reads the same through the contributors. A declaration that belongs on the page is of a
// contributor whose newest one does.
func (m mine) ask(ctx context.Context) ([]View, error) {
	where := m.visible(m.filter.within(m.after))
	return m.filed(
		ctx,
		", clients AS MATERIALIZED ("+m.reached.Contributors+
			"), newest AS MATERIALIZED ("+m.latest("clients", 1, where.sql)+
			"), found AS MATERIALIZED ("+m.latest("newest", m.size+1, where.sql)+")\n\t\tSELECT "+listColumns+` FROM found f
		JOIN declarations d ON d.id = f.id JOIN people p ON p.id = d.person_id
		ORDER BY d.listed_at DESC, d.id DESC`,
		where.args,
	)
}

// latest selects the latest among the n latest of each contributor in the table.
func (m mine) latest(of string, n int, where string) string {
	each := "FROM declarations d WHERE d.contributor_id = c.contributor_id AND " + where + fmt.Sprintf(latestFirst, n)
	if m.r.db.Dialect() == db.Postgres {
		each = "CROSS JOIN LATERAL (SELECT d.listed_at, d.id " + each + ") d"
	} else {
		each = "CROSS JOIN declarations d ON d.id IN (SELECT d.id " + each + ")"
	}
	return "SELECT c.contributor_id, d.listed_at, d.id FROM " + of + " c " + each + fmt.Sprintf(latestFirst, m.size+1)
}

// filed reads what a query on the memberships, and on more tables where it begins with those,
// selects.
func (m mine) filed(ctx context.Context, query string, args map[string]any) ([]View, error) {
	return m.r.listed(ctx, "WITH "+m.reached.Memberships+query, args)
}
