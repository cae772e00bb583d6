package cards

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"diresco/internal/platform/taxcode"
)

// Kind is what a card is.
type Kind string

// The kinds of cards, and the policies by which certificates are told apart.
const (
	CNS Kind = "cns"
	CIE Kind = "cie"
)

var policies = map[Kind]string{CNS: "1.3.76.16.2.1", CIE: "1.3.76.47.4"}

// Password is that of the file for browsers; a test card has no secret.
const Password = "sandbox"

// life is how long cards are good before and after they are made.
const life = 5 * 365 * 24 * time.Hour

var (
	oidSurname   = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidGivenName = asn1.ObjectIdentifier{2, 5, 4, 42}
)

// Order says which card to make.
type Order struct {
	Kind       Kind
	TaxCode    taxcode.Code
	GivenName  string
	FamilyName string
	// Expired makes a card that was good once.
	Expired bool
}

// Card is a test card, with its key.
type Card struct {
	Certificate *x509.Certificate
	// CertificatePEM and KeyPEM are as curl takes them, PKCS12 as browsers import it.
	CertificatePEM, KeyPEM, PKCS12 []byte
	Key                            *ecdsa.PrivateKey
}

// Issue makes a card. Its subject is as the authorities of real ones write it.
func (a *Authority) Issue(o Order, now time.Time) (Card, error) {
	policy, known := policies[o.Kind]
	if !known || !o.TaxCode.IsPerson() {
		return Card{}, errors.New("a card is a cns or cie, of a natural person")
	}
	address, err := a.line(addressFile)
	if err != nil {
		return Card{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.random)
	if err != nil {
		return Card{}, err
	}
	serial, err := newSerial(a.random)
	if err != nil {
		return Card{}, err
	}
	oid, err := x509.ParseOID(policy)
	if err != nil {
		return Card{}, err
	}
	digest := sha256.Sum256(serial.Bytes())
	name := fmt.Sprintf("%s/%016d.%s", o.TaxCode.Clear(), serial.Uint64()%1e16, base64.StdEncoding.EncodeToString(digest[:20]))
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: now.Add(-life), NotAfter: now.Add(life), BasicConstraintsValid: true,
		Subject: pkix.Name{
			Country: []string{"IT"}, Organization: []string{"Diresco sandbox"}, CommonName: name,
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: oidSurname, Value: o.FamilyName}, {Type: oidGivenName, Value: o.GivenName}},
		},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Policies: []x509.OID{oid}, OCSPServer: []string{address + AnswersPath}, CRLDistributionPoints: []string{address + ListPath},
	}
	if o.Expired {
		template.NotAfter = now.Add(-time.Hour)
	}
	der, err := x509.CreateCertificate(a.random, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return Card{}, err
	}
	return a.pack(der, key)
}

func (a *Authority) pack(der []byte, key *ecdsa.PrivateKey) (Card, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return Card{}, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Card{}, err
	}
	bundle, err := pkcs12.Modern.WithRand(a.random).Encode(key, certificate, []*x509.Certificate{a.certificate}, Password)
	return Card{
		Certificate: certificate, CertificatePEM: encode("CERTIFICATE", der), KeyPEM: encode("PRIVATE KEY", secret), PKCS12: bundle,
		Key: key,
	}, err
}

// Revoke revokes a card from now on.
func (a *Authority) Revoke(certificate *x509.Certificate) error {
	file, err := os.OpenFile(filepath.Join(a.dir, revokedFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%x\n", certificate.SerialNumber)
	return errors.Join(err, file.Close())
}
