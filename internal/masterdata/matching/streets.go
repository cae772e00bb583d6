package matching

import (
	"slices"
	"strings"
)

// Likeness is how alike two addresses are.
type Likeness int

// The likenesses.
const (
	// Different addresses are two.
	Different Likeness = iota
	// ByAWord means that one name of a street has a word more than the other, such as a given name.
	// Number and everything else are the same.
	ByAWord
	// Same addresses are written differently at most.
	Same
)

// kinds are the usual abbreviations of the kinds of street, by their first words. P.za is "p za".
var kinds = map[string][]string{
	"v": {"via"}, "v le": {"viale"}, "vle": {"viale"}, "vl": {"viale"}, "v lo": {"vicolo"}, "vlo": {"vicolo"}, "vic": {"vicolo", "vico"},
	"v co": {"vico", "vicolo"}, "vco": {"vico", "vicolo"}, "vic lo": {"vicolo"}, "v tto": {"vicoletto"},
	"p za": {"piazza"}, "pza": {"piazza"}, "p zza": {"piazza"}, "pzza": {"piazza"}, "pz": {"piazza"}, "pzz": {"piazza"}, "p": {"piazza"},
	"p le": {"piazzale"}, "ple": {"piazzale"}, "p zale": {"piazzale"}, "p zle": {"piazzale"}, "pzle": {"piazzale"},
	"p tta": {"piazzetta"}, "ptta": {"piazzetta"}, "p co": {"parco"}, "pco": {"parco"},
	"c so": {"corso"}, "cso": {"corso"}, "l go": {"largo"}, "lgo": {"largo"}, "b go": {"borgo"}, "bgo": {"borgo"}, "b ta": {"borgata"},
	"c da": {"contrada"}, "cda": {"contrada"}, "c tra": {"contrada"}, "contr": {"contrada"}, "cont": {"contrada"},
	"l mare": {"lungomare"}, "lgm": {"lungomare"}, "lung": {"lungomare", "lungotevere", "lungarno", "lungolago"},
	"l tevere": {"lungotevere"}, "lgt": {"lungotevere"}, "str": {"strada"}, "s da": {"strada"}, "str da": {"strada"}, "sda": {"strada"},
	"loc": {"localita"}, "loc ta": {"localita"}, "fraz": {"frazione"}, "fr": {"frazione"}, "fraz ne": {"frazione"}, "f ne": {"frazione"},
	"trav": {"traversa"}, "sal": {"salita"}, "s ta": {"salita", "santa"}, "sal ta": {"salita"}, "reg": {"regione"}, "r ne": {"rione"},
	"circ": {"circonvallazione"}, "circ ne": {"circonvallazione"}, "c ne": {"circonvallazione"}, "gall": {"galleria"},
	"pass": {"passaggio", "passeggiata"}, "rot": {"rotonda"}, "vill": {"villaggio"}, "quart": {"quartiere"}, "q re": {"quartiere"},
	"casc": {"cascina"}, "c na": {"cascina"}, "fond": {"fondamenta"}, "f ta": {"fondamenta"}, "c po": {"campo"}, "pod": {"podere"},
}

// roads are abbreviations of kinds of road that are known by a number.
var roads = map[string]string{
	"ss": "statale", "s s": "statale", "sp": "provinciale", "s p": "provinciale", "sr": "regionale", "s r": "regionale",
	"sc": "comunale", "s c": "comunale",
}

// beforeNumber are words that may stand before the number of a house and say nothing.
var beforeNumber = []string{"n", "nr", "no", "num", "numero", "civ", "civico"}

// interiors are words for a part of a house; what stands behind one says which.
var interiors = strings.Fields("int interno sc scala scal p piano pian app appartamento appart pal palazzina")

// whichInterior are words that may stand behind one of them.
var whichInterior = strings.Fields("terra terreno rialzato ammezzato attico unica unico pt")

// afterNumber are words that belong to the number of a house, as single letters do.
var afterNumber = strings.Fields("bis ter quater quinquies rosso nero")

