//go:build peers

package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
)

// signer is a certificate with its key.
type signer struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// sign makes a certificate, by its own key without an issuer.
func sign(t *testing.T, template *x509.Certificate, issuer *signer) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if issuer == nil {
		issuer = &signer{template, key}
	}
	template.NotBefore, template.NotAfter = clock.System{}.Now().Add(-time.Hour), clock.System{}.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Certificate, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{parsed, key}
}

// write writes a certificate into a file, with its key if it has one.
func write(t *testing.T, name string, c *x509.Certificate, key *ecdsa.PrivateKey) string {
	t.Helper()
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOAuthClients_AreLetInByTheirCertificate: two clients that nobody here wrote come by mutual TLS,
// with a certificate of their own and with one that an authority issued.
func TestOAuthClients_AreLetInByTheirCertificate(t *testing.T) {
	authority := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil)
	lists := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: clock.System{}.Now().Add(-time.Minute), NextUpdate: clock.System{}.Now().Add(time.Hour),
		}, authority.Certificate, authority.key)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(list)
	}))
	t.Cleanup(lists.Close)
	forClient := func(serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			Subject:  pkix.Name{CommonName: "server.paghe.example", Organization: []string{"Paghe Facili"}, Country: []string{"IT"}},
			DNSNames: []string{"server.paghe.example"}, CRLDistributionPoints: []string{lists.URL},
		}
	}
	own, issued := sign(t, forClient(2), nil), sign(t, forClient(3), &authority)
	mutual := httptest.NewUnstartedServer(nil)
	mutual.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	place := "https://" + mutual.Listener.Addr().String()
	s, a := newServiceWith(t, func(c *config.Config) {
		c.MTLSURL, c.MTLSAddr, c.MTLSCA = place, mutual.Listener.Addr().String(), write(t, "authority.pem", authority.Certificate, nil)
	})
	mutual.Config.Handler = a.MutualHandler()
	mutual.StartTLS()
	t.Cleanup(mutual.Close)
	w := newWorkshop(t, "oauth", s)
	w.env = append(w.env, "MUTUAL_URL="+place, "MUTUAL_CA="+write(t, "ca.pem", mutual.Certificate(), nil),
		"MUTUAL_OWN="+write(t, "own.pem", own.Certificate, own.key), "MUTUAL_ISSUED="+write(t, "issued.pem", issued.Certificate, issued.key),
		"MUTUAL_SUBJECT=CN=server.paghe.example,O=paghe facili,C=IT")
	w.run("npm", "ci", "--no-audit", "--no-fund")
	if printed := w.run("node", "mutual.mjs"); !strings.Contains(printed, "let in") {
		t.Error(printed)
	}
}
