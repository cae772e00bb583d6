// Package cards is an authority that issues test cards. It lets whoever tries the sandbox log in as
// with a national service card (CNS) or an electronic identity card (CIE), and revoke one.
package cards

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files of the authority's folder.
const (
	certificateFile = "authority.pem"
	keyFile         = "authority.key"
	// addressFile has the sandbox's address, which certificates name.
	addressFile = "address"
	// loginFile has the address at which cards log in.
	loginFile = "login"
	// revokedFile has the serial number of a revoked certificate on each line.
	revokedFile = "revoked"
)

// The paths at the sandbox's address.
const (
	CertificatePath = "/sandbox/cards/authority.pem"
	ListPath        = "/sandbox/cards/authority.crl"
	AnswersPath     = "/sandbox/cards/ocsp"
)

// The authority is good at any time to which the sandbox's clock may be moved.
var (
	begins = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	ends   = time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)
)

// Authority issues test cards.
type Authority struct {
	dir         string
	random      io.Reader
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Open makes the authority in its folder, or takes the one that is there. Its certificates will
// name the sandbox's address.
func Open(dir, address string, random io.Reader) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, certificateFile)); errors.Is(err, os.ErrNotExist) {
		if err := create(dir, random); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, addressFile), []byte(address+"\n"), 0o600); err != nil {
		return nil, err
	}
	return Load(dir, random)
}

// Load takes the authority that is in a folder.
func Load(dir string, random io.Reader) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certificateFile), filepath.Join(dir, keyFile))
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key of the authority is of another kind")
	}
	return &Authority{dir: dir, random: random, certificate: pair.Leaf, key: key}, nil
}

// create makes the key before the certificate, which shows that both are there.
func create(dir string, random io.Reader) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return err
	}
	serial, err := newSerial(random)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: begins, NotAfter: ends, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		Subject:  pkix.Name{Country: []string{"IT"}, Organization: []string{"Diresco sandbox"}, CommonName: "Test cards"},
	}
	der, err := x509.CreateCertificate(random, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), encode("PRIVATE KEY", secret), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, certificateFile), encode("CERTIFICATE", der), 0o600)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// newSerial draws a serial number of 127 bits.
func newSerial(random io.Reader) (*big.Int, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return nil, err
	}
	raw[0] = raw[0]&0x7f | 0x40
	return new(big.Int).SetBytes(raw), nil
}

// Certificate is the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// CertificatePEM is the authority's own as a file has it.
func (a *Authority) CertificatePEM() []byte { return encode("CERTIFICATE", a.certificate.Raw) }

// CertificatePath is the file of the authority's own certificate.
func (a *Authority) CertificatePath() string { return filepath.Join(a.dir, certificateFile) }

// Server makes the certificate with which the sandbox takes cards on this machine.
func (a *Authority) Server() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.random)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := newSerial(a.random)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: begins, NotAfter: ends, BasicConstraintsValid: true,
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(a.random, template, a.certificate, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// LoginAt notes the address at which cards log in, for whoever makes one.
func (a *Authority) LoginAt(address string) error {
	return os.WriteFile(filepath.Join(a.dir, loginFile), []byte(address+"\n"), 0o600)
}

// Login returns the address at which cards log in.
func (a *Authority) Login() (string, error) { return a.line(loginFile) }

func (a *Authority) line(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(a.dir, name)) //nolint:gosec // one of the names above
	return strings.TrimSpace(string(content)), err
}
