package matching

import (
	"slices"
	"strings"
)

// place is the name of a municipality or of a country, with what people write behind it.
type place struct {
	// whole is all of it; parts are what stands between brackets, strokes, commas and hyphens.
	whole spelling
	parts []spelling
	// province is the code of the province that was named too, or "".
	province string
}

// separators part the names of a place; brackets do too.
const separators = "()[]/,;–—-|"

func placeOf(s string) place {
	words := withoutTitle(wordsOf(s))
	p := place{whole: joined(unitsOf(contract(words)))}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		words := withoutTitle(wordsOf(part))
		if len(words) == 0 {
			continue
		}
		if len(p.parts) > 0 {
			if code := provinceOf(words); code != "" {
				p.province = code
			}
		} else if last := len(words) - 1; last > 0 && !words[last].dotted && provinces[strings.ToUpper(words[last].text)] != nil &&
			!words[last].isParticle() {
			// Roma RM.
			p.province, words = strings.ToUpper(words[last].text), words[:last]
		}
		if len(words) > 1 && words[len(words)-1].text == "italia" {
			words = words[:len(words)-1]
		}
		p.parts = append(p.parts, joined(unitsOf(contract(words))))
	}
	return p
}

// withoutTitle leaves out that a place is a municipality.
func withoutTitle(words []word) []word {
	if len(words) > 2 && words[0].text == "comune" && words[1].isParticle() {
		return words[2:]
	}
	return words
}

// Places reports whether two names of a place are the same but for how they are written. A tail
// makes no difference: a province, another language's name, the town of somebody born abroad.
func Places(a, b string) bool {
	p, q := placeOf(a), placeOf(b)
	if agree(p.whole, q.whole) {
		return true
	}
	if len(p.parts) == 0 || len(q.parts) == 0 || p.province != "" && q.province != "" && p.province != q.province {
		return false
	}
	among := func(head spelling, parts []spelling) bool {
		return slices.ContainsFunc(parts, func(part spelling) bool { return agree(head, part) })
	}
	return among(p.parts[0], q.parts) || among(q.parts[0], p.parts)
}

// PostalCodes reports whether two postal codes are the same. A leading zero that a program dropped,
// the sign of the country and spaces make no difference.
func PostalCodes(a, b string) bool { return postalCode(a) == postalCode(b) }

func postalCode(s string) string {
	code := plain(fold(s))
	for _, country := range []string{"it", "i"} {
		if rest, ok := strings.CutPrefix(code, country); ok && strings.IndexAny(rest, "0123456789") == 0 {
			code = rest
		}
	}
	return strings.TrimLeft(code, "0")
}
