package staff

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
)

// actsADay is how often one member of staff does the same to other people's PINs in 24 hours.
const actsADay = 20

// act is something of which everybody who works here has only so many a day.
type act struct {
	// name is what administrators are told of.
	name string
	// table, by and at are where it is noted who did it when.
	table, by, at string
}

var (
	revoking = act{"revocations", "pin_revocations", "revoked_by", "revoked_at"}
	issuing  = act{"counter_pins", "counter_pins", "issued_by", "issued_at"}
)

// countActs returns fault.RateLimited to who did it as often as one may in a day. Of the last time
// that it is allowed the administrators are told, in the same transaction. What is done at the same
// time by one person waits for each other.
func (s *Service) countActs(ctx context.Context, by access.Actor, a act) error {
	if err := s.run.DB.LockName(ctx, a.name+" of "+by.PersonID.String()); err != nil {
		return err
	}
	now := s.run.Clock.Now()
	before, err := s.repo.acts(ctx, a, by.PersonID, now.Add(-fault.Day))
	if err != nil {
		return err
	}
	if err := fault.OverDaily(before, actsADay, now); err != nil || len(before)+1 < actsADay {
		return err
	}
	return s.looks.TellLimit(ctx, by, a.name, now)
}

// tellAdministrators promises a message to every administrator but some, in the context's
// transaction.
func (s *Service) tellAdministrators(
	ctx context.Context, kind outbox.Kind, data map[string]string, now time.Time, but ...uuid.UUID,
) error {
	ids, err := s.people.Administrators(ctx)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id uuid.UUID) bool { return slices.Contains(but, id) })
	messages, err := outbox.NewMessages(kind, ids, data, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, messages...)
}
