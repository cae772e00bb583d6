package certname_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"diresco/internal/platform/certname"
	"diresco/internal/platform/clock"
)

// made is a certificate as a template wants it.
func made(t *testing.T, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: clock.System{}.Now().Add(time.Hour)}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// part is one attribute of a subject, in the given kind of string.
func part(kind int, text string, oid ...int) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: oid, Value: asn1.RawValue{Tag: kind, Bytes: []byte(text)}}
}

func named(t *testing.T, sets ...pkix.RelativeDistinguishedNameSET) *x509.Certificate {
	t.Helper()
	raw, err := asn1.Marshal(pkix.RDNSequence(sets))
	if err != nil {
		t.Fatal(err)
	}
	return made(t, func(c *x509.Certificate) { c.RawSubject = raw })
}

func TestName_OfASubject(t *testing.T) {
	country := pkix.RelativeDistinguishedNameSET{part(asn1.TagPrintableString, "IT", 2, 5, 4, 6)}
	organisation := pkix.RelativeDistinguishedNameSET{part(asn1.TagUTF8String, "Paghe  Facili, S.p.A.", 2, 5, 4, 10)}
	both := pkix.RelativeDistinguishedNameSET{
		part(asn1.TagUTF8String, "Università", 2, 5, 4, 3), part(asn1.TagPrintableString, "00123", 2, 5, 4, 5),
	}
	private := pkix.RelativeDistinguishedNameSET{part(asn1.TagUTF8String, "Abc", 1, 2, 3, 4)}
	c := named(t, country, organisation, both, private)
	for registered, want := range map[string]bool{
		`1.2.3.4=Abc,CN=Università+SERIALNUMBER=00123,O=Paghe Facili\, S.p.A.,C=IT`:                 true,
		`1.2.3.4=Abc, serialNumber=00123+cn=UNIVERSITÀ, o=paghe facili\2c s.p.a. , c=it`:            true,
		`1.2.3.4=Abc,2.5.4.3=Universita` + "\u0300" + `+2.5.4.5=00123,O=Paghe Facili\, S.p.A.,C=IT`: true,
		`1.2.3.4=#0c03416263,CN=Universit\c3\a0+SERIALNUMBER=00123,O=Paghe Facili\, S.p.A.,C=IT`:    true,
		`1.2.3.4=ABC,CN=Università+SERIALNUMBER=00123,O=Paghe Facili\, S.p.A.,C=IT`:                 false, // of unknown types each letter counts
		`C=IT,O=Paghe Facili\, S.p.A.,CN=Università+SERIALNUMBER=00123,1.2.3.4=Abc`:                 false, // the other way round
		`1.2.3.4=Abc,CN=Università,O=Paghe Facili\, S.p.A.,C=IT`:                                    false,
		`1.2.3.4=Abc,CN=Università,SERIALNUMBER=00123,O=Paghe Facili\, S.p.A.,C=IT`:                 false,
		`CN=Università+SERIALNUMBER=00123,O=Paghe Facili\, S.p.A.,C=IT`:                             false,
		`1.2.3.4=Abc,CN=Università+SERIALNUMBER=00124,O=Paghe Facili\, S.p.A.,C=IT`:                 false,
		`1.2.3.4=Abc,CN=PagheFacili+SERIALNUMBER=00123,O=PagheFacili\, S.p.A.,C=IT`:                 false,
		`1.2.3.4=Abc,CN=Università+SERIALNUMBER=00123,O=Paghe Facili\, S.p.A.,C=IT,C=IT`:            false,
		`1.2.3.4=Abc,CN=Università+CN=Università,O=Paghe Facili\, S.p.A.,C=IT`:                      false,
	} {
		name := certname.Name{Kind: certname.DN, Value: registered}
		if !name.Valid() {
			t.Errorf("%s is no name", registered)
		}
		if got := name.In(c); got != want {
			t.Errorf("%s: %t", registered, got)
		}
	}
	if (certname.Name{Kind: certname.DN, Value: "CN=Paghe"}).In(made(t, func(*x509.Certificate) {})) {
		t.Error("a certificate without a subject has one")
	}
	for what, hidden := range map[string]string{"a NUL": "Paghe\x00", "nothing that is seen": "Paghe\u200b", "broken UTF-8": "Paghe\xff"} {
		der, err := asn1.Marshal(pkix.RDNSequence{{part(asn1.TagT61String, hidden, 2, 5, 4, 3)}})
		if err != nil {
			t.Fatal(err)
		}
		if (certname.Name{Kind: certname.DN, Value: "CN=Paghe"}).In(&x509.Certificate{RawSubject: der}) {
			t.Errorf("%s is overlooked", what)
		}
	}
}

