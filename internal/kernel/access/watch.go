package access

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
)

// IdleAfter is the inactivity after which a person's session is over.
const IdleAfter = 30 * time.Minute

// The kinds of subject that somebody may watch, as the audit trail names them.
const (
	WatchedDeclaration = "declaration"
	WatchedBatch       = "declaration-batch"
	WatchedDelegation  = "delegation"
	WatchedConsent     = "consent"
	WatchedTicket      = "ticket"
	WatchedAppointment = "appointment"
	WatchedDMA         = "dma-submission"
)

// About is what an event is about: whom it concerns, and what a right must cover to see it.
type About struct {
	// ContributorID and PositionID are zero where it is about none.
	ContributorID uuid.UUID
	PositionID    uuid.UUID
	// DelegateID is the intermediary of a delegation.
	DelegateID uuid.UUID
	// PersonID is who gave the consent, sent the batch or booked the appointment.
	PersonID uuid.UUID
	Service  Service
	// Kind and SubjectID name the subject, as the audit trail does.
	Kind      string
	SubjectID string
}

// WatchScopes are those of which an application needs one to watch subjects of the kind, beside
// ScopeEvents; nil keeps all applications out.
func WatchScopes(kind string) []string {
	switch kind {
	case WatchedDeclaration, WatchedBatch:
		return []string{ScopeDeclarations, ScopeDeclarationsRead}
	case WatchedDelegation:
		return []string{ScopeDelegationsRead}
	case WatchedTicket, WatchedAppointment, WatchedDMA:
		return []string{ScopeDossier, ScopeDossierRead}
	}
	return nil
}

// Watches reports whether the actor came with what it takes to watch subjects of the kind.
func (a Actor) Watches(kind string) bool {
	return a.Grant == nil || a.Grant.Has(ScopeEvents) && slices.ContainsFunc(WatchScopes(kind), a.Grant.Has)
}

// Watching tells which of the events each session sees now, by their index. A session sees an event
// if its person, or the application by the consent, could look at the subject at this moment; one
// that is over sees nothing, and neither does who works here. It asks one question for all of them,
// one more where tickets are among the events, and two more where batches are.
func (r *Repository) Watching(ctx context.Context, sessionIDs []uuid.UUID, events []About) (map[uuid.UUID][]int, error) {
	seen := map[uuid.UUID][]int{}
	if len(sessionIDs) == 0 || len(events) == 0 {
		return seen, nil
	}
	watchers, err := r.watchers(ctx, sessionIDs, events)
	if err != nil || len(watchers) == 0 {
		return seen, err
	}
	var known watchedSubjects
	if known.batches, err = r.watchedBatches(ctx, events); err != nil {
		return nil, err
	}
	if known.reserved, err = r.reservedTickets(ctx, events); err != nil {
		return nil, err
	}
	for id, w := range watchers {
		for i, e := range events {
			if w.sees(e, known) {
				seen[id] = append(seen[id], i)
			}
		}
	}
	return seen, nil
}

// soon is how early a session is called over that ends by itself, so that nobody who asks every now
// and then hears of it too late.
const soon = 2 * time.Second

// Live returns those of the sessions that are not over, or about to be, and see events at all.
func (r *Repository) Live(ctx context.Context, sessionIDs []uuid.UUID) (map[uuid.UUID]bool, error) {
	return r.live(ctx, sessionIDs, soon)
}

// StillLive reports whether a session is not over at this moment, and sees events at all.
func (r *Repository) StillLive(ctx context.Context, sessionID uuid.UUID) (bool, error) {
	live, err := r.live(ctx, []uuid.UUID{sessionID}, 0)
	return live[sessionID], err
}

func (r *Repository) live(ctx context.Context, sessionIDs []uuid.UUID, ahead time.Duration) (map[uuid.UUID]bool, error) {
	live := make(map[uuid.UUID]bool, len(sessionIDs))
	if len(sessionIDs) == 0 {
		return live, nil
	}
	var ids []uuid.UUID
	q := r.watch(sessionIDs, ahead, 0)
	err := r.db.From(ctx).Raw(
		"WITH "+q.sql+" SELECT w.session_id FROM w JOIN sessions s ON s.id = w.session_id WHERE s.consent_id IS NULL OR "+r.grant+
			" IS NOT NULL", q.args,
	).Scan(&ids).Error
	for _, id := range ids {
		live[id] = true
	}
	return live, err
}

