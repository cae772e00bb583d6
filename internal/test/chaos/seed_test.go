package chaos

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/recheck"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/taxcode"
)

// offices are those of the positions of who declares.
var offices = []string{"7000", "4900", "5100", "8100", "3000"}

// seeder fills the database of a service as its back office would.
type seeder struct {
	t            *testing.T
	db           *db.DB
	people       *person.Service
	pins         *pin.Service
	contributors *contributor.Service
	pin, hash    string
	count        int
}

func newSeeder(t *testing.T, url string) *seeder {
	t.Helper()
	d := open(t, url)
	runner := &operation.Runner{
		DB: d, Clock: clock.System{}, Keys: idempotency.NewStore(d, clock.System{}, nil), Trail: audit.NewTrail(d),
		Recheck: recheck.New(d, clock.System{}),
	}
	hasher, err := pin.NewHasher(pin.HasherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// What checks PINs and ends sessions is not needed to give them.
	s := &seeder{
		t: t, db: d, people: person.NewService(person.Deps{Runner: runner}), contributors: contributor.NewService(contributor.Deps{DB: d}),
		pins: pin.NewService(pin.Deps{Runner: runner, Verifier: pin.NewVerifier(d, clock.System{}, hasher, nil, nil), Random: rand.Reader}),
	}
	// One PIN for everybody: it is not what is tested, and costs time.
	chosen, err := s.pins.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	if s.hash, err = s.pins.Hash(t.Context(), chosen); err != nil {
		t.Fatal(err)
	}
	s.pin = chosen.Reveal()
	s.do(func(ctx context.Context) error {
		for _, office := range offices {
			if err := s.contributors.AddOffice(ctx, contributor.Office{Code: office}); err != nil {
				return err
			}
		}
		return nil
	})
	return s
}

func (s *seeder) do(work func(ctx context.Context) error) {
	s.t.Helper()
	if err := s.db.InTx(s.t.Context(), work); err != nil {
		s.t.Fatal(err)
	}
}

// person adds somebody with a PIN and dispositive credentials.
func (s *seeder) person() (id uuid.UUID, taxCode string) {
	s.t.Helper()
	s.count++
	code, err := taxcode.Compose(taxcode.Birth{
		FamilyName: "Bianchi", GivenName: "Maria", Sex: taxcode.Female, Place: "H501",
		Date: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, s.count),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.do(func(ctx context.Context) error {
		p, err := s.people.Add(ctx, person.New{
			TaxCode: code, GivenName: "Maria", FamilyName: "Bianchi", UserClass: access.Citizen, CredentialLevel: access.Dispositive,
		})
		if err != nil {
			return err
		}
		id = p.ID
		return s.pins.Set(ctx, id, s.hash, false)
	})
	return id, code.Clear()
}

// filers adds legal representatives, each of a company with a position at every office.
func (s *seeder) filers(count int) []*filer {
	s.t.Helper()
	filers := make([]*filer, count)
	for i := range filers {
		id, taxCode := s.person()
		code, err := taxcode.ComposeOrganisation(fmt.Sprintf("%010d", s.count))
		if err != nil {
			s.t.Fatal(err)
		}
		now := clock.System{}.Now()
		c := contributor.Contributor{
			ID: uuid.Must(uuid.NewV7()), TaxCode: code, LegalName: fmt.Sprintf("Officine %d S.r.l.", s.count), Kind: contributor.Company,
			CreatedAt: now,
		}
		var positions []contributor.Position
		f := &filer{taxCode: taxCode, pin: s.pin, contributor: c.ID.String()}
		for n, office := range offices {
			p := contributor.Position{
				ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, Number: fmt.Sprintf("%010d", 10*s.count+n), Scheme: "aziende",
				OfficeCode: office,
				State:      contributor.PositionActive, CreatedAt: now,
			}
			positions, f.positions = append(positions, p), append(f.positions, p.ID.String())
		}
		s.do(func(ctx context.Context) error {
			if err := s.contributors.Add(ctx, c, positions); err != nil {
				return err
			}
			return s.contributors.AddRole(ctx, contributor.Role{
				ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, PersonID: id, Role: access.LegalRepresentative,
				Services: access.ServiceSet{access.AllServices}, GrantedAt: now,
			})
		})
		filers[i] = f
	}
	return filers
}
