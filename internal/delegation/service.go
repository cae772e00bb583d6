package delegation

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"

	"diresco/internal/access"
	"diresco/internal/clock"
	"diresco/internal/contributor"
	"diresco/internal/fault"
	"diresco/internal/idempotency"
	"diresco/internal/keyring"
	"diresco/internal/operation"
	"diresco/internal/outbox"
	"diresco/internal/page"
	"diresco/internal/person"
	"diresco/internal/secret"
	"diresco/internal/taxcode"
	"diresco/internal/throttle"

	"github.com/google/uuid"
)

// Deps are what the service works with.
type Deps struct {
	Runner     *operation.Runner
	Repository *Repository
	Rights     *access.Repository
	// Contributors knows positions, who signs and where to write.
	Contributors *contributor.Service
	People       *person.Service
	Outbox       *outbox.Outbox
	Keys         *keyring.DataKeys
	Limiter      *throttle.Limiter
	// Random is where codes come from.
	Random io.Reader
}

// Service has the use cases of delegations.
type Service struct{ Deps }

// NewService returns the service.
func NewService(d Deps) *Service { return &Service{d} }

// The kinds of messages; the data of each names reference, delegate and contributor.
const (
	otpKind       = "delegation.otp"
	activatedKind = "delegation.activated"
	revokedKind   = "delegation.revoked"
)

// Candidate is a contributor that an intermediary may ask for a delegation.
type Candidate struct {
	contributor.Contributor
	Positions   []contributor.Position
	Signatories []contributor.Signatory
}

// Candidates looks a contributor up by its tax code for an intermediary. Every look is counted, 200 in 24 hours for one person
// (fault.RateLimited), and shown to the contributor. It returns fault.Forbidden for who works for no intermediary.
func (s *Service) Candidates(ctx context.Context, by access.Actor, taxCode string) ([]Candidate, error) {
	seats, err := s.seats(ctx, by)
	if err != nil {
		return nil, err
	}
	// Whoever has several looks for any of them.
	at := slices.IndexFunc(seats, func(seat access.Seat) bool { return seat.Kind != string(Firm) })
	if at < 0 {
		return nil, fault.Because(fault.Forbidden, "no-intermediary")
	}
	seat := seats[at]
	code, err := taxcode.Parse(taxCode)
	if err != nil {
		return nil, fault.InvalidFields(fault.Field{Pointer: "/tax_code", Code: "format"})
	}
	var found []Candidate
	id := uuid.Must(uuid.NewV7())
	_, err = operation.Do(idempotency.WithClaim(ctx, nil), s.Runner, by, id.String(), func(ctx context.Context) (struct{}, operation.Trace, error) {
		trace := operation.Trace{SubjectKind: "delegation-look-up", SubjectID: id.String()}
		if err := s.Repository.inTurn(ctx, "people", by.PersonID); err != nil {
			return struct{}{}, trace, err
		}
		now := s.Runner.Clock.Now()
		before, err := s.Repository.lookUps(ctx, by.PersonID, now.Add(-day))
		if err != nil {
			return struct{}{}, trace, err
		}
		if len(before) >= lookUpsADay {
			return struct{}{}, trace, fault.After(fault.RateLimited, before[len(before)-lookUpsADay].Add(day).Sub(now))
		}
		look := lookUp{ID: id, DelegateID: seat.DelegateID, PersonID: by.PersonID, At: now}
		c, there, err := s.known(s.Contributors.ByTaxCode(ctx, code))
		if err != nil {
			return struct{}{}, trace, err
		}
		if there {
			look.ContributorID, trace.ContributorID = &c.ID, c.ID
			one := Candidate{Contributor: c}
			if one.Positions, err = s.Contributors.AllPositions(ctx, c.ID); err != nil {
				return struct{}{}, trace, err
			}
			one.Positions = slices.DeleteFunc(one.Positions, func(p contributor.Position) bool { return p.State != contributor.PositionActive })
			if one.Signatories, err = s.Contributors.Signatories(ctx, c.ID); err != nil {
				return struct{}{}, trace, err
			}
			found = []Candidate{one}
		}
		return struct{}{}, trace, s.Repository.addLookUp(ctx, look)
	}, nil)
	return found, err
}