// address is a street with its number.
type address struct {
	units []unit
	house []word
}

func addressOf(s string) address {
	words := numberLast(wordsOf(s))
	words = slices.DeleteFunc(dropBeforeLetters(dropBeforeNumbers(words)), func(w word) bool { return w.text == "" })
	words = contract(withKind(words))
	words = withoutInterior(withoutNoNumber(words))
	at := houseAt(words)
	return address{unitsOf(words[:at]), words[at:]}
}

// numberLast puts a number that stands first, as abroad, behind the street.
func numberLast(words []word) []word {
	end := 0
	for end < len(words) && (words[end].digits || end > 0 && words[end].belongsToNumber()) {
		end++
	}
	if end == 0 || end == len(words) || kindOf(words[end:]) == 0 && !slices.Contains(allKinds, words[end].text) {
		return words
	}
	return slices.Concat(words[end:], words[:end])
}

// allKinds are the kinds in full.
var allKinds = func() []string {
	var all []string
	for _, ways := range kinds {
		all = append(all, ways...)
	}
	return append(all, "calle", "calata", "rampa", "ripa", "via")
}()

func (w word) belongsToNumber() bool {
	return !w.digits && (len([]rune(w.text)) == 1 || slices.Contains(afterNumber, w.text))
}

// dropBeforeNumbers leaves out n., civico and the like.
func dropBeforeNumbers(words []word) []word {
	var all []word
	for i, w := range words {
		rest := words[i+1:]
		for len(rest) > 0 && slices.Contains(beforeNumber, rest[0].text) {
			rest = rest[1:]
		}
		numbered := len(rest) > 0 && (rest[0].digits || noNumber(rest) > 0)
		if i == 0 || !numbered || !slices.Contains(beforeNumber, w.text) || noNumber(words[i:]) > 0 {
			all = append(all, w)
		}
	}
	return all
}

// beforeLetter are words that may stand between the number of a house and its letter.
var beforeLetter = []string{"lettera", "lett", "let"}

// dropBeforeLetters leaves out that a letter behind a number is one.
func dropBeforeLetters(words []word) []word {
	var all []word
	for i, w := range words {
		between := i > 0 && i+1 < len(words) && words[i-1].digits && !words[i+1].digits && len([]rune(words[i+1].text)) == 1
		if !between || !slices.Contains(beforeLetter, w.text) {
			all = append(all, w)
		}
	}
	return all
}

// noNumber returns how many words at the beginning say that a house has no number.
func noNumber(words []word) int {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	for _, way := range [][]string{
		{"s", "n", "c"}, {"senza", "numero", "civico"}, {"senza", "numero"}, {"senza", "n"}, {"s", "n"}, {"snc"}, {"sn"},
	} {
		if len(texts) >= len(way) && slices.Equal(texts[:len(way)], way) {
			return len(way)
		}
	}
	return 0
}

// withoutNoNumber leaves out that a house has no number.
func withoutNoNumber(words []word) []word {
	for i := 1; i < len(words); i++ {
		if n := noNumber(words[i:]); n > 0 && (i+n == len(words) || slices.Contains(interiors, words[i+n].text)) {
			return slices.Concat(words[:i], words[i+n:])
		}
	}
	return words
}

// kindOf returns how many words at the beginning abbreviate a kind of street.
func kindOf(words []word) int {
	for n := min(2, len(words)-1); n > 0; n-- {
		if kinds[head(words, n)] != nil {
			return n
		}
	}
	return 0
}

// head returns the first words as one text.
func head(words []word, n int) string {
	text := plain(words[0].text)
	for _, w := range words[1:n] {
		text += " " + plain(w.text)
	}
	return text
}

// withKind writes the kind of street in full.
func withKind(words []word) []word {
	for n := min(2, len(words)-1); n > 0; n-- {
		if which, ok := roads[head(words, n)]; ok && words[n].digits {
			return slices.Concat([]word{{text: "strada"}, {text: which}}, words[n:])
		}
	}
	n := kindOf(words)
	if n == 0 {
		return words
	}
	ways := kinds[head(words, n)]
	return slices.Concat([]word{{text: ways[0], ways: ways}}, words[n:])
}

