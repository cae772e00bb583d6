package grant

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/recheck"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/masterdata/matching"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	People *person.Service
	Outbox *outbox.Outbox
}

// Service has the use cases of user management.
type Service struct {
	run    *operation.Runner
	people *person.Service
	outbox *outbox.Outbox
	// contributors and intermediaries are where the roles at each are kept.
	contributors, intermediaries table
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, people: d.People, outbox: d.Outbox,
		contributors: contributorRoles(d.Runner.DB), intermediaries: intermediaryRoles(d.Runner.DB),
	}
}

// Place is where somebody manages users. It comes from AtContributor or AtIntermediary, which check
// that they do.
type Place struct {
	id    uuid.UUID
	table table
	// contributorID is nil at an intermediary.
	contributorID uuid.UUID
}

// AtContributor returns the contributor as a place where the actor manages users. It returns
// fault.NotFound where the actor has no right over it and fault.Forbidden for who is neither legal
// representative nor employer nor user administrator.
func (s *Service) AtContributor(by access.Actor, id uuid.UUID) (Place, error) {
	if by.ContributorID != id || len(by.Rights) == 0 {
		return Place{}, fault.New(fault.NotFound)
	}
	if !slices.ContainsFunc(by.Rights, func(r access.Right) bool { return manages(r.ActingAs) }) {
		return Place{}, fault.New(fault.Forbidden)
	}
	return Place{id, s.contributors, id}, nil
}

// AtIntermediary returns the association, CAF or patronato as a place where the actor manages
// users. It returns fault.NotFound where the actor has nothing to do with it and for a firm,
// fault.Conflict for a professional, who has no users, and fault.Forbidden for who is neither legal
// representative nor user administrator.
func (s *Service) AtIntermediary(by access.Actor, id uuid.UUID) (Place, error) {
	manager, organisation := false, false
	memberships := 0
	for _, membership := range by.Memberships {
		kind := intermediary.Kind(membership.Kind)
		if membership.DelegateID != id || kind == intermediary.Firm {
			continue
		}
		memberships++
		organisation = organisation || kind.HasUsers()
		manager = manager || manages(membership.ActingAs)
	}
	switch {
	case memberships == 0:
		return Place{}, fault.New(fault.NotFound)
	case !organisation:
		return Place{}, fault.Because(fault.Conflict, "no-users")
	case !manager:
		return Place{}, fault.New(fault.Forbidden)
	}
	return Place{id: id, table: s.intermediaries}, nil
}

// Users lists who has a role at the place, the oldest grant first.
func (s *Service) Users(ctx context.Context, at Place, request page.Request) (page.Page[Grant], error) {
	return at.table.list(ctx, at.id, request)
}

// mayGive returns fault.DispositiveRequired and, until the actor confirmed their digital identity,
// fault.IdentityNotConfirmed.
func (s *Service) mayGive(ctx context.Context, by access.Actor) error {
	if by.CredentialLevel != access.Dispositive {
		return fault.New(fault.DispositiveRequired)
	}
	me, err := s.people.ByID(ctx, by.PersonID)
	if err == nil && me.IdentityConfirmedAt == nil {
		err = fault.New(fault.IdentityNotConfirmed)
	}
	return err
}

// Find finds the person with exactly the tax code and the family name among those with dispositive
// credentials, or nobody. Every search is counted, together with what Give tries 20 in 24 hours for
// one person (fault.RateLimited), and leaves an audit record.
func (s *Service) Find(ctx context.Context, by access.Actor, at Place, search Search) ([]Identity, error) {
	if err := s.mayGive(ctx, by); err != nil {
		return nil, err
	}
	// A repeated search is one more search.
	unclaimed := idempotency.WithClaim(ctx, nil)
	return operation.Do(unclaimed, s.run, by, "", func(ctx context.Context, trace *operation.Trace) ([]Identity, error) {
		trace.ContributorID, trace.SubjectKind = at.contributorID, "people-search"
		if err := at.table.inTurn(ctx, by.PersonID); err != nil {
			return nil, err
		}
		own, err := at.table.of(ctx, at.id, by.PersonID)
		if err != nil {
			return nil, err
		}
		m, err := manager(own)
		if err != nil {
			return nil, err
		}
		trace.Right = at.right(m)
		if err := s.checkLookupQuota(ctx, by); err != nil {
			return nil, err
		}
		p, found, err := s.candidate(ctx, search.TaxCode)
		if err != nil || !found || !matching.Names(p.FamilyName, search.FamilyName) {
			return nil, err
		}
		trace.SubjectKind, trace.SubjectID = "person", p.ID.String()
		return []Identity{{p.ID, p.TaxCode, p.GivenName, p.FamilyName}}, nil
	}, nil)
}

