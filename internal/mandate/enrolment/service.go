package enrolment

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/review"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// Contributors knows contributors and offices, and gives roles.
type Contributors interface {
	// Office returns the office with the code, or fault.NotFound.
	Office(ctx context.Context, code string) (contributor.Office, error)
	// ByTaxCode returns the contributor with the tax code, or fault.NotFound.
	ByTaxCode(ctx context.Context, code taxcode.Code) (contributor.Contributor, error)
	// OfficesOf lists the offices of a contributor's positions, that of the first position first.
	OfficesOf(ctx context.Context, contributorID uuid.UUID) ([]contributor.Office, error)
	// Principals returns, by contributor, who answers for it.
	Principals(ctx context.Context, contributorIDs []uuid.UUID) (map[uuid.UUID][]uuid.UUID, error)
	// RightsOf returns the rights that a person's roles at a contributor give.
	RightsOf(ctx context.Context, personID, contributorID uuid.UUID) ([]access.Right, error)
	// Enable gives a person a role in the context's transaction, or extends the one that they have.
	Enable(ctx context.Context, role contributor.Role, services access.ServiceSet, by uuid.UUID) error
}

// People locks people, and confirms who they are.
type People interface {
	// Lock keeps everybody else from changing a person until the context's transaction ends.
	Lock(ctx context.Context, id uuid.UUID) (person.Person, error)
	// Identified confirms a person's identity in the context's transaction and reports whether it
	// was not confirmed before.
	Identified(ctx context.Context, id uuid.UUID) (became bool, err error)
}

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Register     *protocol.Register
	Outbox       *outbox.Outbox
	Contributors Contributors
	People       People
	Looks        *look.Service
}

// Service has the use cases of enrolments.
type Service struct {
	run          *operation.Runner
	repo         repository
	lane         *protocol.Lane[filing]
	awaiting     *protocol.Awaiting[Enrolment]
	outbox       *outbox.Outbox
	contributors Contributors
	people       People
	looks        *look.Service
}

// NewService returns the service.
func NewService(d Deps) *Service {
	repo := repository{d.Runner.DB}
	awaiting := protocol.NewAwaiting(d.Runner, d.Outbox, "enrolment.lapsed", Kind, awaited{repo})
	return &Service{
		run: d.Runner, repo: repo, awaiting: awaiting,
		lane:   protocol.NewLane(d.Register, Kind, handler{d.Runner, repo, d.Contributors, awaiting}),
		outbox: d.Outbox, contributors: d.Contributors, people: d.People, looks: d.Looks,
	}
}

// fileOperation is what tries are counted by.
const fileOperation = "fileEnrolment"

// tries are when a person tried to file something in the 24 hours before an instant, the earliest
// first.
func tries(ctx context.Context, trail *audit.Trail, personID uuid.UUID, now time.Time) ([]time.Time, error) {
	return trail.Times(ctx, personID, []string{fileOperation}, now.Add(-fault.Day))
}

// File files a request. It returns fault.Invalid with the wrong fields, the contributor and the
// office among them, fault.Conflict for what the actor has already and for what an open request
// asks for, and fault.RateLimited after 20 tries in 24 hours. A contributor that the form is not
// for is as unknown as one that does not exist.
func (s *Service) File(ctx context.Context, by access.Actor, in Input) (Details, error) {
	if err := in.check(); err != nil {
		return Details{}, err
	}
	var office contributor.Office
	if in.OfficeCode != "" {
		// Before the contributor: what is wrong whoever that is tells nothing about it, and does
		// not count.
		var err error
		if office, err = s.contributors.Office(ctx, in.OfficeCode); fault.Is(err, fault.NotFound) {
			err = invalid("/office_code", fault.FieldUnknownOffice)
		}
		if err != nil {
			return Details{}, err
		}
	}
	c, err := s.contributors.ByTaxCode(ctx, in.ContributorTaxCode)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		return Details{}, err
	case err != nil, !in.Form.applies(c.Kind):
		return s.refuse(ctx, by, c.ID, invalid("/contributor_tax_code", fault.FieldUnknownForForm))
	}
	offices, err := s.contributors.OfficesOf(ctx, c.ID)
	if err != nil {
		return Details{}, err
	}
	office, refused := competent(office, offices)
	if refused != nil {
		return s.refuse(ctx, by, c.ID, refused)
	}
	has, err := s.contributors.RightsOf(ctx, by.PersonID, c.ID)
	if err != nil {
		return Details{}, err
	}
	if in.Services == nil {
		in.Services = access.ServiceSet{}
	}
	f := filing{office: office.Title, refusal: in.refuse(c, has), held: Details{
		Enrolment: Enrolment{
			ID: uuid.Must(uuid.NewV7()), Form: in.Form, PersonID: by.PersonID, ContributorID: c.ID, OfficeCode: office.Code,
			Services: in.Services, Notes: in.Notes,
		},
		TaxCode: by.TaxCode, GivenName: by.GivenName, FamilyName: by.FamilyName, ContributorTaxCode: c.TaxCode, LegalName: c.LegalName,
		ContributorKind: c.Kind,
	}}
	digest, err := f.held.digest()
	if err != nil {
		return Details{}, err
	}
	return s.file(ctx, by, f, digest)
}

