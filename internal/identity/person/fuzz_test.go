package person_test

import (
	"strings"
	"testing"
	"unicode"

	"diresco/internal/identity/person"
)

// FuzzContact looks whether a contact that is kept can bring a header or a line of its own into a
// message, and is kept again as it is.
func FuzzContact(f *testing.F) {
	f.Add("mobile", "+39 0333 1112233")
	f.Add("email", "bruna@bücher.example")
	f.Add("pec", "a@b.example\r\nBcc: c@d.example")
	f.Add("postal", "Via Roma 1\r\n00100 Roma RM")
	f.Add("fax", "1")
	f.Fuzz(func(t *testing.T, kind, value string) {
		kept, ok := person.NewContact{Kind: person.ContactKind(kind), Value: value}.Normalise()
		if !ok {
			return
		}
		control := func(r rune) bool { return unicode.IsControl(r) && (kept.Kind != person.Postal || r != '\n') }
		if strings.ContainsFunc(kept.Value, control) || kept.Value == "" {
			t.Errorf("%s %q is kept as %q", kind, value, kept.Value)
		}
		if again, ok := kept.Normalise(); !ok || again != kept {
			t.Errorf("%s %q becomes %q", kind, kept.Value, again.Value)
		}
	})
}
