package delegation

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	Rights *access.Repository
	// Contributors knows positions, who signs and where to write.
	Contributors *contributor.Service
	People       *person.Service
	Outbox       *outbox.Outbox
	Keys         *keyring.DataKeys
	Codes        *otp.Codes
	// Catalogue knows what services are called.
	Catalogue *servicecatalog.Catalogue
	// Random is where reference codes come from.
	Random io.Reader
	// Institution is who the forms are for.
	Institution institution.Institution
}

// Service has the use cases of delegations.
type Service struct {
	run            *operation.Runner
	repo           repository
	rights         *access.Repository
	contributors   *contributor.Service
	people         *person.Service
	intermediaries *intermediary.Repository
	outbox         *outbox.Outbox
	keys           *keyring.DataKeys
	codes          *otp.Codes
	catalogue      *servicecatalog.Catalogue
	random         io.Reader
	institution    institution.Institution
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, rights: d.Rights, contributors: d.Contributors, people: d.People,
		intermediaries: intermediary.NewRepository(d.Runner.DB), outbox: d.Outbox, keys: d.Keys, codes: d.Codes,
		catalogue: d.Catalogue, random: d.Random, institution: d.Institution,
	}
}

// The kinds of messages; the data of each names reference, delegate and contributor.
var (
	otpKind       = outbox.Declare(outbox.Kind{Name: "delegation.otp"})
	activatedKind = outbox.Declare(outbox.Kind{Name: "delegation.activated"})
	revokedKind   = outbox.Declare(outbox.Kind{Name: "delegation.revoked"})
	reminderKind  = outbox.Declare(outbox.Kind{Name: "delegation.reminder", Mute: outbox.Reminders})
	expiredKind   = outbox.Declare(outbox.Kind{Name: "delegation.expired"})
)

// Candidate is a contributor that an intermediary may ask for a delegation.
type Candidate struct {
	contributor.Contributor
	Positions   []contributor.Position
	Signatories []contributor.Signatory
}

// Candidates looks a contributor up by its tax code for an intermediary. Every look is counted, 200
// in 24 hours for one person (fault.RateLimited), and shown to the contributor. delegateID says for
// which intermediary; without it, it is any of the actor's. It returns fault.Invalid at /tax_code
// for what is no tax code, and fault.Forbidden, fault.ServiceNotDelegated, and for the intermediary
// that is named also fault.DelegateMustBePerson and fault.Invalid at /delegate_id, as Draft does.
func (s *Service) Candidates(ctx context.Context, by access.Actor, taxCode string, delegateID *uuid.UUID) ([]Candidate, error) {
	membership, err := s.searchingFor(ctx, by, delegateID)
	if err != nil {
		return nil, err
	}
	code, err := taxcode.Parse(taxCode)
	if err != nil {
		return nil, taxcode.Refused("/tax_code", err)
	}
	var found []Candidate
	id := uuid.Must(uuid.NewV7())
	unclaimed := idempotency.WithClaim(ctx, nil)
	_, err = operation.Do(unclaimed, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.Right, trace.SubjectKind = membership.Right(), "delegation-look-up"
		now := s.run.Clock.Now()
		if err := s.checkLookupQuota(ctx, by, now); err != nil {
			return struct{}{}, err
		}
		look := lookUp{ID: id, DelegateID: membership.DelegateID, PersonID: by.PersonID, At: now}
		c, there, err := known(s.contributors.ByTaxCode(ctx, code))
		if err != nil {
			return struct{}{}, err
		}
		if there {
			look.ContributorID, trace.ContributorID = &c.ID, c.ID
			one := Candidate{Contributor: c}
			if one.Positions, err = s.contributors.AllPositions(ctx, c.ID); err != nil {
				return struct{}{}, err
			}
			one.Positions = slices.DeleteFunc(one.Positions, func(p contributor.Position) bool {
				return p.State != contributor.PositionActive
			})
			if one.Signatories, err = s.contributors.Signatories(ctx, c.ID); err != nil {
				return struct{}{}, err
			}
			found = []Candidate{one}
		}
		return struct{}{}, s.repo.addLookUp(ctx, look)
	}, nil)
	return found, err
}

// checkLookupQuota counts how often the actor looked somebody up, one after the other.
func (s *Service) checkLookupQuota(ctx context.Context, by access.Actor, now time.Time) error {
	if err := s.run.DB.LockName(ctx, "look-ups of "+by.PersonID.String()); err != nil {
		return err
	}
	before, err := s.repo.lookUps(ctx, by.PersonID, now.Add(-fault.Day))
	if err != nil {
		return err
	}
	return fault.OverDaily(before, lookUpsADay, now)
}