// competent chooses where a request goes: to the office that is named, else to that of the
// contributor's first position. Nobody chooses who decides: the one that is named must be among
// those of the positions, where there are any.
func competent(named contributor.Office, of []contributor.Office) (contributor.Office, *fault.Fault) {
	switch {
	case named.Code == "" && len(of) == 0:
		return named, invalid("/office_code", fault.FieldOfficeNeeded)
	case named.Code == "":
		return of[0], nil
	case len(of) > 0 && !slices.ContainsFunc(of, func(o contributor.Office) bool { return o.Code == named.Code }):
		return named, invalid("/office_code", fault.FieldOfficeNotCompetent)
	}
	return named, nil
}

func invalid(pointer, code string) *fault.Fault {
	return fault.InvalidFields(fault.Field{Pointer: pointer, Code: code})
}

// refuse leaves the trace of a try that was refused because of the contributor. Such tries are
// counted with what is filed. Of many that run at once, those over the limit are told that and
// nothing else. The repeat of what was filed, when it was not refused yet, gets that.
func (s *Service) refuse(ctx context.Context, by access.Actor, contributorID uuid.UUID, refused *fault.Fault) (Details, error) {
	first, err := operation.Do(ctx, s.run, by, "", func(ctx context.Context, trace *operation.Trace) (Details, error) {
		trace.ContributorID, trace.SubjectKind, trace.Outcome = contributorID, Kind, refused.Fields[0].Code
		if _, err := s.people.Lock(ctx, by.PersonID); err != nil {
			return Details{}, err
		}
		now := s.run.Clock.Now()
		earlier, err := tries(ctx, s.run.Trail, by.PersonID, now)
		if err == nil {
			err = fault.OverDaily(earlier, triesADay, now)
		}
		if err != nil {
			return Details{}, err
		}
		return Details{}, s.run.Keys.Release(ctx, idempotency.ClaimOf(ctx))
	}, operation.ByID(s.first))
	if err == nil && first.ID == uuid.Nil {
		err = refused
	}
	return first, err
}

// file hands a request to the register and waits for its number.
func (s *Service) file(ctx context.Context, by access.Actor, f filing, digest string) (Details, error) {
	entry, err := s.lane.File(ctx, protocol.Filing[filing]{Content: f, Header: protocol.Header{
		Office: f.held.OfficeCode, SubjectID: f.held.ID, By: by, Claim: idempotency.ClaimOf(ctx), Origin: audit.OriginOf(ctx),
		Digest: digest,
		Trace:  operation.Trace{ContributorID: f.held.ContributorID, SubjectKind: Kind, SubjectID: f.held.ID.String()},
	}})
	if err != nil {
		return operation.Replay(ctx, err, operation.ByID(s.first))
	}
	return entry.Content.held, nil
}

// first returns what an earlier, equal request filed, as it was then.
func (s *Service) first(ctx context.Context, id uuid.UUID) (Details, error) {
	h, err := s.repo.one(ctx, id)
	return h.asFiled(), err
}

// Mine lists the actor's requests, the newest first.
func (s *Service) Mine(ctx context.Context, by access.Actor, request page.Request) (page.Page[Details], error) {
	found, err := s.repo.ofPerson(ctx, by.PersonID, request)
	return s.asOfNow(found), err
}

// Show returns a request of the actor's own, and fault.NotFound for any other.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	return s.one(ctx, id, func(h Details) error {
		if h.PersonID != by.PersonID {
			return fault.New(fault.NotFound)
		}
		return nil
	})
}

// OfOffice lists the requests at the operator's office, the oldest first; an empty state stands for
// all.
func (s *Service) OfOffice(ctx context.Context, by access.Actor, state State, request page.Request) (page.Page[Details], error) {
	found, err := s.repo.ofOffice(ctx, by.OfficeCode, state, s.run.Clock.Now(), request)
	return s.asOfNow(found), err
}

// ShowAtOffice returns a request at the operator's office, and fault.NotFound for any other.
func (s *Service) ShowAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	return s.one(ctx, id, func(h Details) error { return review.RequireOffice(by, h.OfficeCode) })
}

