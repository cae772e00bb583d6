package event

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"diresco/db"
	"diresco/internal/kernel/access"
)

// candidates reads events that somebody may have something to do with; which of these they see is
// asked afterwards. It costs work in proportion to the person's rights or to what it returns, and
// not to how long the feed is: with few rights it asks each contributor, with many it walks along
// the feed for some way (see access.Stride).
type candidates struct {
	repo   repository
	rights *access.Repository
	stride access.Stride
	by     access.Actor
	query  Query

	// reached is read once.
	reached *access.Reached
	many    bool
}

// read returns the first candidates between two positions, and the position up to which there are
// no others.
func (c *candidates) read(ctx context.Context, after, through int64) ([]Event, int64, error) {
	if c.reached == nil {
		reached := c.rights.Noticed(c.by)
		c.reached = &reached
		if c.query.ContributorID == nil {
			var err error
			if c.many, err = c.rights.HasMany(ctx, reached, c.stride.Many); err != nil {
				return nil, 0, err
			}
		}
	}
	if c.query.ContributorID != nil {
		return c.ofOne(ctx, after, through)
	}
	if c.many {
		end := min(through, after+int64(c.stride.Rows))
		events, err := c.walk(ctx, after, end)
		if err != nil || len(events) > 0 || end == through {
			return cut(events), reachedBy(events, end), err
		}
		after = end
	}
	events, err := c.ask(ctx, after, through)
	return cut(events), reachedBy(events, through), err
}

// cut and reachedBy are for what was read with one row more than a round, if there is one.
func cut(events []Event) []Event { return events[:min(len(events), round)] }

func reachedBy(events []Event, end int64) int64 {
	if len(events) > round {
		return events[round-1].Position
	}
	return end
}

// within is the condition on events d between two positions, of types that are wanted.
func (c *candidates) within(after, through int64) (string, map[string]any) {
	types := c.query.Types
	if len(types) == 0 {
		types = Types()
	}
	types = slices.DeleteFunc(slices.Clone(types), func(t Type) bool { return !c.by.Watches(t.kind()) })
	args := maps.Clone(c.reached.Args)
	args["after"], args["through"] = after, through
	where := "d.position > @after AND d.position <= @through"
	if len(types) < len(Types()) {
		if len(types) == 0 {
			return "1 = 0", args
		}
		where, args["types"] = where+" AND d.type IN @types", types
	}
	return where, args
}

const inOrder = " ORDER BY d.position LIMIT %d"

// ofOne reads what is about one contributor. Whether the person has a right there is asked
// afterwards.
func (c *candidates) ofOne(ctx context.Context, after, through int64) ([]Event, int64, error) {
	where, args := c.within(after, through)
	args["contributor"] = *c.query.ContributorID
	events, err := c.raw(ctx, "SELECT "+db.Columns[Event]("d")+" FROM events d WHERE d.contributor_id = @contributor AND "+where+
		fmt.Sprintf(inOrder, round+1), args)
	return cut(events), reachedBy(events, through), err
}

// walk probes each event between the positions.
func (c *candidates) walk(ctx context.Context, after, through int64) ([]Event, error) {
	where, args := c.within(after, through)
	return c.raw(ctx, "WITH "+c.reached.Memberships+", offices AS MATERIALIZED ("+c.reached.MemberOf()+") SELECT "+
		db.Columns[Event]("d")+" FROM events d WHERE "+where+" AND ("+c.reached.Covers+
		" OR d.person_id = @person OR d.delegate_id IN (SELECT o.delegate_id FROM offices o))"+fmt.Sprintf(inOrder, round+1), args)
}

// ask asks each contributor, each intermediary, and the person. An event that belongs among the
// first is of a contributor whose first one does.
func (c *candidates) ask(ctx context.Context, after, through int64) ([]Event, error) {
	where, args := c.within(after, through)
	found := "SELECT f.position FROM found f UNION SELECT f.position FROM (" + c.firsts("offices", "delegate_id", where, round+1) +
		") f UNION SELECT f.position FROM (SELECT d.position FROM events d WHERE d.person_id = @person AND " + where +
		fmt.Sprintf(inOrder, round+1) + ") f"
	return c.raw(ctx, "WITH "+c.reached.Memberships+", offices AS MATERIALIZED ("+c.reached.MemberOf()+
		"), clients AS MATERIALIZED ("+c.reached.Contributors+
		"), first AS MATERIALIZED ("+c.firsts("clients", "contributor_id", where, 1)+
		"), found AS MATERIALIZED ("+c.firsts("first", "contributor_id", where, round+1)+
		"), all_found AS MATERIALIZED ("+found+") SELECT "+db.Columns[Event]("d")+
		" FROM all_found f JOIN events d ON d.position = f.position"+fmt.Sprintf(inOrder, round+1), args)
}

// firsts selects the first among the n first of each row of the table.
func (c *candidates) firsts(of, column, where string, n int) string {
	each := fmt.Sprintf("FROM events d WHERE d.%[1]s = c.%[1]s AND ", column) + where + fmt.Sprintf(inOrder, n)
	if c.repo.db.Dialect() == db.Postgres {
		each = "CROSS JOIN LATERAL (SELECT d.position " + each + ") d"
	} else {
		each = "CROSS JOIN events d ON d.position IN (SELECT d.position " + each + ")"
	}
	return "SELECT c." + column + ", d.position FROM " + of + " c " + each + fmt.Sprintf(inOrder, round+1)
}

func (c *candidates) raw(ctx context.Context, query string, args map[string]any) ([]Event, error) {
	var events []Event
	err := c.repo.db.From(ctx).Raw(query, args).Scan(&events).Error
	return events, err
}
