package subdelegation

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	Rights *access.Repository
	Outbox *outbox.Outbox
}

// Service has the use cases of sub-delegations.
type Service struct {
	run    *operation.Runner
	repo   repository
	rights *access.Repository
	outbox *outbox.Outbox
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{run: d.Runner, repo: repository{d.Runner.DB}, rights: d.Rights, outbox: d.Outbox}
}

// grantOperation is what tries are counted by.
const grantOperation = "grantSubDelegation"

// unknownPerson is the outcome of a try that named nobody who may get a sub-delegation.
const unknownPerson = "unknown-person"

// Grant lets a person work with delegations of an intermediary. It returns
// fault.DispositiveRequired, fault.IdentityNotConfirmed, fault.Forbidden for who decides for no
// intermediary, fault.Conflict for oneself and where the person has as much already, fault.Invalid
// naming what is wrong (at /tax_code the same for people who are unknown and for those without
// dispositive credentials), and fault.RateLimited after 20 tries in 24 hours.
func (s *Service) Grant(ctx context.Context, by access.Actor, in Input) (View, error) {
	if by.CredentialLevel != access.Dispositive {
		return View{}, fault.New(fault.DispositiveRequired)
	}
	if in.ValidUntil != nil {
		until := clock.Normal(*in.ValidUntil)
		in.ValidUntil = &until
	}
	// Before the key, so that no repeat goes round a right that was lost.
	membership, err := s.membership(ctx, by, in.DelegateID)
	if err != nil {
		return View{}, err
	}
	id := uuid.Must(uuid.NewV7())
	var refused error
	granted, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.Right, trace.SubjectKind = membership.Right(), subjectKind
		var shown View
		var err error
		if shown, refused, err = s.grant(ctx, by, membership, id, in); err == nil {
			err = refused
		}
		trace.ContributorID = shown.contributorID()
		return shown, err
	}, s.replay(by))
	if refused == nil {
		return granted, operation.ReplayIfVisible(ctx, err, s.replay(by))
	}
	return View{}, s.note(ctx, by, membership, refused)
}

// grant gives the sub-delegation in the context's transaction. What is refused because of the
// person is returned apart from what fails: it counts.
func (s *Service) grant(
	ctx context.Context, by access.Actor, membership access.Membership, id uuid.UUID, in Input,
) (granted View, refused, failed error) {
	now := s.run.Clock.Now()
	var none View
	if confirmed, err := s.repo.confirmed(ctx, by.PersonID); err != nil {
		return none, nil, err
	} else if !confirmed {
		return none, nil, fault.New(fault.IdentityNotConfirmed)
	}
	if in.TaxCode == by.TaxCode {
		return none, nil, fault.Because(fault.Conflict, "sub-delegate-oneself")
	}
	parents, err := s.repo.parents(ctx, membership.DelegateID, in.DelegationIDs, now)
	if err != nil {
		return none, nil, err
	}
	if wrong := in.check(parents, now); len(wrong) > 0 {
		return none, nil, fault.InvalidFields(wrong...)
	}
	if err := s.mayTry(ctx, by, now); err != nil {
		return none, nil, err
	}
	w, found, err := s.repo.worker(ctx, in.TaxCode)
	switch {
	case err != nil:
		return none, nil, err
	case !found:
		return none, fault.InvalidFields(fault.Field{Pointer: "/tax_code", Code: fault.FieldUnknownPerson}), nil
	case w.IdentityConfirmedAt == nil:
		return none, fault.InvalidFields(fault.Field{Pointer: "/tax_code", Code: fault.FieldIdentityNotConfirmed}), nil
	}
	if err := s.refuseTwin(ctx, membership.DelegateID, w.ID, in, now); err != nil {
		return none, nil, err
	}
	row := SubDelegation{
		ID: id, DelegateID: membership.DelegateID, PersonID: w.ID, Every: in.All, Services: in.Services.OrAll(), ValidUntil: in.ValidUntil,
		GrantedBy: by.PersonID, GrantedAt: now, Version: 1,
	}
	if err := s.repo.add(ctx, row, in.DelegationIDs); err != nil {
		return none, nil, err
	}
	shown, err := s.repo.one(ctx, id, now)
	if err != nil {
		return none, nil, err
	}
	return shown, nil, s.notify(ctx, grantedKind, shown, now, w.ID)
}