// OpenAtOffice is ShowAtOffice for an operator who looks at the person by that. It also returns the
// faults of look.Service.At.
func (s *Service) OpenAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	h, err := s.ShowAtOffice(ctx, by, id)
	if err == nil {
		err = s.looks.At(ctx, by, h.PersonID)
	}
	if err != nil {
		return Details{}, err
	}
	return h, nil
}

func (s *Service) one(ctx context.Context, id uuid.UUID, may func(Details) error) (Details, error) {
	h, err := s.repo.one(ctx, id)
	if err == nil {
		err = may(h)
	}
	if err != nil {
		return Details{}, err
	}
	h.Enrolment = h.at(s.run.Clock.Now())
	return h, nil
}

func (s *Service) asOfNow(found page.Page[Details]) page.Page[Details] {
	now := s.run.Clock.Now()
	for i, h := range found.Items {
		found.Items[i].Enrolment = h.at(now)
	}
	return found
}

// Decide decides a request at the operator's office. Accepted, the person has the role and the
// services at once, and counts as one who confirmed their identity: the office identified them by
// the signed form and their document. It returns the faults of review.Decide, and fault.Conflict
// for one that does not wait for a decision.
func (s *Service) Decide(ctx context.Context, by access.Actor, id uuid.UUID, d review.Decision) (Details, error) {
	show := func(ctx context.Context) (Details, error) { return s.ShowAtOffice(ctx, by, id) }
	return review.Decide(ctx, s.run, by, id, d, show, func(ctx context.Context, trace *operation.Trace, h Details) (Details, error) {
		trace.ContributorID, trace.Right, trace.SubjectKind = h.ContributorID, right(by, h.ContributorID), Kind
		return s.decide(ctx, by, h, d)
	})
}

// decide decides a request with all that follows from it. Lock order: the person, the request.
func (s *Service) decide(ctx context.Context, by access.Actor, h Details, d review.Decision) (Details, error) {
	if d.Outcome == review.Accepted {
		if err := s.identified(ctx, by, h); err != nil {
			return Details{}, err
		}
	}
	locked, err := s.repo.lock(ctx, h.ID)
	if err != nil {
		return Details{}, err
	}
	now := s.run.Clock.Now()
	if h.Enrolment, err = locked[0].decide(d, by.PersonID, now); err != nil {
		return Details{}, err
	}
	if err := s.repo.save(ctx, h.Enrolment); err != nil {
		return Details{}, err
	}
	if h.State == Accepted {
		role := contributor.Role{
			ID: uuid.Must(uuid.NewV7()), ContributorID: h.ContributorID, PersonID: h.PersonID, Role: roleOf(h.Form, h.ContributorKind),
			GrantedAt: now,
		}
		if err := s.contributors.Enable(ctx, role, h.covered(), by.PersonID); err != nil {
			return Details{}, err
		}
	}
	messages, err := s.decided(ctx, h, now)
	if err != nil {
		return Details{}, err
	}
	return h, s.outbox.Add(ctx, messages...)
}

// identified confirms the identity of who asked, whom the office identified, and leaves a record of
// that beside the decision's.
func (s *Service) identified(ctx context.Context, by access.Actor, h Details) error {
	became, err := s.people.Identified(ctx, h.PersonID)
	if err != nil || !became {
		return err
	}
	record := operation.Trace{
		ContributorID: h.ContributorID, Right: right(by, h.ContributorID), SubjectKind: "person", SubjectID: h.PersonID.String(),
	}.Record(ctx, by, s.run.Clock)
	record.Operation = "confirmIdentity"
	return s.run.Trail.Write(ctx, record)
}

// decided makes the messages about a decision: to who asked and, of an acceptance, to who answers
// for the contributor.
func (s *Service) decided(ctx context.Context, h Details, now time.Time) ([]outbox.Message, error) {
	message, err := outbox.NewMessage(Decided, h.PersonID, map[string]any{
		"protocol_number": h.ProtocolNumber, "form": h.Form, "legal_name": h.LegalName, "outcome": h.State, "reason": *h.Reason,
	}, now)
	if err != nil || h.State != Accepted {
		return []outbox.Message{message}, err
	}
	principals, err := s.contributors.Principals(ctx, []uuid.UUID{h.ContributorID})
	if err != nil {
		return nil, err
	}
	others, err := h.notify(principals[h.ContributorID], AcceptedKind, nil, now)
	return append(others, message), err
}

// right is that by which an operator decides.
func right(by access.Actor, contributorID uuid.UUID) access.Right {
	return access.Right{ID: by.PersonID, ContributorID: contributorID, ActingAs: access.OfficeOperator}
}
