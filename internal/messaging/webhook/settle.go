package webhook

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
)

func abouts(deliveries []Delivery) []access.About {
	all := make([]access.About, len(deliveries))
	for i, d := range deliveries {
		all[i] = d.about()
	}
	return all
}

// write is settle for a group that is tried again where the database cannot be asked. What it does
// not take is looked for by halves, so that it keeps nothing else from being noted.
func (s *Sender) write(ctx context.Context, group []result) error {
	err := s.settle(ctx, group)
	if err == nil || passes(ctx, err) {
		return err
	}
	if len(group) == 1 {
		// Its lease ends, and it is sent again.
		s.log.ErrorContext(ctx, "outcome of a webhook cannot be written", "delivery_id", group[0].delivery.ID, "error", err)
		return nil
	}
	half := len(group) / 2
	if err := s.write(ctx, group[:half]); err != nil {
		return err
	}
	return s.write(ctx, group[half:])
}

// settle writes what became of deliveries, in one transaction, and disables endpoints that want it
// so, or only failed for as long as one event is tried. What was written before stays as it is: a
// commit whose answer was lost is tried again.
//
// Lock order: webhooks, deliveries.
func (s *Sender) settle(ctx context.Context, group []result) error {
	now := s.clock.Now()
	var took, dropped, quiet []uuid.UUID
	var attempts []Attempt
	// health is when each endpoint began to fail in this group; zero where it took something.
	health := map[uuid.UUID]time.Time{}
	var gone []uuid.UUID
	var failed []Delivery
	for _, r := range group {
		d, webhook := r.delivery, r.delivery.WebhookID
		if r.attempt == nil {
			dropped, quiet = append(dropped, d.ID), append(quiet, webhook)
			continue
		}
		attempts = append(attempts, *r.attempt)
		if r.gone {
			gone = append(gone, webhook)
		}
		if r.attempt.Outcome == Took {
			took, health[webhook] = append(took, d.ID), time.Time{}
			continue
		}
		if since, known := health[webhook]; !known || !since.IsZero() && r.attempt.At.Before(since) {
			health[webhook] = r.attempt.At
		}
		failed = append(failed, s.failed(r, now))
	}
	var failing []Webhook
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if failing, err = s.repo.note(ctx, health); err != nil {
			return err
		}
		if err := s.repo.ended(ctx, took, Delivered, now); err != nil {
			return err
		}
		if err := s.repo.ended(ctx, dropped, Cancelled, now); err != nil {
			return err
		}
		for _, d := range failed {
			if err := s.repo.retry(ctx, s.owner, d); err != nil {
				return err
			}
		}
		return db.InsertMissing(ctx, s.db, attempts)
	})
	if err != nil {
		return err
	}
	s.metrics.count(ctx, group, failed)
	if err := s.db.InTx(ctx, func(ctx context.Context) error { return s.repo.rest(ctx, ordered(slices.Values(quiet))) }); err != nil {
		// The next one that is dropped, or taken, makes up for it.
		s.log.WarnContext(ctx, "what webhooks failed at is not forgotten", "error", err)
	}
	s.disableSome(ctx, failing, gone, now)
	return nil
}

// disableSome disables those that want nothing any more, and of those that fail the ones that did so
// for too long.
func (s *Sender) disableSome(ctx context.Context, failing []Webhook, gone []uuid.UUID, now time.Time) {
	reasons := map[uuid.UUID]string{}
	for _, w := range failing {
		if w.FailingSince != nil && !now.Before(w.FailingSince.Add(Patience)) {
			reasons[w.ID] = DisabledFailing
		}
	}
	// One that wants nothing any more says so for good, whatever else it took.
	for _, id := range gone {
		reasons[id] = DisabledGone
	}
	for id, reason := range reasons {
		if err := s.disable(ctx, id, reason, now); err != nil {
			// The next attempt that fails finds it as it is.
			s.log.WarnContext(ctx, "webhook not disabled", "webhook_id", id, "reason", reason, "error", err)
		}
	}
}

