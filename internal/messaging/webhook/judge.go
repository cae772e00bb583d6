package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// judge decides which deliveries may be sent, and finds how to speak to their endpoints. What it
// does not answer for may not be sent any more.
func (s *Sender) judge(ctx context.Context, deliveries []*Delivery) (map[*Delivery]*contact, error) {
	now := s.clock.Now()
	var ids []uuid.UUID
	var about []Delivery
	for _, d := range deliveries {
		ids = append(ids, d.WebhookID)
		about = append(about, *d)
	}
	webhooks, err := s.repo.sending(ctx, ordered(slices.Values(ids)))
	if err != nil {
		return nil, err
	}
	byID := map[uuid.UUID]Webhook{}
	for _, w := range webhooks {
		byID[w.ID] = w
	}
	visible, err := s.repo.still(ctx, byID, about, now)
	if err != nil {
		return nil, err
	}
	may := map[*Delivery]*contact{}
	for i, d := range deliveries {
		w, sends := byID[d.WebhookID]
		if !sends || !w.Takes(d.Type) || d.Type != Ping && !aboutConsent(d.Type) && !visible[w.ApplicationID][i] {
			continue
		}
		c, err := s.contact(ctx, w, now)
		if broken := (*unusableError)(nil); errors.As(err, &broken) {
			c, err = &contact{broken: err}, nil // nobody else's deliveries wait for it
		}
		if err != nil {
			return nil, err
		}
		may[d] = c
	}
	return may, nil
}

// still tells which deliveries their webhooks' applications may see now, by their index.
func (r repository) still(
	ctx context.Context, webhooks map[uuid.UUID]Webhook, deliveries []Delivery, now time.Time,
) (map[uuid.UUID]map[int]bool, error) {
	var applications []uuid.UUID
	for _, w := range webhooks {
		applications = append(applications, w.ApplicationID)
	}
	events := abouts(deliveries)
	sessions, err := r.watchers(ctx, applications, events, now)
	if err != nil {
		return nil, err
	}
	return r.visible(ctx, sessions, events)
}

// contact returns how to speak to an endpoint in its present version.
func (s *Sender) contact(ctx context.Context, w Webhook, now time.Time) (*contact, error) {
	s.mu.Lock()
	e := s.endpoint(w.ID, now)
	known := e.contact
	s.mu.Unlock()
	if known != nil && known.webhook.Version == w.Version && (known.until.IsZero() || now.Before(known.until)) {
		return known, nil
	}
	c, err := s.meet(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", w.ID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.contact != nil {
		e.contact.client.CloseIdleConnections()
	}
	e.contact = c
	return c, nil
}
