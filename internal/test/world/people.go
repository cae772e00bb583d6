package world

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/taxcode"
)

// Person is a row of people.
type Person struct {
	ID              uuid.UUID
	TaxCode         taxcode.Code
	GivenName       string
	FamilyName      string
	UserClass       access.UserClass
	CredentialLevel access.CredentialLevel
	OfficeCode      *string
	SuspendedAt     *time.Time
	CreatedAt       time.Time
}

// Session is a row of sessions.
type Session struct {
	ID                uuid.UUID
	PersonID          uuid.UUID
	LoginMethod       string
	PinChangeRequired bool
	CreatedAt         time.Time
	AuthenticatedAt   time.Time
	LastSeenAt        time.Time
	ExpiresAt         time.Time
	EndedAt           *time.Time
	RefreshGeneration int
	RefreshHash       string
}

// How long sessions live: the seed's rule for inactivity, the product's for the rest.
const (
	IdleAfter = 30 * time.Minute
	Lifetime  = 12 * time.Hour
)

// Company is a contributor with its positions.
type Company struct {
	contributor.Contributor
	Positions []contributor.Position
}

var serial atomic.Int64

// Person adds a citizen with dispositive credentials; change may make somebody else of them.
func (a *App) Person(t testing.TB, change func(*Person)) Person {
	t.Helper()
	n := serial.Add(1)
	code, err := taxcode.Compose(taxcode.Birth{
		FamilyName: "Rossi", GivenName: "Mario", Date: time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(n%25_000)),
		Sex: taxcode.Male, Place: "H501",
	})
	if err != nil {
		t.Fatal(err)
	}
	p := Person{
		ID: uuid.Must(uuid.NewV7()), TaxCode: code, GivenName: "Mario", FamilyName: "Rossi", UserClass: access.Citizen,
		CredentialLevel: access.Dispositive, CreatedAt: a.Clock.Now(),
	}
	if change != nil {
		change(&p)
	}
	a.Must(t, func(ctx context.Context) error { return a.DB.From(ctx).Table("people").Create(&p).Error })
	return p
}

// Operator adds an operator of the office.
func (a *App) Operator(t testing.TB, office string) Person {
	t.Helper()
	return a.Person(t, func(p *Person) { p.UserClass, p.OfficeCode = access.Operator, &office })
}

// Session logs the person in; change may make it another kind of session.
func (a *App) Session(t testing.TB, personID uuid.UUID, change func(*Session)) uuid.UUID {
	t.Helper()
	now := a.Clock.Now()
	s := Session{
		ID: uuid.Must(uuid.NewV7()), PersonID: personID, LoginMethod: "pin", CreatedAt: now, AuthenticatedAt: now, LastSeenAt: now,
		ExpiresAt: now.Add(Lifetime), RefreshHash: "none",
	}
	if change != nil {
		change(&s)
	}
	a.Must(t, func(ctx context.Context) error { return a.DB.From(ctx).Create(&s).Error })
	return s.ID
}

// Company adds a company with one active position at each of the offices.
func (a *App) Company(t testing.TB, offices ...string) Company {
	t.Helper()
	n := serial.Add(1)
	code, err := taxcode.ComposeOrganisation(fmt.Sprintf("%010d", n))
	if err != nil {
		t.Fatal(err)
	}
	c := Company{Contributor: contributor.Contributor{
		ID: uuid.Must(uuid.NewV7()), TaxCode: code, LegalName: fmt.Sprintf("Officine %d S.r.l.", n), Kind: contributor.Company,
		CreatedAt: a.Clock.Now(),
	}}
	for _, office := range offices {
		c.Positions = append(c.Positions, contributor.Position{
			ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, Number: fmt.Sprintf("%010d", serial.Add(1)), Scheme: "aziende",
			OfficeCode: office, State: contributor.PositionActive, CreatedAt: a.Clock.Now(),
		})
	}
	a.Must(t, func(ctx context.Context) error { return a.Contributors.Add(ctx, c.Contributor, c.Positions) })
	return c
}

// Role gives the person a role at the contributor; without services it covers all.
func (a *App) Role(t testing.TB, personID, contributorID uuid.UUID, role access.ActingAs, services ...access.Service) uuid.UUID {
	t.Helper()
	r := contributor.Role{
		ID: uuid.Must(uuid.NewV7()), ContributorID: contributorID, PersonID: personID, Role: role, Services: Services(services...).OrAll(),
		GrantedAt: a.Clock.Now(),
	}
	a.Must(t, func(ctx context.Context) error { return a.Contributors.AddRole(ctx, r) })
	return r.ID
}

// WithdrawRole takes a role away.
func (a *App) WithdrawRole(t testing.TB, id uuid.UUID) {
	t.Helper()
	a.Exec(t, "UPDATE contributor_roles SET withdrawn_at = ? WHERE id = ?", a.Clock.Now(), id)
}

// Enter lets a session in through the guard, to an operation on the contributor that needs the
// service for declarations.
func (a *App) Enter(t testing.TB, sessionID, contributorID uuid.UUID) access.Actor {
	t.Helper()
	rule := access.Rule{To: access.ToContributor, Service: access.Declarations}
	actor, err := a.Guard.Enter(context.Background(), sessionID, rule, access.Target{ContributorID: contributorID})
	if err != nil {
		t.Fatal(err)
	}
	return actor
}

// Employer adds a company with a position at each of the offices, and its legal representative. The
// office is Rome when none is named; the representative is logged in with dispositive credentials.
func (a *App) Employer(t testing.TB, offices ...string) (Company, access.Actor) {
	t.Helper()
	if len(offices) == 0 {
		offices = []string{Rome}
	}
	c := a.Company(t, offices...)
	return c, a.Colleague(t, c.ID, access.LegalRepresentative, access.Dispositive)
}

// Colleague adds a person with a role at the contributor and lets them in.
func (a *App) Colleague(
	t testing.TB, contributorID uuid.UUID, role access.ActingAs, level access.CredentialLevel, services ...access.Service,
) access.Actor {
	t.Helper()
	p := a.Person(t, func(p *Person) { p.CredentialLevel = level })
	a.Role(t, p.ID, contributorID, role, services...)
	return a.Enter(t, a.Session(t, p.ID, nil), contributorID)
}

// Desk adds an operator of the office and lets them in to the contributor.
func (a *App) Desk(t testing.TB, office string, contributorID uuid.UUID) access.Actor {
	t.Helper()
	return a.Enter(t, a.Session(t, a.Operator(t, office).ID, nil), contributorID)
}
