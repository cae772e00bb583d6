package webhook

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/event"
)

// consentTypes are the types of events about what people let an application do: it is given those of
// its own, also when the consent has ended.
var consentTypes = []string{string(event.ConsentGiven), string(event.ConsentEnded)}

// types are those of the events that can be sent.
func types() []string {
	all := []string{}
	for _, t := range event.Types() {
		all = append(all, string(t))
	}
	return all
}

// Rights know what a session may see.
type Rights interface {
	// Watching tells which of the events each session sees now, by their index.
	Watching(ctx context.Context, sessionIDs []uuid.UUID, events []access.About) (map[uuid.UUID][]int, error)
}

// concernedBy returns the webhooks of applications that may see something of the events, or whose
// consents they are about, with the sessions in which they may.
func (r repository) concernedBy(ctx context.Context, events []event.Event, now time.Time) ([]Webhook, []watcher, error) {
	sessions, err := r.watchersOf(ctx, withWebhook, nil, aboutsOf(events), now)
	if err != nil {
		return nil, nil, err
	}
	applications := map[uuid.UUID]bool{}
	for _, s := range sessions {
		applications[s.ApplicationID] = true
	}
	for _, e := range events {
		if e.ApplicationID != nil && aboutConsent(string(e.Type)) {
			applications[*e.ApplicationID] = true
		}
	}
	if len(applications) == 0 {
		return nil, nil, nil
	}
	webhooks, err := r.sendingOf(ctx, ordered(maps.Keys(applications)))
	return webhooks, sessions, err
}

func aboutsOf(events []event.Event) []access.About {
	about := make([]access.About, len(events))
	for i, e := range events {
		about[i] = e.About()
	}
	return about
}

// seen makes a delivery for each of the webhooks and events where it is to be sent, by the sessions
// in which their applications may see something.
func (r repository) seen(
	ctx context.Context, webhooks []Webhook, sessions []watcher, events []event.Event, now time.Time,
) ([]Delivery, error) {
	visible, err := r.visible(ctx, sessions, aboutsOf(events))
	if err != nil {
		return nil, err
	}
	var deliveries []Delivery
	for _, w := range webhooks {
		for i, e := range events {
			its := visible[w.ApplicationID][i]
			if aboutConsent(string(e.Type)) {
				its = e.ApplicationID != nil && *e.ApplicationID == w.ApplicationID
			}
			if !its || !w.Takes(string(e.Type)) {
				continue
			}
			deliveries = append(deliveries, Delivery{
				ID: uuid.Must(uuid.NewV7()), WebhookID: w.ID, EventID: e.ID, Type: string(e.Type), At: e.At, ContributorID: e.ContributorID,
				PositionID: e.PositionID, DelegateID: e.DelegateID, PersonID: e.PersonID, Service: string(e.Service),
				SubjectKind: e.SubjectKind, SubjectID: e.SubjectID, State: Waiting, NextAt: now, CreatedAt: now, UpdatedAt: now,
			})
		}
	}
	return deliveries, nil
}

// about is what a delivery's event is about.
func (d Delivery) about() access.About {
	known := func(id *uuid.UUID) uuid.UUID {
		if id == nil {
			return uuid.Nil
		}
		return *id
	}
	return access.About{
		ContributorID: known(d.ContributorID), PositionID: known(d.PositionID), DelegateID: known(d.DelegateID),
		PersonID: known(d.PersonID), Service: access.Service(d.Service), Kind: d.SubjectKind, SubjectID: d.SubjectID,
	}
}

// visible tells which of the events each of the applications sees now, by their index, in any of the
// sessions that people gave to it.
func (r repository) visible(ctx context.Context, sessions []watcher, events []access.About) (map[uuid.UUID]map[int]bool, error) {
	if len(sessions) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(sessions))
	for i, s := range sessions {
		ids[i] = s.SessionID
	}
	seen, err := r.rights.Watching(ctx, ids, events)
	if err != nil {
		return nil, err
	}
	visible := map[uuid.UUID]map[int]bool{}
	for _, s := range sessions {
		if visible[s.ApplicationID] == nil {
			visible[s.ApplicationID] = map[int]bool{}
		}
		for _, i := range seen[s.SessionID] {
			visible[s.ApplicationID][i] = true
		}
	}
	return visible, nil
}