// failed is a delivery as it is after an attempt that failed.
func (s *Sender) failed(r result, now time.Time) Delivery {
	d := r.delivery
	d.Tries++
	if d.DeadlineAt == nil {
		deadline := r.attempt.At.Add(Patience)
		d.DeadlineAt = &deadline
	}
	s.randomTurn.Lock()
	next, more := retry(d.Tries, r.after, now, *d.DeadlineAt, s.random)
	s.randomTurn.Unlock()
	d.NextAt, d.UpdatedAt = next, now
	if !more {
		d.State, d.NextAt = Failed, now
	}
	return d
}

// disableOperation is how the audit trail names that a webhook is disabled by itself.
const disableOperation = "disableWebhook"

// disable disables an endpoint, ends what waits for it, and tells who manages its application.
func (s *Sender) disable(ctx context.Context, id uuid.UUID, reason string, now time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		w, err := s.repo.where(ctx, "id = ? AND removed_at IS NULL"+s.db.ForNoKeyUpdate(), id)
		if err != nil || w.State != Enabled {
			return ignoreMissing(err)
		}
		if reason == DisabledFailing && (w.FailingSince == nil || now.Before(w.FailingSince.Add(Patience))) {
			return nil // it took something meanwhile
		}
		w = w.disabled(reason, now)
		w.UpdatedAt, w.Version = now, w.Version+1
		if err := s.repo.save(ctx, w); err != nil {
			return err
		}
		if err := s.repo.cancel(ctx, w.ID, now); err != nil {
			return err
		}
		if err := s.trail.Write(ctx, disabledRecord(w, reason, now)); err != nil {
			return err
		}
		a, err := s.applications.ByID(ctx, w.ApplicationID)
		if err != nil {
			return err
		}
		people, err := s.applications.Managers(ctx, a)
		if err != nil {
			return err
		}
		messages, err := outbox.NewMessages(DisabledKind, people, map[string]string{
			"display_name": a.DisplayName, "host": hostOf(w.URL), "reason": reason, "at": now.Format(time.RFC3339Nano),
		}, now)
		if err != nil {
			return err
		}
		return s.outbox.Add(ctx, messages...)
	})
}

// disabledRecord is what the audit trail keeps of a webhook that is disabled by itself.
func disabledRecord(w Webhook, reason string, now time.Time) audit.Record {
	kind, subject, detail := SubjectKind, w.ID.String(), `{"reason":"`+reason+`"}`
	return audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: now, Operation: disableOperation, SubjectKind: &kind, SubjectID: &subject, Outcome: "done",
		Detail: &detail,
	}
}

// hostOf is what is told of an address: its path may be a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

