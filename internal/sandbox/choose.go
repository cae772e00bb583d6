package sandbox

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"diresco/internal/identity/person"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/taxcode"
)

// chooser makes what a tester leaves open.
type chooser struct{ random io.Reader }

// under returns a number from 0 to n-1.
func (c chooser) under(n int) (int, error) {
	i, err := rand.Int(c.random, big.NewInt(int64(n)))
	if err != nil {
		return 0, err
	}
	return int(i.Int64()), nil
}

func (c chooser) digits(n int) (string, error) {
	var b strings.Builder
	for range n {
		d, err := c.under(10)
		if err != nil {
			return "", err
		}
		b.WriteString(strconv.Itoa(d))
	}
	return b.String(), nil
}

func (c chooser) of(list []string) (string, error) {
	i, err := c.under(len(list))
	if err != nil {
		return "", err
	}
	return list[i], nil
}

var (
	women = []string{
		"Alessia", "Anna", "Barbara", "Beatrice", "Caterina", "Cristina", "Elisa", "Federica", "Ilaria", "Laura", "Lucia", "Marta",
		"Monica", "Paola", "Silvia", "Valentina",
	}
	men = []string{
		"Alberto", "Antonio", "Carlo", "Daniele", "Emanuele", "Fabio", "Filippo", "Giorgio", "Lorenzo", "Massimo", "Matteo", "Nicola",
		"Pietro", "Simone", "Stefano", "Vincenzo",
	}
	familyNames = []string{
		"Amato", "Barbieri", "Basile", "Benedetti", "Bruno", "Caruso", "Cattaneo", "Costa", "De Santis", "Ferri", "Gatti", "Giordano",
		"Leone", "Longo", "Mancini", "Marchetti", "Martini", "Neri", "Orlando", "Palmieri", "Pellegrini", "Rinaldi", "Rizzo", "Santoro",
		"Serra", "Testa", "Valentini", "Villa", "Vitale", "Zanetti",
	}
	// places are the cadastral codes of Rome, Milan, Naples, Turin, Florence, Bergamo, Bologna,
	// Palermo, Verona and Bari.
	places = []string{"H501", "F205", "F839", "L219", "D612", "A794", "A944", "G273", "L781", "A662"}
	trades = []string{
		"Officine Meccaniche", "Cartiere", "Costruzioni", "Trasporti", "Ceramiche", "Arredamenti", "Conserve", "Tessiture", "Impianti",
		"Edizioni",
	}
)

// birth chooses a person, with the given names where there are any.
func (c chooser) birth(givenName, familyName string) (taxcode.Birth, error) {
	b := taxcode.Birth{GivenName: givenName, FamilyName: familyName, Sex: taxcode.Male}
	sex, err := c.under(2)
	if err != nil {
		return b, err
	}
	names := men
	if sex == 1 {
		b.Sex, names = taxcode.Female, women
	}
	if b.GivenName == "" {
		if b.GivenName, err = c.of(names); err != nil {
			return b, err
		}
	}
	if b.FamilyName == "" {
		if b.FamilyName, err = c.of(familyNames); err != nil {
			return b, err
		}
	}
	day, err := c.under(45 * 365)
	if err != nil {
		return b, err
	}
	b.Date = time.Date(1955, 1, 1+day, 0, 0, 0, 0, time.UTC)
	b.Place, err = c.of(places)
	return b, err
}

// personalCode makes the tax code of somebody with the given names. Names in another script than
// Latin have no code of their own, so it is that of somebody else.
func (c chooser) personalCode(givenName, familyName string) (taxcode.Code, error) {
	b, err := c.birth(givenName, familyName)
	if err != nil {
		return taxcode.Code{}, err
	}
	code, err := taxcode.Compose(b)
	if err == nil {
		return code, nil
	}
	if b, err = c.birth("", ""); err != nil {
		return taxcode.Code{}, err
	}
	return taxcode.Compose(b)
}

// organisationCode makes the tax code of an organisation.
func (c chooser) organisationCode() (taxcode.Code, error) {
	serial, err := c.digits(7)
	if err != nil {
		return taxcode.Code{}, err
	}
	// The last three are the province that gave it; 058 is Rome.
	return taxcode.ComposeOrganisation(serial + "058")
}

// legalName makes a name that fits the kind.
func (c chooser) legalName(kind contributor.Kind) (string, error) {
	b, err := c.birth("", "")
	if err != nil {
		return "", err
	}
	switch kind {
	case contributor.PublicBody:
		return "Comune di Castel " + b.FamilyName, nil
	case contributor.SelfEmployed, contributor.Household:
		return b.FamilyName + " " + b.GivenName, nil
	default:
		trade, err := c.of(trades)
		return trade + " " + b.FamilyName + " S.r.l.", err
	}
}

// contacts makes an e-mail and a mobile of the person's own.
func (c chooser) contacts(givenName, familyName string) ([]person.NewContact, error) {
	number, err := c.digits(7)
	if err != nil {
		return nil, err
	}
	return []person.NewContact{
		{Kind: person.Email, Value: fmt.Sprintf("%s.%s.%s@posta.example", mailbox(givenName), mailbox(familyName), number)},
		{Kind: person.Mobile, Value: "+39333" + number},
	}, nil
}

// mailbox writes a name as people do in an e-mail address, in few letters.
func mailbox(name string) string {
	letters := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(norm.NFD.String(name)))
	if letters == "" {
		return "persona"
	}
	return letters[:min(len(letters), 24)]
}
