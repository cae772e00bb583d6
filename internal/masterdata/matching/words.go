package matching

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// word is letters or digits that stand together.
type word struct {
	// text is folded.
	text string
	// digits says that it is a number, written without leading zeros.
	digits bool
	// dotted says that a full stop stands behind it.
	dotted bool
	// elided says that an apostrophe and another word stand behind it.
	elided bool
	// ways are how it may be written, where an abbreviation has several meanings.
	ways []string
}

// wordsOf parts a text into words. A number ends where letters begin: 10/A, 10 A and 10A are the
// same words.
func wordsOf(s string) []word {
	var all []word
	var open []rune
	end := func() {
		if len(open) == 0 {
			return
		}
		w := word{text: string(open), digits: unicode.IsDigit(open[0])}
		if w.digits {
			if w.text = strings.TrimLeft(w.text, "0"); w.text == "" {
				w.text = "0"
			}
		}
		all, open = append(all, w), nil
	}
	apostrophe := false
	for _, r := range fold(s) {
		letter, digit := unicode.IsLetter(r), unicode.IsDigit(r)
		switch {
		case unicode.Is(unicode.Mn, r):
			continue
		case !letter && !digit:
			end()
			if r == '.' && len(all) > 0 {
				all[len(all)-1].dotted = true
			}
			apostrophe = r == '\'' || apostrophe && r == ' '
			continue
		case len(open) > 0 && unicode.IsDigit(open[0]) != digit:
			end()
		}
		if apostrophe && letter && len(open) == 0 && len(all) > 0 {
			all[len(all)-1].elided = true
		}
		apostrophe = false
		open = append(open, r)
	}
	end()
	return all
}

// particles are words that usage leaves out or changes: Reggio Calabria and Reggio di Calabria, De'
// Goti and Dei Goti.
var particles = strings.Fields(`di del dei degli della delle dello dell de da dal dai dagli dalla dalle dallo dall in nel nei negli
	nella nelle nello nell sul sui sugli sulla sulle sullo sull al ai agli alla alle allo all e ed il lo la le gli`)

// isParticle reports whether a word is one. d' and l' are; D and L are not, nor is the E. of
// Enrico.
func (w word) isParticle() bool {
	initial := w.dotted && len(w.text) == 1
	return slices.Contains(particles, w.text) && !initial || w.elided && (w.text == "d" || w.text == "l")
}

// known are abbreviations within names of places and streets.
var known = map[string][]string{
	"s": {"s", "san", "santa", "santo", "sant", "santi", "sante"}, "ss": {"ss", "santissima", "santissimo", "santissimi", "santi", "sante"},
	"sta": {"sta", "santa"}, "sto": {"sto", "santo"}, "ssma": {"ssma", "santissima"}, "ssmo": {"ssmo", "santissimo"},
	"flli": {"flli", "fratelli"}, "mte": {"mte", "monte"}, "ca": {"ca", "casa"}, "dr": {"dr", "dottor", "dottore"},
	"nsra": {"nsra", "nostrasignora"},
}

// contracted are abbreviations that leave the middle out and are written with a full stop: F.lli.
var contracted = map[string]string{
	"f lli": "fratelli", "s ta": "santa", "s to": "santo", "s ti": "santi", "s te": "sante", "ss ma": "santissima", "ss mo": "santissimo",
	"ss mi": "santissimi", "m te": "monte", "m ti": "monti", "g ppe": "giuseppe", "c llo": "castello", "d ssa": "dottoressa",
	"n s": "nostrasignora", "n sra": "nostrasignora", "v rio": "vittorio", "b ta": "beata", "b to": "beato",
}

// short are abbreviations that are cut off at their end, and often without a full stop.
var short = strings.Fields("gen mons card prof ing avv arch geom sen cav comm cap col magg ten serg gius vitt giov")

// contract joins abbreviations that a full stop parts.
func contract(words []word) []word {
	var all []word
	for i := 0; i < len(words); i++ {
		if i+1 < len(words) && words[i].dotted {
			if whole, ok := contracted[words[i].text+" "+words[i+1].text]; ok {
				all = append(all, word{text: whole})
				i++
				continue
			}
		}
		all = append(all, words[i])
	}
	return all
}

// spelling returns how a word may be written: letter by letter, or as a number.
func (w word) spelling() spelling {
	if w.ways != nil {
		return spelling{w.ways}
	}
	if w.digits {
		return spelling{{mark(w.text)}}
	}
	if ways, ok := known[w.text]; ok {
		return spelling{ways}
	}
	if n := numberOf(w.text); n > 0 {
		return spelling{{w.text, mark(strconv.Itoa(n))}}
	}
	if stem, ok := strings.CutSuffix(w.text, "str"); ok && stem != "" {
		return append(spell(w.text), []string{"", "asse"})
	}
	return spell(w.text)
}

// mark keeps the digits of two numbers apart: 1 0 is not 10.
func mark(digits string) string { return "#" + digits + "#" }

// abbreviates reports whether a word may stand for others that begin with it. S. is a saint or
// Silvio.
func (w word) abbreviates() bool {
	if w.digits || w.ways != nil {
		return false
	}
	if _, saint := known[w.text]; saint && len(w.text) > 1 {
		return false
	}
	return w.dotted || len([]rune(w.text)) == 1 || slices.Contains(short, w.text)
}

// unit is a word with the particles before it.
type unit struct {
	before []word
	word
}

// unitsOf puts particles to the word that they stand before.
func unitsOf(words []word) []unit {
	var all []unit
	var before []word
	for i, w := range words {
		if w.isParticle() && i+1 < len(words) {
			before = append(before, w)
			continue
		}
		all = append(all, unit{before, w})
		before = nil
	}
	return all
}

// spelling returns how a unit may be written, with its particles and without.
func (u unit) spelling() spelling {
	var all spelling
	for _, p := range u.before {
		all = append(all, []string{"", plain(p.text)})
	}
	return append(all, u.word.spelling()...)
}

// joined returns how units may be written one after the other.
func joined(units []unit) spelling {
	var all spelling
	for _, u := range units {
		all = append(all, u.spelling()...)
	}
	return all
}

// agrees reports whether two units are the same word, or one abbreviates the other. In full says
// that neither does.
func (u unit) agrees(v unit) (same, inFull bool) {
	if agree(u.spelling(), v.spelling()) {
		return true, !u.abbreviates() && !v.abbreviates()
	}
	return u.isBeginningOf(v) || v.isBeginningOf(u), false
}

func (u unit) isBeginningOf(v unit) bool {
	return u.abbreviates() && !v.digits && v.ways == nil && strings.HasPrefix(plain(v.text), plain(u.text))
}
