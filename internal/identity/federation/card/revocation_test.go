package card_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/clock"
)

const (
	isRevoked = "invalid_answer revoked"
	unchecked = "temporarily_unavailable revocation-unknown"
)

func TestRevocation_ByEitherWay(t *testing.T) {
	for name, paths := range map[string][]string{"ocsp": {"/crl"}, "list": {"/ocsp"}, "both": nil} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, "Authority of cards")
			for _, path := range paths {
				a.closed[path] = true
			}
			v, _ := verifier(t, a.Certificate)
			good, bad := a.issue(nil), a.issue(nil)
			a.set(func() { a.revoked = []*big.Int{bad.SerialNumber} })
			if got := refused(t, v, good); got != "" {
				t.Errorf("a good card: %q", got)
			}
			if got := refused(t, v, bad); got != isRevoked {
				t.Errorf("a revoked card: %q", got)
			}
		})
	}
}

// TestRevocation_WhereNobodyCanBeAsked: the card is refused, and that is told apart from a revoked
// one.
func TestRevocation_WhereNobodyCanBeAsked(t *testing.T) {
	a := newAuthority(t, "Authority of cards")
	a.closed["/ocsp"], a.closed["/crl"] = true, true
	v, c := verifier(t, a.Certificate)
	leaf := a.issue(nil)
	for range 3 {
		if got := refused(t, v, leaf); got != unchecked {
			t.Errorf("%q", got)
		}
	}
	// An address that failed is left alone for a while.
	if a.times("/ocsp") != 1 || a.times("/crl") != 1 {
		t.Errorf("asked %d and %d times", a.times("/ocsp"), a.times("/crl"))
	}
	a.set(func() { a.closed["/ocsp"] = false })
	c.Advance(21 * time.Second)
	if got := refused(t, v, leaf); got != "" {
		t.Errorf("when it is back: %q", got)
	}
	for name, change := range map[string]func(*x509.Certificate){
		"no address": func(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = nil, nil },
		"a directory": func(c *x509.Certificate) {
			c.OCSPServer, c.CRLDistributionPoints = nil, []string{"ldap://ca.example/cn=crl"}
		},
	} {
		if got := refused(t, v, a.issue(change)); got != unchecked {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestRevocation_OneCardDoesNotStopOthers: a card of which the responder knows nothing is that
// card's affair.
func TestRevocation_OneCardDoesNotStopOthers(t *testing.T) {
	a := newAuthority(t, "Authority of cards")
	a.closed["/crl"] = true
	v, _ := verifier(t, a.Certificate)
	unknown, good := a.issue(nil), a.issue(nil)
	a.set(func() {
		a.answer = func(r *ocsp.Response) {
			if r.SerialNumber.Cmp(unknown.SerialNumber) == 0 {
				r.Status = ocsp.Unknown
			}
		}
	})
	for range 2 {
		if got := refused(t, v, unknown); got != unchecked {
			t.Errorf("the one: %q", got)
		}
	}
	if got := refused(t, v, good); got != "" || a.times("/ocsp") != 2 {
		t.Errorf("the other: %q, asked %d times", got, a.times("/ocsp"))
	}
}

// TestRevocation_AnswersAreVerified: what is not the authority's word of now is worth nothing.
func TestRevocation_AnswersAreVerified(t *testing.T) {
	foreign := newAuthority(t, "Authority of cards")
	delegate := func(t *testing.T, of *authority, change func(*x509.Certificate)) *pair {
		t.Helper()
		template := &x509.Certificate{
			SerialNumber: big.NewInt(50), Subject: pkix.Name{CommonName: "Responder"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		}
		if change != nil {
			change(template)
		}
		p := sign(t, template, &of.pair)
		return &p
	}
	for name, c := range map[string]struct {
		set  func(t *testing.T, a *authority)
		want string
	}{
		"the answer of a charged responder": {func(t *testing.T, a *authority) { a.responder = delegate(t, a, nil) }, ""},
		"of one whom another has charged":   {func(t *testing.T, a *authority) { a.responder = delegate(t, foreign, nil) }, unchecked},
		"of one who is charged with other things": {func(t *testing.T, a *authority) {
			a.responder = delegate(t, a, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		}, unchecked},
		"of one whose time is over": {func(t *testing.T, a *authority) {
			a.responder = delegate(t, a, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) })
		}, unchecked},
		"of another authority": {func(_ *testing.T, a *authority) { a.responder = &foreign.pair }, unchecked},
		"an old answer": {func(_ *testing.T, a *authority) {
			a.answer = func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(-2*time.Hour), now.Add(-time.Hour) }
		}, unchecked},
		"one of tomorrow": {func(_ *testing.T, a *authority) {
			a.answer = func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(time.Hour), now.Add(2*time.Hour) }
		}, unchecked},
		"one without an end, of now": {func(_ *testing.T, a *authority) {
			a.answer = func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now, time.Time{} }
		}, ""},
		"one without an end, of an hour ago": {func(_ *testing.T, a *authority) {
			a.answer = func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(-time.Hour), time.Time{} }
		}, unchecked},
		"about another certificate": {func(_ *testing.T, a *authority) {
			a.answer = func(r *ocsp.Response) { r.SerialNumber = big.NewInt(5) }
		}, unchecked},
		"that it is not known": {func(_ *testing.T, a *authority) { a.answer = func(r *ocsp.Response) { r.Status = ocsp.Unknown } }, unchecked},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, "Authority of cards")
			a.closed["/crl"] = true
			c.set(t, a)
			v, _ := verifier(t, a.Certificate)
			if got := refused(t, v, a.issue(nil)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// scoped is a list that is about what its distribution point says.
func scoped(der []byte) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: der}}
	}
}