// watch is a statement that begins with the watching sessions that live.
type watch struct {
	sql  string
	args map[string]any
}

// unwritten is how long it takes at most until it is written that another process saw a session.
const unwritten = 10 * time.Second

// SeenBy has what this process knows of the activity of sessions count, beside what their rows say.
// Call it before anything else.
func (r *Repository) SeenBy(lastSeen func(sessionID uuid.UUID, fromRow time.Time) time.Time) {
	r.lastSeen = lastSeen
}

// watch begins a statement with the sessions that live after so long if nothing is done in them.
// Those that have idled for no longer than the leave are among them.
func (r *Repository) watch(sessionIDs []uuid.UUID, ahead, leave time.Duration) watch {
	now := r.clock.Now().Add(ahead)
	idle := now.Add(-IdleAfter - leave)
	q := watch{args: map[string]any{"now": now, "idle": idle}}
	seen := "1 = 0"
	var seenHere []uuid.UUID
	for _, id := range sessionIDs {
		if r.lastSeen != nil && r.lastSeen(id, time.Time{}).After(idle) {
			seenHere = append(seenHere, id)
		}
	}
	if len(seenHere) > 0 {
		seen = "s.id IN (" + r.ids(q.args, "seen", seenHere) + ")"
	}
	q.sql = "v AS (" + r.ids(q.args, "sessions", sessionIDs) + `), w AS MATERIALIZED (
		SELECT s.id AS session_id, s.person_id, p.tax_code FROM v JOIN sessions s ON s.id = v.id JOIN people p ON p.id = s.person_id
		WHERE s.ended_at IS NULL AND s.expires_at > @now AND NOT s.pin_change_required AND p.suspended_at IS NULL
		AND (s.consent_id IS NOT NULL OR s.last_seen_at > @idle OR ` + seen + `)
		AND p.user_class NOT IN ('operator', 'contact_centre', 'administrator'))`
	return q
}

// ids selects the ids, as a table with the column id.
func (r *Repository) ids(args map[string]any, name string, ids []uuid.UUID) string {
	if r.db.Dialect() == db.Postgres {
		args[name] = db.UUIDs(ids)
		return "SELECT unnest(CAST(@" + name + " AS uuid[])) AS id"
	}
	list, err := json.Marshal(ids)
	if err != nil {
		// Ids are texts: they always encode.
		panic(err)
	}
	args[name] = string(list)
	return "SELECT value AS id FROM json_each(@" + name + ")"
}

const noLinks = "CAST(NULL AS uuid) AS delegation_id, CAST(NULL AS uuid) AS delegate_role_id, CAST(NULL AS uuid) AS sub_delegation_id"

// The rights of watchers over contributors x. %s is the list of the positions of a delegation.
var watchedRights = Named(`SELECT w.session_id, 'right' AS kind, x.id AS target_id, r.id AS right_id, r.role, r.services,
		NULL AS own_services, NULL AS positions, ` + noLinks + `
	FROM x JOIN contributor_roles r ON r.contributor_id = x.id AND ` + LiveRole("r") + ` JOIN w ON w.person_id = r.person_id
	UNION ALL
	SELECT w.session_id, 'right', x.id, g.id, 'intermediary', g.services, NULL, %[1]s, g.id, CAST(NULL AS uuid), CAST(NULL AS uuid)
	FROM x ` + joinWatched + ` JOIN w ON w.tax_code = h.tax_code AND h.kind = 'professional'
	UNION ALL
	SELECT w.session_id, 'right', x.id, g.id, 'intermediary', g.services, u.services, %[1]s, g.id, u.id, CAST(NULL AS uuid)
	FROM x ` + joinWatched + ` JOIN delegate_roles u ON u.delegate_id = g.delegate_id AND ` + LiveWorkerRole("u") + `
		JOIN w ON w.person_id = u.person_id
	UNION ALL
	SELECT w.session_id, 'right', x.id, n.id, 'sub_delegate', g.services, n.services, %[1]s, g.id, CAST(NULL AS uuid), n.id
	FROM x ` + joinWatched + ` JOIN sub_delegations n ON n.delegate_id = g.delegate_id AND ` + LiveSubDelegation("n") + `
		AND ` + AboutDelegation("n", "g") + ` JOIN w ON w.person_id = n.person_id`)

