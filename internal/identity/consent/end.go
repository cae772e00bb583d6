package consent

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
)

// Withdraw ends a live consent of the actor, and the application's session with it, from the next
// request on. It tells the actor. Any other consent is fault.NotFound.
func (s *Service) Withdraw(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.SubjectKind = subjectKind
		if _, err := s.Show(ctx, by, id); err != nil {
			return struct{}{}, err
		}
		ended, err := s.end(ctx, by.SessionID, EndedByHolder, id)
		if err == nil && len(ended) == 0 {
			err = fault.New(fault.NotFound)
		}
		return struct{}{}, err
	}, nil)
	return err
}

// WithdrawFor takes a contributor out of a consent. It goes on for the others that it is about, and
// ends where there are none. The giver is told. It returns these faults:
//   - fault.NotFound: the consent is not about the contributor, or has ended;
//   - fault.Forbidden: the actor is neither its legal representative nor employer nor user
//     administrator.
func (s *Service) WithdrawFor(ctx context.Context, by access.Actor, contributorID, id uuid.UUID) error {
	right, err := managingRight(by, contributorID)
	if err != nil {
		return err
	}
	_, err = operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.Right, trace.ContributorID, trace.SubjectKind = right, contributorID, subjectKind
		if err := s.repo.holdSessions(ctx, by.SessionID, id); err != nil {
			return struct{}{}, err
		}
		locked, err := s.repo.lock(ctx, s.run.Clock.Now(), id)
		if err != nil {
			return struct{}{}, err
		}
		if len(locked) == 0 {
			return struct{}{}, fault.New(fault.NotFound)
		}
		now := s.run.Clock.Now()
		if err := s.repo.requireAbout(ctx, contributorID, id, now); err != nil {
			return struct{}{}, err
		}
		left, err := s.repo.exclude(ctx, id, contributorID, now)
		if err != nil {
			return struct{}{}, err
		}
		if !left {
			// With it the consent has ended; without it, it goes on for others.
			trace.Detail = reasonDetail(EndedByContributor)
			_, err = s.end(ctx, by.SessionID, EndedByContributor, id)
			return struct{}{}, err
		}
		return struct{}{}, s.tellExcluded(ctx, id, contributorID)
	}, nil)
	return err
}

// End ends a consent that lives, in the caller's transaction, with an audit row of its own, and
// tells its giver. One that has ended stays as it is.
func (s *Service) End(ctx context.Context, id uuid.UUID, reason string) error {
	return s.endTraced(ctx, uuid.Nil, reason, id)
}

// EndReused ends a consent whose refresh token was used a second time, as End does.
func (s *Service) EndReused(ctx context.Context, id uuid.UUID) error {
	return s.End(ctx, id, EndedRefreshReused)
}

// EndAllOf ends every consent of a person, in the caller's transaction, as End does.
func (s *Service) EndAllOf(ctx context.Context, personID uuid.UUID, reason string) error {
	ids, err := s.repo.ids(ctx, "k.person_id = ?", s.run.Clock.Now(), personID)
	if err != nil {
		return err
	}
	return s.endTraced(ctx, uuid.Nil, reason, ids...)
}

// peopleAtOnce makes 500 consents at most, since nobody has more than MostAtOnce for one application.
const peopleAtOnce = 50

// EndOfApplication ends the consents for an application that is not approved any more, in the
// caller's transaction, as End does. It ends those of some people, all of each, and reports whether
// others are left: these are void already, and end by EndVoid. The caller has locked the
// application, so that no consent is being given.
func (s *Service) EndOfApplication(ctx context.Context, applicationID uuid.UUID, reason string) (more bool, err error) {
	now := s.run.Clock.Now()
	ids, err := s.repo.ofFirst(ctx, applicationID, s.peopleAtOnce, now)
	if err != nil {
		return false, err
	}
	if err := s.endTraced(ctx, uuid.Nil, reason, ids...); err != nil {
		return false, err
	}
	left, err := s.repo.ofFirst(ctx, applicationID, 1, now)
	return len(left) > 0, err
}

// EndVoid ends what is left of the consents for applications that were suspended or removed, some
// people's in each transaction. Nothing is done by them any more; this is for order, and for telling
// the givers.
//
// Lock order: application, sessions, consents.
func (s *Service) EndVoid(ctx context.Context) error {
	found, err := s.repo.void(ctx, s.run.Clock.Now())
	if err != nil {
		return err
	}
	for _, of := range found {
		reason := application.EndedBySuspension
		if of.Removed == 1 {
			reason = application.EndedByRemoval
		}
		for more := true; more; {
			if err := s.run.DB.InTx(ctx, func(ctx context.Context) error {
				// Readmitted meanwhile, it has new consents alone.
				if more, err = s.repo.holdVoid(ctx, of.ID, s.run.Clock.Now()); err != nil || !more {
					return err
				}
				more, err = s.EndOfApplication(ctx, of.ID, reason)
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// endTraced ends consents and writes a record for each. All of their sessions are locked first, in
// order, then all of them: two that end many never wait for each other.
func (s *Service) endTraced(ctx context.Context, own uuid.UUID, reason string, ids ...uuid.UUID) error {
	ended, err := s.end(ctx, own, reason, ids...)
	if err != nil || len(ended) == 0 {
		return err
	}
	return s.traceEnds(ctx, reason, s.run.Clock.Now(), ended...)
}

// end ends those of the consents that live, with their sessions, and tells their givers. It returns
// which those were. The actor's own session is locked too, where there is one.
//
// Lock order: sessions, consents.
func (s *Service) end(ctx context.Context, own uuid.UUID, reason string, ids ...uuid.UUID) ([]uuid.UUID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if err := s.repo.holdSessions(ctx, own, ids...); err != nil {
		return nil, err
	}
	// One that is begun meanwhile is good for nothing, since its consent has ended.
	if err := s.sessions.EndGrantsOf(ctx, reason, ids...); err != nil {
		return nil, err
	}
	live, err := s.repo.lock(ctx, s.run.Clock.Now(), ids...)
	if err != nil || len(live) == 0 {
		return nil, err
	}
	now := s.run.Clock.Now()
	if err := s.repo.end(ctx, live, reason, now); err != nil {
		return nil, err
	}
	return live, s.tellEnded(ctx, reason, now, live)
}

// Personal ends people's sessions, and with them what they let applications do. It is for what ends
// everything: a lost or revoked PIN, a suspension, the end of a post. A changed PIN ends neither.
type Personal struct {
	*session.Service
	Consents *Service
}

// EndAllOf ends every session and every consent of a person, in the context's transaction.
//
// Lock order: sessions, consents.
func (p Personal) EndAllOf(ctx context.Context, personID uuid.UUID, reason string) error {
	if err := p.Service.EndAllOf(ctx, personID, reason); err != nil {
		return err
	}
	return p.Consents.EndAllOf(ctx, personID, reason)
}
