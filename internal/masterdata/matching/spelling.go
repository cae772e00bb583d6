package matching

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// spelling is a text as it may be written: at each place one of several.
type spelling [][]string

// special are the letters that are written in several ways without their sign. The ways are those
// of ICAO Doc 9303-3, section 6, and of registers. What is not here loses its sign.
var special = map[rune][]string{
	'ä': {"ae", "a"}, 'å': {"aa", "a"}, 'æ': {"ae"}, 'ð': {"d"}, 'đ': {"d", "dj"}, 'ə': {"e", "a"}, 'ħ': {"h"}, 'ı': {"i"},
	'ĸ': {"k", "q"}, 'ł': {"l"}, 'ñ': {"n", "nxx"}, 'ŋ': {"n", "ng"}, 'ö': {"oe", "o"}, 'ø': {"oe", "o"}, 'œ': {"oe"},
	'ŧ': {"t"}, 'þ': {"th"}, 'ü': {"ue", "u", "uxx"}, 'ǥ': {"g"}, 'ɨ': {"i"}, 'ƶ': {"z"},
}

// apostrophes are what people type for one, accents that stand alone among them: Nicolo' and Nicolò
// are one name.
const apostrophes = "'’‘‛ʼʹʻʾʿ`´′＇ˈ"

// ordinals are signs behind a number, or behind the n that stands before one.
const ordinals = "°ºª˚"

// fold returns a text in small letters, each one character with its sign where there is such a
// character. Apostrophes are one, ordinal signs and what is not seen are gone.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(apostrophes, r):
			return '\''
		case strings.ContainsRune(ordinals, r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
}

// spell returns how the letters and digits of a folded text may be written; nothing else counts.
func spell(folded string) spelling {
	var all spelling
	for _, r := range folded {
		if ways, known := special[r]; known {
			all = append(all, ways)
			continue
		}
		for _, part := range norm.NFKD.String(string(r)) {
			if unicode.IsLetter(part) || unicode.IsDigit(part) {
				all = append(all, []string{string(part)})
			}
		}
	}
	return all
}

// plain returns the last way of writing a folded text, which is the one without signs.
func plain(folded string) string {
	var b strings.Builder
	for _, ways := range spell(folded) {
		b.WriteString(ways[len(ways)-1])
	}
	return b.String()
}

// agree reports whether two spellings have a way of writing in common.
func agree(a, b spelling) bool {
	m := meeting{a, b, map[state]bool{}}
	return m.from(state{})
}

// state is a place in two spellings. One of them is ahead of the other by the rest.
type state struct {
	i, j int
	rest string
	// ofB says that the rest is of the second.
	ofB bool
}

type meeting struct {
	a, b   spelling
	failed map[state]bool
}

func (m *meeting) from(s state) bool {
	if m.failed[s] {
		return false
	}
	if s.i == len(m.a) && s.j == len(m.b) && s.rest == "" {
		return true
	}
	for _, next := range m.after(s) {
		if m.from(next) {
			return true
		}
	}
	m.failed[s] = true
	return false
}

// after returns where one may be after the next place of the spelling that lies behind.
func (m *meeting) after(s state) []state {
	ofA := s.rest != "" && s.ofB || s.rest == "" && s.i < len(m.a)
	from, at := m.b, s.j
	if ofA {
		from, at = m.a, s.i
	}
	if at == len(from) {
		return nil
	}
	next := state{i: s.i, j: s.j + 1}
	if ofA {
		next = state{i: s.i + 1, j: s.j}
	}
	var all []state
	for _, way := range from[at] {
		if rest, ok := strings.CutPrefix(way, s.rest); ok {
			next.rest, next.ofB = rest, !ofA && rest != ""
			all = append(all, next)
		} else if rest, ok := strings.CutPrefix(s.rest, way); ok {
			next.rest, next.ofB = rest, s.ofB
			all = append(all, next)
		}
	}
	return all
}

// Names reports whether two names are the same but for how they are written. Case, accents, letters
// with signs and their passport forms, apostrophes, hyphens, full stops and spaces make no
// difference.
func Names(a, b string) bool { return agree(spell(fold(a)), spell(fold(b))) }
