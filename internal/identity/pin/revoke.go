package pin

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
)

// Revoked is the kind of the message that tells a person of a revoked PIN; its data is {"at"}.
var Revoked = outbox.Declare(outbox.Kind{Name: "pin.revoked", Audience: outbox.EveryContact})

// Revoke revokes the actor's own PIN: it and all their sessions end. It returns fault.NotFound when
// there is none.
func (s *Service) Revoke(ctx context.Context, by access.Actor) error {
	_, err := operation.Do(ctx, s.run, by, by.PersonID.String(), func(ctx context.Context, trace *operation.Trace) (time.Time, error) {
		trace.SubjectKind, trace.Unchecked = SubjectKind, true
		if err := s.run.Recheck.RequireLiveSession(ctx, by); err != nil {
			return time.Time{}, err
		}
		return s.RevokeFor(ctx, by.PersonID)
	}, nil)
	return err
}

// SubjectKind is how the audit trail names a PIN; its id is the person's.
const SubjectKind = "pin"

// RevokeFor revokes the PIN of a person and returns from when on it is revoked. It runs inside the
// caller's transaction and operation. A new PIN that waited for its confirmation, all sessions, and
// the codes that would recover or revoke the PIN, end with it; the person is told. It returns
// fault.NotFound for a person without a PIN that could be revoked.
func (s *Service) RevokeFor(ctx context.Context, personID uuid.UUID) (time.Time, error) {
	now, err := s.held(ctx, personID)
	if err != nil {
		return time.Time{}, err
	}
	revoked, err := s.repo.revoke(ctx, personID, now)
	if err != nil {
		return time.Time{}, err
	}
	if !revoked {
		return time.Time{}, fault.New(fault.NotFound)
	}
	if err := s.repo.dropRotation(ctx, personID); err != nil {
		return time.Time{}, err
	}
	if err := s.endWith(ctx, personID, session.EndedPINRevoked); err != nil {
		return time.Time{}, err
	}
	message, err := outbox.NewMessage(Revoked, personID, map[string]string{"at": now.Format(time.RFC3339Nano)}, now)
	if err != nil {
		return time.Time{}, err
	}
	return now, s.outbox.Add(ctx, message)
}

// held locks the PIN of a person, if there is one. It returns the present once whoever logs in with
// it was waited for.
func (s *Service) held(ctx context.Context, personID uuid.UUID) (time.Time, error) {
	_, _, err := s.repo.hold(ctx, personID)
	return s.run.Clock.Now(), err
}

// Standing says what can be done with a person's PIN.
type Standing struct {
	// Revocable PINs exist and are not revoked.
	Revocable bool
	// Recoverable PINs are those of people who finished their first access (INPS PIN rules). Before
	// it, the PIN is revoked and another one requested.
	Recoverable bool
}

// Hold returns what can be done with the PIN of a person. It keeps it so until the context's
// transaction ends.
func (s *Service) Hold(ctx context.Context, personID uuid.UUID) (Standing, error) {
	p, found, err := s.repo.hold(ctx, personID)
	if err != nil {
		return Standing{}, err
	}
	revocable := found && p.RevokedAt == nil
	return Standing{Revocable: revocable, Recoverable: revocable && p.FirstAccessAt != nil}, nil
}

// Recover is GiveInHalves for a person who lost a PIN that is recoverable, else it returns
// fault.NotFound. The first access stays what it was: whoever loses the new halves may recover
// again. The confirmation for which a PIN from the counter waits is waited for as well.
func (s *Service) Recover(ctx context.Context, personID uuid.UUID, initial Initial, first, second Half) error {
	p, found, err := s.repo.hold(ctx, personID)
	if err != nil {
		return err
	}
	if !found || p.RevokedAt != nil || p.FirstAccessAt == nil {
		return fault.New(fault.NotFound)
	}
	_, _, err = s.giveInHalves(ctx, personID, p, initial, first, second)
	return err
}
