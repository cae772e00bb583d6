package oauth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/identity/oauth"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/certname"
	"diresco/internal/test/dbtest"
)

// authority issues certificates of applications, and says which of them it has revoked.
type authority struct {
	f    *fixture
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	url  string
	// revoked is the serial number of a revoked certificate; closed is that nobody answers.
	revoked atomic.Int64
	closed  atomic.Bool
	asked   atomic.Int64
	serial  int64
}

func (f *fixture) authority(name string, issuer *authority) *authority {
	f.t.Helper()
	a := &authority{f: f, key: p256(f.t), serial: 100}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.asked.Add(1)
		if a.closed.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		now := f.Clock.Now()
		list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Minute),
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(a.revoked.Load()), RevocationTime: now}},
		}, a.cert, a.key)
		if err != nil {
			f.t.Error(err)
		}
		_, _ = w.Write(list)
	}))
	f.t.Cleanup(server.Close)
	a.url = server.URL
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: f.Clock.Now().Add(-time.Hour),
		NotAfter: f.Clock.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	signer := a
	if issuer == nil {
		a.cert = template
	} else {
		signer = issuer
		template.CRLDistributionPoints = []string{issuer.url}
	}
	a.cert = f.sign(template, signer, a.key)
	return a
}

func (f *fixture) sign(template *x509.Certificate, by *authority, key *ecdsa.PrivateKey) *x509.Certificate {
	f.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	f.must(err)
	c, err := x509.ParseCertificate(der)
	f.must(err)
	return c
}

// issue makes the certificate of an application, which change lets differ.
func (a *authority) issue(change func(*x509.Certificate)) *x509.Certificate {
	a.f.t.Helper()
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: "server.paghe.example", Organization: []string{"Paghe Facili"}, Country: []string{"IT"}},
		DNSNames:  []string{"server.paghe.example"},
		NotBefore: a.f.Clock.Now().Add(-time.Hour), NotAfter: a.f.Clock.Now().Add(12 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CRLDistributionPoints: []string{a.url},
	}
	if change != nil {
		change(template)
	}
	return a.f.sign(template, a, p256(a.f.t))
}

// certified registers an application that is known by a name in its certificate.
func (f *fixture) certified(id string, name certname.Name) *client {
	f.t.Helper()
	encodedName, err := json.Marshal(name)
	f.must(err)
	c := f.register(id, nil)
	f.Exec(f.t, "UPDATE applications SET kind = 'confidential', token_endpoint_auth_method = 'tls_client_auth', certificate_name = ?, "+
		"tls_client_certificate_bound_access_tokens = true WHERE id = ?", string(encodedName), c.ID)
	c.Kind, c.AuthMethod = application.Confidential, application.TLS
	return c
}

// trusting makes the server take certificates of authorities. It returns what the server logs.
func (f *fixture) trusting(all ...*authority) *bytes.Buffer {
	f.authorities = x509.NewCertPool()
	for _, a := range all {
		f.authorities.AddCert(a.cert)
	}
	var logged bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&logged, nil))
	f.server = f.serve(true)
	return &logged
}

// inspect asks about a token that is none: only who has proved which application it is gets an answer.
func (f *fixture) inspect(c *client, with *x509.Certificate, between ...*x509.Certificate) error {
	_, err := f.server.Inspect(f.context(), oauth.Post{
		Certificate: with, Between: between, Form: url.Values{"client_id": {c.ClientID}, "token": {"none"}},
	})
	return err
}

// A certificate of a trusted authority proves by its name which application it is, and its tokens are
// bound to it.
func TestMutualTLS_ANameVouchedForProvesWhoItIs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		root := f.authority("Authority", nil)
		middle := f.authority("Authority below", root)
		f.trusting(root)
		shown := middle.issue(nil)
		c := f.certified("app-certified", certname.Name{Kind: certname.DN, Value: "CN=server.paghe.example,O=Paghe Facili,C=IT"})
		exchange := func(form url.Values, between ...*x509.Certificate) (oauth.Tokens, error) {
			return f.server.Exchange(f.context(), oauth.Post{Certificate: shown, Between: between, Form: f.says(c, form)})
		}
		redeem := url.Values{
			"grant_type": {"authorization_code"}, "code": {f.code(c, nil).Get("code")}, "redirect_uri": {webRedirect}, "code_verifier": {verifier},
		}
		_, err := exchange(redeem)
		refused(t, err, "invalid_client")
		tokens, err := exchange(redeem, middle.cert)
		f.must(err)
		if want := (access.Binding{Certificate: oauth.CertificateHash(shown)}); tokens.Binding != want {
			t.Errorf("bound to %+v", tokens.Binding)
		}
		// A new certificate of the same name goes on where the old one was.
		shown = middle.issue(nil)
		next, err := exchange(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken.Reveal()}}, middle.cert)
		f.must(err)
		if next.Binding.Certificate != oauth.CertificateHash(shown) {
			t.Errorf("bound to %+v", next.Binding)
		}
		if root.asked.Load() == 0 || middle.asked.Load() == 0 {
			t.Error("an authority was not asked whether a certificate is revoked")
		}
		root.revoked.Store(1)
		f.Clock.Advance(2 * time.Minute)
		refused(t, f.inspect(c, shown, middle.cert), "invalid_client")
	})
}

