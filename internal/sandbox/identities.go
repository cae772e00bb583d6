package sandbox

import (
	"context"
	"slices"
	"strconv"
	"time"

	"diresco/internal/identity/person"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox/idp"
)

// newcomer has a digital identity, and nobody here knows the person: there is no entry in the
// register of persons either.
var newcomer = taxcode.Birth{
	FamilyName: "Fumagalli", GivenName: "Irene", Sex: taxcode.Female, Date: day(1994, time.October, 3), Place: "A794",
}

const (
	// newcomerKey and what follows name people who have a digital identity and no account yet.
	newcomerKey    = "newcomer"
	residentPrefix = "resident-"
	// otherFamilyName is what providers tell of the last resident, so that the office has something to
	// look into.
	otherFamilyName = "Colombini"
)

// Identities lists who can log in at the sandbox's identity provider: the test people in the order
// in which they were made, and some who have no account yet.
func (s *Service) Identities(ctx context.Context) ([]idp.Person, error) {
	size := page.MaxLimit
	found, err := s.repo.people(ctx, page.Request{Limit: size})
	if err != nil {
		return nil, err
	}
	all := make([]idp.Person, 0, size)
	for _, p := range found.Items {
		all = append(all, s.identity(p))
	}
	strangers, err := s.withoutAccount()
	if err != nil {
		return nil, err
	}
	for _, p := range strangers {
		if !slices.ContainsFunc(all, func(known idp.Person) bool { return known.TaxCode == p.TaxCode }) {
			all = append(all, p)
		}
	}
	return all, nil
}

// Identity returns who has the key, or fault.NotFound.
func (s *Service) Identity(ctx context.Context, key string) (idp.Person, error) {
	strangers, err := s.withoutAccount()
	if err != nil {
		return idp.Person{}, err
	}
	if i := slices.IndexFunc(strangers, func(p idp.Person) bool { return p.Key == key }); i >= 0 {
		return strangers[i], nil
	}
	p, err := s.keyed(ctx, key)
	if err != nil {
		return idp.Person{}, err
	}
	return s.identity(p), nil
}

// identity is what a provider knows of a test person.
func (s *Service) identity(p Person) idp.Person {
	known := idp.Person{
		Key: p.Key, Description: p.Description, TaxCode: p.TaxCode.Clear(), GivenName: p.GivenName, FamilyName: p.FamilyName, Sex: "M",
	}
	known.BirthDate, known.BirthPlace = bornBy(p.TaxCode, s.clock.Now())
	known.Province = home(known.BirthPlace).province
	if d, _ := strconv.Atoi(digitsOf(known.TaxCode[dayAt:placeAt])); d > femaleDays {
		known.Sex = "F"
	}
	for _, c := range p.Contacts {
		switch {
		case c.Kind == person.Email && known.Email == "":
			known.Email = c.Value
		case c.Kind == person.Mobile && known.Mobile == "":
			known.Mobile = c.Value
		}
	}
	if known.Email == "" {
		// Whoever has a digital identity gave an e-mail for it.
		known.Email = mailbox(p.GivenName) + "." + mailbox(p.FamilyName) + "@posta.example"
	}
	return known
}

// withoutAccount returns those who have a digital identity and, at the beginning, no account.
func (s *Service) withoutAccount() ([]idp.Person, error) {
	var all []idp.Person
	for i, r := range seedResidents {
		p, err := s.stranger(residentPrefix+strconv.Itoa(i+1), r.birth, "No account yet; in the register of persons")
		if err != nil {
			return nil, err
		}
		if i == len(seedResidents)-1 {
			p.FamilyName, p.Description = otherFamilyName, "No account yet; in the register of persons under another family name"
		}
		all = append(all, p)
	}
	p, err := s.stranger(newcomerKey, newcomer, "No account yet, and not in the register of persons")
	return append(all, p), err
}

func (s *Service) stranger(key string, b taxcode.Birth, description string) (idp.Person, error) {
	code, err := taxcode.Compose(b)
	if err != nil {
		return idp.Person{}, err
	}
	return s.identity(Person{
		Person: person.Person{TaxCode: code, GivenName: b.GivenName, FamilyName: b.FamilyName}, Key: key, Description: description,
	}), nil
}
