package spid

import (
	"regexp"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"diresco/internal/identity/federation"
)

// rule is one of the national rules about an answer as it came.
type rule struct {
	name  string
	holds func(x *exchange, r received) bool
}

// firstBroken names the first rule that does not hold, or "".
func firstBroken(rules []rule, x *exchange, r received) string {
	for _, one := range rules {
		if !one.holds(x, r) {
			return one.name
		}
	}
	return ""
}

// messageRules are about every answer.
var messageRules = []rule{
	{"response", func(_ *exchange, r received) bool { return is(r.root, "Response") }},
	{"response-id", func(_ *exchange, r received) bool { return filled(r.root, "ID") }},
	{"response-version", func(_ *exchange, r received) bool { return has(r.root, "Version", version) }},
	{"response-issue-instant-form", func(_ *exchange, r received) bool { return isInstant(r.root, "IssueInstant") }},
	{"response-in-response-to", func(x *exchange, r received) bool { return has(r.root, "InResponseTo", x.requestID) }},
	{"response-destination", func(x *exchange, r received) bool { return has(r.root, "Destination", x.service.answerURL.String()) }},
	{"response-issuer", func(x *exchange, r received) bool { return isIssuer(x, r.at("Issuer")) }},
	{"response-issuer-format", func(_ *exchange, r received) bool {
		format, there := attribute(r.at("Issuer"), "Format")
		return !there || format == entityFormat
	}},
	{"status-code", func(_ *exchange, r received) bool { return filled(r.at("Status", "StatusCode"), "Value") }},
	{"no-encryption", func(_ *exchange, r received) bool {
		return len(r.everywhere("EncryptedAssertion", "EncryptedID", "EncryptedAttribute", "EncryptedData")) == 0
	}},
	{"one-assertion", func(_ *exchange, r received) bool {
		all := r.everywhere("Assertion")
		if !r.succeeded() {
			return len(all) == 0
		}
		return len(all) == 1 && r.at("Assertion") == all[0]
	}},
	{"ids-once", func(_ *exchange, r received) bool { return haveOwnIDs(r) }},
	{"signature-place", func(_ *exchange, r received) bool { return signaturesInPlace(r) }},
}

// assertionRules are about the assertion of an answer with one.
var assertionRules = []rule{
	{"assertion-id", func(_ *exchange, r received) bool { return filled(r.at("Assertion"), "ID") }},
	{"assertion-version", func(_ *exchange, r received) bool { return has(r.at("Assertion"), "Version", version) }},
	{"assertion-issue-instant-form", func(_ *exchange, r received) bool { return isInstant(r.at("Assertion"), "IssueInstant") }},
	{"assertion-signed", func(_ *exchange, r received) bool { return r.at("Assertion", "Signature") != nil }},
	{"assertion-issuer", func(x *exchange, r received) bool { return isIssuer(x, r.at("Assertion", "Issuer")) }},
	{"assertion-issuer-format", func(_ *exchange, r received) bool { return has(r.at("Assertion", "Issuer"), "Format", entityFormat) }},
	{"subject", func(_ *exchange, r received) bool { return r.at("Assertion", "Subject") != nil }},
	{"name-id", func(_ *exchange, r received) bool { return !blank(r.at("Assertion", "Subject", "NameID")) }},
	{"name-id-format", func(_ *exchange, r received) bool {
		return has(r.at("Assertion", "Subject", "NameID"), "Format", transientFormat)
	}},
	{"name-id-qualifier", func(_ *exchange, r received) bool {
		return filled(r.at("Assertion", "Subject", "NameID"), "NameQualifier")
	}},
	{"confirmation", func(_ *exchange, r received) bool { return r.confirmation() != nil }},
	{"confirmation-method", func(_ *exchange, r received) bool { return has(r.confirmation(), "Method", bearer) }},
	{"confirmation-data", func(_ *exchange, r received) bool { return r.confirmationData() != nil }},
	{"confirmation-recipient", func(x *exchange, r received) bool {
		return has(r.confirmationData(), "Recipient", x.service.answerURL.String())
	}},
	{"confirmation-in-response-to", func(x *exchange, r received) bool { return has(r.confirmationData(), "InResponseTo", x.requestID) }},
	{"confirmation-end-form", func(_ *exchange, r received) bool { return isInstant(r.confirmationData(), "NotOnOrAfter") }},
	{"conditions", func(_ *exchange, r received) bool { return r.at("Assertion", "Conditions") != nil }},
	{"conditions-begin-form", func(_ *exchange, r received) bool { return isInstant(r.at("Assertion", "Conditions"), "NotBefore") }},
	{"conditions-end-form", func(_ *exchange, r received) bool { return isInstant(r.at("Assertion", "Conditions"), "NotOnOrAfter") }},
	{"audience-restriction", func(_ *exchange, r received) bool {
		return !blank(r.at("Assertion", "Conditions", "AudienceRestriction", "Audience"))
	}},
	{"authn-statement", func(_ *exchange, r received) bool { return r.at("Assertion", "AuthnStatement") != nil }},
	{"authn-instant-form", func(_ *exchange, r received) bool {
		return isInstant(r.at("Assertion", "AuthnStatement"), "AuthnInstant")
	}},
	{"authn-context-class", func(_ *exchange, r received) bool {
		return !blank(r.at("Assertion", "AuthnStatement", "AuthnContext", "AuthnContextClassRef"))
	}},
	{"attribute-statement", func(_ *exchange, r received) bool { return r.at("Assertion", "AttributeStatement") != nil }},
	{"attributes", func(_ *exchange, r received) bool {
		return len(children(r.at("Assertion", "AttributeStatement"), "Attribute")) > 0
	}},
}

const bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

func (r received) confirmation() *etree.Element {
	return r.at("Assertion", "Subject", "SubjectConfirmation")
}

func (r received) confirmationData() *etree.Element {
	return r.at("Assertion", "Subject", "SubjectConfirmation", "SubjectConfirmationData")
}

// instant is a time as the rules write it: UTC with a Z, and perhaps a fraction.
var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$`)

func isInstant(e *etree.Element, name string) bool {
	value, _ := attribute(e, name)
	return instant.MatchString(value)
}

func blank(e *etree.Element) bool { return e == nil || strings.TrimSpace(e.Text()) == "" }

func isIssuer(x *exchange, e *etree.Element) bool {
	return e != nil && e.Text() == x.sp.IDPMetadata.EntityID
}

// haveOwnIDs tells whether all identifiers in an answer are there once. What is signed is found by
// them.
func haveOwnIDs(r received) bool {
	seen := map[string]bool{}
	var walk func(e *etree.Element) bool
	walk = func(e *etree.Element) bool {
		for _, a := range e.Attr {
			if strings.EqualFold(a.Key, "id") {
				if a.Value == "" || seen[a.Value] {
					return false
				}
				seen[a.Value] = true
			}
		}
		for _, child := range e.ChildElements() {
			if !walk(child) {
				return false
			}
		}
		return true
	}
	return walk(r.root)
}

// signaturesInPlace tells whether signatures stand in the response and the assertion alone, one in
// each at most, and hold nothing else.
func signaturesInPlace(r received) bool {
	if len(r.everywhere("Object")) > 0 {
		return false
	}
	in := map[*etree.Element]bool{}
	for _, s := range r.everywhere("Signature") {
		above := s.Parent()
		if !is(s, "Signature") || in[above] || above != r.root && above != r.at("Assertion") {
			return false
		}
		in[above] = true
	}
	return true
}

// checkAudience tells whether an assertion is for this service. White space around a name does not
// count.
func (s *Service) checkAudience(a *saml.Assertion) error {
	restrictions := a.Conditions.AudienceRestrictions
	if len(restrictions) == 0 {
		return saml.ErrAudienceMismatch
	}
	for i := range restrictions {
		ours := false
		for _, audience := range restrictions[i].AllAudiences() {
			ours = ours || strings.TrimSpace(audience.Value) == s.EntityID
		}
		if !ours {
			return saml.ErrAudienceMismatch
		}
	}
	return nil
}

// verifiedRule is one of the national rules about what was verified.
type verifiedRule struct {
	name  string
	holds func(x *exchange, a *saml.Assertion) bool
}

// verifiedRules are about the assertion that the library verified. The first are about what it does
// not promise in words.
var verifiedRules = []verifiedRule{
	{"assertion-signature", func(x *exchange, a *saml.Assertion) bool {
		return a.Signature != nil && x.response != nil && a.ID != ""
	}},
	{"name-id-verified", func(_ *exchange, a *saml.Assertion) bool {
		return a.Subject != nil && a.Subject.NameID != nil && strings.TrimSpace(a.Subject.NameID.Value) != ""
	}},
	{"response-issue-instant", func(x *exchange, _ *saml.Assertion) bool { return x.isBetween(x.response.IssueInstant) }},
	{"assertion-issue-instant", func(x *exchange, a *saml.Assertion) bool { return x.isBetween(a.IssueInstant) }},
	{"conditions-times", func(_ *exchange, a *saml.Assertion) bool {
		return !a.Conditions.NotBefore.IsZero() && a.Conditions.NotBefore.Before(a.Conditions.NotOnOrAfter)
	}},
	{"authn-statement-verified", func(_ *exchange, a *saml.Assertion) bool { return len(a.AuthnStatements) == 1 }},
	{"authn-instant", func(x *exchange, a *saml.Assertion) bool {
		at := a.AuthnStatements[0].AuthnInstant
		// Below the level from which a new login is asked for, an older one will do.
		return x.isBetween(at) || x.Level < firstForced && !at.After(x.now().Add(skew))
	}},
	{"level-known", func(_ *exchange, a *saml.Assertion) bool { return levelOf(a) != 0 }},
	{"level", func(x *exchange, a *saml.Assertion) bool { return levelOf(a) >= x.Level }},
}

func (x *exchange) now() time.Time { return x.sp.Clock.Now() }

// isBetween tells whether a time lies between the request and now.
func (x *exchange) isBetween(at time.Time) bool {
	return !at.Before(x.BegunAt.Add(-skew)) && !at.After(x.now().Add(skew))
}

// levelOf is the level that was reached, or 0 for none that is known.
func levelOf(a *saml.Assertion) federation.Level {
	c := a.AuthnStatements[0].AuthnContext.AuthnContextClassRef
	if c == nil {
		return 0
	}
	for _, l := range []federation.Level{1, 2, 3} {
		if strings.TrimSpace(c.Value) == class(l) {
			return l
		}
	}
	return 0
}