// LookUps lists who looked at the actor's contributor, the latest first.
func (s *Service) LookUps(ctx context.Context, by access.Actor, contributorID uuid.UUID, request page.Request) (page.Page[LookUp], error) {
	if by.ContributorID != contributorID || !represents(by) {
		return page.Page[LookUp]{}, fault.New(fault.Forbidden)
	}
	return s.Repository.lookUpsOf(ctx, contributorID, request)
}

// seats are the intermediaries on their registers for which the actor manages delegations, each once.
func (s *Service) seats(ctx context.Context, by access.Actor) ([]access.Seat, error) {
	seats, err := s.Rights.Seats(ctx, by)
	if err != nil {
		return nil, err
	}
	seats = slices.DeleteFunc(seats, func(seat access.Seat) bool { return !manages(seat) || !seat.Listed })
	return slices.CompactFunc(seats, func(a, b access.Seat) bool { return a.DelegateID == b.DelegateID }), nil
}

// seat is the intermediary for which the actor manages delegations: the one asked for, or the only one. It returns
// fault.Forbidden where there is none, fault.DelegateMustBePerson for a firm, and fault.Invalid at /delegate_id where it is
// not the actor's or the actor must say which.
func (s *Service) seat(ctx context.Context, by access.Actor, wanted *uuid.UUID) (access.Seat, error) {
	seats, err := s.seats(ctx, by)
	if err != nil {
		return access.Seat{}, err
	}
	if len(seats) == 0 {
		return access.Seat{}, fault.Because(fault.Forbidden, "no-intermediary")
	}
	if wanted != nil {
		d, err := s.Repository.delegate(ctx, *wanted)
		if err == nil && d.Kind == Firm {
			return access.Seat{}, fault.New(fault.DelegateMustBePerson)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return access.Seat{}, err
		}
		at := slices.IndexFunc(seats, func(seat access.Seat) bool { return seat.DelegateID == *wanted })
		if at < 0 {
			return access.Seat{}, fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: "unknown-delegate"})
		}
		return seats[at], nil
	}
	// A firm is nobody's delegate: who has a seat of their own beside it means that one.
	seats = slices.DeleteFunc(seats, func(seat access.Seat) bool { return seat.Kind == string(Firm) })
	switch len(seats) {
	case 0:
		return access.Seat{}, fault.New(fault.DelegateMustBePerson)
	case 1:
		return seats[0], nil
	}
	return access.Seat{}, fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: "required"})
}

// manages reports whether somebody with the seat prepares and ends the intermediary's delegations.
func manages(seat access.Seat) bool {
	return seat.ActingAs != access.UserAdministrator && seat.Covers(access.Delegations)
}

// represents reports whether the actor manages the delegations that a contributor gives.
func represents(by access.Actor) bool {
	return slices.ContainsFunc(by.Rights, func(r access.Right) bool {
		return r.Positions == nil && r.ActingAs != access.OfficeOperator && r.Covers(access.Delegations)
	})
}

// requireDispositive refuses ordinary credentials: drafting and activating a delegation need dispositive ones at once.
func requireDispositive(by access.Actor) error {
	if by.CredentialLevel != access.Dispositive {
		return fault.New(fault.DispositiveRequired)
	}
	return nil
}

// Input is a delegation as it is drafted.
type Input struct {
	DelegateID         *uuid.UUID
	ContributorTaxCode string
	PositionIDs        []uuid.UUID
	Scope              Scope
	Services           []access.Service
	Exclusive          bool
	ValidUntil         *time.Time
	SignatoryID        uuid.UUID
}

