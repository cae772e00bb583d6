package naming_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"diresco/internal/platform/naming"
)

// FuzzPerson looks whether a name that is kept hides anything, and is kept again as it is.
func FuzzPerson(f *testing.F) {
	for _, name := range []string{"D'Alò", "D`Alò", "Anna  Maria", "\u202eanna", "<img src=x>", "Rossi, Mario", "\xff", "", " . ", "李"} {
		f.Add(name)
	}
	const most = 60
	f.Fuzz(func(t *testing.T, typed string) {
		kept, wrong := naming.Person(typed, most)
		if wrong != "" {
			return
		}
		hidden := func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) ||
				strings.ContainsRune("<>&\"/:@", r)
		}
		if !utf8.ValidString(kept) || utf8.RuneCountInString(kept) > most || strings.ContainsFunc(kept, hidden) ||
			strings.TrimSpace(kept) != kept {
			t.Errorf("%q is kept as %q", typed, kept)
		}
		if again, wrong := naming.Person(kept, most); again != kept || wrong != "" {
			t.Errorf("%q becomes %q: %s", kept, again, wrong)
		}
	})
}