// LookUps lists who looked at the actor's contributor, the latest first.
func (s *Service) LookUps(ctx context.Context, by access.Actor, contributorID uuid.UUID, request page.Request) (page.Page[LookUp], error) {
	if by.ContributorID != contributorID || !represents(by) {
		return page.Page[LookUp]{}, fault.New(fault.Forbidden)
	}
	return s.repo.lookUpsOf(ctx, contributorID, request)
}

// requireDispositive refuses ordinary credentials: drafting and activating a delegation need
// dispositive ones at once.
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
	Services           access.ServiceSet
	Exclusive          bool
	ValidUntil         *time.Time
	SignatoryID        uuid.UUID
}

// Draft prepares a delegation. It returns fault.DispositiveRequired; fault.Forbidden for who works
// for no intermediary, or for none that is on its register; fault.ServiceNotDelegated for who does
// not manage delegations there; fault.DelegateMustBePerson for a firm; fault.Invalid naming what is
// wrong, at /delegate_id where it is not the actor's or the actor must say which; and
// fault.Conflict while as many are prepared for the contributor as may be.
func (s *Service) Draft(ctx context.Context, by access.Actor, in Input) (View, error) {
	if err := requireDispositive(by); err != nil {
		return View{}, err
	}
	membership, err := s.membership(ctx, by, in.DelegateID)
	if err != nil {
		return View{}, err
	}
	id := uuid.Must(uuid.NewV7())
	drafted, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		return s.draft(ctx, trace, by, membership, id, in)
	}, s.replayTo(by))
	return drafted, operation.ReplayIfVisible(ctx, err, s.replayTo(by))
}

func (s *Service) draft(
	ctx context.Context, trace *operation.Trace, by access.Actor, membership access.Membership, id uuid.UUID, in Input,
) (View, error) {
	trace.Right, trace.SubjectKind = membership.Right(), SubjectKind
	now := s.run.Clock.Now()
	// Nobody is told here that there is no such contributor: it has neither the positions nor the
	// signatory. Who wants to know looks it up, which the contributor sees.
	c, _, err := s.contributor(ctx, in.ContributorTaxCode)
	if err != nil {
		return View{}, err
	}
	code, err := reference(s.random)
	if err != nil {
		return View{}, err
	}
	d := Delegation{
		ID: id, DelegateID: membership.DelegateID, ContributorID: c.ID, ReferenceCode: code, State: Draft, DraftedBy: by.PersonID,
		DraftedAt: now,
	}
	if d, err = s.filled(ctx, d, in, now); err != nil {
		return View{}, err
	}
	if err := s.mayOpen(ctx, d); err != nil {
		return View{}, err
	}
	d = d.moved(Draft, now)
	if err := s.repo.add(ctx, d, in.PositionIDs); err != nil {
		return View{}, err
	}
	trace.ContributorID = d.ContributorID
	return s.shown(ctx, by, id, now)
}

// mayOpen refuses one more delegation where the intermediary prepares as many as it may for the
// contributor. Whoever comes at the same time waits.
func (s *Service) mayOpen(ctx context.Context, d Delegation) error {
	if err := s.run.DB.LockName(ctx, "open delegations of "+d.DelegateID.String()+" for "+d.ContributorID.String()); err != nil {
		return err
	}
	open, err := s.repo.open(ctx, d.DelegateID, d.ContributorID)
	if err != nil {
		return err
	}
	return fault.OverOpen(open, mostOpen, "/contributor_tax_code")
}

func (s *Service) contributor(ctx context.Context, taxCode string) (contributor.Contributor, bool, error) {
	code, err := taxcode.Parse(taxCode)
	if err != nil {
		return contributor.Contributor{}, false, taxcode.Refused("/contributor_tax_code", err)
	}
	return known(s.contributors.ByTaxCode(ctx, code))
}

// known tells a contributor that is not there from an error.
func known(c contributor.Contributor, err error) (contributor.Contributor, bool, error) {
	if fault.Is(err, fault.NotFound) {
		return contributor.Contributor{}, false, nil
	}
	return c, err == nil, err
}

