package notification_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/notification"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// What is to be typed in stands in a paragraph of its own: letters and e-mails show it large. In
// e-mails it is copied as one word.
func TestMessage_CodesStandOut(t *testing.T) {
	// A code or a half of a PIN, as the samples have them.
	secrets := regexp.MustCompile(`\b(?:[0-9]{8}|[2-9A-HJKMNP-Z]{8})\b`)
	found := 0
	for kind, data := range realistic(t) {
		for _, locale := range notification.Locales() {
			text, err := notification.Render(kind, data, nil, locale)
			if err != nil {
				t.Fatal(err)
			}
			paragraphs := strings.Split(text.Body, "\n\n")
			for _, secret := range secrets.FindAllString(text.Body, -1) {
				found++
				if !slices.Contains(paragraphs, secret) {
					t.Errorf("%s (%s): %s stands within a sentence:\n%s", kind, locale, secret, text.Body)
				}
				line := strings.Index(text.HTML, `monospace">`)
				if line < 0 || !strings.HasPrefix(tags.ReplaceAllString(text.HTML[line+len(`monospace">`):], ""), secret+"\n") {
					t.Errorf("%s (%s): %s is not large, or not one word:\n%s", kind, locale, secret, text.HTML)
				}
			}
		}
	}
	if found < 12 {
		t.Errorf("%d codes", found)
	}
	for paragraph, want := range map[string][]string{
		"40718265": {"4071", "8265"}, "7K3MQ9": {"7K3M", "Q9"}, "12345": nil, "Gentile utente,": nil, "AB CD EF": nil, "": nil,
	} {
		if got := channel.CodeGroups(paragraph); !slices.Equal(got, want) {
			t.Errorf("%q is shown as %q", paragraph, got)
		}
	}
}
