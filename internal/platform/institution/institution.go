// Package institution is in whose name letters, messages, receipts and pages are written.
package institution

import "strings"

// Institution is what people are shown of who runs the service. Each part may be empty.
type Institution struct {
	Name      string
	Address   string
	Telephone string
	// Page is where people find their services, PrivacyPage what is done with their data, Logo a
	// picture. All are addresses that begin with https.
	Page        string
	PrivacyPage string
	Logo        string
	// Colour is what its pages are drawn with, as #rrggbb; see Palette.
	Colour string
}

// Sender is the line that says who writes, on letters and receipts; it may be empty.
func (i Institution) Sender() string { return joined(" – ", i.Name, i.Address) }

// Lines are what stands below a message: who writes, and where to turn to. There is none where
// nothing is known.
func (i Institution) Lines(english bool) []string {
	telephone, privacy := "Tel. ", "Informativa sulla privacy: "
	if english {
		telephone, privacy = "Telephone ", "Privacy notice: "
	}
	var lines []string
	for _, line := range []string{
		i.Name, i.Address, joined(" – ", before(telephone, i.Telephone), i.Page), before(privacy, i.PrivacyPage),
	} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func before(word, value string) string {
	if value == "" {
		return ""
	}
	return word + value
}

func joined(by string, parts ...string) string {
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, by)
}
