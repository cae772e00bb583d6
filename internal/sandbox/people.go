package sandbox

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// mainOffice is where an operator works for whom no other office is given.
const mainOffice = "7000"

// registers are the professional registers and censuses by what their members are.
var registers = map[string]string{
	"labour_consultant": "consulenti del lavoro",
	"accountant":        "dottori commercialisti",
	"bookkeeper":        "ragionieri",
	"lawyer":            "avvocati",
	"trade_association": "associazioni di categoria",
	"caf":               "CAF imprese",
	"patronato":         "patronati",
	"paying_body":       "enti erogatori",
	"local_authority":   "consolati e altre autorità locali",
}

// PINChanged returns the hook that keeps the listed PINs current. It runs in the transaction that
// changes the PIN.
func PINChanged(d *db.DB, c clock.Clock) func(ctx context.Context, personID uuid.UUID, pin secret.Text) error {
	r := repository{d}
	return func(ctx context.Context, personID uuid.UUID, pin secret.Text) error {
		return r.keepPIN(ctx, personID, pin, "Registered while the sandbox ran", c.Now())
	}
}

// People lists the test people with their current PINs, in the order in which they were made. A key
// leaves at most the one that it names.
func (s *Service) People(ctx context.Context, key string, request page.Request) (page.Page[Person], error) {
	if key == "" {
		return s.repo.people(ctx, request)
	}
	p, err := s.keyed(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return page.Page[Person]{Items: []Person{}}, nil
	}
	return page.Page[Person]{Items: []Person{p}}, err
}

// keyed returns the test person whom a key names, or fault.NotFound.
func (s *Service) keyed(ctx context.Context, key string) (Person, error) {
	if code, known := seedCodes()[key]; known {
		p, err := s.persons.ByTaxCode(ctx, code)
		if err != nil {
			return Person{}, err
		}
		return s.repo.person(ctx, p.ID)
	}
	id, err := uuid.Parse(key)
	if err != nil {
		return Person{}, fault.New(fault.NotFound)
	}
	return s.repo.person(ctx, id)
}

// OpenSession logs the test person in whom a key names, with the PIN that the sandbox knows. It
// fails as session.Service.Start does, and with fault.NotFound where there is no such person.
func (s *Service) OpenSession(ctx context.Context, key, address string) (session.Session, error) {
	p, err := s.keyed(ctx, key)
	if err != nil {
		return session.Session{}, err
	}
	return s.sessions.Start(ctx, p.TaxCode.Clear(), p.PIN, address)
}

// CreatePerson makes a test person. It returns fault.Conflict for a tax code that somebody has, and
// fault.Invalid for wrong fields, for an office or a contributor that does not exist too.
func (s *Service) CreatePerson(ctx context.Context, in PersonInput) (Person, error) {
	made, description, err := s.completePerson(ctx, in)
	if err != nil {
		return Person{}, err
	}
	pin, err := s.newPIN(ctx, in.PIN == Fresh)
	if err != nil {
		return Person{}, err
	}
	created, err := s.persons.Create(ctx, made, func(ctx context.Context, p person.Person) error {
		registered, err := s.insert(ctx, p)
		if err != nil {
			return err
		}
		if err := s.enrol(ctx, p.ID, p.TaxCode, p.GivenName+" "+p.FamilyName, in.Register); err != nil {
			return err
		}
		for _, role := range in.IntermediaryRoles {
			if err := s.employ(ctx, p.ID, role); err != nil {
				return err
			}
		}
		return s.equip(ctx, p.ID, pin, description+registered, in.Roles)
	})
	if fault.Is(err, fault.Conflict) {
		return Person{}, fault.Because(fault.Conflict, "already-exists")
	}
	if err != nil {
		return operation.Replay(ctx, err, operation.ByID(s.repo.person))
	}
	return s.repo.person(ctx, created.ID)
}

// completePerson chooses what the tester left open.
func (s *Service) completePerson(ctx context.Context, in PersonInput) (person.New, string, error) {
	description := "Created on request"
	if in.Register != "" {
		members, known := registers[in.Register]
		if !known {
			return person.New{}, "", fault.InvalidFields(fault.Field{Pointer: "/register", Code: fault.FieldEnum})
		}
		description += "; iscritto: " + members
	}
	n := person.New{
		TaxCode: in.TaxCode, GivenName: in.GivenName, FamilyName: in.FamilyName, UserClass: in.UserClass,
		CredentialLevel: in.CredentialLevel,
		OfficeCode:      in.OfficeCode, Contacts: in.Contacts,
	}
	b, err := s.choose.birth(n.GivenName, n.FamilyName)
	if err != nil {
		return n, "", err
	}
	n.GivenName, n.FamilyName = b.GivenName, b.FamilyName
	if n.TaxCode.IsZero() {
		if n.TaxCode, err = s.freePersonalCode(ctx, n.GivenName, n.FamilyName); err != nil {
			return n, "", err
		}
	}
	if n.UserClass == "" {
		switch {
		case in.OfficeCode != "":
			n.UserClass = access.Operator
		case in.Register != "":
			n.UserClass = access.InstitutionalIntermediary
		default:
			n.UserClass = access.Citizen
		}
	}
	if n.UserClass == access.Operator && n.OfficeCode == "" {
		n.OfficeCode = mainOffice
	}
	if n.CredentialLevel == "" {
		n.CredentialLevel = access.Dispositive
	}
	if n.Contacts == nil {
		if n.Contacts, err = s.choose.contacts(n.GivenName, n.FamilyName); err != nil {
			return n, "", err
		}
	}
	if err := s.checkOffice(ctx, n.OfficeCode, "/office_code"); err != nil {
		return n, "", err
	}
	if err := s.checkRoles(ctx, in.Roles); err != nil {
		return n, "", err
	}
	return n, description, s.checkIntermediaryRoles(ctx, in.IntermediaryRoles)
}

