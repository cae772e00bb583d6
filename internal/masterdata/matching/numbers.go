package matching

import "strings"

// cardinals are the numbers from 1 on in words.
var cardinals = strings.Fields(`uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici
	diciassette diciotto diciannove venti ventuno ventidue ventitre ventiquattro venticinque ventisei ventisette ventotto ventinove
	trenta trentuno`)

// ordinalWords are the ordinal numbers from 1 on, without their last letter.
var ordinalWords = strings.Fields(`prim second terz quart quint sest settim ottav non decim undicesim dodicesim tredicesim quattordicesim
	quindicesim sedicesim diciassettesim diciottesim diciannovesim ventesim ventunesim ventiduesim ventitreesim ventiquattresim
	venticinquesim`)

var numbers = numberWords()

func numberWords() map[string]int {
	all := map[string]int{}
	for i, w := range cardinals {
		all[w] = i + 1
	}
	for i, w := range ordinalWords {
		all[w+"o"], all[w+"a"] = i+1, i+1
	}
	for n := 1; n < 100; n++ {
		all[roman(n)] = n
	}
	// A single L is an initial.
	delete(all, "l")
	return all
}

// roman writes a number below 100.
func roman(n int) string {
	var b strings.Builder
	for _, digit := range []struct {
		value int
		text  string
	}{{90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"}, {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"}} {
		for ; n >= digit.value; n -= digit.value {
			b.WriteString(digit.text)
		}
	}
	return b.String()
}

// numberOf returns the number that a folded word writes in Roman numerals or in words, or 0.
func numberOf(text string) int { return numbers[plain(text)] }
