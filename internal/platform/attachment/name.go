package attachment

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// maxName is how long a shown name is at most, in characters.
	maxName = 100
	// maxExtension is how long the end of a name is at most that is taken for its extension.
	maxExtension = 8
	// maxDisposition is how long a Content-Disposition header is at most.
	maxDisposition = 255
	// unnamed is what a file is called of whose name nothing is left.
	unnamed = "file"
)

// forbidden are characters that file systems give a meaning.
const forbidden = `"*:<>?|`

// reserved are names that Windows takes for devices.
var reserved = []string{
	"aux", "con", "nul", "prn", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
}

// SafeName makes a name that can be shown, put into a header and saved. It makes it out of whatever
// a sender called a file of the given type. The name has:
//   - no path and no control characters;
//   - nothing invisible, and nothing that turns the writing round;
//   - no dots or spaces around it;
//   - at most 100 characters, and an extension of its type.
//
// Applied to its own result, it changes nothing.
func SafeName(sent string, t MediaType) string {
	name := strings.ToValidUTF8(sent, "_")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = norm.NFC.String(strings.Map(safeRune, name))
	stem, extension := cutExtension(trim(strings.Join(strings.Fields(name), " ")), t)
	if stem = trim(stem); stem == "" {
		stem = unnamed
	}
	first, _, _ := strings.Cut(stem, ".")
	if slices.Contains(reserved, strings.ToLower(strings.TrimSpace(first))) {
		stem = "_" + stem
	}
	return trim(firstRunes(stem, maxName-utf8.RuneCountInString(extension))) + extension
}

func trim(s string) string { return strings.Trim(s, ". ") }

// safeRune drops what cannot be seen and replaces what file systems trip over.
func safeRune(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case !unicode.IsGraphic(r):
		// Control and format characters, among them those of writing direction, and what is not
		// assigned.
		return -1
	case strings.ContainsRune(forbidden, r):
		return '_'
	}
	return r
}

// cutExtension parts a name from its extension. One that is not of the type stays in the name and
// gets the right one behind it, so that nothing is run that calls itself a picture.
func cutExtension(name string, t MediaType) (stem, extension string) {
	known := extensions[t]
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 && len(name)-dot <= maxExtension &&
		slices.Contains(known, strings.ToLower(name[dot:])) {
		return name[:dot], name[dot:]
	}
	if len(known) == 0 {
		return name, ""
	}
	return name, known[0]
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// Disposition is the Content-Disposition header (RFC 6266) for a file with a safe name. Such a file
// is always to be saved, never to be shown in the page's own name. The header is ASCII and at most
// 255 characters long.
func Disposition(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	header := `attachment; filename="` + plain + `"`
	if plain == name {
		return header
	}
	for stem, extension := parts(name); ; stem = shorten(stem) {
		header = `attachment; filename="` + plain + `"; filename*=UTF-8''` + encode(stem+extension)
		if len(header) <= maxDisposition || stem == "" {
			return header
		}
	}
}

func parts(name string) (stem, extension string) {
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 && len(name)-dot <= maxExtension {
		return name[:dot], name[dot:]
	}
	return name, ""
}

func shorten(s string) string {
	_, size := utf8.DecodeLastRuneInString(s)
	return s[:len(s)-size]
}

// stricter are characters that url.PathEscape leaves alone and RFC 8187 does not allow.
var stricter = strings.NewReplacer(
	"'", "%27", "(", "%28", ")", "%29", "*", "%2A", ":", "%3A", "=", "%3D", "@", "%40", ",", "%2C", ";", "%3B", "/", "%2F",
)

// encode writes a value as RFC 8187 wants it.
func encode(s string) string { return stricter.Replace(url.PathEscape(s)) }
