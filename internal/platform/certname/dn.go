package certname

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/text/unicode/norm"
)

// attributes are the types of attributes by the names that they may be written with: those of RFC
// 4514, and those that tools print. Their values match whatever the case (caseIgnoreMatch).
var attributes = map[string]string{
	"cn": "2.5.4.3", "l": "2.5.4.7", "st": "2.5.4.8", "o": "2.5.4.10", "ou": "2.5.4.11", "c": "2.5.4.6", "street": "2.5.4.9",
	"dc": "0.9.2342.19200300.100.1.25", "uid": "0.9.2342.19200300.100.1.1",
	"sn": "2.5.4.4", "givenname": "2.5.4.42", "serialnumber": "2.5.4.5", "title": "2.5.4.12", "postalcode": "2.5.4.17",
	"dnqualifier": "2.5.4.46", "organizationidentifier": "2.5.4.97", "emailaddress": "1.2.840.113549.1.9.1",
}

// folded are the types whose values match whatever the case.
var folded = func() map[string]bool {
	all := map[string]bool{}
	for _, oid := range attributes {
		all[oid] = true
	}
	return all
}()

// attribute is a type, as numbers with points, and a value as it is compared.
type attribute struct{ oid, value string }

func (a attribute) equal(b attribute) bool {
	return a.oid == b.oid && (a.value == b.value || folded[a.oid] && strings.EqualFold(a.value, b.value))
}

// rdn is a relative distinguished name: attributes in no order.
type rdn []attribute

// equal compares two of them, by attribute.
func (r rdn) equal(other rdn) bool {
	if len(r) != len(other) {
		return false
	}
	rest := slices.Clone(other)
	for _, one := range r {
		at := slices.IndexFunc(rest, one.equal)
		if at < 0 {
			return false
		}
		rest = slices.Delete(rest, at, at+1)
	}
	return true
}

// readDN reads a distinguished name as it is written (RFC 4514).
func readDN(text string) ([]rdn, bool) {
	parsed, err := ldap.ParseDN(text)
	if err != nil || len(parsed.RDNs) == 0 {
		return nil, false
	}
	all := make([]rdn, len(parsed.RDNs))
	for i, r := range parsed.RDNs {
		for _, a := range r.Attributes {
			oid := attributes[strings.ToLower(a.Type)]
			if oid == "" {
				if _, err := x509.ParseOID(a.Type); err != nil {
					return nil, false
				}
				oid = a.Type
			}
			value, ok := prepared(oid, a.Value)
			if !ok {
				return nil, false
			}
			all[i] = append(all[i], attribute{oid, value})
		}
	}
	return all, true
}

// readSubject reads the subject of a certificate, in the order in which it is written: the last part
// first.
func readSubject(der []byte) ([]rdn, bool) {
	var parsed pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &parsed); err != nil || len(rest) > 0 || len(parsed) == 0 {
		return nil, false
	}
	all := make([]rdn, len(parsed))
	for i, set := range parsed {
		for _, a := range set {
			text, isText := a.Value.(string)
			oid := a.Type.String()
			value, ok := prepared(oid, text)
			if !isText || !ok {
				return nil, false
			}
			all[len(all)-1-i] = append(all[len(all)-1-i], attribute{oid, value})
		}
	}
	return all, true
}

// prepared returns a value as it is compared (RFC 4518): compatible forms of characters are one, and
// so are several blanks. What nobody sees is refused, where the RFC leaves it out.
func prepared(oid, value string) (string, bool) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, hidden) {
		return "", false
	}
	if folded[oid] {
		value = strings.Join(strings.Fields(norm.NFKC.String(value)), " ")
	}
	return value, value != ""
}
