package card_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/clock"
)

// now is when the tests take place.
var now = time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)

const (
	policyCNS = "1.3.76.16.2.1"
	policyCIE = "1.3.76.47.4"
	// rossi is a tax code as it is printed in schoolbooks.
	rossi = "RSSMRA80A01H501U"
)

var quiet = slog.New(slog.DiscardHandler)

// pair is a certificate with its key.
type pair struct {
	*x509.Certificate
	key crypto.Signer
}

// sign makes a certificate; one without an issuer signs itself.
func sign(t *testing.T, template *x509.Certificate, issuer *pair) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signKey(t, template, issuer, key)
}

func signKey(t *testing.T, template *x509.Certificate, issuer *pair, key crypto.Signer) pair {
	t.Helper()
	if issuer == nil {
		issuer = &pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Certificate, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{parsed, key}
}

// authority issues cards, and answers whether they are revoked.
type authority struct {
	pair
	t *testing.T
	// url is where it is asked.
	url string

	mu      sync.Mutex
	revoked []*big.Int
	serial  int64
	// asked is how often each path was asked.
	asked map[string]int
	// answer changes an answer by OCSP, list a revocation list, before they are signed.
	answer func(*ocsp.Response)
	list   func(*x509.RevocationList)
	// closed are paths that answer nothing.
	closed map[string]bool
	// responder signs answers by OCSP in its place.
	responder *pair
	// at is the time there.
	at time.Time
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, asked: map[string]int{}, closed: map[string]bool{}, at: now}
	a.pair = sign(t, authorityTemplate(name), nil)
	server := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func authorityTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Country: []string{"IT"}},
		NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.AddDate(5, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[r.URL.Path]++
	var content []byte
	var err error
	switch {
	case a.closed[r.URL.Path]:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case r.URL.Path == "/ocsp":
		content, err = a.ocsp(r)
	case r.URL.Path == "/crl":
		content, err = a.crl()
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err != nil {
		a.t.Error(err)
		return
	}
	_, _ = w.Write(content)
}

func (a *authority) isRevoked(serial *big.Int) bool {
	for _, one := range a.revoked {
		if one.Cmp(serial) == 0 {
			return true
		}
	}
	return false
}

func (a *authority) ocsp(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	question, err := ocsp.ParseRequest(body)
	if err != nil {
		return nil, err
	}
	answer := ocsp.Response{
		SerialNumber: question.SerialNumber, Status: ocsp.Good, ThisUpdate: a.at.Add(-time.Minute), NextUpdate: a.at.Add(time.Hour),
	}
	if a.isRevoked(question.SerialNumber) {
		answer.Status, answer.RevokedAt = ocsp.Revoked, a.at.Add(-time.Hour)
	}
	if a.answer != nil {
		a.answer(&answer)
	}
	signer := a.pair
	if a.responder != nil {
		signer, answer.Certificate = *a.responder, a.responder.Certificate
	}
	return ocsp.CreateResponse(a.Certificate, signer.Certificate, answer, signer.key)
}

func (a *authority) crl() ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: a.at.Add(-time.Minute), NextUpdate: a.at.Add(24 * time.Hour)}
	for _, serial := range a.revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: serial, RevocationTime: a.at.Add(-time.Hour),
		})
	}
	if a.list != nil {
		a.list(list)
	}
	return x509.CreateRevocationList(rand.Reader, list, a.Certificate, a.key)
}

// set changes the authority while it may be asked.
func (a *authority) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *authority) times(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[path]
}

// attribute is one of a subject, in the given kind of string.
func attribute(number int, kind int, text string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{
		Type: asn1.ObjectIdentifier{2, 5, 4, number}, Value: asn1.RawValue{Tag: kind, Bytes: []byte(text)},
	}
}

func commonName(text string) pkix.AttributeTypeAndValue {
	return attribute(3, asn1.TagUTF8String, text)
}

func serialNumber(text string) pkix.AttributeTypeAndValue {
	return attribute(5, asn1.TagPrintableString, text)
}

// template is that of a good CNS.
func (a *authority) template() *x509.Certificate {
	a.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(1000 + a.serial), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			commonName(rossi + "/6090010012345678.hV2q+/T9xk0aFq8="), attribute(4, asn1.TagUTF8String, "Rossi"),
			attribute(42, asn1.TagUTF8String, "Mario"),
		}},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Policies: []x509.OID{oid(a.t, policyCNS)}, OCSPServer: []string{a.url + "/ocsp"}, CRLDistributionPoints: []string{a.url + "/crl"},
	}
}

func oid(t *testing.T, text string) x509.OID {
	t.Helper()
	parsed, err := x509.ParseOID(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// issue makes a card, which change lets differ from a good CNS.
func (a *authority) issue(change func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	template := a.template()
	if change != nil {
		change(template)
	}
	return sign(a.t, template, &a.pair).Certificate
}

// verifier trusts the authorities, at a clock of its own.
func verifier(t *testing.T, trusted ...*x509.Certificate) (*card.Verifier, *clock.Manual) {
	t.Helper()
	c := clock.NewManual(now)
	trust, err := card.NewTrust(card.TrustConfig{Further: trusted}, c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return card.NewVerifier(trust, card.NewOnline(card.OnlineDeps{Clock: c, Log: quiet, Loopback: true}), c), c
}
