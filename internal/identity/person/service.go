package person

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/taxcode"
)

// Service is what can be done with people.
type Service struct {
	run  *operation.Runner
	repo repository
}

// Deps are what Service and AddressBook work with. Service needs Runner alone.
type Deps struct {
	Runner *operation.Runner
	Codes  *otp.Codes
	Outbox *outbox.Outbox
	// Keys encrypt the codes that are on their way.
	Keys *keyring.DataKeys
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{run: d.Runner, repo: repository{d.Runner.DB}}
}

// ByID returns a person, or fault.NotFound.
func (s *Service) ByID(ctx context.Context, id uuid.UUID) (Person, error) {
	return s.repo.one(ctx, "id", id)
}

// ByTaxCode returns the person with exactly this tax code, or fault.NotFound: an omocodia variant
// is another person.
func (s *Service) ByTaxCode(ctx context.Context, code taxcode.Code) (Person, error) {
	return s.repo.one(ctx, "tax_code", code)
}

// Create makes a person as an operation of its own, with one audit record. What else belongs to the
// operation (the PIN that is issued with it) goes into also, which runs in the same transaction; it
// may be nil. It returns fault.Invalid for wrong fields and fault.Conflict when the tax code is
// registered already.
func (s *Service) Create(ctx context.Context, in New, also func(ctx context.Context, p Person) error) (Person, error) {
	in.ID = cmp.Or(in.ID, uuid.Must(uuid.NewV7()))
	return operation.Do(ctx, s.run, access.Actor{}, in.ID.String(), func(ctx context.Context, trace *operation.Trace) (Person, error) {
		trace.SubjectKind = SubjectKind
		p, err := s.Add(ctx, in)
		if err == nil && also != nil {
			err = also(ctx, p)
		}
		return p, err
	}, nil)
}

// Add makes a person inside the caller's transaction and leaves the audit record to the caller's
// operation. Errors are those of Create.
func (s *Service) Add(ctx context.Context, in New) (Person, error) {
	in, err := in.normal()
	if err != nil {
		return Person{}, err
	}
	p := Person{
		ID: cmp.Or(in.ID, uuid.Must(uuid.NewV7())), TaxCode: in.TaxCode, GivenName: in.GivenName, FamilyName: in.FamilyName,
		UserClass: in.UserClass, CredentialLevel: in.CredentialLevel, Version: 1, CreatedAt: s.run.Clock.Now(),
	}
	if in.OfficeCode != "" {
		p.OfficeCode = &in.OfficeCode
	}
	if in.IdentityConfirmed {
		p.IdentityConfirmedAt = &p.CreatedAt
	}
	added, err := s.repo.add(ctx, p)
	if err != nil {
		return Person{}, fmt.Errorf("add person: %w", err)
	}
	if !added {
		return Person{}, fault.Because(fault.Conflict, "tax-code-registered")
	}
	return p, s.addVerified(ctx, p.ID, in.Contacts)
}