// Draft prepares a delegation. It returns fault.Invalid naming what is wrong, fault.DelegateMustBePerson for a firm, fault.Forbidden
// for who works for no intermediary on its register, and fault.DispositiveRequired.
func (s *Service) Draft(ctx context.Context, by access.Actor, in Input) (Shown, error) {
	if err := requireDispositive(by); err != nil {
		return Shown{}, err
	}
	seat, err := s.seat(ctx, by, in.DelegateID)
	if err != nil {
		return Shown{}, err
	}
	id := uuid.Must(uuid.NewV7())
	return operation.Do(ctx, s.Runner, by, id.String(), func(ctx context.Context) (Shown, operation.Trace, error) {
		return s.draft(ctx, by, seat, id, in)
	}, s.again())
}

func (s *Service) draft(ctx context.Context, by access.Actor, seat access.Seat, id uuid.UUID, in Input) (Shown, operation.Trace, error) {
	now := s.Runner.Clock.Now()
	// Nobody is told here that there is no such contributor: it has neither the positions nor the signatory. Who wants to know
	// looks it up, which the contributor sees.
	c, _, err := s.contributor(ctx, in.ContributorTaxCode)
	if err != nil {
		return Shown{}, operation.Trace{}, err
	}
	code, err := reference(s.Random)
	if err != nil {
		return Shown{}, operation.Trace{}, err
	}
	d := Delegation{ID: id, DelegateID: seat.DelegateID, ContributorID: c.ID, ReferenceCode: code, State: Draft, DraftedBy: by.PersonID, DraftedAt: now}
	if d, err = s.filled(ctx, d, in, now); err != nil {
		return Shown{}, operation.Trace{}, err
	}
	d = d.moved(Draft, now)
	if err := s.Repository.add(ctx, d, in.PositionIDs); err != nil {
		return Shown{}, operation.Trace{}, err
	}
	shown, err := s.Repository.one(ctx, id, now)
	return shown, trace(d), err
}

func (s *Service) contributor(ctx context.Context, taxCode string) (contributor.Contributor, bool, error) {
	code, err := taxcode.Parse(taxCode)
	if err != nil {
		return contributor.Contributor{}, false, fault.InvalidFields(fault.Field{Pointer: "/contributor_tax_code", Code: "format"})
	}
	return s.known(s.Contributors.ByTaxCode(ctx, code))
}

// known tells a contributor that is not there from an error.
func (s *Service) known(c contributor.Contributor, err error) (contributor.Contributor, bool, error) {
	if fault.Is(err, fault.NotFound) {
		return contributor.Contributor{}, false, nil
	}
	return c, err == nil, err
}

// filled checks what was asked for and writes it into the delegation.
func (s *Service) filled(ctx context.Context, d Delegation, in Input, now time.Time) (Delegation, error) {
	var wrong []fault.Field
	add := func(pointer, code string) { wrong = append(wrong, fault.Field{Pointer: pointer, Code: code}) }
	positions, err := s.Contributors.AllPositions(ctx, d.ContributorID)
	if err != nil {
		return d, err
	}
	seen := map[uuid.UUID]bool{}
	for i, id := range in.PositionIDs {
		pointer := "/position_ids/" + strconv.Itoa(i)
		at := slices.IndexFunc(positions, func(p contributor.Position) bool { return p.ID == id })
		switch {
		case at < 0:
			add(pointer, "unknown-position")
		case positions[at].State != contributor.PositionActive:
			add(pointer, "position-ceased")
		case seen[id]:
			add(pointer, "duplicate")
		}
		seen[id] = true
	}
	if len(in.PositionIDs) == 0 {
		add("/position_ids", "required")
	}
	services := []access.Service{access.AllServices}
	switch in.Scope {
	case Total:
		if len(in.Services) > 0 {
			add("/services", "not-applicable")
		}
	case Partial:
		services = in.Services
		if len(services) == 0 {
			add("/services", "required")
		}
		for i, service := range services {
			switch {
			case !slices.Contains(access.Services(), service):
				add("/services/"+strconv.Itoa(i), "unknown-service")
			case slices.Contains(services[:i], service):
				add("/services/"+strconv.Itoa(i), "duplicate")
			}
		}
	default:
		add("/scope", "enum")
	}
	signatories, err := s.Contributors.Signatories(ctx, d.ContributorID)
	if err != nil {
		return d, err
	}
	if !slices.ContainsFunc(signatories, func(p contributor.Signatory) bool { return p.PersonID == in.SignatoryID }) {
		add("/signatory_id", "unknown-signatory")
	}
	var until *time.Time
	if in.ValidUntil != nil {
		instant := clock.Normal(*in.ValidUntil)
		if until = &instant; !instant.After(now) {
			add("/valid_until", "past")
		}
	}
	if len(wrong) > 0 {
		return d, fault.InvalidFields(wrong...)
	}
	encoded, err := json.Marshal(services)
	d.Scope, d.Services, d.Exclusive, d.ValidUntil, d.SignatoryID = in.Scope, string(encoded), in.Exclusive, until, in.SignatoryID
	return d, err
}