func ignoreMissing(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// note writes since when endpoints have only failed, in the order of their ids, and returns those
// that fail.
func (r repository) note(ctx context.Context, health map[uuid.UUID]time.Time) ([]Webhook, error) {
	var well, ill []uuid.UUID
	for _, id := range ordered(maps.Keys(health)) {
		if health[id].IsZero() {
			well = append(well, id)
		} else {
			ill = append(ill, id)
		}
	}
	if len(well) > 0 {
		if err := r.db.From(ctx).Exec("UPDATE webhooks SET failing_since = NULL WHERE failing_since IS NOT NULL AND "+r.db.Among("id"),
			r.db.IDs(well)).Error; err != nil {
			return nil, err
		}
	}
	for _, id := range ill {
		if err := r.db.From(ctx).Exec("UPDATE webhooks SET failing_since = ? WHERE id = ? AND failing_since IS NULL AND state = 'enabled'",
			health[id], id).Error; err != nil {
			return nil, err
		}
	}
	if len(ill) == 0 {
		return nil, nil
	}
	return r.sending(ctx, ill)
}

// rest forgets that endpoints failed for which nothing waits any more: nobody finds out how they are.
func (r repository) rest(ctx context.Context, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	return r.db.From(ctx).Exec("UPDATE webhooks SET failing_since = NULL WHERE failing_since IS NOT NULL AND state = 'enabled' AND "+
		r.db.Among("id")+" AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = webhooks.id AND d.state = 'waiting')",
		r.db.IDs(ids)).Error
}

// ended writes that deliveries were taken, or may not be sent. That counts whoever has them.
func (r repository) ended(ctx context.Context, ids []uuid.UUID, state DeliveryState, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	tried := 0
	if state == Delivered {
		tried = 1
	}
	return r.db.From(ctx).Exec("UPDATE webhook_deliveries SET state = ?, tries = tries + ?, updated_at = ? WHERE "+
		r.db.Among("id")+" AND state = 'waiting'", state, tried, now, r.db.IDs(ids)).Error
}

// retry writes when a delivery is tried again, or that it is not. That counts only from its owner.
func (r repository) retry(ctx context.Context, owner string, d Delivery) error {
	return r.db.From(ctx).Exec(`UPDATE webhook_deliveries SET state = ?, tries = ?, next_at = ?, deadline_at = ?, updated_at = ?
		WHERE id = ? AND state = 'waiting' AND lease_owner = ?`,
		d.State, d.Tries, d.NextAt, d.DeadlineAt, d.UpdatedAt, d.ID, owner).Error
}

// selectDue steps from one webhook for which something waits to the next, and looks at what is due
// first of each. Those for which nothing waits cost nothing.
const selectDue = `WITH RECURSIVE waiting (id) AS (
		SELECT * FROM (SELECT webhook_id FROM webhook_deliveries WHERE state = 'waiting' ORDER BY webhook_id LIMIT 1) f
		UNION ALL SELECT (SELECT d.webhook_id FROM webhook_deliveries d WHERE d.state = 'waiting' AND d.webhook_id > n.id
			ORDER BY d.webhook_id LIMIT 1) FROM waiting n WHERE n.id IS NOT NULL
	) SELECT w.id, w.application_id, w.version FROM waiting n JOIN webhooks w ON w.id = n.id WHERE (SELECT d.next_at
		FROM webhook_deliveries d WHERE d.webhook_id = n.id AND d.state = 'waiting' ORDER BY d.next_at LIMIT 1) <= ?`

// due returns the webhooks for which something is due that nobody has in their hands; also those
// that were removed, of which it is cancelled.
func (r repository) due(ctx context.Context, now time.Time) (found []Webhook, err error) {
	err = r.db.From(ctx).Raw(selectDue, now).Scan(&found).Error
	return found, err
}

// claim leases deliveries to a webhook that are due, the longest due first.
func (r repository) claim(ctx context.Context, webhookID uuid.UUID, limit int, lease job.Lease) ([]Delivery, error) {
	due := "SELECT id FROM webhook_deliveries WHERE webhook_id = ? AND state = 'waiting' AND next_at <= ? ORDER BY next_at, id LIMIT ?"
	set := "UPDATE webhook_deliveries SET lease_owner = ?, next_at = ? "
	var claimed []Delivery
	var err error
	if r.db.Dialect() == db.Postgres {
		err = r.db.From(ctx).Raw("WITH due AS MATERIALIZED ("+due+" FOR UPDATE SKIP LOCKED) "+set+
			"FROM due WHERE webhook_deliveries.id = due.id RETURNING "+db.Columns[Delivery]("webhook_deliveries"),
			webhookID, lease.At, limit, lease.Owner, lease.Until).Scan(&claimed).Error
	} else {
		err = r.db.InTx(ctx, func(ctx context.Context) error {
			return r.db.From(ctx).Raw(set+"WHERE id IN ("+due+") RETURNING "+db.Columns[Delivery](""),
				lease.Owner, lease.Until, webhookID, lease.At, limit).Scan(&claimed).Error
		})
	}
	slices.SortFunc(claimed, func(a, b Delivery) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	return claimed, err
}

// release lets others have what was not tried.
func (r repository) release(ctx context.Context, owner string, ids []uuid.UUID, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("UPDATE webhook_deliveries SET next_at = ? WHERE "+r.db.Among("id")+
			" AND lease_owner = ? AND state = 'waiting'", now, r.db.IDs(ids), owner).Error
	})
}
