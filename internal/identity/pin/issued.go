package pin

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/secret"
)

// IssuedPIN is a PIN that is handed over in person.
type IssuedPIN struct {
	PIN secret.Text
	// ExpiresAt is when it expires unless it is used before.
	ExpiresAt time.Time
}

// GiveInPerson gives a person an initial PIN in place of any other, whole and at once. It runs
// inside the caller's transaction and operation. All sessions of the person, and the codes that
// would recover or revoke the old PIN, end. The new one must be changed at the first login, within
// 60 days. counterPINID is how the caller knows it, through all later changes by its holder. It
// returns fault.NotFound.
func (s *Service) GiveInPerson(ctx context.Context, personID, counterPINID uuid.UUID, initial Initial) (IssuedPIN, error) {
	if len(initial.pin) != initialLength || initial.hash == "" {
		return IssuedPIN{}, errors.New("an initial PIN is made by NewInitial")
	}
	class, err := s.repo.classOf(ctx, personID)
	if err != nil {
		return IssuedPIN{}, err
	}
	now, err := s.held(ctx, personID)
	if err != nil {
		return IssuedPIN{}, err
	}
	p := given(personID, class, initial.hash, true, now)
	p.CounterPINID = &counterPINID
	if err := s.repo.put(ctx, p); err != nil {
		return IssuedPIN{}, err
	}
	if err := s.endWith(ctx, personID, session.EndedPINReplaced); err != nil {
		return IssuedPIN{}, err
	}
	return IssuedPIN{PIN: initial.pin, ExpiresAt: *p.UnusedExpiresAt}, s.changed(ctx, personID, initial.pin)
}

// ClassChanged computes anew the instant at which a person must change their PIN, after a change of
// user class. It runs inside the caller's transaction and operation. Who has no PIN, or one that
// must be changed anyway, has nothing to compute.
func (s *Service) ClassChanged(ctx context.Context, personID uuid.UUID, class access.UserClass) error {
	p, found, err := s.repo.hold(ctx, personID)
	if err != nil || !found || p.Initial {
		return err
	}
	return s.repo.setChangeDue(ctx, personID, changeDue(class, p.ChangedAt))
}
