package spid

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crewjam/saml"

	"diresco/internal/identity/federation"
	"diresco/internal/platform/taxcode"
)

// The attributes that this service has a use for, by their names in SPID.
const (
	fiscalNumber = "fiscalNumber"
	givenName    = "name"
	familyName   = "familyName"
	dateOfBirth  = "dateOfBirth"
	placeOfBirth = "placeOfBirth"
	emailAddress = "email"
	mobilePhone  = "mobilePhone"
)

// Needed are the attributes without which nobody can be let in.
var Needed = []string{givenName, familyName, fiscalNumber}

// Usable are all attributes that this service has a use for. No others can be asked for.
var Usable = []string{givenName, familyName, fiscalNumber, dateOfBirth, placeOfBirth, emailAddress, mobilePhone}

// cieAttributes is the one set that CIE has.
var cieAttributes = []string{givenName, familyName, fiscalNumber, dateOfBirth}

const (
	// taxPrefix stands before an Italian tax code.
	taxPrefix = "TINIT-"
	// maxValue is how long a value may be, in characters.
	maxValue = 256
)

var (
	datePattern      = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	cadastralPattern = regexp.MustCompile(`^[A-Z]\d{3}$`)
)

// readAttributes returns the values of those attributes that were asked for, trimmed. What more was
// sent is left where it is.
func readAttributes(a *saml.Assertion, asked []string) (map[string]string, string) {
	values := map[string]string{}
	wanted := map[string]bool{}
	for _, name := range asked {
		wanted[name] = true
	}
	for _, statement := range a.AttributeStatements {
		for _, attribute := range statement.Attributes {
			if !wanted[attribute.Name] {
				continue
			}
			if _, twice := values[attribute.Name]; twice {
				return nil, "attribute-once"
			}
			if len(attribute.Values) != 1 {
				return nil, "attribute-one-value"
			}
			value := strings.TrimSpace(attribute.Values[0].Value)
			switch {
			case value == "":
				return nil, "attribute-value"
			case utf8.RuneCountInString(value) > maxValue || strings.ContainsFunc(value, unicode.IsControl):
				return nil, "attribute-form"
			}
			values[attribute.Name] = value
		}
	}
	if len(values) != len(wanted) {
		return nil, "attribute-set"
	}
	return values, ""
}

// claims makes claims of the values of attributes, or names the rule that is broken.
func claims(values map[string]string) (federation.Claims, string) {
	text, prefixed := strings.CutPrefix(values[fiscalNumber], taxPrefix)
	code, err := taxcode.Parse(text)
	if !prefixed || err != nil || !code.IsPerson() || code.Clear() != text {
		return federation.Claims{}, "fiscal-number"
	}
	c := federation.Claims{
		TaxCode: text, GivenName: values[givenName], FamilyName: values[familyName], BirthDate: values[dateOfBirth],
		Email: values[emailAddress], Mobile: values[mobilePhone],
	}
	if c.BirthDate != "" && !datePattern.MatchString(c.BirthDate) {
		return federation.Claims{}, "date-of-birth"
	}
	// Some providers write the name of the place; that is not what is asked for, and no reason to
	// keep somebody out.
	if cadastralPattern.MatchString(values[placeOfBirth]) {
		c.BirthPlace = values[placeOfBirth]
	}
	return c, ""
}