var joinWatched = `JOIN delegations g ON g.contributor_id = x.id AND ` + LiveDelegation("g") + `
		JOIN delegates h ON h.id = g.delegate_id AND ` + OnRegister("h")

// What watchers are at intermediaries y.
var watchedMemberships = `SELECT w.session_id, 'member', y.id, y.id, 'intermediary', '["*"]', NULL, NULL, ` + noLinks + `
	FROM y JOIN delegates h ON h.id = y.id AND h.kind = 'professional' JOIN w ON w.tax_code = h.tax_code
	UNION ALL
	SELECT w.session_id, 'member', y.id, u.id, u.role, u.services, NULL, NULL, ` + noLinks + `
	FROM y JOIN delegate_roles u ON u.delegate_id = y.id AND ` + LiveRole("u") + ` JOIN w ON w.person_id = u.person_id`

// Which contributors x took themselves out of the consents by which watchers act.
var watchedExclusions = `SELECT w.session_id, 'out', x.id, x.id, '', '[]', NULL, NULL, ` + noLinks + ` FROM w JOIN sessions s ON s.id = w.session_id
	JOIN consent_exclusions e ON e.consent_id = s.consent_id JOIN x ON x.id = e.contributor_id`

// Watchers who are among the people z.
var watchedSelves = `SELECT w.session_id, 'self', z.id, z.id, '', '[]', NULL, NULL, ` + noLinks + ` FROM z JOIN w ON w.person_id = z.id`

// watcher is what a session may do about what happened.
type watcher struct {
	actor       Actor
	rights      map[uuid.UUID][]Right
	memberships map[uuid.UUID][]Right
	// self says that it is the person's whom an event names.
	self bool
}

// watchers reads the sessions that have to do with what the events are about.
func (r *Repository) watchers(ctx context.Context, sessionIDs []uuid.UUID, events []About) (map[uuid.UUID]*watcher, error) {
	q := r.watch(sessionIDs, 0, unwritten)
	var parts []string
	for _, of := range []struct {
		table, part string
		ids         []uuid.UUID
	}{
		{"x", r.watchedRights, each(events, func(e About) uuid.UUID { return e.ContributorID })},
		{"y", watchedMemberships, each(events, func(e About) uuid.UUID { return e.DelegateID })},
		{"z", watchedSelves, each(events, func(e About) uuid.UUID { return e.PersonID })},
	} {
		if len(of.ids) > 0 {
			q.sql += ", " + of.table + " AS (" + r.ids(q.args, "of_"+of.table, of.ids) + ")"
			parts = append(parts, of.part)
		}
	}
	switch {
	case len(parts) == 0:
		return nil, nil
	case q.args["of_x"] != nil:
		parts = append(parts, watchedExclusions)
	}
	// The columns are named by the first part, whichever that is.
	q.sql += ", b (session_id, kind, target_id, right_id, role, services, own_services, positions, delegation_id, delegate_role_id, " +
		"sub_delegation_id) AS (" + strings.Join(parts, " UNION ALL ") + ")"
	var rows []struct {
		SessionID uuid.UUID
		PersonID  uuid.UUID
		Kind      string
		TargetID  uuid.UUID
		ConsentID *uuid.UUID
		Consent   *string
		Right     rightRow `gorm:"embedded"`
	}
	err := r.db.From(ctx).Raw("WITH "+q.sql+" SELECT b.session_id, s.person_id, b.kind, b.target_id, s.consent_id, CASE WHEN "+
		"s.consent_id IS NOT NULL THEN "+r.grant+" END AS consent, "+rightColumns+" FROM b JOIN sessions s ON s.id = b.session_id", q.args,
	).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	watchers := map[uuid.UUID]*watcher{}
	for _, row := range rows {
		if row.ConsentID != nil && row.Consent == nil {
			continue // it ended
		}
		w, known := watchers[row.SessionID]
		if !known {
			w = &watcher{
				actor:  Actor{SessionID: row.SessionID, PersonID: row.PersonID},
				rights: map[uuid.UUID][]Right{}, memberships: map[uuid.UUID][]Right{},
			}
			if row.Consent != nil {
				if w.actor.Grant, err = r.grants.read(*row.Consent); err != nil {
					return nil, err
				}
			}
			watchers[row.SessionID] = w
		}
		if row.Kind == "out" && w.actor.Grant != nil {
			w.actor.Grant.Excluded = append(w.actor.Grant.Excluded, row.TargetID)
		}
	}
	// What a right leaves an application is known once all exclusions are.
	for _, row := range rows {
		w := watchers[row.SessionID]
		if w == nil || row.Kind == "out" {
			continue
		}
		if row.Kind == "self" {
			w.self = true
			continue
		}
		right, err := row.Right.right(row.TargetID)
		if err != nil {
			return nil, err
		}
		w.add(row.Kind, row.TargetID, *right)
	}
	return watchers, nil
}