// element is one of a structure in DER, with a context's tag.
func element(t *testing.T, number int, constructed bool, content []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: number, IsCompound: constructed, Bytes: content})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func sequence(t *testing.T, content []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRevocation_ListsAreVerified(t *testing.T) {
	point := func(t *testing.T, address string) []byte {
		t.Helper()
		return element(t, 0, true, element(t, 0, true, element(t, 6, false, []byte(address))))
	}
	for name, c := range map[string]struct {
		list func(t *testing.T, a *authority) func(*x509.RevocationList)
		want string
	}{
		"an old list": {func(*testing.T, *authority) func(*x509.RevocationList) {
			return func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = now.Add(-2*time.Hour), now.Add(-time.Hour) }
		}, unchecked},
		"one of tomorrow": {func(*testing.T, *authority) func(*x509.RevocationList) {
			return func(l *x509.RevocationList) { l.ThisUpdate = now.Add(time.Hour) }
		}, unchecked},
		"one of what has changed": {func(*testing.T, *authority) func(*x509.RevocationList) {
			return func(l *x509.RevocationList) {
				l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
			}
		}, unchecked},
		"one with an unknown critical entry": {func(*testing.T, *authority) func(*x509.RevocationList) {
			return func(l *x509.RevocationList) {
				l.RevokedCertificateEntries = []x509.RevocationListEntry{{
					SerialNumber: big.NewInt(5), RevocationTime: now,
					ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}},
				}}
			}
		}, unchecked},
		"the part that the card names": {func(t *testing.T, a *authority) func(*x509.RevocationList) {
			return scoped(sequence(t, point(t, a.url+"/crl")))
		}, ""},
		"another part": {func(t *testing.T, a *authority) func(*x509.RevocationList) {
			return scoped(sequence(t, point(t, a.url+"/crl2")))
		}, unchecked},
		"of people": {func(t *testing.T, _ *authority) func(*x509.RevocationList) {
			return scoped(sequence(t, element(t, 1, false, []byte{0xff})))
		}, ""},
		"of authorities": {func(t *testing.T, _ *authority) func(*x509.RevocationList) {
			return scoped(sequence(t, element(t, 2, false, []byte{0xff})))
		}, unchecked},
		"of some reasons": {func(t *testing.T, _ *authority) func(*x509.RevocationList) {
			return scoped(sequence(t, element(t, 3, false, []byte{6, 0x40})))
		}, unchecked},
		"of several authorities": {func(t *testing.T, _ *authority) func(*x509.RevocationList) {
			return scoped(sequence(t, element(t, 4, false, []byte{0xff})))
		}, unchecked},
		"what cannot be read": {func(*testing.T, *authority) func(*x509.RevocationList) { return scoped([]byte{1, 2, 3}) }, unchecked},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, "Authority of cards")
			a.closed["/ocsp"], a.list = true, c.list(t, a)
			v, _ := verifier(t, a.Certificate)
			if got := refused(t, v, a.issue(nil)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	t.Run("of another authority", func(t *testing.T) {
		a, foreign := newAuthority(t, "Authority of cards"), newAuthority(t, "Authority of cards")
		v, _ := verifier(t, a.Certificate)
		leaf := a.issue(func(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = nil, []string{foreign.url + "/crl"} })
		if got := refused(t, v, leaf); got != unchecked {
			t.Errorf("%q", got)
		}
	})
}

