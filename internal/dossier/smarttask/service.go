package smarttask

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/grant"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Tickets      *ticket.Service
	Delegations  *delegation.Service
	Grants       *grant.Service
	Contributors *contributor.Service
	// Rights knows what somebody may do now, with and without a session.
	Rights *access.Repository
	Log    *slog.Logger
	// BeforeShowing, where there is one, is called before a task is shown. It is for the sandbox,
	// which works when somebody looks.
	BeforeShowing func(ctx context.Context) error
}

// Service takes tasks, shows them, and decides them.
type Service struct {
	run           *operation.Runner
	repo          repository
	tickets       *ticket.Service
	delegations   *delegation.Service
	grants        *grant.Service
	contributors  *contributor.Service
	rights        *access.Repository
	log           *slog.Logger
	beforeShowing func(ctx context.Context) error
}

// NewService returns the service. It decides tasks when Run or Drain is called.
func NewService(d Deps) *Service {
	s := &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, tickets: d.Tickets, delegations: d.Delegations, grants: d.Grants,
		contributors: d.Contributors, rights: d.Rights, log: d.Log, beforeShowing: d.BeforeShowing,
	}
	if s.beforeShowing == nil {
		s.beforeShowing = func(context.Context) error { return nil }
	}
	return s
}

// announced is what is announced when a task was filed.
const announced = "smart-tasks"

// mostADay is how many tasks one person asks for in 24 hours for one contributor.
const mostADay = 100

// Input is what somebody asks the system to decide.
type Input struct {
	Type    string
	Content json.RawMessage
	// Email and Phone are where the asker is told of it; without either it is their own contact.
	Email, Phone *string
}

// Request files a task for the actor's contributor. The system decides it in the background. It
// returns these faults:
//   - fault.DispositiveRequired: the actor's credentials are ordinary;
//   - fault.Invalid: the type is none that is open to the actor, the content breaks its schema, or is
//     about what the actor does not act for;
//   - fault.Forbidden: none of the actor's rights is one by which it is asked for;
//   - fault.RateLimited: they asked for too many within a day.
func (s *Service) Request(ctx context.Context, by access.Actor, in Input) (View, error) {
	if by.CredentialLevel != access.Dispositive {
		return View{}, fault.New(fault.DispositiveRequired)
	}
	t, err := s.Type(ctx, by, in.Type)
	if fault.Is(err, fault.NotFound) {
		err = fault.InvalidFields(fault.Field{Pointer: "/type", Code: fault.FieldUnknownType})
	}
	if err != nil {
		return View{}, err
	}
	c, err := t.parse(in.Content)
	if err != nil {
		return View{}, err
	}
	asking, err := t.mayAsk(by)
	if err != nil {
		return View{}, err
	}
	positionID, err := t.rule.position(ctx, s, asking, c)
	if err != nil {
		return View{}, err
	}
	// The register files it in a transaction, and a context, of its own.
	origin := audit.OriginOf(ctx)
	filed, err := s.tickets.File(ctx, asking, ticket.New{
		Kind: ticket.SmartTask, ContributorID: by.ContributorID, PositionID: positionID, Reserved: t.Code != sharedType, Topic: t.Topic,
		Subject: t.TitleIT,
		Text:    t.EffectIT, Email: in.Email, Phone: in.Phone, Content: map[string]any{"type": t.Code, "content": in.Content},
	}, func(ctx context.Context, filed ticket.Ticket) error {
		// Each is told at an address that is typed in, so that nobody may ask without end.
		before, err := s.repo.asked(ctx, filed.PersonID, filed.ContributorID, filed.OpenedAt.Add(-fault.Day))
		if err == nil {
			err = fault.OverDaily(before, mostADay, filed.OpenedAt)
		}
		if err != nil {
			return err
		}
		s.run.DB.Announce(ctx, announced)
		return s.repo.add(ctx, Task{
			ID: filed.ID, ContributorID: filed.ContributorID, Type: t.Code, Content: string(in.Content), State: Submitted,
			PersonID: filed.PersonID, RightID: filed.RightID, SessionID: by.SessionID, RequestID: origin.RequestID, Address: origin.Address,
			SubmittedAt: filed.OpenedAt, Checks: unexamined(), Reasons: []Reason{},
		})
	})
	if err != nil {
		return View{}, err
	}
	v, err := s.repo.one(ctx, filed.ID)
	return v.asFiled(), err
}

// Show returns a task. The guard has let the actor in to its ticket; it returns fault.NotFound to
// who sees that alone.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	v, err := s.repo.one(ctx, id)
	if err != nil {
		return v, err
	}
	if !v.seenBy(by) {
		return View{}, fault.New(fault.NotFound)
	}
	if err := s.beforeShowing(ctx); err != nil {
		return View{}, err
	}
	return s.repo.one(ctx, id)
}

// OfContributor lists the tasks that the actor sees of the actor's contributor, the latest first.
func (s *Service) OfContributor(ctx context.Context, by access.Actor, request page.Request) (page.Page[View], error) {
	if err := s.beforeShowing(ctx); err != nil {
		return page.Page[View]{}, err
	}
	return s.repo.list(ctx, by, request)
}

// seenBy reports whether the actor sees the task. It is seen by who acts for the whole contributor,
// by the office, by who asked, whatever became of their right, and by who shares that. What is
// about a position's contacts is seen by who acts for the position too: those who lose a delegation
// need not know from each other.
func (v View) seenBy(by access.Actor) bool {
	if v.PersonID == by.PersonID && by.Grant == nil {
		return true
	}
	return slices.ContainsFunc(by.Rights, func(r access.Right) bool {
		switch {
		case !r.Covers(access.Dossier):
			return false
		case r.ActingAs == access.OfficeOperator:
			return v.OfficeCode == by.OfficeCode
		case r.Positions == nil, r.ID == v.RightID, v.PersonID == by.PersonID:
			return true
		}
		return v.Type == sharedType && v.PositionID != nil && r.About(*v.PositionID)
	})
}

// sharedType is the type of which tasks are seen by whoever acts for their position.
const sharedType = "delete-rectification-contacts"
