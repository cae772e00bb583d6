package card_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/card"
	"diresco/internal/identity/session"
)

// refused returns the outcome and the rule by which a card is refused, "" for one that is let in.
func refused(t *testing.T, v *card.Verifier, leaf *x509.Certificate, others ...*x509.Certificate) string {
	t.Helper()
	claims, method, err := v.Verify(context.Background(), leaf, others)
	if err == nil {
		return ""
	}
	var refusal *federation.Refusal
	if !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	if claims.TaxCode != "" || method != "" {
		t.Errorf("a refused card is %s's", claims.TaxCode)
	}
	if strings.Contains(err.Error(), rossi) {
		t.Errorf("the error tells whose card it is: %v", err)
	}
	return string(refusal.Outcome) + " " + refusal.Rule
}

func TestCard_GoodOnes(t *testing.T) {
	a := newAuthority(t, "Authority of cards")
	v, _ := verifier(t, a.Certificate)
	want := federation.Claims{TaxCode: rossi, GivenName: "Mario", FamilyName: "Rossi", Level: 3}
	for policy, method := range map[string]session.LoginMethod{policyCNS: session.ByCNS, policyCIE: session.ByCIE} {
		leaf := a.issue(func(c *x509.Certificate) { c.Policies = []x509.OID{oid(t, "1.3.76.16.5"), oid(t, policy)} })
		claims, by, err := v.Verify(t.Context(), leaf, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, claims); diff != "" || by != method {
			t.Errorf("%s: %s %s", policy, by, diff)
		}
	}
}

func TestCard_TheFormsOfItsSubject(t *testing.T) {
	a := newAuthority(t, "Authority of cards")
	v, _ := verifier(t, a.Certificate)
	other := "VRDLCU75T42F205R"
	for name, c := range map[string]struct {
		subject []pkix.AttributeTypeAndValue
		rule    string
		given   string
	}{
		"an accent and an apostrophe": {
			[]pkix.AttributeTypeAndValue{
				commonName(rossi + "/1.x"), attribute(4, asn1.TagUTF8String, "D'Amì"), attribute(42, asn1.TagUTF8String, "  Niccolò \t Maria "),
			}, "", "Niccolò Maria",
		},
		"several slashes":               {[]pkix.AttributeTypeAndValue{commonName(rossi + "/1234/a/b=+")}, "", ""},
		"nothing behind the slash":      {[]pkix.AttributeTypeAndValue{commonName(rossi + "/")}, "", ""},
		"printable":                     {[]pkix.AttributeTypeAndValue{attribute(3, asn1.TagPrintableString, rossi+"/1.x")}, "", ""},
		"a serial number alone":         {[]pkix.AttributeTypeAndValue{commonName("Mario Rossi"), serialNumber("TINIT-" + rossi)}, "", ""},
		"no common name":                {[]pkix.AttributeTypeAndValue{serialNumber("TINIT-" + rossi)}, "", ""},
		"both":                          {[]pkix.AttributeTypeAndValue{commonName(rossi + "/1.x"), serialNumber("TINIT-" + rossi)}, "", ""},
		"a number of the card":          {[]pkix.AttributeTypeAndValue{commonName(rossi + "/1.x"), serialNumber("CA00000AA")}, "", ""},
		"both, of two people":           {[]pkix.AttributeTypeAndValue{commonName(rossi + "/1.x"), serialNumber("TINIT-" + other)}, "invalid_answer subject", ""},
		"a wrong check letter":          {[]pkix.AttributeTypeAndValue{commonName("RSSMRA80A01H501X/1.x")}, "invalid_answer subject", ""},
		"a wrong one beside a right":    {[]pkix.AttributeTypeAndValue{commonName("RSSMRA80A01H501X/1.x"), serialNumber("TINIT-" + rossi)}, "invalid_answer subject", ""},
		"a wrong one in the number":     {[]pkix.AttributeTypeAndValue{serialNumber("TINIT-RSSMRA80A01H501X")}, "invalid_answer subject", ""},
		"small letters":                 {[]pkix.AttributeTypeAndValue{commonName(strings.ToLower(rossi) + "/1.x")}, "invalid_answer subject", ""},
		"blanks":                        {[]pkix.AttributeTypeAndValue{commonName("RSSMRA 80A01 H501U/1.x")}, "invalid_answer subject", ""},
		"no slash":                      {[]pkix.AttributeTypeAndValue{commonName(rossi)}, "invalid_answer subject", ""},
		"the number of an organisation": {[]pkix.AttributeTypeAndValue{commonName("80078750587/1.x")}, "invalid_answer subject", ""},
		"a number without a country":    {[]pkix.AttributeTypeAndValue{serialNumber(rossi)}, "invalid_answer subject", ""},
		"an identity card's number":     {[]pkix.AttributeTypeAndValue{serialNumber("IDCIT-" + rossi)}, "invalid_answer subject", ""},
		"another country's":             {[]pkix.AttributeTypeAndValue{serialNumber("TINES-" + rossi)}, "invalid_answer subject", ""},
		"another attribute":             {[]pkix.AttributeTypeAndValue{attribute(65, asn1.TagUTF8String, rossi+"/1.x")}, "invalid_answer subject", ""},
		"two common names":              {[]pkix.AttributeTypeAndValue{commonName(rossi + "/1.x"), commonName(other + "/1.x")}, "invalid_answer subject", ""},
		"nobody":                        {nil, "invalid_answer subject", ""},
		"a name without an end":         {[]pkix.AttributeTypeAndValue{commonName(rossi + "/1.x"), attribute(4, asn1.TagUTF8String, strings.Repeat("a", 257))}, "invalid_answer subject", ""},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := a.issue(func(template *x509.Certificate) { template.Subject = pkix.Name{ExtraNames: c.subject} })
			if got := refused(t, v, leaf); got != c.rule {
				t.Fatalf("%q, want %q", got, c.rule)
			}
			if c.rule != "" {
				return
			}
			if claims, _, err := v.Verify(t.Context(), leaf, nil); err != nil || claims.TaxCode != rossi || claims.GivenName != c.given {
				t.Errorf("%+v, %v", claims, err)
			}
		})
	}
}

