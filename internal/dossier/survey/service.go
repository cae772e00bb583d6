package survey

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
)

// subjectKind is the audit trail's word for a survey.
const subjectKind = "survey"

// participation is the purpose of the digests of who took part.
const participation = "survey participation"

// Keys makes digests under keys that are not in the database; see keyring.DataKeys.
type Keys interface {
	Lasting(purpose string, parts ...[]byte) []keyring.Digest
}

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	Keys   Keys
}

// Service has the use cases.
type Service struct {
	run  *operation.Runner
	repo repository
	keys Keys
}

// NewService returns the service.
func NewService(d Deps) *Service { return &Service{d.Runner, repository{d.Runner.DB}, d.Keys} }

// Current returns the survey that is open, and whether the actor has answered it. It returns
// fault.NotFound where none is.
func (s *Service) Current(ctx context.Context, by access.Actor) (Survey, bool, error) {
	current, err := s.repo.open(ctx, s.run.Clock.Now())
	if err != nil {
		return Survey{}, false, err
	}
	answered, err := s.repo.took(ctx, current.ID, s.macs(current.ID, by.PersonID))
	return current, answered, err
}

// macs are the digests by which it is known that somebody took part; the first is the one to store.
func (s *Service) macs(surveyID, personID uuid.UUID) []string {
	digests := s.keys.Lasting(participation, surveyID[:], personID[:])
	macs := make([]string, len(digests))
	for i, d := range digests {
		macs[i] = d.String()
	}
	return macs
}

// Answer counts what the actor answers. It returns these faults:
//   - fault.NotFound: no such survey is open;
//   - fault.Invalid: not each question is answered once, by what it offers;
//   - fault.Conflict: the actor has answered already. A repeat gets that too.
//
// It is no operation.Do. A key that is remembered, the session in the audit record or its time would
// lead from the person to the moment in which the counts changed.
//
// Lock order: the survey, the session.
func (s *Service) Answer(ctx context.Context, by access.Actor, id uuid.UUID, answers []Answer) error {
	macs := s.macs(id, by.PersonID)
	return s.run.DB.InTx(ctx, func(ctx context.Context) error {
		survey, err := s.repo.lock(ctx, id)
		if err != nil {
			return err
		}
		if survey.State(s.run.Clock.Now()) != Open {
			return fault.New(fault.NotFound)
		}
		chosen, err := survey.choose(answers)
		if err != nil {
			return err
		}
		took, err := s.repo.took(ctx, id, macs)
		if err == nil && took {
			err = fault.Because(fault.Conflict, "survey-answered")
		}
		if err != nil {
			return err
		}
		if err := s.repo.take(ctx, id, macs[0]); err != nil {
			return err
		}
		if err := s.repo.count(ctx, survey.answered(chosen)); err != nil {
			return err
		}
		if err := s.run.Recheck.InTx(ctx, by, access.Right{}); err != nil {
			return err
		}
		kind, subject := subjectKind, id.String()
		return s.run.Trail.WriteTimeless(ctx, audit.Record{
			At: survey.OpensAt, Operation: "answerSurvey", SubjectKind: &kind, SubjectID: &subject, Outcome: "done",
		})
	})
}

// Publish makes a survey. It returns fault.Invalid for one that breaks a rule, and fault.Conflict
// where another one is open at some time of its own.
//
// Lock order: idempotency key, the surveys' name.
func (s *Service) Publish(ctx context.Context, by access.Actor, in Input) (Survey, error) {
	id := uuid.Must(uuid.NewV7())
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Survey, error) {
		trace.Right, trace.SubjectKind = by.Office(), subjectKind
		if err := s.repo.db.LockName(ctx, "surveys"); err != nil {
			return Survey{}, err
		}
		return s.Add(ctx, id, in)
	}, operation.ByID(s.Show))
}

// Add is Publish in the context's transaction, without a trace.
func (s *Service) Add(ctx context.Context, id uuid.UUID, in Input) (Survey, error) {
	now := s.run.Clock.Now()
	in.OpensAt, in.ClosesAt = clock.Normal(in.OpensAt), clock.Normal(in.ClosesAt)
	if err := in.check(now); err != nil {
		return Survey{}, err
	}
	beside, err := s.repo.beside(ctx, in.OpensAt, in.ClosesAt)
	if err == nil && beside {
		err = fault.Because(fault.Conflict, "survey-beside")
	}
	if err != nil {
		return Survey{}, err
	}
	survey := Survey{
		ID: id, Title: in.Title, Questions: in.Questions, OpensAt: in.OpensAt, ClosesAt: in.ClosesAt,
		PublishedAt: now, Counts: none(in.Questions), Shown: none(in.Questions),
	}
	return survey, s.repo.create(ctx, survey)
}

// Close ends a survey before its time. It returns fault.NotFound where there is none, and
// fault.Conflict where it is over.
//
// Lock order: idempotency key, the survey.
func (s *Service) Close(ctx context.Context, by access.Actor, id uuid.UUID) (Survey, error) {
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Survey, error) {
		trace.Right, trace.SubjectKind = by.Office(), subjectKind
		survey, err := s.repo.lock(ctx, id)
		if err != nil {
			return Survey{}, err
		}
		now := s.run.Clock.Now()
		if survey.State(now) == Closed {
			return Survey{}, fault.Because(fault.Conflict, "survey-closed")
		}
		survey.ClosedAt = &now
		return survey, s.repo.close(ctx, id, now)
	}, operation.ByID(s.Show))
}

// List lists all surveys, the newest first.
func (s *Service) List(ctx context.Context, request page.Request) (page.Page[Survey], error) {
	return s.repo.list(ctx, request)
}

// Show returns a survey, or fault.NotFound.
func (s *Service) Show(ctx context.Context, id uuid.UUID) (Survey, error) { return s.repo.one(ctx, id) }

// Purge forgets who took part in surveys that are over, since nobody can answer those twice, and what
// is never shown of the answers.
func (s *Service) Purge(ctx context.Context) error {
	return s.repo.forget(ctx, s.run.Clock.Now())
}

// State is where a survey stands now.
func (s *Service) State(of Survey) State { return of.State(s.run.Clock.Now()) }

// Results are a survey with what may be shown of its answers.
type Results struct {
	Survey Survey
	State  State
	Counts Counts
}

// People is how many people's answers are shown.
func (r Results) People() int { return r.Counts.people() }

// Results returns how a survey was answered. It returns fault.NotFound where there is none, and
// fault.Conflict as long as too few have answered.
func (s *Service) Results(ctx context.Context, id uuid.UUID) (Results, error) {
	survey, err := s.repo.one(ctx, id)
	if err != nil {
		return Results{}, err
	}
	now := s.run.Clock.Now()
	counts, err := survey.Results()
	return Results{survey, survey.State(now), counts}, err
}
