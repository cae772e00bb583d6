package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/fund"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/recheck"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/money"
	"diresco/internal/platform/taxcode"
)

const (
	filers      = 20
	loginPeople = 64
	// primed is how many declarations each filer submits before anything is measured, at each of
	// two offices.
	primed    = 40
	longList  = 100_000
	shortList = 100
	typeCode  = "RIOC"
	// cappedType reserves money of one fund for all offices, which is called like the type.
	cappedType = "151-2015"
)

// offices are those at which declarations are filed; the first is the one of "one office".
var offices = []string{"7000", "4900", "5100", "8100", "3000"}

// user is somebody who can log in.
type user struct {
	taxCode string
	token   string
}

// filer declares for a contributor with two positions: one at one of the offices, one at the first.
type filer struct {
	user
	contributor     string
	office          string
	spread, central string
	// filed are the declarations that were filed at first at the first of the positions.
	filed []string
}

// world is what was put into the database.
type world struct {
	pin    string
	filers []*filer
	long   *filer
	short  *filer
	logins []*user
	// operator is at the first office.
	operator *user
	// examples are contents by type.
	examples map[string]json.RawMessage
}

// seed migrates the database and fills it.
func seed(ctx context.Context, databaseURL string) (*world, error) {
	return seedSize(ctx, databaseURL, filers, offices)
}

