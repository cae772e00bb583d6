#!/bin/sh
# github.com/crewjam/saml 0.6.3: an answer is refused 90 seconds after it was issued though it says itself that it holds for five minutes. The
# bound is a variable of the package (MaxIssueDelay), so all service providers of a process share it.
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
			AuthnContextClassRef: &saml.AuthnContextClassRef{Value: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"},
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
	for _, after := range []time.Duration{89 * time.Second, 91 * time.Second} {
		sp.Clock = dsig.NewFakeClockAt(issued.Add(after))
		_, err := sp.ParseXMLResponse(content, []string{"_q"}, acs)
		fmt.Printf("after %v: accepted %v\n", after, err == nil)
	}
	saml.MaxIssueDelay = 5 * time.Minute
	_, err = sp.ParseXMLResponse(content, []string{"_q"}, acs)
	fmt.Printf("with a delay of 5 minutes: accepted %v\n", err == nil)
}
GO
go get github.com/crewjam/saml@v0.6.3 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
echo "saml $(go list -m -f '{{.Version}}' github.com/crewjam/saml)"
go run . | tee seen
printf 'after 1m29s: accepted true\nafter 1m31s: accepted false\nwith a delay of 5 minutes: accepted true\n' | cmp -s - seen