// filled checks what was asked for and writes it into the delegation.
func (s *Service) filled(ctx context.Context, d Delegation, in Input, now time.Time) (Delegation, error) {
	var wrong []fault.Field
	add := func(pointer, code string) { wrong = append(wrong, fault.Field{Pointer: pointer, Code: code}) }
	positions, err := s.contributors.AllPositions(ctx, d.ContributorID)
	if err != nil {
		return d, err
	}
	seen := map[uuid.UUID]bool{}
	for i, id := range in.PositionIDs {
		pointer := "/position_ids/" + strconv.Itoa(i)
		at := slices.IndexFunc(positions, func(p contributor.Position) bool { return p.ID == id })
		switch {
		case at < 0:
			add(pointer, fault.FieldUnknownPosition)
		case positions[at].State != contributor.PositionActive:
			add(pointer, fault.FieldPositionCeased)
		case seen[id]:
			add(pointer, fault.FieldDuplicate)
		}
		seen[id] = true
	}
	if len(in.PositionIDs) == 0 {
		add("/position_ids", fault.EmptyList(in.PositionIDs))
	}
	services := access.ServiceSet{access.AllServices}
	switch in.Scope {
	case Total:
		if len(in.Services) > 0 {
			add("/services", fault.FieldNotApplicable)
		}
	case Partial:
		services = in.Services
		if services == nil {
			add("/services", fault.FieldRequired)
		}
		wrong = append(wrong, services.Check("/services")...)
	default:
		add("/scope", fault.FieldEnum)
	}
	signatories, err := s.contributors.Signatories(ctx, d.ContributorID)
	if err != nil {
		return d, err
	}
	if !slices.ContainsFunc(signatories, func(p contributor.Signatory) bool { return p.PersonID == in.SignatoryID }) {
		add("/signatory_id", fault.FieldUnknownSignatory)
	}
	var until *time.Time
	if in.ValidUntil != nil {
		instant := clock.Normal(*in.ValidUntil)
		if until = &instant; !instant.After(now) {
			add("/valid_until", fault.FieldPast)
		}
	}
	if len(wrong) > 0 {
		return d, fault.InvalidFields(wrong...)
	}
	d.Scope, d.Services, d.Exclusive, d.ValidUntil, d.SignatoryID = in.Scope, services, in.Exclusive, until, in.SignatoryID
	return d, nil
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

// replay renders what an earlier, equal request of the actor made.
func (s *Service) replay(by access.Actor) func(ctx context.Context, id string) (View, error) {
	return operation.ByID(func(ctx context.Context, id uuid.UUID) (View, error) {
		return s.shown(ctx, by, id, s.run.Clock.Now())
	})
}

// replayTo renders it as far as the actor still manages the intermediary's delegations: they may
// have had another membership then.
func (s *Service) replayTo(by access.Actor) func(ctx context.Context, id string) (View, error) {
	return func(ctx context.Context, id string) (View, error) {
		drafted, err := s.replay(by)(ctx, id)
		if err != nil {
			return View{}, err
		}
		manages, err := s.Manages(ctx, by, drafted.DelegateID)
		if err == nil && !manages {
			err = fault.New(fault.NotFound)
		}
		if err != nil {
			return View{}, err
		}
		return drafted, nil
	}
}

// SubjectKind is how the audit trail names a delegation.
const SubjectKind = "delegation"

// Show returns one delegation as it stands. The guard has let the actor in.
func (s *Service) Show(ctx context.Context, id uuid.UUID) (View, error) {
	now := s.run.Clock.Now()
	d, err := s.repo.one(ctx, id, now)
	return d.at(now), err
}

// shown reads one delegation as it stands at the instant, as the actor's side sees it.
func (s *Service) shown(ctx context.Context, by access.Actor, id uuid.UUID, now time.Time) (View, error) {
	d, err := s.repo.one(ctx, id, now)
	return d.seenBy(by, now), err
}

// ShowTo returns one delegation as the actor's side sees it: the contributor's sees who works under
// it. The guard has let the actor in.
func (s *Service) ShowTo(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	now := s.run.Clock.Now()
	d, err := s.shown(ctx, by, id, now)
	if err != nil || !d.ForContributor {
		return d, err
	}
	shown := []View{d}
	err = s.repo.workers(ctx, shown, now)
	return shown[0], err
}

// List lists, the latest first, the delegations of the actor's intermediaries and of the
// contributors that the actor manages.
func (s *Service) List(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[View], error) {
	of := sides{consent: by.ConsentID()}
	memberships, err := s.rights.Memberships(ctx, by)
	if err != nil {
		return page.Page[View]{}, err
	}
	for _, membership := range memberships {
		if manages(membership) && (f.DelegateID == nil || *f.DelegateID == membership.DelegateID) &&
			!slices.Contains(of.delegates, membership.DelegateID) {
			of.delegates = append(of.delegates, membership.DelegateID)
		}
	}
	represented, err := s.rights.Represented(ctx, by, access.Delegations)
	if err != nil {
		return page.Page[View]{}, err
	}
	for _, id := range represented {
		if f.ContributorID == nil || *f.ContributorID == id {
			of.contributors = append(of.contributors, id)
		}
	}
	now := s.run.Clock.Now()
	found, err := s.repo.list(ctx, of, f, request, now)
	for i, d := range found.Items {
		found.Items[i] = d.at(now)
		found.Items[i].ForContributor = d.offered() && slices.Contains(represented, d.ContributorID)
	}
	return found, err
}

// OfContributor lists every delegation that the actor's contributor gave, active or not, the latest
// first.
func (s *Service) OfContributor(
	ctx context.Context, by access.Actor, contributorID uuid.UUID, request page.Request,
) (page.Page[View], error) {
	if by.ContributorID != contributorID || !represents(by) {
		return page.Page[View]{}, fault.New(fault.Forbidden)
	}
	now := s.run.Clock.Now()
	found, err := s.repo.list(ctx, sides{contributors: []uuid.UUID{contributorID}}, Filter{}, request, now)
	if err != nil {
		return found, err
	}
	for i, d := range found.Items {
		found.Items[i] = d.seenBy(by, now)
	}
	return found, s.repo.workers(ctx, found.Items, now)
}

// Search narrows the actor's delegations down by what may not stand in a URL; empty parts stand for
// any.
type Search struct {
	ContributorTaxCode string
	LegalName          string
	PositionNumber     string
	State              State
}

// Search lists what List does, as far as it matches, the latest first.
func (s *Service) Search(ctx context.Context, by access.Actor, in Search, request page.Request) (page.Page[View], error) {
	f := Filter{State: in.State, LegalName: in.LegalName}
	var none page.Page[View]
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
		p, _, err := s.contributors.ByNumber(ctx, in.PositionNumber)
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

// Change is what is changed of a draft or pending delegation; nil stays as it is.
type Change struct {
	PositionIDs []uuid.UUID
	Scope       *Scope
	Services    access.ServiceSet
	Exclusive   *bool
	ValidUntil  *time.Time
	// Endless takes the end away.
	Endless     bool
	SignatoryID *uuid.UUID
}

// Change makes a draft or pending delegation a changed draft; the code that was sent is worthless
// from then on. What changes nothing leaves it as it is. It returns fault.Forbidden,
// fault.ServiceNotDelegated and fault.DispositiveRequired as Send does, fault.Conflict once it was
// activated or ended, fault.PreconditionFailed when somebody changed it since the expected version,
// and fault.Invalid naming what is wrong.
func (s *Service) Change(ctx context.Context, by access.Actor, id uuid.UUID, expected int, change Change) (View, error) {
	right, err := delegateRight(by)
	if err != nil {
		return View{}, err
	}
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		old, now, err := s.repo.lock(ctx, id, s.run.Clock)
		if err != nil {
			return View{}, err
		}
		trace.Right, trace.SubjectKind, trace.ContributorID = right, SubjectKind, old.ContributorID
		d, err := old.changed(now)
		if err != nil {
			return View{}, err
		}
		if err := fault.RequireVersion(expected, old.Version); err != nil {
			return View{}, err
		}
		in := old.with(change)
		if in.same(old.with(Change{})) {
			return old.seenBy(by, now), nil
		}
		if d, err = s.filled(ctx, d, in, now); err != nil {
			return View{}, err
		}
		// A form that was signed before must not pass for the changed one.
		if d.ReferenceCode, err = reference(s.random); err != nil {
			return View{}, err
		}
		if err := s.endOTP(ctx, id); err != nil {
			return View{}, err
		}
		if err := s.repo.setPositions(ctx, d, in.PositionIDs); err != nil {
			return View{}, err
		}
		if err := s.repo.save(ctx, d); err != nil {
			return View{}, err
		}
		return s.shown(ctx, by, id, now)
	}, nil)
}

