#!/bin/sh
# XML signatures by ECDSA, as russellhaering/goxmldsig 1.6.1 verifies them. XML Signature 1.1 (section 6.4.3) writes both numbers one
# behind the other; the library takes ASN.1 alone and refuses what others sign. So documents signed by ECDSA, such as a trusted list,
# cannot be verified with it; those signed by RSA can.
# Needs go. Fails if it says otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module seen\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

const ns = `xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`

func root(text string) *etree.Element {
	d := etree.NewDocument()
	if err := d.ReadFromString(text); err != nil {
		panic(err)
	}
	return d.Root()
}

func digest(e *etree.Element) []byte {
	canonical, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(e)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(canonical)
	return sum[:]
}

func main() {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	certificate, _ := x509.ParseCertificate(der)
	encode := base64.StdEncoding.EncodeToString
	info := fmt.Sprintf(`<ds:SignedInfo %s><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`+
		`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/><ds:Reference URI=""><ds:Transforms>`+
		`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`+
		`</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo>`,
		ns, encode(digest(root("<a>b</a>"))))
	sum := digest(root(info))
	r, s, _ := ecdsa.Sign(rand.Reader, key, sum)
	both := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	structured, _ := ecdsa.SignASN1(rand.Reader, key, sum)
	for _, c := range []struct {
		name  string
		value []byte
	}{{"both numbers", both}, {"ASN.1", structured}} {
		document := root(fmt.Sprintf(`<a>b<ds:Signature %s>%s<ds:SignatureValue>%s</ds:SignatureValue><ds:KeyInfo><ds:X509Data>`+
			`<ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature></a>`, ns, info, encode(c.value), encode(der)))
		_, err := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{certificate}}).Validate(document)
		fmt.Printf("%s: %v\n", c.name, err == nil)
	}
}
GO
go get github.com/russellhaering/goxmldsig@v1.6.1 github.com/beevik/etree@v1.8.1 >/dev/null 2>&1
echo "goxmldsig $(go list -m -f '{{.Version}}' github.com/russellhaering/goxmldsig)"
go run . | tee seen
grep -qx 'both numbers: false' seen
grep -qx 'ASN.1: true' seen