// refuseTwin returns fault.Conflict, with where it is, for a sub-delegation that gives all that is
// asked for. Those of one person are given one after the other.
func (s *Service) refuseTwin(ctx context.Context, delegateID, personID uuid.UUID, in Input, now time.Time) error {
	if err := s.run.DB.LockName(ctx, "sub-delegations of "+delegateID.String()+" "+personID.String()); err != nil {
		return err
	}
	held, err := s.repo.held(ctx, delegateID, personID, now)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(held, func(h View) bool { return !h.ended() && h.gives(in) }); i >= 0 {
		return &fault.Fault{Code: fault.Conflict, Reason: "sub-delegation-exists", Href: "/v1/sub-delegations/" + held[i].ID.String()}
	}
	return nil
}

// mayTry counts the tries of a person, one after the other.
func (s *Service) mayTry(ctx context.Context, by access.Actor, now time.Time) error {
	if err := s.run.DB.LockName(ctx, "sub-delegations tried by "+by.PersonID.String()); err != nil {
		return err
	}
	tries, err := s.run.Trail.Times(ctx, by.PersonID, []string{grantOperation}, now.Add(-fault.Day))
	if err != nil {
		return err
	}
	return fault.OverDaily(tries, triesADay, now)
}

// note leaves the trace of a try that named nobody who may get a sub-delegation, since such tries
// are counted. Of many that run at once, those over the limit are told that and nothing else.
func (s *Service) note(ctx context.Context, by access.Actor, membership access.Membership, refused error) error {
	unclaimed := idempotency.WithClaim(ctx, nil)
	_, err := operation.Do(unclaimed, s.run, by, "", func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.SubjectKind, trace.Right, trace.Outcome = subjectKind, membership.Right(), unknownPerson
		return struct{}{}, s.mayTry(ctx, by, s.run.Clock.Now())
	}, nil)
	if err != nil {
		return err
	}
	return refused
}

// membership is the intermediary for which the actor decides who works with its delegations. It is
// the one asked for, or the only one.
func (s *Service) membership(ctx context.Context, by access.Actor, wanted *uuid.UUID) (access.Membership, error) {
	memberships, err := s.rights.Memberships(ctx, by)
	if err != nil {
		return access.Membership{}, err
	}
	memberships = slices.DeleteFunc(memberships, func(membership access.Membership) bool {
		return !gives(membership) || !membership.Listed || membership.Kind == string(intermediary.Firm)
	})
	if len(memberships) == 0 {
		return access.Membership{}, fault.Because(fault.Forbidden, "no-intermediary")
	}
	memberships = slices.DeleteFunc(memberships, func(membership access.Membership) bool {
		return wanted != nil && membership.DelegateID != *wanted
	})
	if len(memberships) == 0 {
		return access.Membership{}, fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: fault.FieldUnknownDelegate})
	}
	if slices.ContainsFunc(memberships, func(membership access.Membership) bool {
		return membership.DelegateID != memberships[0].DelegateID
	}) {
		return access.Membership{}, fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: fault.FieldRequired})
	}
	return memberships[0], nil
}

const subjectKind = "sub-delegation"

// replay renders what an earlier, equal request made, as far as the actor may still see it.
func (s *Service) replay(by access.Actor) func(ctx context.Context, id string) (View, error) {
	return operation.ByID(func(ctx context.Context, id uuid.UUID) (View, error) { return s.Show(ctx, by, id) })
}

