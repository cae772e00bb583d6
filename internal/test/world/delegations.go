package world

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/taxcode"
)

// Delegation is a row of delegations.
type Delegation struct {
	ID            uuid.UUID
	DelegateID    uuid.UUID
	ContributorID uuid.UUID
	ReferenceCode string
	Scope         string
	Services      access.ServiceSet
	Exclusive     bool
	ValidUntil    *time.Time
	SignatoryID   uuid.UUID
	State         string
	DraftedBy     uuid.UUID
	DraftedAt     time.Time
	ActivatedAt   *time.Time
	EndedAt       *time.Time
	Version       int
	UpdatedAt     time.Time
}

// SubDelegation is a row of sub_delegations.
type SubDelegation struct {
	ID         uuid.UUID
	DelegateID uuid.UUID
	PersonID   uuid.UUID
	Every      bool
	Services   access.ServiceSet
	ValidUntil *time.Time
	GrantedBy  uuid.UUID
	GrantedAt  time.Time
	RevokedAt  *time.Time
	Version    int
}

// Services is a set of services.
func Services(services ...access.Service) access.ServiceSet { return services }

// Professional adds a consulente del lavoro and returns the person and the intermediary.
func (a *App) Professional(t testing.TB) (Person, uuid.UUID) {
	t.Helper()
	p := a.Person(t, func(p *Person) { p.UserClass = access.InstitutionalIntermediary })
	return p, a.delegate(t, "professional", p.TaxCode)
}

// Association adds an association of a category of employers.
func (a *App) Association(t testing.TB) uuid.UUID {
	t.Helper()
	code, err := taxcode.ComposeOrganisation(fmt.Sprintf("%010d", serial.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return a.delegate(t, "association", code)
}

func (a *App) delegate(t testing.TB, kind string, code taxcode.Code) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	a.Exec(t, `INSERT INTO delegates (id, kind, tax_code, legal_name, register_code, registration_number, listed_at, updated_at)
		VALUES ( ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, kind, code.Clear(), "Studio "+code.Clear()[:3], "register", code.Clear()[3:6], a.Clock.Now(), a.Clock.Now())
	return id
}

// StrikeOff takes an intermediary off its register.
func (a *App) StrikeOff(t testing.TB, delegateID uuid.UUID) {
	t.Helper()
	a.Exec(t, "UPDATE delegates SET struck_off_at = ? WHERE id = ?", a.Clock.Now(), delegateID)
}

// DelegateRole gives a person a role at an organisation that is an intermediary.
func (a *App) DelegateRole(t testing.TB, personID, delegateID uuid.UUID, role access.ActingAs, services ...access.Service) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	a.Exec(
		t, "INSERT INTO delegate_roles (id, delegate_id, person_id, role, services, granted_at) VALUES ( ?, ?, ?, ?, ?, ?)", id, delegateID,
		personID, role, Services(services...), a.Clock.Now(),
	)
	return id
}

// Delegation adds an active, total delegation of all positions of a company; change may make it
// another, positions others.
func (a *App) Delegation(t testing.TB, delegateID uuid.UUID, c Company, change func(*Delegation), positions ...uuid.UUID) uuid.UUID {
	t.Helper()
	now := a.Clock.Now()
	signatory := a.Person(t, nil)
	id := uuid.Must(uuid.NewV7())
	d := Delegation{
		ID: id, DelegateID: delegateID, ContributorID: c.ID, ReferenceCode: id.String(), Scope: "total",
		Services: Services(access.AllServices), SignatoryID: signatory.ID,
		State: "active", DraftedBy: signatory.ID, DraftedAt: now, ActivatedAt: &now, Version: 1, UpdatedAt: now,
	}
	if change != nil {
		change(&d)
	}
	if positions == nil {
		for _, p := range c.Positions {
			positions = append(positions, p.ID)
		}
	}
	a.Must(t, func(ctx context.Context) error {
		if err := a.DB.From(ctx).Create(&d).Error; err != nil {
			return err
		}
		for _, p := range positions {
			if err := a.DB.From(ctx).Exec("INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) "+
				"VALUES ( ?, ?, ?)", id, c.ID, p).Error; err != nil {
				return err
			}
		}
		return nil
	})
	return id
}

// SubDelegation lets a person work with all of an intermediary's delegations. Where some are named,
// it is for these; change may alter it.
func (a *App) SubDelegation(t testing.TB, delegateID, personID uuid.UUID, change func(*SubDelegation), delegations ...uuid.UUID) uuid.UUID {
	t.Helper()
	s := SubDelegation{
		ID: uuid.Must(uuid.NewV7()), DelegateID: delegateID, PersonID: personID, Every: len(delegations) == 0,
		Services: Services(access.AllServices), GrantedBy: personID,
		GrantedAt: a.Clock.Now(), Version: 1,
	}
	if change != nil {
		change(&s)
	}
	a.Must(t, func(ctx context.Context) error {
		if err := a.DB.From(ctx).Create(&s).Error; err != nil {
			return err
		}
		for _, id := range delegations {
			if err := a.DB.From(ctx).Exec("INSERT INTO sub_delegation_items (sub_delegation_id, "+
				"delegation_id) VALUES ( ?, ?)", s.ID, id).Error; err != nil {
				return err
			}
		}
		return nil
	})
	return s.ID
}
