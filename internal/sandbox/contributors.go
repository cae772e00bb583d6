package sandbox

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/naming"
	"diresco/internal/platform/taxcode"
)

// schemes are the schemes (gestioni) of positions for which none is given.
var schemes = map[contributor.Kind]string{
	contributor.Company:      "private_employers",
	contributor.PublicBody:   "public_employees",
	contributor.SelfEmployed: "artisans_and_traders",
	contributor.Household:    "domestic_workers",
}

// CreateContributor makes a test contributor. It returns fault.Conflict for a tax code that some
// contributor has, and fault.Invalid for wrong fields, for an office that does not exist too.
func (s *Service) CreateContributor(ctx context.Context, in ContributorInput) (Contributor, error) {
	c, positions, err := s.completeContributor(ctx, in)
	if err != nil {
		return Contributor{}, err
	}
	represent, err := s.representative(ctx, in.LegalRepresentative)
	if err != nil {
		return Contributor{}, err
	}
	id := c.ID.String()
	made, err := operation.Do(ctx, s.run, access.Actor{}, id, func(ctx context.Context, trace *operation.Trace) (Contributor, error) {
		trace.ContributorID, trace.SubjectKind = c.ID, "contributor"
		taken, err := s.repo.contributorTaxCodeExists(ctx, c.TaxCode)
		if err == nil && taken {
			err = fault.Because(fault.Conflict, "already-exists")
		}
		if err == nil {
			err = s.contributors.Add(ctx, c, positions)
		}
		if err == nil {
			err = represent(ctx, c.ID)
		}
		if err != nil {
			return Contributor{}, err
		}
		return s.repo.contributor(ctx, c.ID)
	}, operation.ByID(s.repo.contributor))
	if db.IsUnique(err) {
		// Somebody made one with the same tax code at the same moment.
		err = fault.Because(fault.Conflict, "already-exists")
	}
	return made, err
}

// maxLegalName is the contract's.
const maxLegalName = 250

// completeContributor chooses what the tester left open.
func (s *Service) completeContributor(ctx context.Context, in ContributorInput) (contributor.Contributor, []contributor.Position, error) {
	now := s.clock.Now()
	c := contributor.Contributor{ID: uuid.Must(uuid.NewV7()), TaxCode: in.TaxCode, LegalName: in.LegalName, Kind: in.Kind, CreatedAt: now}
	if c.Kind == "" {
		c.Kind = contributor.Company
	}
	scheme, known := schemes[c.Kind]
	if !known {
		return c, nil, fault.InvalidFields(fault.Field{Pointer: "/kind", Code: fault.FieldEnum})
	}
	var err error
	if code := naming.Display(c.LegalName, maxLegalName); c.LegalName != "" && code != "" {
		return c, nil, fault.InvalidFields(fault.Field{Pointer: "/legal_name", Code: code})
	}
	if c.LegalName == "" {
		if c.LegalName, err = s.choose.legalName(c.Kind); err != nil {
			return c, nil, err
		}
	}
	if c.TaxCode.IsZero() {
		if c.TaxCode, err = s.freeContributorCode(ctx, c.Kind); err != nil {
			return c, nil, err
		}
	}
	wanted := in.Positions
	if len(wanted) == 0 {
		wanted = []PositionInput{{}}
	}
	positions := make([]contributor.Position, len(wanted))
	for i, w := range wanted {
		p := contributor.Position{
			ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, Scheme: w.Scheme, OfficeCode: w.OfficeCode, State: contributor.PositionActive,
			CreatedAt: now,
		}
		if p.Scheme == "" {
			p.Scheme = scheme
		}
		if p.OfficeCode == "" {
			p.OfficeCode = mainOffice
		}
		if err := s.checkOffice(ctx, p.OfficeCode, fmt.Sprintf("/positions/%d/office_code", i)); err != nil {
			return c, nil, err
		}
		if p.Number, err = s.freeNumber(ctx, positions[:i]); err != nil {
			return c, nil, err
		}
		positions[i] = p
	}
	return c, positions, nil
}

// freeContributorCode makes a tax code that no contributor has. For who works alone or employs at
// home it is a person's, else an organisation's.
func (s *Service) freeContributorCode(ctx context.Context, kind contributor.Kind) (taxcode.Code, error) {
	for {
		code, err := s.choose.organisationCode()
		if kind == contributor.SelfEmployed || kind == contributor.Household {
			code, err = s.choose.personalCode("", "")
		}
		if err != nil {
			return code, err
		}
		taken, err := s.repo.contributorTaxCodeExists(ctx, code)
		if err != nil || !taken {
			return code, err
		}
	}
}

// freeNumber makes a position number that is not in use.
func (s *Service) freeNumber(ctx context.Context, beside []contributor.Position) (string, error) {
	for {
		number, err := s.choose.digits(10)
		if err != nil {
			return "", err
		}
		taken, err := s.repo.numberExists(ctx, number)
		for _, p := range beside {
			taken = taken || p.Number == number
		}
		if err != nil || !taken {
			return number, err
		}
	}
}

// representative prepares who may act for a contributor; the function that it returns gives the
// right in the context's transaction. A person who does not exist yet is made, with a ready PIN.
func (s *Service) representative(ctx context.Context, code taxcode.Code) (func(ctx context.Context, contributorID uuid.UUID) error, error) {
	if code.IsZero() {
		return func(context.Context, uuid.UUID) error { return nil }, nil
	}
	right := func(contributorID uuid.UUID) Role {
		return Role{ContributorID: contributorID, Role: access.LegalRepresentative}
	}
	if !code.IsPerson() {
		return nil, fault.InvalidFields(fault.Field{Pointer: "/legal_representative_tax_code", Code: fault.FieldFormat})
	}
	found, err := s.persons.ByTaxCode(ctx, code)
	if err == nil {
		return func(ctx context.Context, contributorID uuid.UUID) error {
			return s.addRole(ctx, found.ID, right(contributorID))
		}, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	made, _, err := s.completePerson(ctx, PersonInput{TaxCode: code})
	if err != nil {
		return nil, err
	}
	pin, err := s.newPIN(ctx, false)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, contributorID uuid.UUID) error {
		p, err := s.persons.Add(ctx, made)
		if err != nil {
			return err
		}
		registered, err := s.insert(ctx, p)
		if err != nil {
			return err
		}
		return s.equip(
			ctx, p.ID, pin, "Legal representative (rappresentante legale), created with the contributor"+registered,
			[]Role{right(contributorID)},
		)
	}, nil
}