func TestName_OfAnAlternativeName(t *testing.T) {
	uri, err := url.Parse("https://paghe.example/server?a=1")
	if err != nil {
		t.Fatal(err)
	}
	c := made(t, func(c *x509.Certificate) {
		c.Subject.CommonName = "other.example"
		c.DNSNames = []string{"api.paghe.example", "*.paghe.example"}
		c.URIs = []*url.URL{uri}
		c.IPAddresses = []net.IP{net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::7")}
		c.EmailAddresses = []string{"Server@paghe.example"}
	})
	for _, tc := range []struct {
		kind  certname.Kind
		value string
		want  bool
	}{
		{certname.DNS, "api.paghe.example", true},
		{certname.DNS, "API.Paghe.Example", true},
		{certname.DNS, "www.paghe.example", false}, // only hosts are matched with wildcards
		{certname.DNS, "paghe.example", false},
		{certname.DNS, "other.example", false},
		{certname.URI, "https://paghe.example/server?a=1", true},
		{certname.URI, "https://paghe.example/server", false},
		{certname.URI, "https://paghe.example/Server?a=1", false},
		{certname.IP, "192.0.2.7", true},
		{certname.IP, "2001:0db8:0:0::7", true},
		{certname.IP, "192.0.2.8", false},
		{certname.IP, "::ffff:192.0.2.7", false},
		{certname.Email, "Server@PAGHE.example", true},
		{certname.Email, "server@paghe.example", false},
	} {
		name := certname.Name{Kind: tc.kind, Value: tc.value}
		if !name.Valid() {
			t.Errorf("%s %s is no name", tc.kind, tc.value)
		}
		if got := name.In(c); got != tc.want {
			t.Errorf("%s %s: %t", tc.kind, tc.value, got)
		}
	}
}

func TestName_WhatIsNone(t *testing.T) {
	for kind, values := range map[certname.Kind][]string{
		certname.DN: {
			"", "Paghe", "CN=", "CN=Paghe,", "CN=Paghe,,C=IT", "nothing=Paghe", "1.=Paghe", `CN=Paghe\`, "CN=Paghe\n", "CN=a\u202eb", "CN=#zz",
			"CN=" + strings.Repeat("a", certname.MaxLength),
		},
		certname.DNS:   {"", "*.paghe.example", "paghe example", "-a.example", "https://paghe.example", "pàghe.example"},
		certname.URI:   {"", "paghe", "/server", "https://user@paghe.example", "https:", "https://paghe.example/\n"},
		certname.IP:    {"", "192.0.2", "192.0.2.7/32", "fe80::1%eth0", "paghe.example"},
		certname.Email: {"", "server", "@paghe.example", "server@", "server@*.example"},
		"another":      {"paghe.example"},
	} {
		for _, value := range values {
			if name := (certname.Name{Kind: kind, Value: value}); name.Valid() || name.In(&x509.Certificate{}) {
				t.Errorf("%s %q is a name", kind, value)
			}
		}
	}
	if len(certname.Kinds()) != 5 {
		t.Errorf("kinds: %v", certname.Kinds())
	}
}
