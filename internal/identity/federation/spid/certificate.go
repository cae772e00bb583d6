package spid

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"time"
)

// keyBits is how long a new key is.
const keyBits = 3072

// NewCertificate makes a key and a certificate for it, signed by itself, as the rules want those of
// a public body. It returns both in PEM.
func NewCertificate(random io.Reader, entityID string, o Organisation, locality string, from, until time.Time) ([]byte, error) {
	if o.Private != nil {
		return nil, errors.New("AgID issues the certificates of private service providers")
	}
	if o.Name == "" || o.IPACode == "" || locality == "" {
		return nil, errors.New("name, IPA code and place of the institution are needed")
	}
	key, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(random, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	policies, err := policyExtension()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), NotBefore: from, NotAfter: until, SignatureAlgorithm: x509.SHA256WithRSA,
		Subject: pkix.Name{
			CommonName: o.Name, Organization: []string{o.Name}, Country: []string{"IT"}, Locality: []string{locality},
			ExtraNames: []pkix.AttributeTypeAndValue{
				{Type: uriType, Value: entityID}, {Type: organisationType, Value: publicPrefix + o.IPACode},
			},
		},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		BasicConstraintsValid: true,
		ExtraExtensions:       []pkix.Extension{policies},
	}
	certificate, err := x509.CreateCertificate(random, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return encodePEM(certificate, key)
}

// The policies of AgID, with the words that the rules write beside each.
var (
	policiesType  = asn1.ObjectIdentifier{2, 5, 29, 32}
	noticeType    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}
	agidPolicy    = asn1.ObjectIdentifier{1, 3, 76, 16, 6}
	publicPolicy  = asn1.ObjectIdentifier{1, 3, 76, 16, 4, 2, 1}
	policyNotices = []struct {
		policy asn1.ObjectIdentifier
		text   string
	}{{agidPolicy, "agIDcert"}, {publicPolicy, "cert_SP_Pub"}}
)

// policyExtension makes the extension of RFC 5280, section 4.2.1.4.
func policyExtension() (pkix.Extension, error) {
	type notice struct {
		Text string `asn1:"utf8"`
	}
	type qualifier struct {
		ID     asn1.ObjectIdentifier
		Notice notice
	}
	type policy struct {
		ID         asn1.ObjectIdentifier
		Qualifiers []qualifier
	}
	var all []policy
	for _, p := range policyNotices {
		all = append(all, policy{p.policy, []qualifier{{noticeType, notice{p.text}}}})
	}
	value, err := asn1.Marshal(all)
	return pkix.Extension{Id: policiesType, Value: value}, err
}
