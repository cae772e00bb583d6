package config

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"diresco/internal/platform/institution"
)

// maxLine is how long a line about the institution may be, in characters.
const maxLine = 120

// Institution is in whose name letters, messages, receipts and pages are written.
func (c *Config) Institution() institution.Institution {
	return institution.Institution{
		Name: c.InstitutionName, Address: c.InstitutionAddress, Telephone: c.InstitutionTelephone, Page: c.InstitutionPage,
		PrivacyPage: c.InstitutionPrivacyPage, Logo: c.InstitutionLogo, Colour: c.InstitutionColour,
	}
}

// checkInstitution looks at the variables of the institution.
func (c *Config) checkInstitution() []error {
	var wrong []error
	check := func(name string, right bool) {
		if !right {
			wrong = append(wrong, mustBe(name))
		}
	}
	check("INSTITUTION_NAME", isLine(c.InstitutionName))
	check("INSTITUTION_ADDRESS", isLine(c.InstitutionAddress))
	check("INSTITUTION_TELEPHONE", isLine(c.InstitutionTelephone))
	check("INSTITUTION_PAGE", c.InstitutionPage == "" || isPage(c.InstitutionPage))
	check("INSTITUTION_PRIVACY_PAGE", c.InstitutionPrivacyPage == "" || isPage(c.InstitutionPrivacyPage))
	check("INSTITUTION_LOGO", c.InstitutionLogo == "" || isPage(c.InstitutionLogo))
	check("INSTITUTION_COLOUR", c.InstitutionColour == "" || institution.IsColour(c.InstitutionColour))
	return wrong
}

func isLine(text string) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= maxLine && !strings.ContainsFunc(text, unicode.IsControl)
}

// isPage tells whether raw is an https address that may stand in a page's policy, too.
func isPage(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && isOrigin("https://"+u.Host) &&
		!strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'<>;,`, r) })
}
