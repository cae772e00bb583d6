package pinrequest

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/review"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// PINs makes initial PINs and gives them to people; pin.Service is one.
type PINs interface {
	// NewInitial draws an initial PIN and hashes it, which takes long and belongs outside of
	// transactions.
	NewInitial(ctx context.Context) (pin.Initial, error)
	// GiveInHalves gives it to a person and promises a half to each recipient, in the context's
	// transaction.
	GiveInHalves(
		ctx context.Context, personID uuid.UUID, initial pin.Initial, first, second pin.Half,
	) (firstID, secondID uuid.UUID, err error)
	// State returns the state of a person's PIN now.
	State(ctx context.Context, personID uuid.UUID) (pin.State, error)
}

// Deps are what the service works with.
type Deps struct {
	Runner   *operation.Runner
	People   *person.Service
	Register *residents.Register
	PINs     PINs
	Outbox   *outbox.Outbox
	Looks    *look.Service
	// Random is what the ids of requests are drawn from.
	Random io.Reader
}

// Service takes requests for a PIN and decides about them.
type Service struct {
	run      *operation.Runner
	repo     repository
	people   *person.Service
	register *residents.Register
	pins     PINs
	outbox   *outbox.Outbox
	looks    *look.Service
	random   io.Reader
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, people: d.People, register: d.Register, pins: d.PINs,
		outbox: d.Outbox, looks: d.Looks, random: d.Random,
	}
}

// subjectKind is how the audit trail names a request.
const subjectKind = "pin-request"

// Request takes a request that somebody makes without a login. It is served at once when the person
// is in the register, all data agree and they have no PIN that works; else it waits, and nobody can
// tell from the answer, or from the work that it took, why. It returns fault.Invalid for wrong
// fields and fault.Busy when too many ask for a PIN.
func (s *Service) Request(ctx context.Context, a Application) (View, error) {
	return s.take(ctx, access.Actor{}, a)
}

// File is Request for a caller of the contact centre; who filed it is kept.
func (s *Service) File(ctx context.Context, by access.Actor, a Application) (View, error) {
	return s.take(ctx, by, a)
}

func (s *Service) take(ctx context.Context, by access.Actor, a Application) (View, error) {
	a, err := a.normal(s.run.Clock.Now())
	if err != nil {
		return View{}, err
	}
	var random uuid.UUID
	if _, err := io.ReadFull(s.random, random[:]); err != nil {
		return View{}, err
	}
	// In every case: it takes most of the time.
	initial, err := s.pins.NewInitial(ctx)
	if err != nil {
		return View{}, err
	}
	shown, err := s.takeOnce(ctx, by, textOf(random), a, initial)
	if fault.Is(err, fault.Conflict) {
		// Somebody else made the person in the middle of it. Now there is one, and the request is
		// looked at anew.
		shown, err = s.takeOnce(ctx, by, textOf(random), a, initial)
	}
	return shown, err
}

func (s *Service) takeOnce(ctx context.Context, by access.Actor, id string, a Application, initial pin.Initial) (View, error) {
	return operation.Do(ctx, s.run, by, id, func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.SubjectKind = subjectKind
		now := s.run.Clock.Now()
		r := Request{ID: id, TaxCode: a.TaxCode, Identity: a.Identity, State: Waiting, Version: 1, CreatedAt: now}
		if a.Phone != "" {
			r.Phone = &a.Phone
		}
		for _, c := range a.Contacts {
			r.Contacts = append(r.Contacts, Contact(c))
		}
		if by.PersonID != uuid.Nil {
			r.FiledBy, trace.Right = &by.PersonID, by.Office()
		}
		found, err := s.situation(ctx, a.TaxCode, now)
		if err != nil {
			return View{}, err
		}
		serve, because := found.assess(r, now)
		r.WaitsBecause = because
		if serve {
			// As the register writes them.
			r, err = s.serve(ctx, r, found, found.entry.Identity, initial)
		} else {
			err = s.warn(ctx, found.person.ID, because != nil && *because == HasPIN, now)
		}
		if err != nil {
			return View{}, err
		}
		trace.Outcome = string(r.State)
		if err := s.repo.add(ctx, r); err != nil {
			return View{}, err
		}
		return s.withFiler(ctx, r.show(nil))
	}, s.ShowToOffice)
}