// withoutInterior leaves out which part of the house is meant: staircase, floor and flat.
func withoutInterior(words []word) []word {
	numbered := false
	for i := 1; i < len(words); i++ {
		if end := interiorEnd(words, i); end > i && numbered {
			return withoutInterior(slices.Concat(words[:i], words[end:]))
		}
		numbered = numbered || words[i].digits
	}
	return words
}

// interiorEnd returns where the part of a house ends that is named at a place, or 0.
func interiorEnd(words []word, at int) int {
	if at+1 >= len(words) {
		return 0
	}
	w, next := words[at], words[at+1]
	if floor := next.text == "piano" || next.text == "p" && next.dotted; floor && (w.digits || numberOf(w.text) > 0) {
		return at + 2
	}
	switch {
	case !slices.Contains(interiors, w.text):
		return 0
	case next.digits:
		if at+2 < len(words) && len(words[at+2].text) == 1 && !words[at+2].digits {
			return at + 3
		}
		return at + 2
	case len(next.text) == 1:
		if at+2 < len(words) && words[at+2].digits {
			return at + 3
		}
		return at + 2
	case numberOf(next.text) > 0, slices.Contains(whichInterior, next.text):
		return at + 2
	}
	return 0
}

// houseAt returns where the number of the house begins; it is the last thing.
func houseAt(words []word) int {
	at := len(words) - 1
	for at > 0 && words[at].belongsToNumber() {
		at--
	}
	if at < 1 || !words[at].digits {
		return len(words)
	}
	return at
}

// houseSpelling returns how the number of a house may be written. Its letters are no Roman numbers.
func houseSpelling(words []word) spelling {
	var all spelling
	for _, w := range words {
		switch {
		case w.digits:
			all = append(all, []string{mark(w.text)})
		case w.text == "r":
			all = append(all, []string{"r", "rosso"})
		default:
			all = append(all, []string{plain(w.text)})
		}
	}
	return all
}

// mostUnits is how many words of two streets are compared regardless of their order.
const mostUnits = 20

// Streets compares street and number. Abbreviations, the order of words, the particles between
// them, Roman numerals and numbers in words make no difference, nor does which part of a house is
// meant.
func Streets(a, b string) Likeness {
	p, q := addressOf(a), addressOf(b)
	if !agree(houseSpelling(p.house), houseSpelling(q.house)) {
		return Different
	}
	if agree(joined(p.units), joined(q.units)) {
		return Same
	}
	if len(p.units) > mostUnits || len(q.units) > mostUnits {
		return Different
	}
	left, right, inFull := pair(p.units, q.units)
	extra := slices.Concat(left, right)
	switch {
	case !inFull:
		return Different
	case len(extra) == 0:
		return Same
	case len(extra) == 1 && !extra[0].digits:
		return ByAWord
	}
	return Different
}

// pair takes units from both sides that agree, and returns what is left. In full says that a name
// is among them that neither side abbreviates.
func pair(a, b []unit) (left, right []unit, inFull bool) {
	right = slices.Clone(b)
	// What is written in full on both sides goes together first.
	for _, full := range []bool{true, false} {
		left = nil
		for _, u := range a {
			at := slices.IndexFunc(right, func(v unit) bool {
				same, whole := u.agrees(v)
				return same && (whole || !full)
			})
			if at < 0 {
				left = append(left, u)
				continue
			}
			_, whole := u.agrees(right[at])
			inFull = inFull || whole && u.isName()
			right = slices.Delete(right, at, at+1)
		}
		a = left
	}
	return left, right, inFull
}

// isName reports whether a unit is more than the kind of a street or a number.
func (u unit) isName() bool {
	return !u.digits && u.ways == nil && len([]rune(u.text)) > 1 && !slices.Contains(allKinds, u.text)
}