// seedSize does so with so many filers, who share these offices.
func seedSize(ctx context.Context, databaseURL string, count int, offices []string) (*world, error) {
	d, err := db.Open(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	w := &world{}
	err = d.Migrate(ctx)
	if err == nil {
		s := newSeeder(d, w)
		s.filers, s.offices = count, offices
		err = s.all(ctx)
	}
	return w, errors.Join(err, d.Close())
}

type seeder struct {
	filers       int
	offices      []string
	world        *world
	db           *db.DB
	clock        clock.Clock
	runner       *operation.Runner
	people       *person.Service
	pins         *pin.Service
	contributors *contributor.Service
	types        *declaration.Types
	funds        *fund.Service
	// first is somebody who is there.
	first uuid.UUID
	count int
	hash  string
}

func newSeeder(d *db.DB, w *world) *seeder {
	c := clock.System{}
	runner := &operation.Runner{
		DB: d, Clock: c, Keys: idempotency.NewStore(d, c, nil), Trail: audit.NewTrail(d), Recheck: recheck.New(d, c),
	}
	return &seeder{
		filers: filers, offices: offices, world: w, db: d, clock: c, runner: runner, people: person.NewService(person.Deps{Runner: runner}),
		contributors: contributor.NewService(contributor.Deps{DB: d}),
		types:        declaration.NewTypes(d, c), funds: fund.NewService(fund.Deps{Runner: runner}),
	}
}

func (s *seeder) all(ctx context.Context) error {
	if err := s.choosePIN(ctx); err != nil {
		return err
	}
	if err := s.db.InTx(ctx, s.register); err != nil {
		return err
	}
	_, err := s.funds.Create(ctx, access.Actor{PersonID: s.first}, cappedType, fund.Replacement{Budget: money.Most})
	return err
}

// register fills the registers, in the context's transaction.
func (s *seeder) register(ctx context.Context) error {
	for _, code := range s.offices {
		if err := s.contributors.PutOffice(ctx, contributor.Office{Code: code, Title: "Sede " + code}); err != nil {
			return err
		}
	}
	if err := s.types.Install(ctx); err != nil {
		return err
	}
	for i := range s.filers + 2 {
		f, err := s.filer(ctx, s.offices[i%len(s.offices)])
		if err != nil {
			return err
		}
		switch i {
		case s.filers:
			s.world.long = f
		case s.filers + 1:
			s.world.short = f
		default:
			s.world.filers = append(s.world.filers, f)
		}
	}
	var err error
	_, s.world.operator, err = s.person(ctx, func(p *person.New) { p.UserClass, p.OfficeCode = access.Operator, s.offices[0] })
	if err != nil {
		return err
	}
	for range loginPeople {
		_, u, err := s.person(ctx, nil)
		if err != nil {
			return err
		}
		s.world.logins = append(s.world.logins, u)
	}
	return nil
}

// choosePIN makes the one PIN that everybody has here: hashing one for each would take longer than
// the rest.
func (s *seeder) choosePIN(ctx context.Context) error {
	hasher, err := pin.NewHasher(pin.HasherOptions{})
	if err != nil {
		return err
	}
	// What checks PINs and ends sessions is not needed to give them.
	s.pins = pin.NewService(pin.Deps{Runner: s.runner, Verifier: pin.NewVerifier(s.db, s.clock, hasher, nil, nil), Random: rand.Reader})
	chosen, err := s.pins.Generate(false)
	if err != nil {
		return err
	}
	s.world.pin = chosen.Reveal()
	s.hash, err = s.pins.Hash(ctx, chosen)
	return err
}

// taxCodeOf makes a different valid tax code for every number below 25,000 and family name.
func taxCodeOf(familyName string, n int) (taxcode.Code, error) {
	born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	return taxcode.Compose(taxcode.Birth{FamilyName: familyName, GivenName: "Maria", Date: born, Sex: taxcode.Female, Place: "H501"})
}

// person adds somebody with dispositive credentials, changed where change is given.
func (s *seeder) person(ctx context.Context, change func(*person.New)) (uuid.UUID, *user, error) {
	s.count++
	code, err := taxCodeOf("Bianchi", s.count)
	if err != nil {
		return uuid.Nil, nil, err
	}
	made := person.New{
		TaxCode: code, GivenName: "Maria", FamilyName: "Bianchi", UserClass: access.Citizen, CredentialLevel: access.Dispositive,
		Contacts: []person.NewContact{{Kind: person.Email, Value: fmt.Sprintf("p%d@example.org", s.count)}},
	}
	if change != nil {
		change(&made)
	}
	p, err := s.people.Add(ctx, made)
	if err != nil {
		return uuid.Nil, nil, err
	}
	if s.first == uuid.Nil {
		s.first = p.ID
	}
	return p.ID, &user{taxCode: code.Clear()}, s.pins.Set(ctx, p.ID, s.hash, false)
}

// filer adds a company with its legal representative.
func (s *seeder) filer(ctx context.Context, office string) (*filer, error) {
	personID, u, err := s.person(ctx, nil)
	if err != nil {
		return nil, err
	}
	code, err := taxcode.ComposeOrganisation(fmt.Sprintf("%010d", s.count))
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	c := contributor.Contributor{
		ID: uuid.Must(uuid.NewV7()), TaxCode: code, LegalName: fmt.Sprintf("Officine %d S.r.l.", s.count), Kind: contributor.Company,
		CreatedAt: now,
	}
	var positions []contributor.Position
	for i, at := range []string{office, s.offices[0]} {
		positions = append(positions, contributor.Position{
			ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, Number: fmt.Sprintf("%010d", 10*s.count+i), Scheme: "aziende", OfficeCode: at,
			State: contributor.PositionActive, CreatedAt: now,
		})
	}
	if err := s.contributors.Add(ctx, c, positions); err != nil {
		return nil, err
	}
	err = s.contributors.AddRole(ctx, contributor.Role{
		ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, PersonID: personID, Role: access.LegalRepresentative,
		Services: access.ServiceSet{access.AllServices}, GrantedAt: now,
	})
	return &filer{
		user: *u, contributor: c.ID.String(), office: office, spread: positions[0].ID.String(), central: positions[1].ID.String(),
	}, err
}

// users are all who have a session.
func (w *world) users() []*user {
	var users []*user
	if w.operator != nil {
		users = append(users, w.operator)
	}
	for _, f := range w.people() {
		users = append(users, &f.user)
	}
	return users
}

// people are all who file.
func (w *world) people() []*filer { return append([]*filer{w.long, w.short}, w.filers...) }

// logIn gives everybody who files, and the operator, a session, by a real login. Access tokens live
// for minutes, so every work begins with it.
func (w *world) logIn(ctx context.Context, address string) error {
	c, err := dial(ctx, address, nil)
	if err != nil {
		return err
	}
	defer c.close()
	for _, u := range w.users() {
		status, err := c.do(ctx, loginCall(address, u.taxCode, w.pin).next())
		if err != nil {
			return err
		}
		var session struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(c.body, &session); err != nil || status != http.StatusCreated || session.AccessToken == "" {
			return errors.Join(err, refused(status, c.body))
		}
		u.token = session.AccessToken
	}
	return nil
}

func loginCall(address, taxCode, pin string) *call {
	body, _ := json.Marshal(map[string]string{"tax_code": taxCode, "pin": pin}) //nolint:errchkjson // strings always encode
	return newCall(http.MethodPost, "/v1/sessions", address, "", body, false)
}

// fileCall files a declaration of a type at a position.
func (w *world) fileCall(address string, f *filer, position, code string) *call {
	body, _ := json.Marshal(map[string]any{
		"type": code, "position_id": position, "content": w.examples[code], "submit": true,
	}) //nolint:errchkjson // as above
	return newCall(http.MethodPost, "/v1/contributors/"+f.contributor+"/declarations", address, f.token, body, true)
}

// prime files the first declarations, so that there is something to read, and makes the long lists.
func (w *world) prime(ctx context.Context, address string, d *database) error {
	if err := w.fileFirst(ctx, address, typeCode, cappedType, waitingType); err != nil {
		return err
	}
	if err := w.lengthen(ctx, d); err != nil {
		return err
	}
	for _, f := range []*filer{w.long, w.short} {
		if err := d.record(ctx, f.contributor); err != nil {
			return err
		}
	}
	return d.analyse(ctx)
}

// fileFirst reads the examples of the types and files the first declarations.
func (w *world) fileFirst(ctx context.Context, address string, types ...string) error {
	c, err := dial(ctx, address, nil)
	if err != nil {
		return err
	}
	defer c.close()
	if err := w.readExamples(ctx, c, address, types...); err != nil {
		return err
	}
	if err := w.logIn(ctx, address); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	for _, f := range w.people() {
		for _, position := range []string{f.spread, f.central} {
			file := w.fileCall(address, f, position, typeCode)
			for range w.primes(f) {
				id, err := c.file(ctx, file)
				if err != nil {
					return fmt.Errorf("submit: %w", err)
				}
				if position == f.spread {
					f.filed = append(f.filed, id)
				}
			}
		}
	}
	return nil
}

// file files a declaration and returns its id.
func (c *connection) file(ctx context.Context, file *call) (string, error) {
	status, err := c.do(ctx, file.next())
	if err != nil {
		return "", err
	}
	var filed struct {
		ID string `json:"declaration_id"`
	}
	if err := json.Unmarshal(c.body, &filed); err != nil || status != http.StatusCreated || filed.ID == "" {
		return "", errors.Join(err, refused(status, c.body))
	}
	return filed.ID, nil
}

// lengthen copies what was filed first until the lists have their lengths.
func (w *world) lengthen(ctx context.Context, d *database) error {
	for f, total := range map[*filer]int{w.long: longList, w.short: shortList} {
		if err := d.multiply(ctx, f.filed[:1], 2, total-1); err != nil {
			return err
		}
	}
	return nil
}

// readExamples reads the examples of the types.
func (w *world) readExamples(ctx context.Context, c *connection, address string, types ...string) error {
	w.examples = map[string]json.RawMessage{}
	for _, code := range types {
		status, err := c.do(ctx, newCall(http.MethodGet, "/v1/declaration-types/"+code, address, "", nil, false).next())
		if err != nil {
			return err
		}
		var shown struct {
			ContentExample json.RawMessage `json:"content_example"`
		}
		if err := json.Unmarshal(c.body, &shown); err != nil || status != http.StatusOK {
			return errors.Join(err, refused(status, c.body))
		}
		w.examples[code] = shown.ContentExample
	}
	return nil
}

// primes is how many declarations the filer submits at each position at first; those with lists
// have theirs copied.
func (w *world) primes(f *filer) int {
	if f == w.long || f == w.short {
		return 1
	}
	return primed
}