// List lists what the intermediaries of the actor gave, and what the actor holds, the newest first.
func (s *Service) List(ctx context.Context, by access.Actor, request page.Request) (page.Page[View], error) {
	memberships, err := s.rights.Memberships(ctx, by)
	if err != nil {
		return page.Page[View]{}, err
	}
	sides := []side{{"person_id", by.PersonID}}
	for _, membership := range memberships {
		if own := (side{"delegate_id", membership.DelegateID}); sees(membership) && !slices.Contains(sides, own) {
			sides = append(sides, own)
		}
	}
	return s.repo.list(ctx, sides, request, s.run.Clock.Now())
}

// Show returns a sub-delegation to who holds it and to the intermediary's people. It returns
// fault.NotFound for anybody else.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	shown, _, err := s.visible(ctx, by, id)
	return shown, err
}

// ending is by what somebody may end a sub-delegation.
type ending struct {
	may bool
	// right is zero for who holds it.
	right access.Right
}

// visible returns a sub-delegation that the actor may see, and whether they may end it too.
func (s *Service) visible(ctx context.Context, by access.Actor, id uuid.UUID) (View, ending, error) {
	shown, err := s.repo.one(ctx, id, s.run.Clock.Now())
	if err != nil {
		return View{}, ending{}, err
	}
	if shown.PersonID == by.PersonID {
		return shown, ending{may: true}, nil
	}
	memberships, err := s.rights.Memberships(ctx, by)
	if err != nil {
		return View{}, ending{}, err
	}
	memberships = slices.DeleteFunc(memberships, func(membership access.Membership) bool {
		return membership.DelegateID != shown.DelegateID || !sees(membership)
	})
	if len(memberships) == 0 {
		return View{}, ending{}, fault.New(fault.NotFound)
	}
	if i := slices.IndexFunc(memberships, gives); i >= 0 {
		return shown, ending{true, memberships[i].Right()}, nil
	}
	return shown, ending{}, nil
}

// Revoke ends a sub-delegation at once, for the intermediary or for who holds it. It returns
// fault.NotFound for anybody else, fault.Forbidden for those of the intermediary's people who do
// not decide, and fault.Conflict when it has ended already.
func (s *Service) Revoke(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	if _, end, err := s.visible(ctx, by, id); err != nil {
		return View{}, err
	} else if !end.may {
		return View{}, fault.New(fault.Forbidden)
	}
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		if err := s.repo.lock(ctx, id); err != nil {
			return View{}, err
		}
		// After whoever files under it at this moment.
		now := s.run.Clock.Now()
		old, end, err := s.visible(ctx, by, id)
		if err != nil {
			return View{}, err
		}
		if !end.may {
			return View{}, fault.New(fault.Forbidden)
		}
		revoked, err := old.revoke(by.PersonID, now)
		if err != nil {
			return View{}, err
		}
		if err := s.repo.saveRevocation(ctx, revoked); err != nil {
			return View{}, err
		}
		shown, err := s.repo.one(ctx, id, now)
		if err != nil {
			return View{}, err
		}
		told := []uuid.UUID{shown.PersonID}
		if by.PersonID == shown.PersonID {
			told = append(told, shown.GrantedBy)
		}
		trace.Right, trace.SubjectKind, trace.ContributorID = end.right, subjectKind, shown.contributorID()
		return shown, s.notify(ctx, revokedKind, shown, now, told...)
	}, s.replay(by))
}

// notify promises people a message about a sub-delegation.
func (s *Service) notify(ctx context.Context, kind outbox.Kind, about View, now time.Time, personIDs ...uuid.UUID) error {
	messages := make([]outbox.Message, len(personIDs))
	for i, id := range personIDs {
		var err error
		data := map[string]string{"delegate": about.DelegateName, "person": about.GivenName + " " + about.FamilyName}
		if messages[i], err = outbox.NewMessage(kind, id, data, now); err != nil {
			return err
		}
	}
	return s.outbox.Add(ctx, messages...)
}
