package spid

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// KeyPair is a certificate with its key.
type KeyPair struct {
	Certificate *x509.Certificate
	Key         *rsa.PrivateKey
}

// LoadKeys reads one pair of each file (PEM, certificate and key in any order). No error holds a
// part of a file.
func LoadKeys(paths []string) ([]KeyPair, error) {
	var all []KeyPair
	for i, path := range paths {
		content, err := os.ReadFile(path) //nolint:gosec // the administrator's own path
		if err != nil {
			return nil, fmt.Errorf("file %d cannot be read", i+1)
		}
		pair, err := ParseKeys(content)
		if err != nil {
			return nil, fmt.Errorf("file %d: %w", i+1, err)
		}
		if j := slices.IndexFunc(all, func(p KeyPair) bool { return p.Certificate.Equal(pair.Certificate) }); j >= 0 {
			return nil, fmt.Errorf("file %d has the same certificate as file %d", i+1, j+1)
		}
		all = append(all, pair)
	}
	return all, nil
}

// signer returns the first pair whose certificate is good at an instant; nil where there is none.
func (s *Service) signer(now time.Time) *KeyPair {
	for i, pair := range s.Keys {
		if !now.Before(pair.Certificate.NotBefore) && now.Before(pair.Certificate.NotAfter) {
			return &s.Keys[i]
		}
	}
	return nil
}

// ParseKeys reads one pair of a text in PEM.
func ParseKeys(text []byte) (KeyPair, error) {
	var pair KeyPair
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		var err error
		switch block.Type {
		case "CERTIFICATE":
			if pair.Certificate != nil {
				return KeyPair{}, errors.New("it has several certificates; give each pair a file of its own")
			}
			pair.Certificate, err = x509.ParseCertificate(block.Bytes)
		case "PRIVATE KEY":
			var key any
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
			pair.Key, _ = key.(*rsa.PrivateKey)
		case "RSA PRIVATE KEY":
			pair.Key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		}
		if err != nil {
			return KeyPair{}, errors.New("a part of it cannot be read")
		}
	}
	return pair, pair.check()
}

func (p KeyPair) check() error {
	switch {
	case p.Certificate == nil:
		return errors.New("it has no certificate")
	case p.Key == nil:
		return errors.New("it has no key of RSA")
	case !p.Key.PublicKey.Equal(p.Certificate.PublicKey):
		return errors.New("its key is not that of its certificate")
	case p.Key.N.BitLen() < minKeyBits:
		return fmt.Errorf("its key is shorter than %d bits", minKeyBits)
	case slices.Contains([]x509.SignatureAlgorithm{x509.SHA1WithRSA, x509.MD5WithRSA}, p.Certificate.SignatureAlgorithm):
		return errors.New("its certificate is signed with less than SHA-256")
	}
	return nil
}

// ErrEnded means that the certificate that signs has ended.
var ErrEnded = errors.New("the certificate has ended")

// Check tells whether a pair can be used from now on by a service of this name. It returns ErrEnded
// for one whose time is over.
func (p KeyPair) Check(entityID string, now time.Time) error {
	switch {
	case now.Before(p.Certificate.NotBefore):
		return errors.New("the certificate is not valid yet")
	case !now.Before(p.Certificate.NotAfter):
		return ErrEnded
	}
	for _, name := range p.Certificate.Subject.Names {
		if name.Type.Equal(uriType) && name.Value != entityID {
			return errors.New("the certificate is for another name of the service (attribute uri) than DIRESCO_SPID_ENTITY_ID, " +
				"or without that DIRESCO_PUBLIC_URL, says")
		}
	}
	return nil
}

// Differs tells in which attribute a certificate names another body than the metadata do; "" where
// they agree. Who checks metadata refuses those.
func (p KeyPair) Differs(o Organisation) string {
	for _, name := range p.Certificate.Subject.Names {
		switch value, _ := name.Value.(string); {
		case name.Type.Equal(nameType) && value != o.Name:
			return "O is not DIRESCO_INSTITUTION_NAME"
		case name.Type.Equal(organisationType) && o.IPACode != "" && value != publicPrefix+o.IPACode:
			return "organizationIdentifier is not that of DIRESCO_SPID_IPA_CODE"
		}
	}
	return ""
}

// publicPrefix begins the identifier of a public body.
const publicPrefix = "PA:IT-"

// The attributes of names that SPID asks for: the organisation's, and those of its own.
var (
	nameType         = asn1.ObjectIdentifier{2, 5, 4, 10}
	uriType          = asn1.ObjectIdentifier{2, 5, 4, 83}
	organisationType = asn1.ObjectIdentifier{2, 5, 4, 97}
)

// encodePEM writes a pair as LoadKeys reads it.
func encodePEM(certificate []byte, key *rsa.PrivateKey) ([]byte, error) {
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: certificate}); err != nil {
		return nil, err
	}
	err = pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
	return out.Bytes(), err
}
