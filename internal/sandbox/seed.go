package sandbox

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// Seed makes the first test data where there is none yet. It adds the declaration types that came
// with a newer program.
func (s *Service) Seed(ctx context.Context) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := installation.Lock(ctx, s.db); err != nil {
			return err
		}
		if seeded, err := s.repo.seeded(ctx); err != nil {
			return err
		} else if seeded {
			return s.install(ctx)
		}
		return s.plant(ctx)
	})
}

// plant makes the first test data in the context's transaction.
func (s *Service) plant(ctx context.Context) error {
	for _, office := range seedOffices {
		if err := s.contributors.PutOffice(ctx, office); err != nil {
			return err
		}
	}
	ids := make(map[string]uuid.UUID, len(seedContributors))
	for _, c := range seedContributors {
		id, err := s.plantContributor(ctx, c)
		if err != nil {
			return err
		}
		ids[c.legalName] = id
	}
	for _, p := range seedPeople {
		if err := s.plantPerson(ctx, p, ids); err != nil {
			return err
		}
	}
	of := func(plant func(ctx context.Context, contributors map[string]uuid.UUID) error) func(ctx context.Context) error {
		return func(ctx context.Context) error { return plant(ctx, ids) }
	}
	for _, plant := range []func(ctx context.Context) error{
		of(s.plantIntermediaries), s.plantRegister, s.install, of(s.plantAppointments), s.plantTrialTypes, s.plantBudgets,
		s.plantApplications, s.plantConsents, of(s.plantPublicBodies), of(s.plantTickets), s.plantReplyTemplates, s.plantSurvey,
		s.plantRectificationContacts, of(s.plantSmartTasks), s.plantClosingChannel,
	} {
		if err := plant(ctx); err != nil {
			return err
		}
	}
	return nil
}

// install adds the declaration types, topics and services that came with the program.
func (s *Service) install(ctx context.Context) error {
	if err := s.types.Install(ctx); err != nil {
		return err
	}
	if err := s.topics.Install(ctx); err != nil {
		return err
	}
	return s.services.Install(ctx)
}

func (s *Service) plantContributor(ctx context.Context, seed seedContributor) (uuid.UUID, error) {
	now := s.clock.Now()
	code, err := seed.taxCode()
	if err != nil {
		return uuid.Nil, err
	}
	c := contributor.Contributor{
		ID: uuid.Must(uuid.NewV7()), TaxCode: code, LegalName: seed.legalName, Kind: seed.kind, Irregular: seed.irregular, CreatedAt: now,
	}
	positions := make([]contributor.Position, len(seed.numbers))
	for i, number := range seed.numbers {
		positions[i] = contributor.Position{
			ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, Number: number, Scheme: schemes[seed.kind], OfficeCode: seed.office,
			State: contributor.PositionActive, CreatedAt: now,
		}
	}
	if err := s.contributors.Add(ctx, c, positions); err != nil || seed.pec == "" {
		return c.ID, err
	}
	return c.ID, s.db.From(ctx).Exec("UPDATE contributors SET pec = ? WHERE id = ?", seed.pec, c.ID).Error
}

func (s *Service) plantPerson(ctx context.Context, seed seedPerson, contributors map[string]uuid.UUID) error {
	code, err := taxcode.Compose(seed.birth)
	if err != nil {
		return err
	}
	level := access.Dispositive
	if seed.ordinary {
		level = access.Ordinary
	}
	p, err := s.persons.Add(ctx, person.New{
		TaxCode: code, GivenName: seed.birth.GivenName, FamilyName: seed.birth.FamilyName, UserClass: seed.class, CredentialLevel: level,
		OfficeCode: seed.office, Contacts: seed.contacts,
		// Who never logged in never confirmed who they are.
		IdentityConfirmed: !seed.fresh,
	})
	if err != nil {
		return err
	}
	// Everybody may read these PINs in the documentation.
	hash, err := s.pins.HashPublic(seed.pin)
	if err != nil {
		return err
	}
	var roles []Role
	if seed.role != "" {
		roles = append(roles, Role{ContributorID: contributors[seed.at], Role: seed.role, Services: seed.services})
	}
	return s.equip(ctx, p.ID, hashedPIN{pin: seed.pin, hash: hash, initial: seed.fresh}, seed.description, roles)
}

var seedOffices = []contributor.Office{
	{Code: "7000", Title: "Direzione di coordinamento metropolitano di Roma"},
	{Code: "4900", Title: "Direzione di coordinamento metropolitano di Milano"},
	{Code: "5100", Title: "Direzione di coordinamento metropolitano di Napoli"},
	{Code: "8100", Title: "Direzione provinciale di Torino"},
	{Code: "3000", Title: "Direzione provinciale di Firenze"},
	{Code: "1400", Title: "Direzione provinciale di Bergamo"},
}