// situation finds out about a tax code, with the same statements for a stranger. It keeps it so
// until the end of the context's transaction: two requests about one tax code come one after the
// other.
func (s *Service) situation(ctx context.Context, code taxcode.Code, now time.Time) (situation, error) {
	var found situation
	// The lock is on the name. Only the registered have a row to wait for, and how long many at
	// once take would tell.
	err := s.run.DB.LockName(ctx, code.Clear())
	if err != nil {
		return situation{}, err
	}
	if found.entry, found.registered, err = s.register.Find(ctx, code); err != nil {
		return situation{}, err
	}
	p, err := s.people.ByTaxCode(ctx, code)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return situation{}, err
	}
	if found.person, err = s.people.Lock(ctx, p.ID); err != nil && !fault.Is(err, fault.NotFound) {
		return situation{}, err
	}
	if found.pin, err = s.pins.State(ctx, p.ID); err != nil {
		return situation{}, err
	}
	found.taken, err = s.repo.taken(ctx, code, now.Add(-window))
	return found, err
}

// serve gives the PIN to the person, who is made where there is none yet, and promises both halves.
// A PIN that was asked for without being seen is ordinary, whatever the one before it was.
// It returns the fault of destinations.
func (s *Service) serve(ctx context.Context, r Request, found situation, names residents.Identity, initial pin.Initial) (Request, error) {
	p := found.person
	own, err := s.people.Contacts(ctx, p.ID)
	if err != nil {
		return Request{}, err
	}
	to, err := found.destinations(r, own, s.run.Clock.Now())
	if err != nil {
		return Request{}, err
	}
	if p.ID == uuid.Nil {
		p, err = s.people.Add(ctx, person.New{
			TaxCode: r.TaxCode, GivenName: names.GivenName, FamilyName: names.FamilyName, UserClass: access.Citizen,
			CredentialLevel: access.Ordinary,
		})
	} else if err = s.people.MakeOrdinary(ctx, p.ID); err == nil {
		// What somebody asked for with the old PIN must not raise the new one.
		err = pinupgrade.Void(ctx, s.run.DB, p.ID, s.run.Clock.Now())
	}
	if err == nil && found.person.ID != uuid.Nil {
		err = s.notify(ctx, ServedAgain, p.ID, map[string]string{"at": instant(r.CreatedAt)}, r.CreatedAt)
	}
	if err != nil {
		return Request{}, err
	}
	if to.declared {
		contacts := make([]person.NewContact, len(r.Contacts))
		for i, c := range r.Contacts {
			contacts[i] = person.NewContact(c)
		}
		if err := s.people.AddUnverified(ctx, p.ID, contacts...); err != nil {
			return Request{}, err
		}
	}
	firstID, secondID, err := s.pins.GiveInHalves(ctx, p.ID, initial, to.first, to.second)
	r = r.sentTo(to)
	r.State, r.PersonID, r.FirstMessageID, r.SecondMessageID = Served, &p.ID, &firstID, &secondID
	return r, err
}

// warn tells a person who has a PIN of a request in their name. For anybody else the same
// statements are made: nothing is promised by a message that is withdrawn in the same transaction.
func (s *Service) warn(ctx context.Context, personID uuid.UUID, hasPIN bool, now time.Time) error {
	if !hasPIN {
		personID = uuid.Nil
	}
	m, err := outbox.NewMessage(WithPIN, personID, map[string]string{"at": instant(now)}, now)
	if err != nil {
		return err
	}
	withdrawn := uuid.Nil
	if !hasPIN {
		m, withdrawn = m.To(outbox.Email, "nobody"), m.ID
	}
	if err := s.outbox.Add(ctx, m); err != nil {
		return err
	}
	return s.outbox.Withdraw(ctx, withdrawn)
}

func (s *Service) notify(ctx context.Context, kind outbox.Kind, personID uuid.UUID, data map[string]string, now time.Time) error {
	m, err := outbox.NewMessage(kind, personID, data, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, m)
}

func instant(t time.Time) string { return t.Format(time.RFC3339Nano) }

// Show returns a request to whoever knows its id, or fault.NotFound.
func (s *Service) Show(ctx context.Context, id string) (View, error) {
	r, err := s.repo.one(ctx, id)
	if err != nil {
		return View{}, err
	}
	all, err := s.withDeliveries(ctx, []Request{r})
	if err != nil {
		return View{}, err
	}
	return all[0], nil
}

// ShowToOffice returns a request with who filed it, or fault.NotFound.
func (s *Service) ShowToOffice(ctx context.Context, id string) (View, error) {
	shown, err := s.Show(ctx, id)
	if err != nil {
		return View{}, err
	}
	return s.withFiler(ctx, shown)
}

// Open is ShowToOffice for somebody of the staff, who looks at the person to whom the PIN was sent.
// It also returns the faults of look.Service.At.
func (s *Service) Open(ctx context.Context, by access.Actor, id string) (View, error) {
	shown, err := s.ShowToOffice(ctx, id)
	if err == nil && shown.PersonID != nil {
		err = s.looks.At(ctx, by, *shown.PersonID)
	}
	if err != nil {
		return View{}, err
	}
	return shown, nil
}

