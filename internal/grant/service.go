package grant

import (
	"context"
	"slices"
	"time"

	"diresco/internal/access"
	"diresco/internal/fault"
	"diresco/internal/idempotency"
	"diresco/internal/operation"
	"diresco/internal/outbox"
	"diresco/internal/page"
	"diresco/internal/person"
	"diresco/internal/register"
	"diresco/internal/taxcode"

	"github.com/google/uuid"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	Rights *access.Repository
	People *person.Service
	Outbox *outbox.Outbox
	// Contributors and Intermediaries are where the roles at each are kept.
	Contributors, Intermediaries Table
}

// Service has the use cases of user management.
type Service struct{ Deps }

// NewService returns the service.
func NewService(d Deps) *Service { return &Service{d} }

// Place is where somebody manages users. It comes from AtContributor or AtIntermediary, which check that they do.
type Place struct {
	id       uuid.UUID
	table    Table
	managers []access.ActingAs
	// contributorID is nil at an intermediary.
	contributorID uuid.UUID
}

// AtContributor returns the contributor as a place where the actor manages users. It returns fault.NotFound where the actor
// has no right over it and fault.Forbidden for who is neither legal representative nor employer nor user administrator.
func (s *Service) AtContributor(by access.Actor, id uuid.UUID) (Place, error) {
	if by.ContributorID != id || len(by.Rights) == 0 {
		return Place{}, fault.New(fault.NotFound)
	}
	if !slices.ContainsFunc(by.Rights, func(r access.Right) bool { return slices.Contains(contributorManagers, r.ActingAs) }) {
		return Place{}, fault.New(fault.Forbidden)
	}
	return Place{id, s.Contributors, contributorManagers, id}, nil
}

// AtIntermediary returns the association, CAF or patronato as a place where the actor manages users. It returns fault.NotFound
// where the actor has nothing to do with it, fault.Conflict for a professional, who has no users, and fault.Forbidden for who is
// neither legal representative nor user administrator.
func (s *Service) AtIntermediary(by access.Actor, id uuid.UUID) (Place, error) {
	manages, organisation := false, false
	seats := 0
	for _, seat := range by.Seats {
		if seat.DelegateID != id {
			continue
		}
		seats++
		organisation = organisation || slices.Contains(organisations, seat.Kind)
		manages = manages || slices.Contains(intermediaryManagers, seat.ActingAs)
	}
	switch {
	case seats == 0:
		return Place{}, fault.New(fault.NotFound)
	case !organisation:
		return Place{}, fault.Because(fault.Conflict, "no-users")
	case !manages:
		return Place{}, fault.New(fault.Forbidden)
	}
	return Place{id: id, table: s.Intermediaries, managers: intermediaryManagers}, nil
}

// organisations are the kinds of intermediary whose people act by a role.
var organisations = []string{"association", "caf", "patronato"}

// Users lists who has a role at the place, the oldest grant first.
func (s *Service) Users(ctx context.Context, at Place, request page.Request) (page.Page[Grant], error) {
	return at.table.list(ctx, at.id, request)
}

// mayGive returns fault.DispositiveRequired and, until the actor confirmed their digital identity, fault.IdentityNotConfirmed.
func (s *Service) mayGive(ctx context.Context, by access.Actor) error {
	if by.CredentialLevel != access.Dispositive {
		return fault.New(fault.DispositiveRequired)
	}
	me, err := s.People.ByID(ctx, by.PersonID)
	if err == nil && me.IdentityConfirmedAt == nil {
		err = fault.New(fault.IdentityNotConfirmed)
	}
	return err
}

// Find finds the person with exactly the tax code and the family name among those with dispositive credentials, or nobody.
// Every search is counted, 20 in 24 hours for one person (fault.RateLimited), and leaves an audit record.
func (s *Service) Find(ctx context.Context, by access.Actor, at Place, search Search) ([]Identity, error) {
	if err := s.mayGive(ctx, by); err != nil {
		return nil, err
	}
	// A repeated search is one more search.
	return operation.Do(idempotency.WithClaim(ctx, nil), s.Runner, by, "", func(ctx context.Context) ([]Identity, operation.Trace, error) {
		trace := operation.Trace{ContributorID: at.contributorID, SubjectKind: "people-search"}
		// One search of a person after the other, or more than are allowed would be counted as the last one.
		if _, err := s.People.Lock(ctx, by.PersonID); err != nil {
			return nil, trace, err
		}
		manager, err := s.manager(ctx, by, at)
		if err != nil {
			return nil, trace, err
		}
		trace.Right = manager.right()
		now := s.Runner.Clock.Now()
		before, err := s.Runner.Trail.Times(ctx, by.PersonID, searches, now.Add(-day))
		if err != nil {
			return nil, trace, err
		}
		if len(before) >= searchesADay {
			return nil, trace, fault.After(fault.RateLimited, before[len(before)-searchesADay].Add(day).Sub(now))
		}
		p, found, err := s.candidate(ctx, search.TaxCode)
		if err != nil || !found || !register.SameName(p.FamilyName, search.FamilyName) {
			return nil, trace, err
		}
		trace.SubjectKind, trace.SubjectID = "person", p.ID.String()
		return []Identity{{p.ID, p.TaxCode, p.GivenName, p.FamilyName}}, trace, nil
	}, nil)
}

// candidate returns the person with the tax code who may be given a role: anybody else is as unknown as who does not exist.
func (s *Service) candidate(ctx context.Context, code taxcode.Code) (person.Person, bool, error) {
	p, err := s.People.ByTaxCode(ctx, code)
	if fault.Is(err, fault.NotFound) {
		return person.Person{}, false, nil
	}
	return p, err == nil && p.CredentialLevel == access.Dispositive && p.SuspendedAt == nil, err
}

