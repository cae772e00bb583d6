package card

import (
	"crypto/x509"
	"encoding/asn1"
	"strings"

	"diresco/internal/identity/federation"
	"diresco/internal/platform/taxcode"
)

// The attributes of a subject that are read (X.520).
var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSurname      = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidSerialNumber = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidGivenName    = asn1.ObjectIdentifier{2, 5, 4, 42}
)

// italianTaxCode begins a serialNumber that is an Italian tax code (ETSI EN 319 412-1).
const italianTaxCode = "TINIT-"

// maxName is how long a name may be, in bytes; X.520 has less.
const maxName = 256

// subject reads whose card it is. Attributes are found by their numbers in the certificate itself:
// as text a subject is written in as many ways as there are programs.
func subject(leaf *x509.Certificate) (federation.Claims, error) {
	values, err := attributes(leaf)
	if err != nil {
		return federation.Claims{}, err
	}
	code, err := holder(values[oidCommonName.String()], values[oidSerialNumber.String()])
	if err != nil {
		return federation.Claims{}, err
	}
	return federation.Claims{
		TaxCode: code, Level: Level,
		GivenName:  strings.Join(strings.Fields(values[oidGivenName.String()]), " "),
		FamilyName: strings.Join(strings.Fields(values[oidSurname.String()]), " "),
	}, nil
}

// attributes returns those that are read. One that is there twice leaves open which of them counts.
func attributes(leaf *x509.Certificate) (map[string]string, error) {
	values := map[string]string{}
	for _, a := range leaf.Subject.Names {
		if !a.Type.Equal(oidCommonName) && !a.Type.Equal(oidSurname) && !a.Type.Equal(oidSerialNumber) && !a.Type.Equal(oidGivenName) {
			continue
		}
		text, ok := a.Value.(string)
		_, twice := values[a.Type.String()]
		if !ok || twice || len(text) > maxName {
			return nil, invalid(ruleSubject)
		}
		values[a.Type.String()] = text
	}
	return values, nil
}

// holder returns the tax code of a card's holder. It is what stands before the slash of the common
// name (TAXCODE/card.hash), else the serial number of the form TINIT-…; where both are there they
// agree.
func holder(commonName, serialNumber string) (string, error) {
	var named []string
	if code, _, found := strings.Cut(commonName, "/"); found {
		named = append(named, code)
	}
	if code, found := strings.CutPrefix(serialNumber, italianTaxCode); found {
		named = append(named, code)
	}
	if len(named) == 0 {
		return "", invalid(ruleSubject)
	}
	for _, code := range named {
		parsed, err := taxcode.Parse(code)
		// Parse forgives blanks and small letters, which people type and no authority writes.
		if err != nil || !parsed.IsPerson() || parsed.Clear() != code || code != named[0] {
			return "", invalid(ruleSubject)
		}
	}
	return named[0], nil
}
