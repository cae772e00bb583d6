#!/bin/sh
# github.com/crewjam/saml 0.6.3: asked for a class of logins with the comparison "exact", a service provider refuses a higher one, and its own
# order of classes (AuthnContextClassRefComparator) is not asked. With "minimum" it is. SPID's rules never let a higher level fail.
# Needs go. Fails if the library does otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module fact\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"encoding/base64"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

var issued = time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: issued, NotAfter: issued.AddDate(1, 0, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(err)
	acs := url.URL{Scheme: "https", Host: "sp.example.org", Path: "/acs"}
	sp := saml.ServiceProvider{EntityID: "https://sp.example.org", AcsURL: acs, IDPMetadata: &saml.EntityDescriptor{
		EntityID: "https://idp.example.org",
		IDPSSODescriptors: []saml.IDPSSODescriptor{{SSODescriptor: saml.SSODescriptor{RoleDescriptor: saml.RoleDescriptor{
			KeyDescriptors: []saml.KeyDescriptor{{Use: "signing", KeyInfo: saml.KeyInfo{X509Data: saml.X509Data{
				X509Certificates: []saml.X509Certificate{{Data: base64.StdEncoding.EncodeToString(certificate)}},
			}}}},
		}}}},
	}}
	asked := []string{"https://idp.example.org/level/2"}
	sp.ValidateAuthnContextClassRef = true
	sp.AuthnContextClassRefComparator = func(_ string, requested []string, got string) bool {
		fmt.Println("the comparator is asked")
		return got >= requested[0]
	}
	end := issued.Add(5 * time.Minute)
	idp := saml.Issuer{Value: "https://idp.example.org"}
	assertion := saml.Assertion{
		ID: "_a", Version: "2.0", IssueInstant: issued, Issuer: idp,
		Subject: &saml.Subject{
			NameID: &saml.NameID{Value: "name"},
			SubjectConfirmations: []saml.SubjectConfirmation{{
				Method:                  "urn:oasis:names:tc:SAML:2.0:cm:bearer",
				SubjectConfirmationData: &saml.SubjectConfirmationData{InResponseTo: "_q", Recipient: acs.String(), NotOnOrAfter: end},
			}},
		},
		Conditions: &saml.Conditions{NotBefore: issued, NotOnOrAfter: end, AudienceRestrictions: []saml.AudienceRestriction{
			{Audience: saml.Audience{Value: sp.EntityID}},
		}},
		AuthnStatements: []saml.AuthnStatement{{AuthnInstant: issued, AuthnContext: saml.AuthnContext{
			AuthnContextClassRef: &saml.AuthnContextClassRef{Value: "https://idp.example.org/level/3"},
		}}},
	}
	response := saml.Response{
		ID: "_r", Version: "2.0", IssueInstant: issued, InResponseTo: "_q", Destination: acs.String(), Issuer: &idp,
		Status: saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}}, Assertion: &assertion,
	}
	signing, err := dsig.NewSigningContext(key, [][]byte{certificate})
	must(err)
	signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signed, err := signing.SignEnveloped(response.Element())
	must(err)
	document := etree.NewDocument()
	document.SetRoot(signed)
	content, err := document.WriteToBytes()
	must(err)
	sp.Clock = dsig.NewFakeClockAt(issued)
	for _, comparison := range []string{"minimum", "exact"} {
		sp.RequestedAuthnContext = &saml.RequestedAuthnContext{Comparison: comparison, AuthnContextClassRefs: asked}
		_, err := sp.ParseXMLResponse(content, []string{"_q"}, acs)
		fmt.Printf("%s: a higher level is accepted: %v\n", comparison, err == nil)
	}
}
GO
go get github.com/crewjam/saml@v0.6.3 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
echo "saml $(go list -m -f '{{.Version}}' github.com/crewjam/saml)"
go run . | tee seen
printf 'the comparator is asked\nminimum: a higher level is accepted: true\nexact: a higher level is accepted: false\n' | cmp -s - seen
