package enrolment

import (
	"context"
	"errors"

	"diresco/internal/access"
	"diresco/internal/audit"
	"diresco/internal/contributor"
	"diresco/internal/fault"
	"diresco/internal/idempotency"
	"diresco/internal/operation"
	"diresco/internal/outbox"
	"diresco/internal/page"
	"diresco/internal/protocol"
	"diresco/internal/taxcode"

	"github.com/google/uuid"
)

// Contributors knows contributors and offices, and gives roles.
type Contributors interface {
	// HasOffice reports whether there is an office with the code.
	HasOffice(ctx context.Context, code string) (bool, error)
	// ByTaxCode returns the contributor with the tax code, or fault.NotFound.
	ByTaxCode(ctx context.Context, code taxcode.Code) (contributor.Contributor, error)
	// OfficeOf returns the office of a contributor's first position, or "".
	OfficeOf(ctx context.Context, contributorID uuid.UUID) (string, error)
	// Held returns the rights that a person's roles at a contributor give.
	Held(ctx context.Context, personID, contributorID uuid.UUID) ([]access.Right, error)
	// Enable gives a person a role in the context's transaction, or extends the one that they have.
	Enable(ctx context.Context, role contributor.Role, services []access.Service, by uuid.UUID) error
}

// Deps are what the service works with.
type Deps struct {
	Waiting
	Register     *protocol.Register
	Contributors Contributors
}

// Service has the use cases of enrolments.
type Service struct{ Deps }

// NewService returns the service.
func NewService(d Deps) *Service { return &Service{d} }

// File files a request. It returns fault.Invalid with the wrong fields, the contributor, the form and the office among them,
// and fault.Conflict for what the actor has already and for what an open request asks for.
func (s *Service) File(ctx context.Context, by access.Actor, in Input) (Held, error) {
	if err := in.check(); err != nil {
		return Held{}, err
	}
	c, err := s.Contributors.ByTaxCode(ctx, in.ContributorTaxCode)
	if fault.Is(err, fault.NotFound) {
		err = fault.InvalidFields(fault.Field{Pointer: "/contributor_tax_code", Code: "unknown-contributor"})
	}
	if err != nil {
		return Held{}, err
	}
	has, err := s.Contributors.Held(ctx, by.PersonID, c.ID)
	if err != nil {
		return Held{}, err
	}
	office, err := s.office(ctx, c.ID, in.OfficeCode)
	if err != nil {
		return Held{}, err
	}
	if in.Services == nil {
		in.Services = []access.Service{}
	}
	f := &filing{refusal: in.refuse(c, has), held: Held{
		Enrolment: Enrolment{
			ID: uuid.Must(uuid.NewV7()), Form: in.Form, PersonID: by.PersonID, ContributorID: c.ID, OfficeCode: office, Services: in.Services, Notes: in.Notes,
		},
		TaxCode: by.TaxCode, GivenName: by.GivenName, FamilyName: by.FamilyName, ContributorTaxCode: c.TaxCode, LegalName: c.LegalName, ContributorKind: c.Kind,
	}}
	if f.held.Digest, err = f.held.digest(); err != nil {
		return Held{}, err
	}
	return s.file(ctx, by, f)
}

// office chooses where the request goes: to the office that is named, else to the one of the contributor's first position.
func (s *Service) office(ctx context.Context, contributorID uuid.UUID, named string) (string, error) {
	if named == "" {
		code, err := s.Contributors.OfficeOf(ctx, contributorID)
		if err == nil && code == "" {
			err = fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: "office-needed"})
		}
		return code, err
	}
	exists, err := s.Contributors.HasOffice(ctx, named)
	if err == nil && !exists {
		err = fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: "unknown-office"})
	}
	return named, err
}

// file hands a request to the register and waits for its number.
func (s *Service) file(ctx context.Context, by access.Actor, f *filing) (Held, error) {
	entry, err := s.Register.File(ctx, protocol.Filing{
		Kind: Kind, Office: f.held.OfficeCode, SubjectID: f.held.ID, By: by, Claim: idempotency.ClaimOf(ctx), Trace: trace(f.held.Enrolment),
		Origin: audit.OriginOf(ctx), Digest: f.held.Digest, Content: f,
	})
	if err == nil {
		return entry.Content.(*filing).held, nil
	}
	var replay *idempotency.Replay
	if !errors.As(err, &replay) || replay.Answer != nil {
		return Held{}, err
	}
	id, err := uuid.Parse(replay.ResourceID)
	if err != nil {
		return Held{}, err
	}
	first, err := s.Repository.one(ctx, id)
	return first.asFiled(), err
}

