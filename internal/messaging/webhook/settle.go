package webhook

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/job"
)

func abouts(deliveries []Delivery) []access.About {
	all := make([]access.About, len(deliveries))
	for i, d := range deliveries {
		all[i] = d.about()
	}
	return all
}

// settle writes what became of deliveries, in one transaction, and disables endpoints that want it
// so, or only failed for as long as one event is tried.
//
// Lock order: webhooks, deliveries.
func (s *Sender) settle(ctx context.Context, group []result) error {
	now := s.clock.Now()
	var took, dropped []uuid.UUID
	var attempts []Attempt
	// health is when each endpoint began to fail in this group; zero where it took something.
	health := map[uuid.UUID]time.Time{}
	gone := map[uuid.UUID]bool{}
	var failed []Delivery
	for _, r := range group {
		d, webhook := r.delivery, r.delivery.WebhookID
		if r.attempt == nil {
			dropped = append(dropped, d.ID)
			continue
		}
		attempts = append(attempts, *r.attempt)
		if r.attempt.Outcome == Took {
			took, health[webhook] = append(took, d.ID), time.Time{}
			continue
		}
		if since, known := health[webhook]; !known || !since.IsZero() && r.attempt.At.Before(since) {
			health[webhook] = r.attempt.At
		}
		gone[webhook] = gone[webhook] || r.gone
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
		return db.InsertAll(ctx, s.db, attempts)
	})
	if err != nil {
		return err
	}
	s.metrics.count(ctx, group, failed)
	for _, w := range failing {
		reason := ""
		switch {
		case gone[w.ID]:
			reason = DisabledGone
		case w.FailingSince != nil && !now.Before(w.FailingSince.Add(Patience)):
			reason = DisabledFailing
		default:
			continue
		}
		if err := s.disable(ctx, w, reason, now); err != nil {
			// The next attempt that fails finds it as it is.
			s.log.WarnContext(ctx, "webhook not disabled", "webhook_id", w.ID, "reason", reason, "error", err)
		}
	}
	return nil
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

// disable disables an endpoint, ends what waits for it, and tells who manages its application.
func (s *Sender) disable(ctx context.Context, w Webhook, reason string, now time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		w, err := s.repo.lock(ctx, w.ApplicationID, w.ID)
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

// hostOf is what is told of an address: its path may be a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

func ignoreMissing(err error) error {
	if db.IsNotFound(err) {
		return nil
	}
	return err
}

// note writes since when endpoints have only failed, in the order of their ids, and returns those
// that fail.
func (r repository) note(ctx context.Context, health map[uuid.UUID]time.Time) ([]Webhook, error) {
	ids := keysOf2(health)
	var well, ill []uuid.UUID
	for _, id := range ids {
		if health[id].IsZero() {
			well = append(well, id)
		} else {
			ill = append(ill, id)
		}
	}
	if len(well) > 0 {
		if err := r.db.From(ctx).Exec("UPDATE webhooks SET failing_since = NULL WHERE failing_since IS NOT NULL AND "+r.among("id"),
			r.list(well)).Error; err != nil {
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

func keysOf2(health map[uuid.UUID]time.Time) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(health))
	for id := range health {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return ids
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
		r.among("id")+" AND state = 'waiting'", state, tried, now, r.list(ids)).Error
}

// retry writes when a delivery is tried again, or that it is not. That counts only from its owner.
func (r repository) retry(ctx context.Context, owner string, d Delivery) error {
	return r.db.From(ctx).Exec(`UPDATE webhook_deliveries SET state = ?, tries = ?, next_at = ?, deadline_at = ?, updated_at = ?
		WHERE id = ? AND state = 'waiting' AND lease_owner = ?`,
		d.State, d.Tries, d.NextAt, d.DeadlineAt, d.UpdatedAt, d.ID, owner).Error
}

// due returns the webhooks for which something is due that nobody has in their hands.
func (r repository) due(ctx context.Context, now time.Time) (found []Webhook, err error) {
	err = r.db.From(ctx).Raw(`SELECT w.id, w.version FROM webhooks w WHERE w.removed_at IS NULL AND (SELECT d.next_at FROM webhook_deliveries d
		WHERE d.webhook_id = w.id AND d.state = 'waiting' ORDER BY d.next_at LIMIT 1) <= ?`, now).Scan(&found).Error
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
		return r.db.From(ctx).Exec("UPDATE webhook_deliveries SET next_at = ? WHERE "+r.among("id")+
			" AND lease_owner = ? AND state = 'waiting'", now, r.list(ids), owner).Error
	})
}