// watcher is a session in which an application acts by a consent.
type watcher struct{ ApplicationID, SessionID uuid.UUID }

// concerned are the people who may have a right over contributors, or in intermediaries. That is
// more than may see an event: who does is asked of access alone.
func (r repository) concerned() string {
	delegations := " FROM delegations g JOIN delegates h ON h.id = g.delegate_id "
	given := " WHERE " + r.named("g.contributor_id", "@contributors") + " AND " + access.Named(access.LiveDelegation("g"))
	of := r.named("h.id", "@delegates")
	worker, lent := access.LiveWorkerRole("u"), access.Named(access.LiveSubDelegation("x"))
	return "SELECT r.person_id FROM contributor_roles r WHERE " + r.named("r.contributor_id", "@contributors") +
		" AND " + access.LiveRole("r") +
		" UNION SELECT u.person_id" + delegations + "JOIN delegate_roles u ON u.delegate_id = h.id AND " + worker + given +
		" UNION SELECT x.person_id" + delegations + "JOIN sub_delegations x ON x.delegate_id = h.id AND " + lent + given +
		" UNION SELECT p.id" + delegations + "JOIN people p ON p.tax_code = h.tax_code" + given + " AND h.kind = 'professional'" +
		" UNION SELECT u.person_id FROM delegates h JOIN delegate_roles u ON u.delegate_id = h.id AND " + worker + " WHERE " + of +
		" UNION SELECT x.person_id FROM delegates h JOIN sub_delegations x ON x.delegate_id = h.id AND " + lent + " WHERE " + of +
		" UNION SELECT p.id FROM delegates h JOIN people p ON p.tax_code = h.tax_code WHERE h.kind = 'professional' AND " + of
}

// named is among for a statement with named arguments.
func (r repository) named(column, argument string) string {
	if r.db.Dialect() == db.SQLite {
		return column + " IN " + argument
	}
	return column + " = ANY(CAST(" + argument + " AS uuid[]))"
}

// withWebhook is that the application of a consent k has a webhook.
const withWebhook = "EXISTS (SELECT 1 FROM webhooks w WHERE w.application_id = k.application_id AND w.removed_at IS NULL " +
	"AND w.state = 'enabled')"

// watchers are the sessions in which applications may see something of the events.
func (r repository) watchers(ctx context.Context, applications []uuid.UUID, events []access.About, now time.Time) ([]watcher, error) {
	if len(applications) == 0 {
		return nil, nil
	}
	return r.watchersOf(ctx, r.named("k.application_id", "@applications"), applications, events, now)
}

// watchersOf is watchers of the applications that a condition on a consent k names.
func (r repository) watchersOf(
	ctx context.Context, named string, applications []uuid.UUID, events []access.About, now time.Time,
) ([]watcher, error) {
	contributors, delegates := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, e := range events {
		if e.ContributorID != uuid.Nil {
			contributors[e.ContributorID] = true
		}
		if e.DelegateID != uuid.Nil {
			delegates[e.DelegateID] = true
		}
	}
	if len(contributors)+len(delegates) == 0 {
		return nil, nil
	}
	var found []watcher
	err := r.db.From(ctx).Raw(`SELECT DISTINCT k.application_id, s.id AS session_id FROM consents k
		JOIN sessions s ON s.consent_id = k.id AND s.ended_at IS NULL AND s.expires_at > @now
		WHERE `+named+` AND k.ended_at IS NULL AND k.expires_at > @now AND k.scopes LIKE '%"events"%'
		AND (k.every_contributor OR EXISTS (SELECT 1 FROM consent_contributors kc WHERE kc.consent_id = k.id
			AND `+r.named("kc.contributor_id", "@contributors")+`))
		AND k.person_id IN (`+r.concerned()+")", map[string]any{
		"now": now, "applications": r.db.IDs(ordered(slices.Values(applications))),
		"contributors": r.db.IDs(ordered(maps.Keys(contributors))), "delegates": r.db.IDs(ordered(maps.Keys(delegates))),
	}).Scan(&found).Error
	return found, err
}

// ordered are ids as rows are locked, each once.
func ordered(ids iter.Seq[uuid.UUID]) []uuid.UUID {
	return slices.Compact(slices.SortedFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }))
}