func TestCard_WhatIsNoneIsRefused(t *testing.T) {
	a, foreign := newAuthority(t, "Authority of cards"), newAuthority(t, "Authority of cards")
	v, _ := verifier(t, a.Certificate)
	for name, c := range map[string]struct {
		of     *authority
		change func(*x509.Certificate)
		rule   string
	}{
		"expired":             {a, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }, "invalid_answer validity"},
		"not yet valid":       {a, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }, "invalid_answer validity"},
		"foreign, same name":  {foreign, nil, "invalid_answer chain"},
		"of another policy":   {a, func(c *x509.Certificate) { c.Policies = []x509.OID{oid(t, policyCNS+".1")} }, "invalid_answer policy"},
		"of any policy":       {a, func(c *x509.Certificate) { c.Policies = []x509.OID{oid(t, "2.5.29.32.0")} }, "invalid_answer policy"},
		"without a policy":    {a, func(c *x509.Certificate) { c.Policies = nil }, "invalid_answer policy"},
		"for signing":         {a, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, "invalid_answer key-usage"},
		"without a key usage": {a, func(c *x509.Certificate) { c.KeyUsage = 0 }, "invalid_answer key-usage"},
		"for e-mail": {
			a, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} },
			"invalid_answer extended-key-usage",
		},
		"for any use": {
			a, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, "invalid_answer extended-key-usage",
		},
		"without a use": {a, func(c *x509.Certificate) { c.ExtKeyUsage = nil }, "invalid_answer extended-key-usage"},
		"an authority": {a, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid = true, true
			c.KeyUsage |= x509.KeyUsageCertSign
		}, "invalid_answer key-usage"},
		"with an unknown critical extension": {a, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}, "invalid_answer chain"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := refused(t, v, c.of.issue(c.change)); got != c.rule {
				t.Errorf("%q, want %q", got, c.rule)
			}
		})
	}
	if asked := a.times("/ocsp") + foreign.times("/ocsp") + foreign.times("/crl"); asked != 0 {
		t.Errorf("authorities were asked %d times about what is no card", asked)
	}
	if got := refused(t, v, a.Certificate); got != "invalid_answer chain" {
		t.Errorf("the authority itself: %q", got)
	}
	if got := refused(t, v, a.issue(nil), make([]*x509.Certificate, 9)...); got != "invalid_answer too-many-certificates" {
		t.Errorf("a long chain: %q", got)
	}
}

// TestCard_OfAnIntermediate: what stands between card and trusted authority comes along with it,
// and may be revoked as well.
func TestCard_OfAnIntermediate(t *testing.T) {
	a := newAuthority(t, "Authority of cards")
	template := authorityTemplate("Authority of a region")
	template.SerialNumber, template.CRLDistributionPoints = big.NewInt(77), []string{a.url + "/crl"}
	region := newAuthority(t, "Authority of a region")
	region.pair = sign(t, template, &a.pair)
	leaf := region.issue(nil)
	v, c := verifier(t, a.Certificate)
	if got := refused(t, v, leaf); got != "invalid_answer chain" {
		t.Errorf("without what stands between: %q", got)
	}
	if got := refused(t, v, leaf, region.Certificate); got != "" {
		t.Errorf("with it: %q", got)
	}
	// Where the one between is trusted itself, that is enough, and it is not asked about.
	direct, _ := verifier(t, region.Certificate, a.Certificate)
	before := a.times("/crl")
	if got := refused(t, direct, leaf, region.Certificate); got != "" || a.times("/crl") != before {
		t.Errorf("trusted itself: %q", got)
	}
	a.set(func() { a.revoked = append(a.revoked, big.NewInt(77)) })
	c.Advance(31 * time.Minute)
	if got := refused(t, v, leaf, region.Certificate); got != "invalid_answer revoked" {
		t.Errorf("a revoked authority: %q", got)
	}
}

func TestCard_WithoutAuthoritiesNobodyIsLetIn(t *testing.T) {
	a := newAuthority(t, "Authority of cards")
	v, _ := verifier(t)
	if got := refused(t, v, a.issue(nil)); got != "invalid_answer chain" {
		t.Errorf("%q", got)
	}
}