// candidate returns the person with the tax code who may be given a role. Anybody else is as
// unknown as who does not exist.
func (s *Service) candidate(ctx context.Context, code taxcode.Code) (person.Person, bool, error) {
	p, err := s.people.ByTaxCode(ctx, code)
	if fault.Is(err, fault.NotFound) {
		return person.Person{}, false, nil
	}
	return p, err == nil && p.Dispositive() && p.SuspendedAt == nil, err
}

// checkLookupQuota counts the look-ups of a person, whose turn it must be. Of many at once, more
// than are allowed would each see the last one left.
func (s *Service) checkLookupQuota(ctx context.Context, by access.Actor) error {
	now := s.run.Clock.Now()
	before, err := s.run.Trail.Times(ctx, by.PersonID, lookups, now.Add(-fault.Day))
	if err != nil {
		return err
	}
	return fault.OverDaily(before, lookUpsADay, now)
}

// Give gives a person a role. It returns fault.Forbidden for oneself and for a role that is not the
// actor's to give, fault.Invalid at /services for wrong ones, for those that the place does not
// have and for more than the actor has, at /tax_code with unknown-person for who is not registered
// with dispositive credentials and with identity-not-confirmed for who has not confirmed their
// identity, and fault.Conflict for a role that the person has. Since the answer tells about the tax
// code, every try is counted as Find counts (fault.RateLimited).
func (s *Service) Give(ctx context.Context, by access.Actor, at Place, in Input) (Grant, error) {
	if err := s.mayGive(ctx, by); err != nil {
		return Grant{}, err
	}
	if in.TaxCode == by.TaxCode {
		return Grant{}, fault.Because(fault.Forbidden, "role-for-oneself")
	}
	services, err := in.covered()
	if err != nil {
		return Grant{}, err
	}
	id := uuid.Must(uuid.NewV7())
	var refused *fault.Fault
	var right access.Right
	given, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Grant, error) {
		var err error
		trace.ContributorID, trace.SubjectKind = at.contributorID, SubjectKind
		refused = nil
		if trace.Right, err = s.rightToGive(ctx, by, at, in.Role, services); err != nil {
			return Grant{}, err
		}
		right = trace.Right
		if err := s.checkLookupQuota(ctx, by); err != nil {
			return Grant{}, err
		}
		refused, err = s.give(ctx, by, at, id, in, services)
		switch {
		case err != nil:
			return Grant{}, err
		case refused != nil:
			return Grant{}, refused
		}
		return at.table.one(ctx, id)
	}, operation.ByID(at.table.one))
	if refused == nil {
		return given, err
	}
	return Grant{}, s.note(ctx, by, at, right, refused)
}

// rightToGive returns the role by which the actor gives another, read again and kept until the end
// of the transaction.
func (s *Service) rightToGive(
	ctx context.Context, by access.Actor, at Place, role access.ActingAs, services access.ServiceSet,
) (access.Right, error) {
	if err := at.table.inTurn(ctx, by.PersonID); err != nil {
		return access.Right{}, err
	}
	own, err := at.table.of(ctx, at.id, by.PersonID)
	if err != nil {
		return access.Right{}, err
	}
	m, err := giver(own, role, services)
	if err != nil {
		return access.Right{}, err
	}
	has, err := at.table.services(ctx, at.id)
	if err != nil {
		return access.Right{}, err
	}
	return at.right(m), checkPlace(services, has)
}

// give writes the role in the context's transaction. What is refused because of the person is
// returned apart from what fails: it counts.
func (s *Service) give(
	ctx context.Context, by access.Actor, at Place, id uuid.UUID, in Input, services access.ServiceSet,
) (refused *fault.Fault, failed error) {
	p, found, err := s.candidate(ctx, in.TaxCode)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return fault.InvalidFields(fault.Field{Pointer: "/tax_code", Code: fault.FieldUnknownPerson}), nil
	case p.IdentityConfirmedAt == nil:
		return fault.InvalidFields(fault.Field{Pointer: "/tax_code", Code: fault.FieldIdentityNotConfirmed}), nil
	}
	now := s.run.Clock.Now()
	role := Role{ID: id, PersonID: p.ID, Role: in.Role, Services: services}
	added, err := at.table.add(ctx, at.id, role, by.PersonID, now)
	if err != nil {
		return nil, err
	}
	if !added {
		return fault.Because(fault.Conflict, "role-exists"), nil
	}
	return nil, s.notify(ctx, grantedKind, at, role, now)
}

