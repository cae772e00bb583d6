package ticket

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
)

// Mine lists the tickets of all contributors for which the actor's rights cover the dossier, the
// newest first. What is about a whole contributor is shown by a role there.
//
// As with declarations, a page costs one of two things, whatever there is: with few rights, an index
// probe for each contributor's newest ticket and a page of each that is among the newest; with many,
// a walk over the latest tickets of all, and the former where that was in vain (access.Stride).
func (s *Service) Mine(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[View], error) {
	var none page.Page[View]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	m := mine{repo: s.repo, reached: s.rights.Declared(by, access.Dossier), filter: f, after: after, size: request.Size()}
	many, err := s.rights.HasMany(ctx, m.reached, s.stride.Many)
	if err != nil {
		return none, err
	}
	rows, full := []View(nil), false
	if many {
		if rows, full, err = m.walk(ctx, s.stride.Rows); err != nil {
			return none, err
		}
	}
	if !full {
		if rows, err = m.ask(ctx); err != nil {
			return none, err
		}
	}
	return page.Cut(rows, m.size, listedKey), nil
}

// mine reads a page, and one row more where there is one.
type mine struct {
	repo    repository
	reached access.Reached
	filter  Filter
	after   *page.Key
	size    int
}

const latestFirst = " ORDER BY d.opened_at DESC, d.id DESC LIMIT %d"

// hidden keeps out the reserved tickets of others, but for who has a role at the contributor.
var hidden = ` AND (NOT d.reserved OR d.person_id = @person OR EXISTS (SELECT 1 FROM contributor_roles o
	WHERE o.contributor_id = d.contributor_id AND o.person_id = @person AND ` + access.LiveRole("o") + `))`

// visible is the condition for the rows d within a range that the page may hold.
func (m mine) visible(within narrowing) narrowing {
	only := m.filter.only()
	n := narrowing{sql: "(" + m.reached.Covers + ")" + hidden + within.sql + only.sql, args: maps.Clone(within.args)}
	maps.Copy(n.args, only.args)
	maps.Copy(n.args, m.reached.Args)
	return n
}

// walk reads the latest of so many tickets. It reports whether that is the page: it is full, or
// there are no more tickets.
func (m mine) walk(ctx context.Context, rows int) ([]View, bool, error) {
	within := m.filter.within(m.after)
	end, err := m.end(ctx, within, rows)
	if err != nil {
		return nil, false, err
	}
	if end != nil {
		within.args["end_at"] = end.OpenedAt.UTC()
		within.and("(d.opened_at, d.id) >= (@end_at, @end_id)", "end_id", end.ID)
	}
	where := m.visible(within)
	found, err := m.read(ctx, " "+selectView+where.sql+fmt.Sprintf(latestFirst, m.size+1), where.args)
	return found, end == nil || len(found) > m.size, err
}

// end is the last ticket of a walk over so many, nil where they end before.
func (m mine) end(ctx context.Context, within narrowing, rows int) (*Ticket, error) {
	where := ""
	if within.sql != "" {
		where = " WHERE " + strings.TrimPrefix(within.sql, " AND ")
	}
	args := maps.Clone(within.args)
	args["skipped"] = rows - 1
	var last []Ticket
	err := m.repo.db.From(ctx).Raw(
		"SELECT d.opened_at, d.id FROM tickets d"+where+fmt.Sprintf(latestFirst, 1)+" OFFSET @skipped", args,
	).Scan(&last).Error
	if err != nil || len(last) == 0 {
		return nil, err
	}
	return &last[0], nil
}

// ask reads the same through the contributors. A ticket that belongs on the page is of a
// contributor whose newest one does.
func (m mine) ask(ctx context.Context) ([]View, error) {
	where := m.visible(m.filter.within(m.after))
	return m.read(
		ctx,
		", clients AS MATERIALIZED ("+m.reached.Contributors+
			"), newest AS MATERIALIZED ("+m.latest("clients", 1, where.sql)+
			"), found AS MATERIALIZED ("+m.latest("newest", m.size+1, where.sql)+") "+
			selectView+"d.id IN (SELECT f.id FROM found f) ORDER BY d.opened_at DESC, d.id DESC",
		where.args,
	)
}

// latest selects the latest among the n latest of each contributor in the table.
func (m mine) latest(of string, n int, where string) string {
	each := "FROM tickets d WHERE d.contributor_id = c.contributor_id AND " + where + fmt.Sprintf(latestFirst, n)
	if m.repo.db.Dialect() == db.Postgres {
		each = "CROSS JOIN LATERAL (SELECT d.opened_at, d.id " + each + ") d"
	} else {
		each = "CROSS JOIN tickets d ON d.id IN (SELECT d.id " + each + ")"
	}
	return "SELECT c.contributor_id, d.opened_at, d.id FROM " + of + " c " + each + fmt.Sprintf(latestFirst, m.size+1)
}

// read reads what a query on the memberships selects.
func (m mine) read(ctx context.Context, query string, args map[string]any) ([]View, error) {
	var rows []View
	err := m.repo.db.From(ctx).Raw("WITH "+m.reached.Memberships+query, args).Find(&rows).Error
	return rows, err
}