// add adds what a right leaves an application, or all of it for the person.
func (w *watcher) add(kind string, targetID uuid.UUID, right Right) {
	if kind == "right" {
		if left, some := w.actor.limited(right); some {
			w.rights[targetID] = append(w.rights[targetID], left)
		}
		return
	}
	if left, some := w.actor.limitedAtIntermediary(right.Services); some {
		right.Services = left
		w.memberships[targetID] = append(w.memberships[targetID], right)
	}
}

// each lists, once, the ids that are not zero.
func each(events []About, id func(e About) uuid.UUID) []uuid.UUID {
	known := map[uuid.UUID]bool{uuid.Nil: true}
	var ids []uuid.UUID
	for _, e := range events {
		if one := id(e); !known[one] {
			known[one] = true
			ids = append(ids, one)
		}
	}
	return ids
}

// sees decides as the operations do that show the subject.
func (w *watcher) sees(e About, subjects watchedSubjects) bool {
	if !w.actor.Watches(e.Kind) {
		return false
	}
	switch e.Kind {
	case WatchedDeclaration:
		return slices.ContainsFunc(w.rights[e.ContributorID], func(r Right) bool { return r.About(e.PositionID) && r.Covers(e.Service) })
	case WatchedBatch:
		batch, known := subjects.batches[e.SubjectID]
		return known && w.seesBatch(e, batch)
	case WatchedDelegation:
		return w.managesGiven(e) || w.managesTaken(e)
	case WatchedTicket:
		reserved, is := subjects.reserved[e.SubjectID]
		return w.hasAbout(e) && (!is || w.seesReserved(e, reserved))
	case WatchedAppointment:
		return w.seesAppointment(e)
	case WatchedDMA:
		return w.hasAbout(e)
	case WatchedConsent:
		return w.actor.Grant == nil && w.self && w.actor.PersonID == e.PersonID
	}
	return false
}

// hasAbout reports whether the watcher has a right about the position, or about all of them.
func (w *watcher) hasAbout(e About) bool {
	return slices.ContainsFunc(w.rights[e.ContributorID], func(r Right) bool {
		return (r.Positions == nil || e.PositionID != uuid.Nil && r.About(e.PositionID)) && r.Covers(e.Service)
	})
}

// seesReserved reports whether the watcher asked for a reserved ticket, shares the right by which it
// was asked for, or has one about the whole contributor.
func (w *watcher) seesReserved(e About, t reservedTicket) bool {
	return w.actor.PersonID == t.PersonID || slices.ContainsFunc(w.rights[e.ContributorID], func(r Right) bool {
		return r.Covers(e.Service) && (r.Positions == nil || r.ID == t.RightID)
	})
}

// seesAppointment reports whether the watcher has a right about the whole contributor, or booked it:
// as a person whatever became of the right, in an application by one about its ticket's position.
func (w *watcher) seesAppointment(e About) bool {
	mine := e.PersonID != uuid.Nil && w.actor.PersonID == e.PersonID
	if !mine {
		e.PositionID = uuid.Nil
	}
	return mine && w.actor.Grant == nil || w.hasAbout(e)
}

// seesBatch reports whether the watcher sent the batch, or acts under the right by which it was
// sent; and may declare for all that it filed.
func (w *watcher) seesBatch(e About, b watchedBatch) bool {
	files := slices.DeleteFunc(slices.Clone(w.rights[e.ContributorID]), func(r Right) bool { return !r.Files() })
	if len(files) == 0 || w.actor.PersonID != e.PersonID && !slices.ContainsFunc(files, func(r Right) bool { return r.ID == b.rightID }) {
		return false
	}
	own := positions(files, func(Right) bool { return true })
	return own == nil || !slices.ContainsFunc(b.positions, func(id uuid.UUID) bool { return !slices.Contains(own, id) })
}

