package staff

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// Record is a person as those who work here see them.
type Record struct {
	person.Person
	PINState pin.State
	Contacts []person.Contact
	// CounterPIN is the PIN from the counter that waits for its confirmation; nil for none.
	CounterPIN *Waiting
}

// Registration is a person to be registered at the counter.
type Registration struct {
	TaxCode    taxcode.Code
	GivenName  string
	FamilyName string
	// Contacts are of different kinds. They were told, not tried: each counts once it is verified.
	Contacts []person.NewContact
}

// check returns fault.Invalid for contacts that are not of different kinds, or one mailbox under
// two.
func (r Registration) check() error {
	var wrong []fault.Field
	for i, c := range r.Contacts {
		pointer := "/contacts/" + strconv.Itoa(i)
		for _, before := range r.Contacts[:i] {
			switch {
			case before.Kind == c.Kind:
				wrong = append(wrong, fault.Field{Pointer: pointer + "/kind", Code: fault.FieldDuplicate})
			case strings.EqualFold(before.Value, c.Value):
				wrong = append(wrong, fault.Field{Pointer: pointer + "/value", Code: fault.FieldDuplicate})
			}
		}
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// Find returns the person with exactly this tax code, or nobody. It is a look at whom it finds: it
// returns the faults of look.Service.At.
func (s *Service) Find(ctx context.Context, by access.Actor, code taxcode.Code) ([]Record, error) {
	p, err := s.people.ByTaxCode(ctx, code)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.looks.At(ctx, by, p.ID); err != nil {
		return nil, err
	}
	r, err := s.record(ctx, p)
	return []Record{r}, err
}

// Open shows a person to the actor, who looks at them by that. It returns fault.NotFound, and the
// faults of look.Service.At.
func (s *Service) Open(ctx context.Context, by access.Actor, id uuid.UUID) (Record, error) {
	r, err := s.Show(ctx, id)
	if err == nil {
		err = s.looks.At(ctx, by, id)
	}
	if err != nil {
		return Record{}, err
	}
	return r, nil
}

// Show returns a person as an operation leaves them, or fault.NotFound.
func (s *Service) Show(ctx context.Context, id uuid.UUID) (Record, error) {
	p, err := s.people.ByID(ctx, id)
	if err != nil {
		return Record{}, err
	}
	return s.record(ctx, p)
}

func (s *Service) record(ctx context.Context, p person.Person) (Record, error) {
	state, err := s.pins.State(ctx, p.ID)
	if err != nil {
		return Record{}, err
	}
	contacts, err := s.people.Contacts(ctx, p.ID)
	if err != nil {
		return Record{}, err
	}
	r := Record{Person: p, PINState: state, Contacts: contacts}
	waiting, found, err := s.repo.waiting(ctx, p.ID)
	if found {
		r.CounterPIN = &waiting
	}
	return r, err
}

// Register makes a citizen with ordinary credentials and without a PIN; contacts are not verified
// by this. It returns fault.Invalid for wrong fields and fault.Conflict for a tax code that is
// registered already.
func (s *Service) Register(ctx context.Context, by access.Actor, in Registration) (Record, error) {
	if err := in.check(); err != nil {
		return Record{}, err
	}
	id := uuid.Must(uuid.NewV7())
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Record, error) {
		trace.Right, trace.SubjectKind = by.Office(), person.SubjectKind
		p, err := s.people.Add(ctx, person.New{
			ID: id, TaxCode: in.TaxCode, GivenName: in.GivenName, FamilyName: in.FamilyName, UserClass: access.Citizen,
			CredentialLevel: access.Ordinary,
		})
		if err != nil {
			return Record{}, err
		}
		if err := s.people.AddUnverified(ctx, id, in.Contacts...); err != nil {
			return Record{}, err
		}
		return s.record(ctx, p)
	}, operation.ByID(s.Show))
}

// Suspend shuts a person out from the next request on, whatever sessions and tokens they hold, and
// tells them. It returns fault.NotFound, and fault.Conflict for somebody who is suspended already,
// for the actor and for the last administrator.
func (s *Service) Suspend(ctx context.Context, by access.Actor, id uuid.UUID, reason string) (Record, error) {
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Record, error) {
		trace.Right, trace.SubjectKind = by.Office(), person.SubjectKind
		if by.PersonID == id {
			return Record{}, fault.Because(fault.Conflict, "own-account")
		}
		p, err := s.people.Suspend(ctx, id, reason, s.sessions.HoldAllOf)
		if err != nil {
			return Record{}, err
		}
		if err := s.sessions.EndAllOf(ctx, id, session.EndedSuspended); err != nil {
			return Record{}, err
		}
		if err := s.notify(ctx, PersonSuspended, id); err != nil {
			return Record{}, err
		}
		return s.record(ctx, p)
	}, operation.ByID(s.Show))
}

// Readmit lets a suspended person in again, who then has to log in, and tells them. It returns
// fault.NotFound, and fault.Conflict for somebody who is not suspended.
func (s *Service) Readmit(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.Right, trace.SubjectKind = by.Office(), person.SubjectKind
		if _, err := s.people.Readmit(ctx, id); err != nil {
			return struct{}{}, err
		}
		// A session that was opened while the suspension came about must not come to life.
		if err := s.sessions.EndAllOf(ctx, id, session.EndedSuspended); err != nil {
			return struct{}{}, err
		}
		if err := s.repo.waitAnew(ctx, id, s.run.Clock.Now().Add(ordinaryFor)); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.notify(ctx, PersonReadmitted, id)
	}, nil)
	return err
}