// reference makes what the form is known by: three groups of four, short enough to be read out.
func reference(random io.Reader) (string, error) {
	code, err := secret.Draw(random, 12)
	if err != nil {
		return "", err
	}
	text := code.Reveal()
	return text[:4] + "-" + text[4:8] + "-" + text[8:], nil
}

// again renders what an earlier, equal request made.
func (s *Service) again() func(ctx context.Context, id string) (Shown, error) {
	return func(ctx context.Context, id string) (Shown, error) {
		parsed, err := uuid.Parse(id)
		if err != nil {
			return Shown{}, err
		}
		return s.Repository.one(ctx, parsed, s.Runner.Clock.Now())
	}
}

func trace(d Delegation) operation.Trace {
	return operation.Trace{ContributorID: d.ContributorID, SubjectKind: "delegation", SubjectID: d.ID.String()}
}

// Show returns one delegation, from either side. The guard has let the actor in.
func (s *Service) Show(ctx context.Context, id uuid.UUID) (Shown, error) {
	return s.Repository.one(ctx, id, s.Runner.Clock.Now())
}

// List lists the delegations of the intermediaries for which the actor works and of the contributors whose delegations the
// actor manages, the latest first.
func (s *Service) List(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[Shown], error) {
	var sides []side
	seats, err := s.Rights.Seats(ctx, by)
	if err != nil {
		return page.Page[Shown]{}, err
	}
	for _, seat := range seats {
		if manages(seat) && (f.DelegateID == nil || *f.DelegateID == seat.DelegateID) {
			sides = append(sides, side{"delegate_id", seat.DelegateID})
		}
	}
	represented, err := s.Rights.Represented(ctx, by, access.Delegations)
	if err != nil {
		return page.Page[Shown]{}, err
	}
	for _, id := range represented {
		if f.ContributorID == nil || *f.ContributorID == id {
			sides = append(sides, side{"contributor_id", id})
		}
	}
	return s.Repository.list(ctx, sides, f, request, s.Runner.Clock.Now())
}

// OfContributor lists every delegation that the actor's contributor gave, active or not, the latest first.
func (s *Service) OfContributor(ctx context.Context, by access.Actor, contributorID uuid.UUID, f Filter, request page.Request) (page.Page[Shown], error) {
	if by.ContributorID != contributorID || !represents(by) {
		return page.Page[Shown]{}, fault.New(fault.Forbidden)
	}
	now := s.Runner.Clock.Now()
	found, err := s.Repository.list(ctx, []side{{"contributor_id", contributorID}}, f, request, now)
	if err != nil {
		return found, err
	}
	return found, s.Repository.workers(ctx, found.Items, now)
}

// Search narrows the actor's delegations down by what may not stand in a URL; empty parts stand for any.
type Search struct {
	ContributorTaxCode string
	LegalName          string
	PositionNumber     string
	State              State
}