type seedContributor struct {
	legalName string
	kind      contributor.Kind
	// digits make the tax code of an organisation, owner that of a person.
	digits  string
	owner   *taxcode.Birth
	office  string
	numbers []string
	// pec is the certified e-mail to which the system writes, if there is one.
	pec string
	// irregular is the register's mark of who has not paid what was due.
	irregular bool
}

func (c seedContributor) taxCode() (taxcode.Code, error) {
	if c.owner != nil {
		return taxcode.Compose(*c.owner)
	}
	return taxcode.ComposeOrganisation(c.digits)
}

const (
	tiberine    = "Officine Tiberine S.r.l."
	ambrosiana  = "Tessiture Ambrosiane S.p.A."
	comune      = "Comune di Castel Mugello"
	valdarno    = "Azienda USL Valdarno"
	laboratorio = "Esposito Gennaro"
	casa        = "Ferrero Margherita"
)

var (
	gennaro = taxcode.Birth{
		FamilyName: "Esposito", GivenName: "Gennaro", Sex: taxcode.Male, Date: day(1974, time.September, 19), Place: "F839",
	}
	giulia = taxcode.Birth{
		FamilyName: "Colombo", GivenName: "Giulia", Sex: taxcode.Female, Date: day(1980, time.November, 2), Place: "F205",
	}
	andrea = taxcode.Birth{FamilyName: "Ricci", GivenName: "Andrea", Sex: taxcode.Male, Date: day(1968, time.July, 25), Place: "A944"}
	sara   = taxcode.Birth{
		FamilyName: "Galli", GivenName: "Sara", Sex: taxcode.Female, Date: day(1992, time.January, 30), Place: "A944",
	}
	luca    = taxcode.Birth{FamilyName: "Conti", GivenName: "Luca", Sex: taxcode.Male, Date: day(1985, time.October, 8), Place: "G273"}
	antonio = taxcode.Birth{
		FamilyName: "Caruso", GivenName: "Antonio", Sex: taxcode.Male, Date: day(1963, time.March, 27), Place: "G273",
	}
	margherita = taxcode.Birth{
		FamilyName: "Ferrero", GivenName: "Margherita", Sex: taxcode.Female, Date: day(1949, time.May, 3), Place: "L219",
	}
)

var seedContributors = []seedContributor{
	{legalName: tiberine, kind: contributor.Company, digits: "0410273058", office: "7000", numbers: []string{"7001248305", "7001248412"}},
	{
		legalName: ambrosiana, kind: contributor.Company, digits: "0682914015", office: "4900", numbers: []string{"4906310275"},
		pec: "tessiture.ambrosiane@pec.example",
	},
	{legalName: comune, kind: contributor.PublicBody, digits: "8003951048", office: "3000", numbers: []string{"0300417298"}},
	{legalName: valdarno, kind: contributor.PublicBody, digits: "8007341052", office: "3000", numbers: []string{"0300418811"}},
	{legalName: casa, kind: contributor.Household, owner: &margherita, office: "8100", numbers: []string{"8100935172"}},
	{
		legalName: laboratorio, kind: contributor.SelfEmployed, owner: &gennaro, office: "5100", numbers: []string{"0051720394"},
		irregular: true,
	},
}

type seedPerson struct {
	// key names the person to testers, always.
	key         string
	birth       taxcode.Birth
	class       access.UserClass
	ordinary    bool
	office      string
	pin         secret.Text
	fresh       bool
	contacts    []person.NewContact
	description string
	// role is what the person is at the contributor; nil services stand for all.
	role     access.ActingAs
	at       string
	services access.ServiceSet
}

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

func reach(email, mobile string) []person.NewContact {
	return []person.NewContact{{Kind: person.Email, Value: email + "@posta.example"}, {Kind: person.Mobile, Value: mobile}}
}

// seedCodes has the tax codes of the first people by their keys.
var seedCodes = sync.OnceValue(func() map[string]taxcode.Code {
	codes := make(map[string]taxcode.Code, len(seedPeople))
	for _, p := range seedPeople {
		code, err := taxcode.Compose(p.birth)
		if err != nil {
			continue // nobody is planted without a code
		}
		codes[p.key] = code
	}
	return codes
})

// seedKeys has the keys of the first people by their tax codes.
var seedKeys = sync.OnceValue(func() map[taxcode.Code]string {
	keys := make(map[taxcode.Code]string, len(seedPeople))
	for key, code := range seedCodes() {
		keys[code] = key
	}
	return keys
})

// keyOf returns the key of a test person.
func keyOf(p person.Person) string {
	if key, known := seedKeys()[p.TaxCode]; known {
		return key
	}
	return p.ID.String()
}
