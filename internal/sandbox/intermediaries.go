package sandbox

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// registerKinds says what kind of intermediary the members of a register or census are. Of the
// others nobody can be one yet.
var registerKinds = map[string]intermediary.Kind{
	"labour_consultant": intermediary.Professional,
	"accountant":        intermediary.Professional,
	"bookkeeper":        intermediary.Professional,
	"lawyer":            intermediary.Professional,
	"trade_association": intermediary.Association,
	"caf":               intermediary.CAF,
	"patronato":         intermediary.Patronato,
}

// The intermediaries of a new sandbox that are organisations.
const (
	studio = "Studio associato Ricci e Galli"
	caf    = "CAF Imprese Trinacria S.r.l."
)

// plantIntermediaries lists the first intermediaries, with who works there, and gives the CAF a
// client.
func (s *Service) plantIntermediaries(ctx context.Context, contributors map[string]uuid.UUID) error {
	people := map[*taxcode.Birth]uuid.UUID{}
	for _, b := range []*taxcode.Birth{&andrea, &sara, &luca, &antonio, &giulia} {
		id, err := s.planted(ctx, *b)
		if err != nil {
			return err
		}
		people[b] = id
	}
	code, err := taxcode.Compose(andrea)
	if err != nil {
		return err
	}
	if _, err := s.enlist(ctx, intermediary.Professional, code, "Andrea Ricci, consulente del lavoro", "labour_consultant"); err != nil {
		return err
	}
	for _, o := range []struct {
		kind             intermediary.Kind
		digits           string
		legalName        string
		register         string
		workers          map[*taxcode.Birth]access.ActingAs
		client           string
		clientsSignatory *taxcode.Birth
	}{
		{
			kind: intermediary.Firm, digits: "0391847037", legalName: studio, register: "labour_consultant",
			workers: map[*taxcode.Birth]access.ActingAs{&andrea: access.LegalRepresentative, &sara: access.EmployeeDelegate},
		},
		{
			kind: intermediary.CAF, digits: "0547219082", legalName: caf, register: "caf",
			workers: map[*taxcode.Birth]access.ActingAs{&luca: access.EmployeeDelegate, &antonio: access.LegalRepresentative},
			client:  ambrosiana, clientsSignatory: &giulia,
		},
	} {
		code, err := taxcode.ComposeOrganisation(o.digits)
		if err != nil {
			return err
		}
		id, err := s.enlist(ctx, o.kind, code, o.legalName, o.register)
		if err != nil {
			return err
		}
		for worker, role := range o.workers {
			if err := s.employ(ctx, people[worker], IntermediaryRole{DelegateID: id, Role: role}); err != nil {
				return err
			}
		}
		if o.client != "" {
			if err := s.entrust(ctx, id, contributors[o.client], people[o.clientsSignatory], people[&luca]); err != nil {
				return err
			}
		}
	}
	return nil
}

// enlist adds an intermediary to its register in the context's transaction.
func (s *Service) enlist(ctx context.Context, kind intermediary.Kind, code taxcode.Code, legalName, register string) (uuid.UUID, error) {
	now := s.clock.Now()
	number, err := s.choose.digits(6)
	if err != nil {
		return uuid.Nil, err
	}
	i := intermediary.Intermediary{
		ID: uuid.Must(uuid.NewV7()), Kind: kind, TaxCode: code, LegalName: legalName, RegisterCode: register, RegistrationNumber: number,
		ListedAt: now, UpdatedAt: now,
	}
	return i.ID, s.intermediaries.Add(ctx, i)
}

// employ gives a person a role at an intermediary, in the context's transaction.
func (s *Service) employ(ctx context.Context, personID uuid.UUID, role IntermediaryRole) error {
	return s.db.From(ctx).Exec("INSERT INTO delegate_roles (id, delegate_id, person_id, role, services, granted_at) VALUES ( ?, "+
		"?, ?, ?, ?, ?)",
		uuid.Must(uuid.NewV7()), role.DelegateID, personID, role.Role, role.Services.OrAll(), s.clock.Now()).Error
}

// entrust gives an intermediary an active, total delegation of all positions of a contributor, in
// the context's transaction.
func (s *Service) entrust(ctx context.Context, delegateID, contributorID, signatoryID, drafterID uuid.UUID) error {
	now := s.clock.Now()
	d := delegation.Delegation{
		ID: uuid.Must(uuid.NewV7()), DelegateID: delegateID, ContributorID: contributorID, ReferenceCode: "SAND-BOX2-CAF7",
		Scope: delegation.Total, Services: access.ServiceSet{access.AllServices},
		SignatoryID: signatoryID, State: delegation.Active, DraftedBy: drafterID, DraftedAt: now, ActivatedBy: &drafterID,
		ActivatedAt: &now, Version: 1, UpdatedAt: now,
	}
	if err := s.db.From(ctx).Create(&d).Error; err != nil {
		return err
	}
	return s.db.From(ctx).Exec("INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) SELECT ?, "+
		"x.contributor_id, x.id FROM positions x WHERE x.contributor_id = ?",
		d.ID, contributorID).Error
}

// enrol makes a new test person the intermediary that its register says. That is the professional,
// or the legal representative of a new organisation.
func (s *Service) enrol(ctx context.Context, personID uuid.UUID, code taxcode.Code, fullName, register string) error {
	kind, known := registerKinds[register]
	if !known {
		return nil
	}
	if kind == intermediary.Professional {
		// An import may have listed them before.
		if _, err := s.intermediaries.ByTaxCode(ctx, code); !fault.Is(err, fault.NotFound) {
			return err
		}
		_, err := s.enlist(ctx, kind, code, fullName, register)
		return err
	}
	organisation, err := s.choose.organisationCode()
	if err != nil {
		return err
	}
	id, err := s.enlist(ctx, kind, organisation, registers[register]+" "+fullName, register)
	if err != nil {
		return err
	}
	return s.employ(ctx, personID, IntermediaryRole{DelegateID: id, Role: access.LegalRepresentative})
}
