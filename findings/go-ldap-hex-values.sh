#!/bin/sh
# Names of certificates, as go-ldap/ldap/v3 3.4.15 reads what Go's crypto/x509/pkix writes. pkix writes an attribute that it has no
# name for in hexadecimal, with the type of its text (RFC 4514, section 2.4): an e-mail address in a subject is such a one. ParseDN
# gives back the text alone, so the two agree; but it does so for whatever type stands there, text or not: a whole number
# becomes its bytes, and equals a text of the same bytes. So do not compare by it what is not text.
# Needs go. Fails if it says otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module seen\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/go-ldap/ldap/v3"
)

func main() {
	email := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	for _, c := range []struct {
		what  string
		value any
	}{
		{"address", asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte("ufficio@example.org")}},
		{"text AB", asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte("AB")}},
		{"number 16706", asn1.RawValue{Tag: asn1.TagInteger, Bytes: []byte{0x41, 0x42}}},
	} {
		der, err := asn1.Marshal(c.value)
		if err != nil {
			panic(err)
		}
		written := fmt.Sprintf("%s=#%x", email, der)
		if c.what == "address" {
			// As pkix writes it by itself.
			written = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: email, Value: "ufficio@example.org"}}}.String()
		}
		read, err := ldap.ParseDN(written)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %q\n", c.what, read.RDNs[0].Attributes[0].Value)
	}
}
GO
go get github.com/go-ldap/ldap/v3@v3.4.15 >/dev/null 2>&1
echo "go-ldap $(go list -m -f '{{.Version}}' github.com/go-ldap/ldap/v3)"
go run . | tee seen
grep -qx 'address: "ufficio@example.org"' seen
grep -qx 'text AB: "AB"' seen
grep -qx 'number 16706: "AB"' seen
