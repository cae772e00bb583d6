package card

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"diresco/internal/platform/taxcode"
)

// fuzzed is an authority, and a certificate that it issued.
type fuzzed struct {
	key          *ecdsa.PrivateKey
	issuer, leaf *x509.Certificate
}

var fuzzedAt = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newFuzzed(f *testing.F) fuzzed {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	certify := func(serial int64, isCA bool, parent *x509.Certificate) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "a"}, NotBefore: fuzzedAt.Add(-time.Hour),
			NotAfter: fuzzedAt.AddDate(1, 0, 0), IsCA: isCA, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			SubjectKeyId: []byte{1},
		}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		if err != nil {
			f.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			f.Fatal(err)
		}
		return c
	}
	issuer := certify(1, true, nil)
	return fuzzed{key, issuer, certify(2, false, issuer)}
}

// FuzzRevocationList looks whether a list of somebody else is taken.
func FuzzRevocationList(f *testing.F) {
	w := newFuzzed(f)
	genuine, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: fuzzedAt.Add(-time.Minute), NextUpdate: fuzzedAt.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(2), RevocationTime: fuzzedAt.Add(-time.Hour)}},
	}, w.issuer, w.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Add([]byte("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, _, err := readList(content, w.issuer, fuzzedAt)
		if err == nil && !list.has(w.leaf.SerialNumber) {
			t.Errorf("%x is a list of the authority's, in which the certificate is not revoked", content)
		}
	})
}

// FuzzScope looks whether the extension of a list can end the program.
func FuzzScope(f *testing.F) {
	f.Add([]byte("0\x00"))
	f.Add([]byte("0\x03\x81\x01\xff"))
	f.Add([]byte("0\x0e\xa0\x0c\xa0\x0a\x86\x08http://a"))
	f.Fuzz(func(t *testing.T, der []byte) {
		if s, err := readScope(der); (s == nil) == (err == nil) {
			t.Errorf("%x is %v, %v", der, s, err)
		}
	})
}

// FuzzOCSP looks whether an answer of somebody else is taken.
func FuzzOCSP(f *testing.F) {
	w := newFuzzed(f)
	genuine, err := ocsp.CreateResponse(w.issuer, w.issuer, ocsp.Response{
		Status: ocsp.Revoked, SerialNumber: w.leaf.SerialNumber, ThisUpdate: fuzzedAt.Add(-time.Minute), NextUpdate: fuzzedAt.Add(time.Hour),
		RevokedAt: fuzzedAt.Add(-time.Hour),
	}, w.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Add([]byte("0\x03\n\x01\x06"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, revoked, err := readOCSP(content, w.leaf, w.issuer, fuzzedAt); err == nil && !revoked {
			t.Errorf("%x is an answer of the authority's, that the certificate is good", content)
		}
	})
}

// FuzzTrustedList looks whether a list that no signer signed is taken.
func FuzzTrustedList(f *testing.F) {
	w := newFuzzed(f)
	f.Add([]byte(`<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#" Id="a"/>`))
	f.Add([]byte(`<a Id="a"><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/><SignatureValue/></Signature></a>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, err := readTrustedList(content, []*x509.Certificate{w.issuer}, fuzzedAt); err == nil {
			t.Errorf("%q is taken", content)
		}
	})
}

// FuzzHolder looks whether a certificate that names nobody lets somebody in.
func FuzzHolder(f *testing.F) {
	f.Add("RSSMRA80A01H501U/1234.abcd", "TINIT-RSSMRA80A01H501U")
	f.Add("RSSMRA80A01H501U", "")
	f.Add("rssmra80a01h501u/1", "TINIT- RSSMRA80A01H501U")
	f.Fuzz(func(t *testing.T, commonName, serialNumber string) {
		code, err := holder(commonName, serialNumber)
		if err != nil {
			return
		}
		if parsed, err := taxcode.Parse(code); err != nil || !parsed.IsPerson() || parsed.Clear() != code {
			t.Errorf("%q and %q are of %q", commonName, serialNumber, code)
		}
	})
}
