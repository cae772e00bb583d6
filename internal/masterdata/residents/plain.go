package residents

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// apostrophes are what people type for one, accents that stand alone among them: Nicolo' and Nicolò
// are one name.
const apostrophes = "'’‘‛ʼʹ`´′＇"

// plain returns a text without what people write differently: small letters and digits with one
// space between words.
func plain(s string) string {
	return strings.Join(words(s), " ")
}

func words(s string) []string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(apostrophes, r) {
			return -1
		}
		return r
	}, s)
	// Compatibility forms come apart too, so that wide letters and ligatures are those that they
	// look like.
	s = norm.NFKD.String(cases.Fold().String(s))
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsLetter(r), unicode.IsDigit(r):
			return r
		default:
			return ' '
		}
	}, s)
	return strings.Fields(s)
}

// ways are the usual abbreviations of the kinds of street, written as words writes them. P.za
// becomes "p za".
var ways = map[string]string{
	"v": "via", "v le": "viale", "vle": "viale", "v lo": "vicolo", "vlo": "vicolo", "vic": "vicolo",
	"p za": "piazza", "pza": "piazza", "p zza": "piazza", "pzza": "piazza", "pz": "piazza", "pzz": "piazza", "p": "piazza",
	"p le": "piazzale", "ple": "piazzale", "p zale": "piazzale", "p tta": "piazzetta", "ptta": "piazzetta",
	"c so": "corso", "cso": "corso", "l go": "largo", "lgo": "largo", "b go": "borgo", "bgo": "borgo",
	"c da": "contrada", "cda": "contrada", "c tra": "contrada", "l mare": "lungomare", "lung": "lungomare",
	"str": "strada", "s da": "strada", "loc": "localita", "fraz": "frazione", "fr": "frazione", "vic lo": "vicolo",
}

// beforeNumber are words that may stand before the number of a house and say nothing. "No" is what
// becomes of Nº.
var beforeNumber = []string{"n", "nr", "no", "num", "numero", "civ", "civico"}

// street is plain for street and number.
func street(s string) string {
	parts := apart(words(s))
	parts = slices.DeleteFunc(parts, func(word string) bool { return word == "" })
	kept := parts[:0:0]
	for i, word := range parts {
		if i > 0 && i+1 < len(parts) && slices.Contains(beforeNumber, word) && unicode.IsDigit(rune(parts[i+1][0])) {
			continue
		}
		kept = append(kept, word)
	}
	for n := min(2, len(kept)-1); n > 0; n-- {
		if whole, known := ways[strings.Join(kept[:n], " ")]; known {
			kept = append([]string{whole}, kept[n:]...)
			break
		}
	}
	return strings.Join(kept, " ")
}

// apart separates digits from the letters next to them: 10/A, 10 A and 10A are one number.
func apart(words []string) []string {
	var parts []string
	for _, word := range words {
		begin := 0
		var before rune
		for i, r := range word {
			if i > 0 && unicode.IsDigit(before) != unicode.IsDigit(r) {
				parts = append(parts, word[begin:i])
				begin = i
			}
			before = r
		}
		parts = append(parts, word[begin:])
	}
	return parts
}

// SameName reports whether two names are written alike but for case, accents, apostrophes and
// spaces.
func SameName(a, b string) bool { return plain(a) == plain(b) }
