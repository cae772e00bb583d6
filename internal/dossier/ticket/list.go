package ticket

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
)

// Filter narrows a list of tickets down.
type Filter struct {
	PositionID *uuid.UUID
	// Topic is a topic, or a heading with all that stands below it.
	Topic string
	State State
	Kind  Kind
	// OpenedFrom and UpdatedFrom are the first instants that count.
	OpenedFrom, UpdatedFrom *time.Time
}

// narrowing is a condition with named arguments; it begins with AND.
type narrowing struct {
	sql  string
	args map[string]any
}

func (n *narrowing) and(condition, name string, value any) {
	n.sql += " AND " + condition
	n.args[name] = value
}

// within is the range of the list, behind a place in it, where the filter lets rows d through.
func (f Filter) within(after *page.Key) narrowing {
	n := narrowing{args: map[string]any{}}
	if f.OpenedFrom != nil {
		n.and("d.opened_at >= @opened_from", "opened_from", f.OpenedFrom.UTC())
	}
	if after != nil {
		n.args["after_at"] = after.At.UTC()
		n.and("(d.opened_at, d.id) < (@after_at, @after_id)", "after_id", after.ID)
	}
	return n
}

// only is what else the filter asks of rows d.
func (f Filter) only() narrowing {
	n := narrowing{args: map[string]any{}}
	if f.PositionID != nil {
		n.and("d.position_id = @position", "position", *f.PositionID)
	}
	if f.Topic != "" {
		n.and("d.topic IN (SELECT y.code FROM ticket_topics y WHERE @topic IN (y.code, y.parent_code))", "topic", f.Topic)
	}
	if f.State != "" {
		n.and("d.state = @state", "state", f.State)
	}
	if f.Kind != "" {
		n.and("d.kind = @kind", "kind", f.Kind)
	}
	if f.UpdatedFrom != nil {
		n.and("d.updated_at >= @updated_from", "updated_from", f.UpdatedFrom.UTC())
	}
	return n
}

// listedKey is a ticket's place in a list.
func listedKey(v View) page.Key { return page.Key{At: v.OpenedAt, ID: v.ID} }

// OfContributor lists the tickets of a contributor that the actor's rights are about, the newest
// first. An operator sees those at the own office, and gets the faults of requirePost.
func (s *Service) OfContributor(
	ctx context.Context, by access.Actor, contributorID uuid.UUID, f Filter, request page.Request,
) (page.Page[View], error) {
	var none page.Page[View]
	if consults(by) {
		if err := requirePost(by); err != nil {
			return none, err
		}
	}
	after, err := request.After()
	if err != nil {
		return none, err
	}
	where := f.within(after)
	where.and("d.contributor_id = @contributor", "contributor", contributorID)
	if by.Consults() {
		where.and("d.office_code = @office", "office", by.OfficeCode)
	} else if positions := by.Positions(access.Dossier); positions != nil {
		if len(positions) == 0 {
			return none, nil
		}
		where.and("d.position_id IN @positions", "positions", positions)
		where.and("(NOT d.reserved OR d.person_id = @asker OR d.right_id IN @rights)", "asker", by.PersonID)
		where.args["rights"] = by.RightIDs()
	}
	only := f.only()
	where.sql += only.sql
	for name, value := range only.args {
		where.args[name] = value
	}
	where.args["most"] = request.Size() + 1
	rows, err := db.FromReplica(ctx, s.repo.db, func(ctx context.Context) (rows []View, err error) {
		err = s.repo.db.From(ctx).Raw(
			selectView+strings.TrimPrefix(where.sql, " AND ")+" ORDER BY d.opened_at DESC, d.id DESC LIMIT @most", where.args,
		).Scan(&rows).Error
		return rows, err
	})
	if err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), listedKey), nil
}
