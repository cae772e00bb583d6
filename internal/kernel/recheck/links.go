package recheck

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
)

// links are the rows that rights hang on, by kind, and which of them are live.
type links map[access.LinkKind]found

// add adds what a right hangs on, to be asked for.
func (l links) add(r access.Right) {
	for _, link := range r.Links {
		if l[link.Kind] == nil {
			l[link.Kind] = found{}
		}
		l[link.Kind][link.ID] = standing{}
	}
}

// allow reports whether all that the right hangs on was found to be live.
func (l links) allow(r access.Right) bool {
	if r.ID != uuid.Nil && len(r.Links) == 0 && r.ActingAs != access.OfficeOperator {
		return false
	}
	return !slices.ContainsFunc(r.Links, func(link access.Link) bool { return !l[link.Kind][link.ID].good })
}

// until is when the first that the right hangs on ends by itself, or nil.
func (l links) until(r access.Right) *time.Time {
	var first *time.Time
	for _, link := range r.Links {
		first = earlier(first, l[link.Kind][link.ID].until)
	}
	return first
}

// live selects the live rows of each kind of link, in the lock order. The ids come first, the
// present after them where the query is timed; lock is the alias whose rows are kept from ending.
var live = []struct {
	kind        access.LinkKind
	query, lock string
	timed       bool
}{
	{access.RoleLink, "SELECT r.id FROM contributor_roles r WHERE r.id IN ? AND " + access.LiveRole("r") + " ORDER BY r.id", "r", false},
	{access.DelegationLink, "SELECT g.id, g.valid_until FROM delegations g JOIN delegates h ON h.id = g.delegate_id WHERE g.id IN ? AND " +
		access.LiveDelegation("g") + " AND " + access.OnRegister("h") + " ORDER BY g.id", "g", true},
	{
		access.DelegateRoleLink, "SELECT u.id FROM delegate_roles u WHERE u.id IN ? AND " + access.LiveRole("u") + " ORDER BY u.id", "u",
		false,
	},
	{access.SubDelegationLink, "SELECT w.id, w.valid_until FROM sub_delegations w WHERE w.id IN ? AND " +
		access.LiveSubDelegation("w") + " ORDER BY w.id", "w", true},
	{access.DelegateLink, "SELECT h.id FROM delegates h WHERE h.id IN ?", "", false},
	{access.ListedLink, "SELECT h.id FROM delegates h WHERE h.id IN ? AND " + access.OnRegister("h"), "", false},
}

// addLinks asks which of the links are live, and locks those against their end.
func (c *Checker) addLinks(asked *questions, l links) {
	asked.add(c.keepListed(l))
	for _, of := range live {
		if len(l[of.kind]) == 0 {
			continue
		}
		query := of.query
		if of.lock != "" {
			query += c.db.ForShare(of.lock)
		}
		asked.add(question{statement: query, ids: l[of.kind], timed: of.timed})
	}
}

// keepListed puts being struck off after the transaction, and waits for one that is under way. What
// else an import changes about an intermediary makes nobody wait.
func (c *Checker) keepListed(l links) question {
	if c.db.Dialect() != db.Postgres || len(l[access.DelegationLink])+len(l[access.ListedLink]) == 0 {
		return question{}
	}
	ids := func(kind access.LinkKind) db.UUIDs { return slices.Collect(maps.Keys(l[kind])) }
	const lockListed = "SELECT 1 FROM delegates h WHERE h.id IN (SELECT unnest((SELECT $1::uuid[])) " +
		"UNION SELECT g.delegate_id FROM delegations g WHERE g.id = ANY ((SELECT $2::uuid[])::uuid[])) ORDER BY h.id FOR KEY SHARE"
	return question{lock: lockListed, lockArgs: []any{ids(access.ListedLink), ids(access.DelegationLink)}}
}
