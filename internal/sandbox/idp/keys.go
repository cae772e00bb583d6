package idp

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"time"
)

// keyBits is how long the key is: the least that the rules of SPID take.
const keyBits = 2048

// NewKey makes a key for a provider.
func NewKey(random io.Reader) (*rsa.PrivateKey, error) { return rsa.GenerateKey(random, keyBits) }

// Certify makes a certificate of a key, signed by itself. It is good for as long as anybody moves the
// clock of a sandbox.
func Certify(key *rsa.PrivateKey, name string, random io.Reader) (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Country: []string{"IT"}},
		NotBefore: time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2200, time.January, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(random, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