// Search lists what List does, as far as it matches, the latest first.
func (s *Service) Search(ctx context.Context, by access.Actor, in Search, request page.Request) (page.Page[Shown], error) {
	f := Filter{State: in.State, LegalName: in.LegalName}
	var none page.Page[Shown]
	if _, err := request.After(); err != nil {
		return none, err
	}
	// Both are looked up first, so that the search itself is a range of an index.
	if in.ContributorTaxCode != "" {
		c, there, err := s.contributor(ctx, in.ContributorTaxCode)
		if err != nil || !there {
			return none, err
		}
		f.ContributorID = &c.ID
	}
	if in.PositionNumber != "" {
		p, _, err := s.Contributors.ByNumber(ctx, in.PositionNumber)
		if fault.Is(err, fault.NotFound) {
			return none, nil
		}
		if err != nil || f.ContributorID != nil && *f.ContributorID != p.ContributorID {
			return none, err
		}
		f.ContributorID, f.PositionID = &p.ContributorID, &p.ID
	}
	return s.List(ctx, by, f, request)
}

// requireDelegate lets only the intermediary's people go on, while it is on its register.
func requireDelegate(by access.Actor) error {
	if !slices.ContainsFunc(by.Seats, func(seat access.Seat) bool { return manages(seat) && seat.Listed }) {
		return fault.New(fault.Forbidden)
	}
	return requireDispositive(by)
}

// Change is what is changed of a draft or pending delegation; nil stays as it is.
type Change struct {
	PositionIDs []uuid.UUID
	Scope       *Scope
	Services    []access.Service
	Exclusive   *bool
	ValidUntil  *time.Time
	SignatoryID *uuid.UUID
}

// Change makes a draft or pending delegation a changed draft; the code that was sent is worthless from then on. It returns
// fault.PreconditionFailed when somebody changed it since the expected version, and fault.Conflict once it was activated or ended.
func (s *Service) Change(ctx context.Context, by access.Actor, id uuid.UUID, expected int, change Change) (Shown, error) {
	if err := requireDelegate(by); err != nil {
		return Shown{}, err
	}
	return operation.Do(ctx, s.Runner, by, id.String(), func(ctx context.Context) (Shown, operation.Trace, error) {
		now := s.Runner.Clock.Now()
		old, err := s.Repository.lock(ctx, id, now)
		if err != nil {
			return Shown{}, operation.Trace{}, err
		}
		d, err := old.changed(now)
		if err != nil {
			return Shown{}, operation.Trace{}, err
		}
		if old.Version != expected {
			return Shown{}, operation.Trace{}, fault.New(fault.PreconditionFailed)
		}
		in := old.with(change)
		if d, err = s.filled(ctx, d, in, now); err != nil {
			return Shown{}, operation.Trace{}, err
		}
		if err := s.Repository.endOTP(ctx, id, now); err != nil {
			return Shown{}, operation.Trace{}, err
		}
		if err := s.Repository.setPositions(ctx, d, in.PositionIDs); err != nil {
			return Shown{}, operation.Trace{}, err
		}
		if err := s.Repository.save(ctx, d); err != nil {
			return Shown{}, operation.Trace{}, err
		}
		shown, err := s.Repository.one(ctx, id, now)
		return shown, trace(d), err
	}, nil)
}

// with is the delegation as the change would draft it.
func (s Shown) with(c Change) Input {
	in := Input{PositionIDs: s.positionIDs(), Scope: s.Scope, Exclusive: s.Exclusive, ValidUntil: s.ValidUntil, SignatoryID: s.SignatoryID}
	if s.Scope == Partial {
		in.Services = s.Covered
	}
	if c.PositionIDs != nil {
		in.PositionIDs = c.PositionIDs
	}
	if c.Scope != nil {
		in.Scope = *c.Scope
		if in.Scope == Total {
			in.Services = nil
		}
	}
	if c.Services != nil {
		in.Services = c.Services
	}
	if c.Exclusive != nil {
		in.Exclusive = *c.Exclusive
	}
	if c.ValidUntil != nil {
		in.ValidUntil = c.ValidUntil
	}
	if c.SignatoryID != nil {
		in.SignatoryID = *c.SignatoryID
	}
	return in
}
