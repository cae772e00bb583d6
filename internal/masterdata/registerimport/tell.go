package registerimport

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
)

// noticeKinds are the kinds of messages, by what a notice is stored as. An intermediary left its
// register, or is back on it.
var noticeKinds = map[string]outbox.Kind{
	"suspended": outbox.Declare(outbox.Kind{Name: "delegation.suspended"}),
	"resumed":   outbox.Declare(outbox.Kind{Name: "delegation.resumed"}),
}

// notice is an intermediary whose clients are to be told.
type notice struct {
	DelegateID uuid.UUID
	Kind       string
	ToldUntil  *uuid.UUID
	LegalName  string
}

// told is somebody who represents a contributor that gave the intermediary a delegation.
type told struct {
	ContributorID uuid.UUID
	Contributor   string
	Reference     string
	Positions     int
	PersonID      uuid.UUID
}

// liveDelegations are those of an intermediary that are active but for its standing.
var liveDelegations = "g.delegate_id = @delegate AND " + access.Named(access.LiveDelegation("g"))

// tellSome puts the next messages about delegations that are suspended or good again into the
// outbox. It does so in the step's transaction, so that each is sent once. It reports whether there
// was anybody.
func (w *Worker) tellSome(ctx context.Context, importID uuid.UUID, now time.Time) (bool, error) {
	var due []notice
	err := w.DB.From(ctx).Raw(`SELECT n.delegate_id, n.kind, n.told_until, h.legal_name FROM register_notices n JOIN delegates h
		ON h.id = n.delegate_id
		WHERE n.import_id = ? AND n.told_at IS NULL ORDER BY n.delegate_id LIMIT 1`, importID).Scan(&due).Error
	if err != nil || len(due) == 0 {
		return false, err
	}
	n := due[0]
	args := map[string]any{"delegate": n.DelegateID, "now": now, "after": uuid.Nil, "most": toldAtOnce}
	if n.ToldUntil != nil {
		args["after"] = *n.ToldUntil
	}
	var contributors []uuid.UUID
	err = w.DB.From(ctx).Raw(
		"SELECT DISTINCT g.contributor_id FROM delegations AS g WHERE "+liveDelegations+
			" AND g.contributor_id > @after ORDER BY g.contributor_id LIMIT @most",
		args,
	).Scan(&contributors).Error
	if err != nil {
		return false, err
	}
	if len(contributors) == 0 {
		return true, w.DB.From(ctx).Exec(
			"UPDATE register_notices SET told_at = ? WHERE import_id = ? AND delegate_id = ?", now, importID, n.DelegateID,
		).Error
	}
	messages, err := w.messagesTo(ctx, n, contributors, args, now)
	if err != nil {
		return false, err
	}
	if n.ToldUntil == nil {
		own, err := w.messagesToDelegate(ctx, n, now)
		if err != nil {
			return false, err
		}
		messages = append(own, messages...)
	}
	if err := w.Outbox.Add(ctx, messages...); err != nil {
		return false, err
	}
	return true, w.DB.From(ctx).Exec(
		"UPDATE register_notices SET told_until = ? WHERE import_id = ? AND delegate_id = ?", contributors[len(contributors)-1], importID,
		n.DelegateID,
	).Error
}

// messagesTo are those to who signs for contributors.
func (w *Worker) messagesTo(
	ctx context.Context, n notice, contributors []uuid.UUID, args map[string]any, now time.Time,
) ([]outbox.Message, error) {
	args["contributors"] = contributors
	var people []told
	err := w.DB.From(ctx).Raw(`SELECT g.contributor_id, c.legal_name AS contributor, r.person_id, MIN(g.reference_code) AS reference,
		COUNT(DISTINCT z.position_id) AS positions
		FROM delegations AS g JOIN contributors AS c ON c.id = g.contributor_id JOIN delegation_positions AS z ON z.delegation_id = g.id
		JOIN contributor_roles AS r ON r.contributor_id = g.contributor_id AND `+contributor.Signs("r", "c")+`
		WHERE `+liveDelegations+` AND g.contributor_id IN @contributors
		GROUP BY g.contributor_id, c.legal_name, r.person_id ORDER BY g.contributor_id, r.person_id`, args).Scan(&people).Error
	if err != nil {
		return nil, err
	}
	messages := make([]outbox.Message, len(people))
	for i, p := range people {
		messages[i], err = outbox.NewMessage(noticeKinds[n.Kind], p.PersonID, map[string]string{
			"reference": p.Reference, "delegate": n.LegalName, "contributor": p.Contributor, "positions": strconv.Itoa(p.Positions),
		}, now)
		if err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// messagesToDelegate are those to the intermediary's side: one about all its delegations.
func (w *Worker) messagesToDelegate(ctx context.Context, n notice, now time.Time) ([]outbox.Message, error) {
	told, err := access.AffairsContacts(ctx, w.DB, []uuid.UUID{n.DelegateID})
	if err != nil {
		return nil, err
	}
	people := told[n.DelegateID]
	messages := make([]outbox.Message, len(people))
	for i, id := range people {
		if messages[i], err = outbox.NewMessage(noticeKinds[n.Kind], id, map[string]string{"delegate": n.LegalName}, now); err != nil {
			return nil, err
		}
	}
	return messages, nil
}