// note leaves the trace of a try to give a role that was refused because of the person. Such tries
// are counted. Of many that run at once, those over the limit are told that and nothing else.
func (s *Service) note(ctx context.Context, by access.Actor, at Place, right access.Right, refused *fault.Fault) error {
	unclaimed := idempotency.WithClaim(ctx, nil)
	_, err := operation.Do(unclaimed, s.run, by, "", func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.ContributorID, trace.SubjectKind, trace.Right, trace.Outcome = at.contributorID, SubjectKind, right, refused.Reason
		if len(refused.Fields) > 0 {
			trace.Outcome = refused.Fields[0].Code
		}
		if err := at.table.inTurn(ctx, by.PersonID); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.checkLookupQuota(ctx, by)
	}, nil)
	if err != nil {
		return err
	}
	return refused
}

// Withdraw ends a role at once. What is filed under it either came before and stands, or comes
// after and is refused.
//
// It returns these faults:
//   - fault.NotFound: nobody has such a role there now;
//   - fault.Forbidden: the role is neither the actor's own nor theirs to withdraw;
//   - fault.Conflict: it is the last by which somebody could sign.
func (s *Service) Withdraw(ctx context.Context, by access.Actor, at Place, grantID uuid.UUID) error {
	if err := s.mayGive(ctx, by); err != nil {
		return err
	}
	_, err := operation.Do(ctx, s.run, by, grantID.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		// It may end the very role by which it is done; that is locked below.
		trace.ContributorID, trace.SubjectKind, trace.Unchecked = at.contributorID, SubjectKind, true
		if err := s.alive(ctx, by); err != nil {
			return struct{}{}, err
		}
		var err error
		trace.Right, err = s.withdraw(ctx, by, at, grantID)
		return struct{}{}, err
	}, nil)
	return err
}

// withdraw ends a role in the context's transaction, and returns that by which it was done. What
// it refuses it refuses before anything is written.
func (s *Service) withdraw(ctx context.Context, by access.Actor, at Place, grantID uuid.UUID) (access.Right, error) {
	right, r, live, err := s.locked(ctx, by, at, grantID)
	if err != nil {
		return right, err
	}
	if err := mayEnd(r, live); err != nil {
		return right, err
	}
	now := s.run.Clock.Now()
	if err := at.table.withdraw(ctx, grantID, now); err != nil {
		return right, err
	}
	return right, s.notify(ctx, withdrawnKind, at, r, now)
}

// locked returns a live role that the actor may withdraw, with the right to do so and the roles
// that this depends on. All are locked. Its faults are those of Withdraw.
func (s *Service) locked(
	ctx context.Context, by access.Actor, at Place, grantID uuid.UUID,
) (right access.Right, wanted Role, live []Role, err error) {
	if live, err = at.table.lock(ctx, at.id, by.PersonID, grantID); err != nil {
		return right, wanted, live, err
	}
	own := slices.DeleteFunc(slices.Clone(live), func(r Role) bool { return r.PersonID != by.PersonID })
	if _, err = manager(own); err != nil {
		return right, wanted, live, err
	}
	i := slices.IndexFunc(live, func(r Role) bool { return r.ID == grantID })
	if i < 0 {
		return right, wanted, live, fault.New(fault.NotFound)
	}
	m, err := withdrawer(own, live[i])
	if err != nil {
		return right, wanted, live, err
	}
	return at.right(m), live[i], live, nil
}

// alive returns fault.SessionEnded where the actor's session has ended since the guard let it in,
// and keeps it otherwise.
func (s *Service) alive(ctx context.Context, by access.Actor) error {
	outcomes, err := s.run.Recheck.All(ctx, []recheck.Claim{{SessionID: by.SessionID}})
	if err != nil {
		return err
	}
	return outcomes[0]
}

// right is what the audit record says of the role, and what it hangs on.
func (at Place) right(r Role) access.Right {
	kind := access.RoleLink
	if at.contributorID == uuid.Nil {
		kind = access.DelegateRoleLink
	}
	return access.Right{ID: r.ID, ActingAs: r.Role, Links: []access.Link{{Kind: kind, ID: r.ID}}}
}

// notify promises the person whose role it is a message.
func (s *Service) notify(ctx context.Context, kind outbox.Kind, at Place, r Role, now time.Time) error {
	name, err := at.table.name(ctx, at.id)
	if err != nil {
		return err
	}
	m, err := outbox.NewMessage(kind, r.PersonID, map[string]string{
		"role": string(r.Role), "place": name, "at": now.Format(time.RFC3339Nano),
	}, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, m)
}