// same reports whether two would be drafted alike.
func (in Input) same(other Input) bool {
	return in.Scope == other.Scope && in.Exclusive == other.Exclusive && in.SignatoryID == other.SignatoryID && sameInstant(
		in.ValidUntil, other.ValidUntil,
	) &&
		sameSet(in.PositionIDs, other.PositionIDs, uuid.UUID.String) && sameSet(in.Services, other.Services, func(s access.Service) string {
		return string(s)
	})
}

func sameInstant(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && clock.Normal(*a).Equal(*b)
}

// sameSet reports whether two lists differ in nothing but the order.
func sameSet[T any](a, b []T, text func(T) string) bool {
	sorted := func(list []T) []string {
		texts := make([]string, len(list))
		for i, one := range list {
			texts[i] = text(one)
		}
		slices.Sort(texts)
		return texts
	}
	return slices.Equal(sorted(a), sorted(b))
}

// with is the delegation as the change would draft it.
func (s View) with(c Change) Input {
	in := Input{PositionIDs: s.positionIDs(), Scope: s.Scope, Exclusive: s.Exclusive, ValidUntil: s.ValidUntil, SignatoryID: s.SignatoryID}
	if s.Scope == Partial {
		in.Services = s.Services
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
	if c.ValidUntil != nil || c.Endless {
		in.ValidUntil = c.ValidUntil
	}
	if c.SignatoryID != nil {
		in.SignatoryID = *c.SignatoryID
	}
	return in
}
