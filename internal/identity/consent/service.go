package consent

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Sessions ends the sessions by which applications act; see session.Service.
type Sessions interface {
	// EndGrantsOf ends those of consents, in the context's transaction.
	EndGrantsOf(ctx context.Context, reason string, consentIDs ...uuid.UUID) error
}

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Rights       *access.Repository
	Contributors *contributor.Service
	Sessions     Sessions
	Outbox       *outbox.Outbox
}

// Service has the use cases of consents.
type Service struct {
	run          *operation.Runner
	repo         repository
	rights       *access.Repository
	contributors *contributor.Service
	sessions     Sessions
	outbox       *outbox.Outbox
	// peopleAtOnce is of how many people consents end in one transaction with their application.
	peopleAtOnce int
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, rights: d.Rights, contributors: d.Contributors, sessions: d.Sessions,
		outbox: d.Outbox, peopleAtOnce: peopleAtOnce,
	}
}

// Give lets an application act for the actor, in the caller's transaction, and tells them; the
// caller begins the application's session. Of ten live consents for the application the oldest
// ends. Contributors that somebody else's consent names are told too, and those that took
// themselves out of an earlier one. It returns these faults:
//   - fault.Forbidden: the actor works here, or is an application, or has no right that a consent
//     about all could be about;
//   - fault.PINChangeRequired, fault.Reauthenticate: a PIN must be changed, or entered again;
//   - fault.NotFound: there is no such application, or it is not approved any more;
//   - fault.Invalid: something is wrong at /scopes, /services, /contributors or /expires_at.
//
// Lock order: name of the person's consents, application, sessions, consents.
func (s *Service) Give(ctx context.Context, by access.Actor, n New) (Consent, error) {
	if err := checkGiver(by, s.run.Clock.Now()); err != nil {
		return Consent{}, err
	}
	if n.PersonID != by.PersonID {
		return Consent{}, fault.New(fault.Forbidden)
	}
	n.Contributors = unique(n.Contributors)
	if err := n.check(s.run.Clock.Now()); err != nil {
		return Consent{}, err
	}
	if err := s.checkRights(ctx, by, n); err != nil {
		return Consent{}, err
	}
	// Of many at once each must see those before it.
	if err := s.run.DB.LockName(ctx, "consents of "+by.PersonID.String()); err != nil {
		return Consent{}, err
	}
	if err := s.repo.holdApproved(ctx, n.ApplicationID); err != nil {
		return Consent{}, err
	}
	if err := s.makeRoom(ctx, by, n.ApplicationID); err != nil {
		return Consent{}, err
	}
	now := s.run.Clock.Now()
	c := Consent{
		ID: uuid.Must(uuid.NewV7()), PersonID: by.PersonID, ApplicationID: n.ApplicationID, Scopes: n.Scopes, Services: n.Services,
		EveryContributor: n.Contributors == nil, GivenAt: now, ExpiresAt: clock.Normal(n.ExpiresAt), Login: by.Login,
	}
	if c.Login.Method == "" {
		c.Login = session.PINLogin
	}
	if err := s.repo.add(ctx, c, n.Contributors); err != nil {
		return Consent{}, err
	}
	trace := operation.Trace{SubjectKind: subjectKind, SubjectID: c.ID.String()}
	record := trace.Record(ctx, by, s.run.Clock)
	record.Operation = operationGive
	if err := s.run.Trail.Write(ctx, record); err != nil {
		return Consent{}, err
	}
	return c, s.tellGiven(ctx, by, c.ID)
}

// unique returns the ids without repetitions, and nil for nil.
func unique(ids []uuid.UUID) []uuid.UUID {
	var once []uuid.UUID
	if ids != nil {
		once = []uuid.UUID{}
	}
	for _, id := range ids {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once
}

// checkRights holds what somebody gives against what they have.
func (s *Service) checkRights(ctx context.Context, by access.Actor, n New) error {
	if n.Contributors != nil {
		rights, err := s.rights.Rights(ctx, by, n.Contributors)
		if err != nil {
			return err
		}
		return n.checkRights(rights, nil)
	}
	all, err := s.rights.Reach(ctx, by)
	if err != nil {
		return err
	}
	var reach access.ServiceSet
	for _, r := range all {
		reach = reach.Union(r.Services)
	}
	return n.checkRights(nil, reach)
}

// makeRoom ends consents of the actor for the application, so that one more makes MostAtOnce at
// most: first those by which no session was opened or that are for a day, then the oldest.
func (s *Service) makeRoom(ctx context.Context, by access.Actor, applicationID uuid.UUID) error {
	live, err := s.repo.dispensable(ctx, by.PersonID, applicationID, s.run.Clock.Now())
	if err != nil || len(live) < MostAtOnce {
		return err
	}
	return s.endTraced(ctx, by.SessionID, EndedDisplaced, live[:len(live)-MostAtOnce+1]...)
}

// Mine lists the actor's live consents, the latest first.
func (s *Service) Mine(ctx context.Context, by access.Actor, request page.Request) (page.Page[View], error) {
	return s.repo.ofPerson(ctx, by.PersonID, request, s.run.Clock.Now())
}

// Show returns a live consent of the actor; any other is fault.NotFound.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	return s.repo.one(ctx, "k.id = ? AND k.person_id = ?", s.run.Clock.Now(), id, by.PersonID)
}

// ByID returns a live consent, or fault.NotFound.
func (s *Service) ByID(ctx context.Context, id uuid.UUID) (View, error) {
	return s.repo.one(ctx, "k.id = ?", s.run.Clock.Now(), id)
}

// OfContributor lists the live consents by which software may do something with a contributor, the
// latest first. Those of people who have no right over it any more are not among them. It returns
// fault.Forbidden for who is neither its legal representative nor employer nor user administrator.
func (s *Service) OfContributor(
	ctx context.Context, by access.Actor, contributorID uuid.UUID, request page.Request,
) (page.Page[View], error) {
	if _, err := managingRight(by, contributorID); err != nil {
		return page.Page[View]{}, err
	}
	return s.repo.ofContributor(ctx, contributorID, request, s.run.Clock.Now())
}
