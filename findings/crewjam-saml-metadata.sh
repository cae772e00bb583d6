#!/bin/sh
# github.com/crewjam/saml 0.6.3: the metadata of a service provider with a key and a certificate name no key for signatures, say that requests
# are not signed, number the places for answers from 1 without a default, and end after 48 hours. Registries that take metadata once, such as
# that of SPID, refuse each of these.
# Needs go. Fails if the library does otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module fact\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/crewjam/saml"
)

func main() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	at := func(path string) url.URL { return url.URL{Scheme: "https", Host: "sp.example.org", Path: path} }
	sp := saml.ServiceProvider{EntityID: "https://sp.example.org", Key: key, Certificate: certificate, AcsURL: at("/acs"), MetadataURL: at("/m")}
	m := sp.Metadata()
	d := m.SPSSODescriptors[0]
	for _, k := range d.KeyDescriptors {
		fmt.Printf("key: %s\n", k.Use)
	}
	fmt.Printf("requests signed: %v\n", *d.AuthnRequestsSigned)
	first := d.AssertionConsumerServices[0]
	fmt.Printf("first place: index %d, default %v\n", first.Index, first.IsDefault != nil)
	fmt.Printf("ends within hours: %.0f\n", time.Until(m.ValidUntil).Hours())
}
GO
go get github.com/crewjam/saml@v0.6.3 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
echo "saml $(go list -m -f '{{.Version}}' github.com/crewjam/saml)"
go run . | tee seen
printf 'key: encryption\nrequests signed: false\nfirst place: index 1, default false\nends within hours: 48\n' | cmp -s - seen
