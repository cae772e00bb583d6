package person

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// suspend shuts the person out from the instant on.
func (p Person) suspend(reason string, now time.Time) (Person, error) {
	if p.SuspendedAt != nil {
		return p, fault.Because(fault.Conflict, "already-suspended")
	}
	p.SuspendedAt, p.SuspensionReason = &now, &reason
	return p, nil
}

// readmit lets the person in again.
func (p Person) readmit() (Person, error) {
	if p.SuspendedAt == nil {
		return p, fault.Because(fault.Conflict, "not-suspended")
	}
	p.SuspendedAt, p.SuspensionReason = nil, nil
	return p, nil
}

// administers reports whether the person can administer the users.
func (p Person) administers() bool {
	return p.UserClass == access.Administrator && p.SuspendedAt == nil && p.PostGivenBy == nil
}

// leave refuses to take the last administrator away: others are the administrators beside the
// person.
func (p Person) leave(others []Person) error {
	if p.administers() && !slices.ContainsFunc(others, Person.administers) {
		return fault.Because(fault.Conflict, "last-administrator")
	}
	return nil
}

// Lock returns a person, or fault.NotFound, and locks their row until the context's transaction
// ends. Whoever changes a person's PIN or sessions too locks the person first.
//
// Lock order: person, PIN, sessions.
func (s *Service) Lock(ctx context.Context, id uuid.UUID) (Person, error) {
	return s.repo.lock(ctx, id)
}

// Suspend shuts a person out, inside the caller's transaction and operation; the caller ends the
// sessions and tells the person. hold keeps the person's sessions, so that what they let in comes
// before the suspension. It returns fault.NotFound, and fault.Conflict for somebody who is
// suspended already and for the last administrator.
//
// Lock order: people, sessions.
func (s *Service) Suspend(
	ctx context.Context, id uuid.UUID, reason string, hold func(ctx context.Context, personID uuid.UUID) error,
) (Person, error) {
	p, others, err := s.repo.lockWithAdministrators(ctx, id)
	if err != nil {
		return Person{}, err
	}
	if err := hold(ctx, id); err != nil {
		return Person{}, err
	}
	suspended, err := p.suspend(reason, s.run.Clock.Now())
	if err != nil {
		return Person{}, err
	}
	if err := p.leave(others); err != nil {
		return Person{}, err
	}
	return s.repo.save(ctx, suspended)
}

// Readmit lets a suspended person in again, inside the caller's transaction and operation. It
// returns fault.NotFound, and fault.Conflict for somebody who is not suspended.
func (s *Service) Readmit(ctx context.Context, id uuid.UUID) (Person, error) {
	p, err := s.repo.lock(ctx, id)
	if err != nil {
		return Person{}, err
	}
	if p, err = p.readmit(); err != nil {
		return Person{}, err
	}
	return s.repo.save(ctx, p)
}

// MakeDispositive makes the credentials of a person dispositive, inside the caller's transaction
// and operation. It reports whether they were ordinary before: the caller then completes what
// waited for that. It returns fault.NotFound.
func (s *Service) MakeDispositive(ctx context.Context, id uuid.UUID) (became bool, err error) {
	p, err := s.repo.lock(ctx, id)
	if err != nil || p.CredentialLevel == access.Dispositive {
		return false, err
	}
	p.CredentialLevel = access.Dispositive
	_, err = s.repo.save(ctx, p)
	return err == nil, err
}
