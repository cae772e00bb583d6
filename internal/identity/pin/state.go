package pin

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// State is what can be said of a person's PIN without knowing it.
type State string

// The states of a PIN.
const (
	// StateNone means that the person never had a PIN.
	StateNone State = "none"
	// StateInitial is a PIN as it was issued, not used yet.
	StateInitial State = "initial"
	StateActive  State = "active"
	// StateChangeDue is a PIN that must be changed at the next login.
	StateChangeDue State = "change_due"
	// StateExpired is a PIN that was not used in time.
	StateExpired State = "expired"
	StateRevoked State = "revoked"
)

// state returns the PIN's state at the instant now.
func (p stored) state(now time.Time) State {
	switch {
	case p.RevokedAt != nil:
		return StateRevoked
	case p.Initial && p.UnusedExpiresAt != nil && !now.Before(*p.UnusedExpiresAt):
		return StateExpired
	case p.Initial:
		return StateInitial
	case !now.Before(p.ChangeDueAt):
		return StateChangeDue
	default:
		return StateActive
	}
}

// State returns the state of a person's PIN now.
func (s *Service) State(ctx context.Context, personID uuid.UUID) (State, error) {
	p, found, err := s.repo.ofPerson(ctx, personID)
	if err != nil || !found {
		return StateNone, err
	}
	return p.state(s.run.Clock.Now()), nil
}

// ofPerson returns the PIN of a person, revoked or not, and false when there is none.
func (r repository) ofPerson(ctx context.Context, personID uuid.UUID) (stored, bool, error) {
	var found []stored
	err := r.db.From(ctx).Where("person_id = ?", personID).Find(&found).Error
	if err != nil || len(found) == 0 {
		return stored{}, false, err
	}
	return found[0], true, nil
}

func (r repository) setChangeDue(ctx context.Context, personID uuid.UUID, due time.Time) error {
	return r.db.From(ctx).Exec("UPDATE pins SET change_due_at = ? WHERE person_id = ?", due, personID).Error
}