// managesGiven reports whether the watcher manages the delegations that the contributor gives.
func (w *watcher) managesGiven(e About) bool {
	return e.ContributorID != uuid.Nil && slices.ContainsFunc(w.rights[e.ContributorID], func(r Right) bool {
		return r.Positions == nil && r.Covers(e.Service)
	})
}

// managesTaken reports whether the watcher manages the delegations that the intermediary has. An
// application does so for the contributors that its consent is about.
func (w *watcher) managesTaken(e About) bool {
	if g := w.actor.Grant; g != nil && (e.ContributorID == uuid.Nil || !g.IsAbout(e.ContributorID)) {
		return false
	}
	return slices.ContainsFunc(w.memberships[e.DelegateID], func(r Right) bool {
		return r.ActingAs != UserAdministrator && r.Covers(e.Service)
	})
}

// watchedSubjects is what is to be known of subjects beside what their events say.
type watchedSubjects struct {
	batches  map[string]watchedBatch
	reserved map[string]reservedTicket
}

// reservedTicket is who asked for a ticket that not all at its position learn of, and by which right.
type reservedTicket struct{ ID, PersonID, RightID uuid.UUID }

func (r *Repository) reservedTickets(ctx context.Context, events []About) (map[string]reservedTicket, error) {
	var ids []string
	for _, e := range events {
		if e.Kind == WatchedTicket {
			ids = append(ids, e.SubjectID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []reservedTicket
	err := r.db.From(ctx).Raw("SELECT id, person_id, right_id FROM tickets WHERE id IN ? AND reserved", ids).Scan(&rows).Error
	reserved := make(map[string]reservedTicket, len(rows))
	for _, row := range rows {
		reserved[row.ID.String()] = row
	}
	return reserved, err
}

// watchedBatch is what is to be known of a batch of declarations.
type watchedBatch struct {
	rightID uuid.UUID
	// positions are those for which it filed.
	positions []uuid.UUID
}

func (r *Repository) watchedBatches(ctx context.Context, events []About) (map[string]watchedBatch, error) {
	var ids []string
	for _, e := range events {
		if e.Kind == WatchedBatch {
			ids = append(ids, e.SubjectID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []struct{ ID, RightID uuid.UUID }
	if err := r.db.From(ctx).Raw("SELECT id, right_id FROM declaration_batches WHERE id IN ?", ids).Scan(&rows).Error; err != nil {
		return nil, err
	}
	batches := make(map[string]watchedBatch, len(rows))
	for _, row := range rows {
		batches[row.ID.String()] = watchedBatch{rightID: row.RightID}
	}
	var filed []struct{ BatchID, PositionID uuid.UUID }
	err := r.db.From(ctx).Raw(
		"SELECT DISTINCT batch_id, position_id FROM declaration_batch_items WHERE batch_id IN ? AND state = 'filed'", ids,
	).Scan(&filed).Error
	for _, one := range filed {
		b := batches[one.BatchID.String()]
		b.positions = append(b.positions, one.PositionID)
		batches[one.BatchID.String()] = b
	}
	return batches, err
}

// Noticed is for lists of what is about contributors, rows d with contributor_id: all over which any
// of the actor's rights is. Who sees which row is decided by Watching.
func (r *Repository) Noticed(by Actor) Reached {
	return r.reached(by, "d.contributor_id", "", false, by.anyService)
}

// MemberOf selects the delegate_id of each intermediary at which the person of Reached.Args is
// something.
func (Reached) MemberOf() string {
	return `SELECT h.id AS delegate_id FROM delegates h WHERE h.tax_code = @tax_code AND h.kind = 'professional'
		UNION SELECT u.delegate_id FROM delegate_roles u WHERE u.person_id = @person AND ` + LiveRole("u")
}

// listOfPositions is the list of a delegation's positions, in the dialect.
func listOfPositions(d db.Dialect) string {
	if d == db.Postgres {
		return fmt.Sprintf(delegatedPositions, "string_agg(z.position_id::text, ',')")
	}
	return fmt.Sprintf(delegatedPositions, "group_concat(z.position_id, ',')")
}