func TestRevocation_AnswersAreKept(t *testing.T) {
	a := newAuthority(t, "Authority of cards")
	v, c := verifier(t, a.Certificate)
	leaf := a.issue(nil)
	for range 3 {
		if got := refused(t, v, leaf); got != "" {
			t.Fatal(got)
		}
	}
	if a.times("/ocsp") != 1 || a.times("/crl") != 0 {
		t.Errorf("asked %d and %d times", a.times("/ocsp"), a.times("/crl"))
	}
	// After half an hour it is asked again; what it said lasts for an hour where it is away.
	a.set(func() { a.closed["/ocsp"], a.closed["/crl"] = true, true })
	c.Advance(31 * time.Minute)
	if got := refused(t, v, leaf); got != "" || a.times("/ocsp") != 2 {
		t.Errorf("while it is away: %q, asked %d times", got, a.times("/ocsp"))
	}
	c.Advance(30 * time.Minute)
	if got := refused(t, v, leaf); got != unchecked {
		t.Errorf("after its time: %q", got)
	}
	a.set(func() { a.closed["/ocsp"], a.revoked, a.at = false, []*big.Int{leaf.SerialNumber}, c.Now() })
	c.Advance(time.Minute)
	if got := refused(t, v, leaf); got != isRevoked {
		t.Errorf("revoked meanwhile: %q", got)
	}
}

// What an authority says now counts before what it said: a kept answer is for when nobody answers.
func TestRevocation_WhatIsSaidNowCounts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *authority)
		want   string
	}{
		"the list, where the responder is away": {func(a *authority) { a.closed["/ocsp"] = true }, isRevoked},
		"the list, where the responder does not know": {func(a *authority) {
			a.answer = func(r *ocsp.Response) { r.Status = ocsp.Unknown }
		}, isRevoked},
		"nothing, where the responder does not know": {func(a *authority) {
			a.answer, a.closed["/crl"] = func(r *ocsp.Response) { r.Status = ocsp.Unknown }, true
		}, unchecked},
		"what was said, where nobody answers": {func(a *authority) { a.closed["/ocsp"], a.closed["/crl"] = true, true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, "Authority of cards")
			a.answer = func(r *ocsp.Response) { r.NextUpdate = now.Add(7 * 24 * time.Hour) }
			v, at := verifier(t, a.Certificate)
			leaf := a.issue(nil)
			if got := refused(t, v, leaf); got != "" {
				t.Fatal(got)
			}
			at.Advance(6 * time.Hour)
			a.set(func() {
				a.revoked, a.at = []*big.Int{leaf.SerialNumber}, at.Now()
				c.change(a)
			})
			if got := refused(t, v, leaf); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			// So it is on the next try, too.
			if got := refused(t, v, leaf); got != c.want {
				t.Errorf("again: %q, want %q", got, c.want)
			}
		})
	}
}

// An authority below a root may send its own certificate along with its answer.
func TestRevocation_TheAuthoritysOwnCertificateComesAlong(t *testing.T) {
	root, a := newAuthority(t, "Root"), newAuthority(t, "Authority of cards")
	template := authorityTemplate("Authority of cards")
	template.SerialNumber = big.NewInt(7)
	template.OCSPServer = []string{root.url + "/ocsp"}
	a.pair = sign(t, template, &root.pair)
	a.responder, a.closed["/crl"] = &a.pair, true
	v, _ := verifier(t, root.Certificate)
	if got := refused(t, v, a.issue(nil), a.Certificate); got != "" {
		t.Error(got)
	}
}

// TestRevocation_AnswersAreBounded: a responder that never ends fills no memory.
func TestRevocation_AnswersAreBounded(t *testing.T) {
	const enough = 64 << 20
	var written atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for written.Load() < 2*enough {
			n, err := w.Write(make([]byte, 64<<10))
			if err != nil {
				return
			}
			written.Add(int64(n))
		}
	}))
	t.Cleanup(server.Close)
	a := newAuthority(t, "Authority of cards")
	v, _ := verifier(t, a.Certificate)
	leaf := a.issue(func(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = []string{server.URL}, nil })
	if got := refused(t, v, leaf); got != unchecked || written.Load() > enough {
		t.Errorf("%q after %d bytes", got, written.Load())
	}
}

// TestRevocation_NothingPrivateIsReached: a certificate cannot make the service ask around in its
// own network.
func TestRevocation_NothingPrivateIsReached(t *testing.T) {
	a := newAuthority(t, "Authority of cards")
	c := clock.NewManual(now)
	trust, err := card.NewTrust(card.TrustConfig{Further: []*x509.Certificate{a.Certificate}}, c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	v := card.NewVerifier(trust, card.NewOnline(card.OnlineDeps{Clock: c, Log: quiet}), c)
	_, port, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "user@127.0.0.1", "2130706433"} {
		leaf := a.issue(func(c *x509.Certificate) {
			c.OCSPServer, c.CRLDistributionPoints = []string{"http://" + host + ":" + port + "/ocsp"}, []string{"http://" + host + ":" + port + "/crl"}
		})
		if got := refused(t, v, leaf); got != unchecked {
			t.Errorf("%s: %q", host, got)
		}
	}
	if a.times("/ocsp")+a.times("/crl") != 0 {
		t.Error("it was asked")
	}
}