// Mine lists the actor's requests, the newest first.
func (s *Service) Mine(ctx context.Context, by access.Actor, request page.Request) (page.Page[Held], error) {
	found, err := s.Repository.ofPerson(ctx, by.PersonID, request)
	return s.asOfNow(found), err
}

// Show returns a request of the actor's own, and fault.NotFound for any other.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (Held, error) {
	return s.one(ctx, id, func(h Held) bool { return h.PersonID == by.PersonID })
}

// OfOffice lists the requests at the operator's office, the oldest first; an empty state stands for all.
func (s *Service) OfOffice(ctx context.Context, by access.Actor, state State, request page.Request) (page.Page[Held], error) {
	found, err := s.Repository.ofOffice(ctx, by.OfficeCode, state, s.Runner.Clock.Now(), request)
	return s.asOfNow(found), err
}

// ShowAtOffice returns a request at the operator's office, and fault.NotFound for any other.
func (s *Service) ShowAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (Held, error) {
	return s.one(ctx, id, func(h Held) bool { return by.OfficeCode != "" && h.OfficeCode == by.OfficeCode })
}

func (s *Service) one(ctx context.Context, id uuid.UUID, sees func(Held) bool) (Held, error) {
	h, err := s.Repository.one(ctx, id)
	if err == nil && !sees(h) {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Held{}, err
	}
	h.Enrolment = h.at(s.Runner.Clock.Now())
	return h, nil
}

func (s *Service) asOfNow(found page.Page[Held]) page.Page[Held] {
	now := s.Runner.Clock.Now()
	for i, h := range found.Items {
		found.Items[i].Enrolment = h.at(now)
	}
	return found
}

// Decide decides a request at the operator's office. Accepted, the person has the role and the services at once. It returns
// fault.NotFound for a request of another office, fault.Forbidden for the operator's own, and fault.Conflict for one that
// does not wait for a decision.
func (s *Service) Decide(ctx context.Context, by access.Actor, id uuid.UUID, d Decision) (Held, error) {
	if err := d.check(); err != nil {
		return Held{}, err
	}
	return operation.Do(ctx, s.Runner, by, id.String(), func(ctx context.Context) (Held, operation.Trace, error) {
		h, err := s.decide(ctx, by, id, d)
		return h, trace(h.Enrolment), err
	}, func(ctx context.Context, _ string) (Held, error) { return s.ShowAtOffice(ctx, by, id) })
}

func (s *Service) decide(ctx context.Context, by access.Actor, id uuid.UUID, d Decision) (Held, error) {
	h, err := s.ShowAtOffice(ctx, by, id)
	if err != nil {
		return Held{}, err
	}
	if h.PersonID == by.PersonID {
		return Held{}, fault.New(fault.Forbidden)
	}
	locked, err := s.Repository.lock(ctx, id)
	if err != nil {
		return Held{}, err
	}
	now := s.Runner.Clock.Now()
	if h.Enrolment, err = locked[0].decide(d, by.PersonID, now); err != nil {
		return Held{}, err
	}
	if err := s.Repository.save(ctx, h.Enrolment); err != nil {
		return Held{}, err
	}
	if h.State == Accepted {
		role := contributor.Role{
			ID: uuid.Must(uuid.NewV7()), ContributorID: h.ContributorID, PersonID: h.PersonID, Role: roleOf(h.Form, h.ContributorKind), GrantedAt: now,
		}
		if err := s.Contributors.Enable(ctx, role, h.covered(), by.PersonID); err != nil {
			return Held{}, err
		}
	}
	message, err := outbox.NewMessage(Decided, h.PersonID, map[string]any{
		"protocol_number": h.ProtocolNumber, "form": h.Form, "legal_name": h.LegalName, "outcome": h.State, "reason": d.Reason,
	}, now)
	if err != nil {
		return Held{}, err
	}
	return h, s.Outbox.Add(ctx, message)
}

func trace(e Enrolment) operation.Trace {
	return operation.Trace{ContributorID: e.ContributorID, SubjectKind: Kind, SubjectID: e.ID.String()}
}
