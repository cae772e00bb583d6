package sandbox

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"diresco/internal/identity/person"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/taxcode"
)

// town is where people are born, and live.
type town struct{ title, postalCode, province, office string }

// towns are those of the sandbox by their cadastral code. Where no office is near, the main one is
// competent.
var towns = map[string]town{
	"H501": {"Roma", "00184", "RM", mainOffice}, "F205": {"Milano", "20121", "MI", "4900"}, "F839": {"Napoli", "80133", "NA", "5100"},
	"L219": {"Torino", "10121", "TO", "8100"}, "D612": {"Firenze", "50122", "FI", "3000"}, "A794": {"Bergamo", "24121", "BG", "1400"},
	"A944": {"Bologna", "40121", "BO", mainOffice}, "G273": {"Palermo", "90133", "PA", mainOffice},
	"L781": {"Verona", "37121", "VR", mainOffice},
	"A662": {"Bari", "70121", "BA", mainOffice},
}

// home returns the town with the cadastral code; whoever was born elsewhere is of Rome.
func home(place string) town {
	if t, known := towns[place]; known {
		return t
	}
	return towns["H501"]
}

// entry is what the register of persons holds of somebody who lives where they were born.
func entry(code taxcode.Code, givenName, familyName, birthDate string, t town, street string) residents.Entry {
	return residents.Entry{
		TaxCode: code, OfficeCode: &t.office,
		Identity: residents.Identity{
			GivenName: givenName, FamilyName: familyName, BirthDate: birthDate, BirthPlace: t.title,
			Street: street, PostalCode: t.postalCode, Town: t.title, Province: t.province,
		},
	}
}

// seedStreet is where the first people live, each in a house of their own.
func seedStreet(i int) string { return "Via Giuseppe Garibaldi " + strconv.Itoa(i+1) }

// resident is somebody of the register of persons who has no PIN and never had to do with the
// service.
type resident struct {
	birth  taxcode.Birth
	street string
}

// seedResidents may ask for a PIN. The first is the one whom the contract's example of requestPin
// names.
var seedResidents = []resident{
	{
		taxcode.Birth{FamilyName: "Bianchi", GivenName: "Elena", Sex: taxcode.Female, Date: day(1985, time.August, 1), Place: "H501"},
		"Via Nazionale 10",
	},
	{
		taxcode.Birth{FamilyName: "D'Amico", GivenName: "Niccolò", Sex: taxcode.Male, Date: day(1990, time.January, 17), Place: "D612"},
		"Piazza Santa Croce 4",
	},
	{
		taxcode.Birth{FamilyName: "Donati", GivenName: "Maria Luisa", Sex: taxcode.Female, Date: day(1962, time.June, 30), Place: "F205"},
		"Viale Monza 21/A",
	},
	{
		taxcode.Birth{FamilyName: "Parisi", GivenName: "Salvatore", Sex: taxcode.Male, Date: day(1947, time.November, 9), Place: "G273"},
		"Via Maqueda 100",
	},
}

// plantRegister puts the first people, and some who have no PIN yet, into the register of persons.
func (s *Service) plantRegister(ctx context.Context) error {
	all := append([]resident(nil), seedResidents...)
	for i, p := range seedPeople {
		all = append(all, resident{p.birth, seedStreet(i)})
	}
	entries := make([]residents.Entry, len(all))
	for i, r := range all {
		code, err := taxcode.Compose(r.birth)
		if err != nil {
			return err
		}
		entries[i] = entry(code, r.birth.GivenName, r.birth.FamilyName, r.birth.Date.Format(time.DateOnly), home(r.birth.Place), r.street)
	}
	return s.register.Put(ctx, entries...)
}

// insert puts a new test person into the register of persons, unless the tax code stands there. It
// returns what the register holds, for the description.
func (s *Service) insert(ctx context.Context, p person.Person) (string, error) {
	e, found, err := s.register.Find(ctx, p.TaxCode)
	if err != nil {
		return "", err
	}
	if !found {
		number, err := s.choose.under(90)
		if err != nil {
			return "", err
		}
		born, place := bornBy(p.TaxCode, s.clock.Now())
		e = entry(p.TaxCode, p.GivenName, p.FamilyName, born, home(place), "Via Giuseppe Mazzini "+strconv.Itoa(number+1))
		if err := s.register.Put(ctx, e); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf(
		"; in the register of persons: born %s in %s, lives in %s, %s %s %s", e.BirthDate, e.BirthPlace, e.Street, e.PostalCode, e.Town,
		e.Province,
	), nil
}

const (
	// Places in a person's tax code.
	yearAt, monthAt, dayAt, placeAt, checkAt = 6, 8, 9, 11, 15
	// What is added to a woman's day of birth.
	femaleDays = 40
)

// bornBy reads the day and the place of birth out of a person's tax code. The code does not tell
// the century: it is the last in which the person would be of age.
func bornBy(code taxcode.Code, now time.Time) (date, place string) {
	text := code.Clear()
	year, _ := strconv.Atoi(digitsOf(text[yearAt:monthAt]))
	month := time.Month(strings.IndexByte("ABCDEHLMPRST", text[monthAt]) + 1)
	d, _ := strconv.Atoi(digitsOf(text[dayAt:placeAt]))
	year += now.Year() / 100 * 100
	if year > now.Year()-18 {
		year -= 100
	}
	born := time.Date(year, month, d%femaleDays, 0, 0, 0, 0, time.UTC)
	return born.Format(time.DateOnly), text[placeAt:placeAt+1] + digitsOf(text[placeAt+1:checkAt])
}

// digitsOf turns the letters that make an omocodia variant back into digits.
func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if i := strings.IndexRune("LMNPQRSTUV", r); i >= 0 {
			return rune("0123456789"[i])
		}
		return r
	}, s)
}