// List returns a page of the requests in a state, or in any for "", the oldest first.
func (s *Service) List(ctx context.Context, state State, request page.Request) (page.Page[View], error) {
	rows, err := s.repo.list(ctx, state, request)
	if err != nil {
		return page.Page[View]{}, err
	}
	shown, err := s.withDeliveries(ctx, rows.Items)
	if err != nil {
		return page.Page[View]{}, err
	}
	return page.Page[View]{Items: shown, Next: rows.Next}, s.addFilers(ctx, shown)
}

func (s *Service) withDeliveries(ctx context.Context, requests []Request) ([]View, error) {
	var messages []uuid.UUID
	for _, r := range requests {
		if r.FirstMessageID != nil && r.SecondMessageID != nil {
			messages = append(messages, *r.FirstMessageID, *r.SecondMessageID)
		}
	}
	var deliveries map[uuid.UUID][]outbox.Delivery
	if len(messages) > 0 {
		var err error
		if deliveries, err = s.outbox.Deliveries(ctx, messages...); err != nil {
			return nil, err
		}
	}
	shown := make([]View, len(requests))
	for i, r := range requests {
		shown[i] = r.show(deliveries)
	}
	return shown, nil
}

func (s *Service) withFiler(ctx context.Context, shown View) (View, error) {
	one := []View{shown}
	err := s.addFilers(ctx, one)
	return one[0], err
}

func (s *Service) addFilers(ctx context.Context, shown []View) error {
	ids := make([]*uuid.UUID, len(shown))
	for i, r := range shown {
		ids[i] = r.FiledBy
	}
	filers, err := review.Colleagues(ctx, s.run.DB, ids...)
	for i, r := range shown {
		if r.FiledBy != nil {
			shown[i].Filer = filers[*r.FiledBy]
		}
	}
	return err
}

// Decide serves a waiting request with the data that it holds, or refuses it. It returns these
// faults:
//   - fault.NotFound: there is no such request;
//   - fault.Invalid: the outcome is none;
//   - fault.Forbidden: the actor filed it, or revoked the person's PIN, or the person works here;
//   - fault.Conflict: the request is decided already, or a PIN cannot be given because the person
//     meanwhile has one, is suspended or can be reached at a counter alone.
func (s *Service) Decide(ctx context.Context, by access.Actor, id string, o Outcome) (View, error) {
	o, err := o.check()
	if err != nil {
		return View{}, err
	}
	before, err := s.repo.one(ctx, id)
	if err != nil {
		return View{}, err
	}
	var initial pin.Initial
	if o.State == Served {
		if initial, err = s.pins.NewInitial(ctx); err != nil {
			return View{}, err
		}
	}
	return operation.Do(ctx, s.run, by, id, func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.Right, trace.SubjectKind, trace.Outcome = by.Office(), subjectKind, string(o.State)
		return s.decide(ctx, by, before, o, initial)
	}, s.ShowToOffice)
}

// decide runs in the context's transaction, on a request as it was before it.
func (s *Service) decide(ctx context.Context, by access.Actor, before Request, o Outcome, initial pin.Initial) (View, error) {
	now := s.run.Clock.Now()
	// The tax code of a request never changes, so that the person can be locked before the request.
	found, err := s.situation(ctx, before.TaxCode, now)
	if err != nil {
		return View{}, err
	}
	r, err := s.repo.lock(ctx, before.ID)
	if err != nil {
		return View{}, err
	}
	parts, err := s.repo.revokers(ctx, found.person.ID)
	if err != nil {
		return View{}, err
	}
	if r.FiledBy != nil {
		parts = append(parts, *r.FiledBy)
	}
	if err := review.RequireSecond(by, parts...); err != nil {
		return View{}, err
	}
	if r, err = r.decide(o, by.PersonID, now); err != nil {
		return View{}, err
	}
	if o.State == Served {
		if err := found.mayServe(); err != nil {
			return View{}, err
		}
		if r, err = s.serve(ctx, r, found, r.Identity, initial); err != nil {
			return View{}, err
		}
	} else if found.person.ID != uuid.Nil {
		if err := s.notify(ctx, RefusedByOffice, found.person.ID, map[string]string{
			"at": instant(r.CreatedAt), "reason": o.Reason,
		}, now); err != nil {
			return View{}, err
		}
	}
	if err := s.repo.save(ctx, r); err != nil {
		return View{}, err
	}
	return s.withFiler(ctx, r.show(nil))
}
