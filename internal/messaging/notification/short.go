package notification

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// maxShort is what one SMS holds, in septets of the GSM alphabet (GSM 03.38).
	maxShort = 160
	// minName is how many characters of a name are left.
	minName = 12
)

// names are the values that give way to the rest of a short text. The others are those that do
// where that is not enough, which real ones never are.
var (
	names  = []string{"delegate", "contributor", "person", "contact", "place", "form", "title", "title_en", "office", "role"}
	others = []string{"type", "reference", "protocol_number"}
)

// Characters of the GSM alphabet: those that count once and those that count twice.
const (
	basic = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡" +
		"ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	extended = "^{}\\[~]|€"
)

// replacements are written for characters that would make an SMS one of 70 characters. Letters
// without an entry lose their accent.
var replacements = map[rune]string{
	'’': "'", '‘': "'", '‛': "'", '′': "'", '´': "'", '`': "'", '“': `"`, '”': `"`, '„': `"`, '«': `"`,
	'»': `"`, '–': "-", '—': "-",
	'‑': "-", '‐': "-", '−': "-", '…': "...", '•': "-", '·': "-", 'ç': "c", 'đ': "d", 'Đ': "D", 'ł': "l", 'Ł': "L", 'ı': "i",
	'œ': "oe", 'Œ': "OE",
	'ħ': "h", 'Ħ': "H", 'þ': "th", 'Þ': "TH", 'ð': "d", 'Ð': "D",
}

// shortOf puts the short text into words. It fits one SMS whatever the values are: names are cut to
// what is left.
func shortOf(t *template.Template, values map[string]any) (string, error) {
	values = maps.Clone(values)
	for {
		text, err := execute(t, "short", values)
		if err != nil {
			return "", err
		}
		text = inGSM(text)
		over := septets(text) - maxShort
		if over <= 0 {
			return text, nil
		}
		if !shorten(values, names, over) && !shorten(values, others, over) {
			return cut(text), nil
		}
	}
}

// shorten cuts the longest of some values, and reports false where none can be cut any more.
func shorten(values map[string]any, among []string, over int) bool {
	longest, length := "", minName
	for _, key := range among {
		if s, is := values[key].(string); is && utf8.RuneCountInString(s) > length {
			longest, length = key, utf8.RuneCountInString(s)
		}
	}
	if longest == "" {
		return false
	}
	// What counts twice is cut in a second round.
	s, _ := values[longest].(string)
	left := []rune(s)[:max(minName, length-over-1)-1]
	values[longest] = strings.TrimRight(string(left), " ,.-'") + "."
	return true
}

// cut is the last resort.
func cut(text string) string {
	for septets(text) > maxShort {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

func septets(text string) int {
	n := utf8.RuneCountInString(text)
	for _, r := range text {
		if strings.ContainsRune(extended, r) {
			n++
		}
	}
	return n
}

// inGSM writes a text with the characters of the GSM alphabet.
func inGSM(text string) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(text) {
		b.WriteString(gsm(r))
	}
	return b.String()
}

func gsm(r rune) string {
	switch {
	case strings.ContainsRune(basic, r), strings.ContainsRune(extended, r):
		return string(r)
	case unicode.IsSpace(r):
		return " "
	case unicode.In(r, unicode.Cf, unicode.Mn):
		return ""
	}
	if written, found := replacements[r]; found {
		return written
	}
	plain := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(string(r)))
	if plain == "" || slices.ContainsFunc([]rune(plain), func(r rune) bool { return !strings.ContainsRune(basic, r) }) {
		return "?"
	}
	return plain
}

// twoStops are a sentence's end behind a name that ends in a full stop.
var twoStops = regexp.MustCompile(`([^.])\.\.([^.]|$)`)
