package taxcode

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Sex is the sex that a person's tax code tells.
type Sex byte

// The two values of Sex.
const (
	Male   Sex = 'M'
	Female Sex = 'F'
)

// Birth is what a person's tax code is made of.
type Birth struct {
	FamilyName string
	GivenName  string
	// Date is the day of birth; the time of day and its zone are not looked at.
	Date time.Time
	Sex  Sex
	// Place is the cadastral code (codice catastale) of the municipality, or of the foreign
	// country. It is a letter and three digits, H501 for Rome.
	Place string
}

// Compose makes the formally valid tax code of a person by the rules of the
// decree of 23 December 1976. It is meant for test data: the tax authority
// alone gives real codes, and one that is already taken becomes an omocodia
// variant, which cannot be foreseen.
//
// It returns an error for a name without letters or in another script than
// Latin, a year outside 1900–2099, an unknown sex or a malformed place.
func Compose(b Birth) (Code, error) {
	family, err := letters(b.FamilyName)
	if err != nil {
		return Code{}, fmt.Errorf("family name: %w", err)
	}
	given, err := letters(b.GivenName)
	if err != nil {
		return Code{}, fmt.Errorf("given name: %w", err)
	}
	year, month, day := b.Date.Date()
	if year < 1900 || year > 2099 {
		return Code{}, errors.New("year of birth is not within 1900–2099")
	}
	switch b.Sex {
	case Male:
	case Female:
		day += femaleDays
	default:
		return Code{}, errors.New("sex is neither Male nor Female")
	}
	p := b.Place
	if len(p) != 4 || !isLetter(p[0]) || !isDigit(p[1]) || !isDigit(p[2]) || !isDigit(p[3]) {
		return Code{}, errors.New("place of birth is not a letter and three digits")
	}
	s := fmt.Sprintf("%s%s%02d%c%02d%s", familyLetters(family), givenLetters(given),
		year%100, months[month-1], day, p)
	return Parse(s + string(checkLetter(s)))
}

// ComposeOrganisation makes the formally valid tax code of an organisation, for test data. It adds
// the check digit to ten digits.
func ComposeOrganisation(digits string) (Code, error) {
	if len(digits) != organisationLength-1 || strings.Trim(digits, "0123456789") != "" {
		return Code{}, errors.New("not ten digits")
	}
	return Parse(digits + string(checkDigit(digits)))
}

// withoutMark gives the letters whose stroke or ligature Unicode does not
// treat as a mark that can be taken off.
var withoutMark = map[rune]string{
	'ß': "SS", 'ẞ': "SS", 'Æ': "AE", 'Œ': "OE", 'Ø': "O", 'Đ': "D", 'Ð': "D",
	'Ł': "L", 'Ħ': "H", 'Þ': "TH", 'ı': "I",
}

// letters returns the letters A–Z of a name. Accents are taken off; spaces, apostrophes, hyphens
// and full stops are left out.
func letters(name string) (string, error) {
	var b strings.Builder
	for _, r := range norm.NFD.String(name) {
		r = unicode.ToUpper(r)
		plain, marked := withoutMark[r]
		switch {
		case 'A' <= r && r <= 'Z':
			b.WriteRune(r)
		case marked:
			b.WriteString(plain)
		case unicode.IsLetter(r):
			return "", errors.New("holds a letter that is not Latin")
		}
	}
	if b.Len() == 0 {
		return "", errors.New("holds no letter")
	}
	return b.String(), nil
}

// familyLetters takes the first three consonants, then vowels, then X.
func familyLetters(name string) string {
	consonants, vowels := split(name)
	return (consonants + vowels + "XX")[:3]
}

// givenLetters does the same, but of four or more consonants it leaves out the
// second.
func givenLetters(name string) string {
	consonants, vowels := split(name)
	if len(consonants) > 3 {
		consonants = consonants[:1] + consonants[2:]
	}
	return (consonants + vowels + "XX")[:3]
}

func split(name string) (consonants, vowels string) {
	isVowel := func(r rune) bool { return strings.ContainsRune("AEIOU", r) }
	keep := func(wanted bool) string {
		return strings.Map(func(r rune) rune {
			if isVowel(r) == wanted {
				return r
			}
			return -1
		}, name)
	}
	return keep(false), keep(true)
}