// Give gives a person a role. It returns fault.Invalid at /tax_code with unknown-person for who is not registered with
// dispositive credentials, with identity-not-confirmed for who has not confirmed their identity, at /services for wrong ones,
// and fault.Conflict for a role that the person has.
func (s *Service) Give(ctx context.Context, by access.Actor, at Place, in Input) (Grant, error) {
	if err := s.mayGive(ctx, by); err != nil {
		return Grant{}, err
	}
	services, err := in.stored()
	if err != nil {
		return Grant{}, err
	}
	id := uuid.Must(uuid.NewV7())
	return operation.Do(ctx, s.Runner, by, id.String(), func(ctx context.Context) (Grant, operation.Trace, error) {
		trace := operation.Trace{ContributorID: at.contributorID, SubjectKind: "role", SubjectID: id.String()}
		if err := s.alive(ctx, by); err != nil {
			return Grant{}, trace, err
		}
		manager, err := s.manager(ctx, by, at)
		if err != nil {
			return Grant{}, trace, err
		}
		trace.Right = manager.right()
		p, found, err := s.candidate(ctx, in.TaxCode)
		switch {
		case err != nil:
			return Grant{}, trace, err
		case !found:
			return Grant{}, trace, fault.InvalidFields(fault.Field{Pointer: "/tax_code", Code: "unknown-person"})
		case p.IdentityConfirmedAt == nil:
			return Grant{}, trace, fault.InvalidFields(fault.Field{Pointer: "/tax_code", Code: "identity-not-confirmed"})
		}
		now := s.Runner.Clock.Now()
		role := Role{ID: id, PersonID: p.ID, Role: in.Role, Services: services}
		added, err := at.table.add(ctx, at.id, role, by.PersonID, now)
		if err == nil && !added {
			err = fault.Because(fault.Conflict, "role-exists")
		}
		if err == nil {
			err = s.tell(ctx, grantedKind, at, role, now)
		}
		if err != nil {
			return Grant{}, trace, err
		}
		g, err := at.table.one(ctx, id)
		return g, trace, err
	}, func(ctx context.Context, made string) (Grant, error) {
		parsed, err := uuid.Parse(made)
		if err != nil {
			return Grant{}, err
		}
		return at.table.one(ctx, parsed)
	})
}

// Withdraw ends a role at once: what is filed under it either came before and stands, or comes after and is refused. It
// returns fault.NotFound for a role that nobody has there now and fault.Conflict for the last legal representative's.
func (s *Service) Withdraw(ctx context.Context, by access.Actor, at Place, grantID uuid.UUID) error {
	if err := s.mayGive(ctx, by); err != nil {
		return err
	}
	_, err := operation.Do(ctx, s.Runner, by, grantID.String(), func(ctx context.Context) (struct{}, operation.Trace, error) {
		trace := operation.Trace{ContributorID: at.contributorID, SubjectKind: "role", SubjectID: grantID.String()}
		if err := s.alive(ctx, by); err != nil {
			return struct{}{}, trace, err
		}
		live, err := at.table.lock(ctx, at.id, by.PersonID, grantID)
		if err != nil {
			return struct{}{}, trace, err
		}
		manager, err := at.managerAmong(live, by.PersonID)
		if err != nil {
			return struct{}{}, trace, err
		}
		trace.Right = manager.right()
		i := slices.IndexFunc(live, func(r Role) bool { return r.ID == grantID })
		if i < 0 {
			return struct{}{}, trace, fault.New(fault.NotFound)
		}
		if lastLegalRepresentative(live[i], live) {
			return struct{}{}, trace, fault.Because(fault.Conflict, "last-legal-representative")
		}
		now := s.Runner.Clock.Now()
		if err := at.table.withdraw(ctx, grantID, now); err != nil {
			return struct{}{}, trace, err
		}
		return struct{}{}, trace, s.tell(ctx, withdrawnKind, at, live[i], now)
	}, nil)
	return err
}

// alive returns fault.SessionEnded where the actor's session has ended since the guard let it in, and keeps it otherwise.
func (s *Service) alive(ctx context.Context, by access.Actor) error {
	outcomes, err := s.Rights.Recheck(ctx, []access.Held{{SessionID: by.SessionID}})
	if err != nil {
		return err
	}
	return outcomes[0]
}

// manager returns the role by which the actor manages users there, read again and kept until the end of the transaction.
func (s *Service) manager(ctx context.Context, by access.Actor, at Place) (Role, error) {
	roles, err := at.table.of(ctx, at.id, by.PersonID)
	if err != nil {
		return Role{}, err
	}
	return at.managerAmong(roles, by.PersonID)
}

func (at Place) managerAmong(roles []Role, personID uuid.UUID) (Role, error) {
	err := fault.New(fault.NotFound)
	for _, r := range roles {
		if r.PersonID != personID {
			continue
		}
		if slices.Contains(at.managers, r.Role) {
			return r, nil
		}
		err = fault.New(fault.Forbidden)
	}
	return Role{}, err
}

// right is what the audit record says of the role.
func (r Role) right() access.Right { return access.Right{ID: r.ID, ActingAs: r.Role} }

// tell promises the person whose role it is a message.
func (s *Service) tell(ctx context.Context, kind string, at Place, r Role, now time.Time) error {
	name, err := at.table.name(ctx, at.id)
	if err != nil {
		return err
	}
	m, err := outbox.NewMessage(kind, r.PersonID, map[string]string{"role": string(r.Role), "place": name, "at": now.Format(time.RFC3339Nano)}, now)
	if err != nil {
		return err
	}
	return s.Outbox.Add(ctx, m)
}