func TestMutualTLS_WhatNobodyVouchesForIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		trusted, foreign := f.authority("Authority", nil), f.authority("Authority", nil)
		logged := f.trusting(trusted)
		c := f.certified("app-certified", certname.Name{Kind: certname.DNS, Value: "server.paghe.example"})
		now := f.Clock.Now()
		for name, with := range map[string]struct {
			shown  *x509.Certificate
			reason string
		}{
			"none":                 {nil, ""},
			"of another subject":   {trusted.issue(func(c *x509.Certificate) { c.DNSNames = []string{"other.paghe.example"} }), "another name"},
			"of a wildcard":        {trusted.issue(func(c *x509.Certificate) { c.DNSNames = []string{"*.paghe.example"} }), "another name"},
			"of its CN alone":      {trusted.issue(func(c *x509.Certificate) { c.DNSNames = nil }), "another name"},
			"of a foreign one":     {foreign.issue(nil), "no trusted authority"},
			"self-signed":          {f.certificate(p256(t), now.Add(time.Hour)), "not for clients"},
			"expired":              {trusted.issue(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), "not valid now"},
			"not yet valid":        {trusted.issue(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }), "not valid now"},
			"for servers":          {trusted.issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "not for clients"},
			"for anything":         {trusted.issue(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), "not for clients"},
			"for encryption":       {trusted.issue(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), "not for clients"},
			"an authority":         {trusted.issue(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }), "not for clients"},
			"the authority itself": {trusted.cert, "not for clients"},
		} {
			logged.Reset()
			if got := refusalOf(t, f.inspect(c, with.shown), "invalid_client"); got.Status != 401 {
				t.Errorf("%s: %+v", name, got)
			}
			if said := logged.String(); !strings.Contains(said, with.reason) || strings.Contains(said, "paghe") {
				t.Errorf("%s: the log says %q", name, said)
			}
		}
		if asked := trusted.asked.Load() + foreign.asked.Load(); asked != 0 {
			t.Errorf("authorities were asked %d times", asked)
		}
		good := trusted.issue(nil)
		refused(t, f.inspect(c, good, slices.Repeat([]*x509.Certificate{foreign.cert}, 9)...), "invalid_client")
		f.must(f.inspect(c, good))
		// Others are not let in by it, and it is not let in by a signature.
		signing, public := f.register("app-signing", confidential(p256(t))), f.register("app-public", nil)
		refused(t, f.inspect(signing, good), "invalid_client")
		refused(t, f.inspect(public, good), "invalid_client")
		c.key, c.kid = p256(t), "k1"
		_, err := f.server.Inspect(f.context(), oauth.Post{Certificate: good, Form: f.says(c, url.Values{"token": {"none"}})})
		refused(t, err, "invalid_client")
	})
}

// A certificate that was revoked, or of which nobody says whether it was, is refused. Only the first
// is the application's fault and counts against its address.
func TestMutualTLS_ARevokedCertificateIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		a := f.authority("Authority", nil)
		f.trusting(a)
		c := f.certified("app-certified", certname.Name{Kind: certname.DNS, Value: "server.paghe.example"})
		good, silent := a.issue(nil), a.issue(func(c *x509.Certificate) { c.CRLDistributionPoints = nil })
		f.must(f.inspect(c, good))
		a.closed.Store(true)
		f.Clock.Advance(2 * time.Minute)
		for range 40 {
			refused(t, f.inspect(c, good), "invalid_client")
			refused(t, f.inspect(c, silent), "invalid_client")
		}
		a.closed.Store(false)
		f.Clock.Advance(2 * time.Minute)
		f.must(f.inspect(c, good))
		a.revoked.Store(good.SerialNumber.Int64())
		f.Clock.Advance(2 * time.Minute)
		refused(t, f.inspect(c, good), "invalid_client")
		for range 40 {
			_ = f.inspect(c, good)
		}
		refused(t, f.inspect(c, a.issue(nil)), "temporarily_unavailable")
	})
}

func TestMetadata_NamesTheMethodsThatWork(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		names := func(method application.AuthMethod) bool {
			m := f.server.Metadata()
			return slices.Contains(m.TokenAuthMethods, string(method)) && slices.Contains(m.IntrospectionAuthMethods, string(method)) &&
				slices.Contains(m.RevocationAuthMethods, string(method))
		}
		if names(application.TLS) || names(application.SelfSignedTLS) {
			t.Error("methods by certificates where there is no place for them")
		}
		f.mutualURL = "https://mtls.diresco.example"
		f.server = f.serve(true)
		if names(application.TLS) || !names(application.SelfSignedTLS) {
			t.Error("without authorities certificates of the key set prove who an application is, and no others")
		}
		f.trusting(f.authority("Authority", nil))
		if !names(application.TLS) || !names(application.SelfSignedTLS) {
			t.Error("both methods should be named")
		}
		// Where no authority is trusted nobody is let in by one.
		f.authorities = nil
		f.server = f.serve(true)
		c := f.certified("app-certified", certname.Name{Kind: certname.DNS, Value: "server.paghe.example"})
		refused(t, f.inspect(c, f.authority("Authority", nil).issue(nil)), "invalid_client")
	})
}