// freePersonalCode makes a tax code that no person has.
func (s *Service) freePersonalCode(ctx context.Context, givenName, familyName string) (taxcode.Code, error) {
	for {
		code, err := s.choose.personalCode(givenName, familyName)
		if err != nil {
			return code, err
		}
		if _, err := s.persons.ByTaxCode(ctx, code); fault.Is(err, fault.NotFound) {
			return code, nil
		} else if err != nil {
			return code, err
		}
	}
}

func (s *Service) checkOffice(ctx context.Context, code, pointer string) error {
	if code == "" {
		return nil
	}
	exists, err := s.repo.officeExists(ctx, code)
	if err == nil && !exists {
		err = fault.InvalidFields(fault.Field{Pointer: pointer, Code: fault.FieldUnknownOffice})
	}
	return err
}

func (s *Service) checkRoles(ctx context.Context, roles []Role) error {
	var wrong []fault.Field
	for i, role := range roles {
		pointer := "/roles/" + strconv.Itoa(i)
		exists, err := s.repo.contributorExists(ctx, role.ContributorID)
		if err != nil {
			return err
		}
		if !exists {
			wrong = append(wrong, fault.Field{Pointer: pointer + "/contributor_id", Code: fault.FieldUnknownContributor})
		}
		if !slices.Contains([]access.ActingAs{
			access.LegalRepresentative, access.EmployeeDelegate, access.Employer, access.UserAdministrator,
		}, role.Role) {
			wrong = append(wrong, fault.Field{Pointer: pointer + "/role", Code: fault.FieldEnum})
		}
		if slices.ContainsFunc(roles[:i], func(before Role) bool {
			return before.ContributorID == role.ContributorID && before.Role == role.Role
		}) {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: fault.FieldDuplicate})
		}
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

func (s *Service) checkIntermediaryRoles(ctx context.Context, roles []IntermediaryRole) error {
	var wrong []fault.Field
	for i, role := range roles {
		pointer := "/intermediary_roles/" + strconv.Itoa(i)
		exists, err := s.repo.organisationExists(ctx, role.DelegateID)
		if err != nil {
			return err
		}
		if !exists {
			wrong = append(wrong, fault.Field{Pointer: pointer + "/delegate_id", Code: fault.FieldUnknownDelegate})
		}
		if !slices.Contains([]access.ActingAs{access.LegalRepresentative, access.EmployeeDelegate, access.UserAdministrator}, role.Role) {
			wrong = append(wrong, fault.Field{Pointer: pointer + "/role", Code: fault.FieldEnum})
		}
		if slices.ContainsFunc(roles[:i], func(before IntermediaryRole) bool {
			return before.DelegateID == role.DelegateID && before.Role == role.Role
		}) {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: fault.FieldDuplicate})
		}
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// hashedPIN is a PIN with what is stored of it.
type hashedPIN struct {
	pin     secret.Text
	hash    string
	initial bool
}

func (s *Service) newPIN(ctx context.Context, initial bool) (hashedPIN, error) {
	pin, err := s.pins.Generate(initial)
	if err != nil {
		return hashedPIN{}, err
	}
	hash, err := s.pins.Hash(ctx, pin)
	return hashedPIN{pin: pin, hash: hash, initial: initial}, err
}

// equip gives a new person PIN, description and roles in the context's transaction.
func (s *Service) equip(ctx context.Context, id uuid.UUID, pin hashedPIN, description string, roles []Role) error {
	if err := s.repo.keepPIN(ctx, id, pin.pin, description, s.clock.Now()); err != nil {
		return err
	}
	if err := s.pins.Set(ctx, id, pin.hash, pin.initial); err != nil {
		return err
	}
	for _, role := range roles {
		if err := s.addRole(ctx, id, role); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) addRole(ctx context.Context, personID uuid.UUID, role Role) error {
	return s.contributors.AddRole(ctx, contributor.Role{
		ID: uuid.Must(uuid.NewV7()), ContributorID: role.ContributorID, PersonID: personID, Role: role.Role,
		Services: role.Services.OrAll(), GrantedAt: s.clock.Now(),
	})
}
