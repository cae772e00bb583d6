package session

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
)

// Proof is what says who somebody is, other than a PIN.
type Proof struct {
	Login access.Login
	// Find returns who it is, in the transaction of the login. It locks nobody who was there before.
	Find func(ctx context.Context) (uuid.UUID, error)
	// Hold refuses who may not log in. The person stays as they are until the transaction ends.
	Hold func(ctx context.Context, personID uuid.UUID) error
}

// StartBy logs somebody in whom a national identity proves to be there. The session is as good as
// one of a dispositive PIN, and needs no change of the PIN. Errors are those of the proof.
//
// Lock order: what Find locks, name of the person's sessions, person, sessions.
func (s *Service) StartBy(ctx context.Context, proof Proof) (Session, error) {
	id := uuid.Must(uuid.NewV7())
	var displaced []uuid.UUID
	opened, err := operation.Do(unclaimed(ctx), s.run, access.Actor{}, id.String(), func(
		ctx context.Context, trace *operation.Trace,
	) (Session, error) {
		personID, err := proof.Find(ctx)
		if err != nil {
			return Session{}, err
		}
		trace.PersonID, trace.SessionID, trace.SubjectKind, trace.Login = personID, id, subjectKind, proof.Login
		if err := s.run.DB.LockName(ctx, sessionsOf(personID)); err != nil {
			return Session{}, err
		}
		if err := proof.Hold(ctx, personID); err != nil {
			return Session{}, err
		}
		if displaced, err = s.makeRoom(ctx, personID); err != nil {
			return Session{}, err
		}
		return s.open(ctx, id, Verified{PersonID: personID, CredentialLevel: access.Dispositive}, proof.Login)
	}, nil)
	if err == nil {
		s.activity.forget(displaced...)
	}
	return opened, err
}

// ReauthenticateBy proves by a national identity that the holder of a session is still there, which
// raises a session that was begun with a PIN. The session goes on with new tokens. It returns the
// errors of the proof, and fault.InvalidCredentials where that is about somebody else.
//
// Lock order: what Find locks, person, session.
func (s *Service) ReauthenticateBy(ctx context.Context, by access.Actor, proof Proof) (Session, error) {
	return s.again(ctx, by, func(ctx context.Context) (access.Login, error) {
		personID, err := proof.Find(ctx)
		if err == nil && personID != by.PersonID {
			err = fault.New(fault.InvalidCredentials)
		}
		if err != nil {
			return access.Login{}, err
		}
		return proof.Login, proof.Hold(ctx, personID)
	})
}
