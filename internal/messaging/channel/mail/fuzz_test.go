package mail

import (
	"strings"
	"testing"
)

// FuzzAboutRecipient looks whether a refusal that is for good, and speaks of the server or of us, makes
// an address a bad one.
func FuzzAboutRecipient(f *testing.F) {
	f.Add(550, "5.1.1 user unknown")
	f.Add(550, "relay not permitted (#5.7.1)")
	f.Add(450, "user unknown")
	f.Add(553, "5.1.1.1 10.5.1.1")
	f.Fuzz(func(t *testing.T, code int, text string) {
		if aboutRecipient(code, text) && (code < 500 || code > 599 || strings.Contains(strings.ToLower(text), "relay")) {
			t.Errorf("%d %q makes the address a bad one", code, text)
		}
		for _, found := range codesIn(text) {
			if !strings.Contains(text, found) || strings.Count(found, ".") != 2 {
				t.Errorf("%q has the code %q", text, found)
			}
		}
	})
}
