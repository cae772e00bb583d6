package clientcert_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"diresco/internal/httpapi/clientcert"
	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/fault"
)

func certificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// costly makes a certificate of a key of RSA of so many bits. Nobody has the private one.
func costly(t *testing.T, bits uint, exponent int) *x509.Certificate {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	modulus := new(big.Int).Lsh(big.NewInt(1), bits-1)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "costly"}, NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &rsa.PublicKey{N: modulus.SetBit(modulus, 0, 1), E: exponent}, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inPEM(all ...*x509.Certificate) string {
	var b bytes.Buffer
	for _, c := range all {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.String()
}

// escaped writes as nginx and Envoy do: everything but letters and digits.
func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func inOneLine(c *x509.Certificate) string {
	return strings.TrimSpace(strings.ReplaceAll(inPEM(c), "\n", " "))
}

func inDER(c *x509.Certificate) string { return base64.StdEncoding.EncodeToString(c.Raw) }

// seen is what the API would learn of a request.
type seen struct {
	presented clientcert.Presented
	err       error
	served    bool
}

// reason is why there is no certificate, "" if there is one.
func (s seen) reason() string {
	var f *fault.Fault
	if errors.As(s.err, &f) {
		return f.Reason
	}
	return ""
}

func entrance(t *testing.T, config clientcert.Config) (*clientcert.Entrance, *seen, *bytes.Buffer) {
	t.Helper()
	s, log := &seen{}, &bytes.Buffer{}
	config.Log = slog.New(slog.NewTextHandler(log, nil))
	e, err := clientcert.NewEntrance(config, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.served = true
		s.presented, s.err = clientcert.Of(r.Context())
	}))
	if err != nil {
		t.Fatal(err)
	}
	return e, s, log
}

var proxies = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}

// behind sends a request with headers from an address.
func behind(t *testing.T, form clientcert.Form, sender, path string, header http.Header) (seen, string) {
	t.Helper()
	e, s, log := entrance(t, clientcert.Config{Form: form, Proxies: proxies})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
	r.RemoteAddr, r.Header = sender, header
	e.Behind().ServeHTTP(httptest.NewRecorder(), r)
	if s.served != (path == clientcert.Path) {
		t.Errorf("%s is served: %t", path, s.served)
	}
	return *s, log.String()
}

const proxy = "10.1.2.3:40000"

func TestHeader_EachForm(t *testing.T) {
	leaf, issuer := certificate(t, "RSSMRA80A01H501U/1.+/="), certificate(t, "Issuer")
	const plain, envoy = "X-Ssl-Client-Cert", "X-Forwarded-Client-Cert"
	for name, c := range map[string]struct {
		form   clientcert.Form
		header http.Header
		others int
		reason string
	}{
		"nginx":                              {clientcert.Nginx, http.Header{plain: {escaped(inPEM(leaf))}}, 0, ""},
		"nginx, a bare plus":                 {clientcert.Nginx, http.Header{plain: {strings.ReplaceAll(escaped(inPEM(leaf)), "%2B", "+")}}, 0, ""},
		"nginx, none":                        {clientcert.Nginx, http.Header{plain: {""}}, 0, card.ReasonMissing},
		"nginx, no header":                   {clientcert.Nginx, http.Header{}, 0, card.ReasonMissing},
		"nginx, not escaped":                 {clientcert.Nginx, http.Header{plain: {inOneLine(leaf)}}, 0, card.ReasonUnreadable},
		"nginx, twice":                       {clientcert.Nginx, http.Header{plain: {escaped(inPEM(leaf)), escaped(inPEM(leaf))}}, 0, card.ReasonUnreadable},
		"nginx, something behind":            {clientcert.Nginx, http.Header{plain: {escaped(inPEM(leaf) + "x")}}, 0, card.ReasonUnreadable},
		"nginx, a key":                       {clientcert.Nginx, http.Header{plain: {escaped(strings.ReplaceAll(inPEM(leaf), "CERTIFICATE", "PRIVATE KEY"))}}, 0, card.ReasonUnreadable},
		"nginx, in the other's":              {clientcert.Nginx, http.Header{envoy: {`Cert="` + escaped(inPEM(leaf)) + `"`}}, 0, card.ReasonMissing},
		"apache":                             {clientcert.Apache, http.Header{plain: {inOneLine(leaf)}}, 0, ""},
		"apache, none":                       {clientcert.Apache, http.Header{plain: {"(null)"}}, 0, card.ReasonMissing},
		"apache, cut off":                    {clientcert.Apache, http.Header{plain: {inOneLine(leaf)[:200]}}, 0, card.ReasonUnreadable},
		"haproxy":                            {clientcert.HAProxy, http.Header{plain: {inDER(leaf)}}, 0, ""},
		"haproxy, none":                      {clientcert.HAProxy, http.Header{plain: {""}}, 0, card.ReasonMissing},
		"haproxy, something behind":          {clientcert.HAProxy, http.Header{plain: {base64.StdEncoding.EncodeToString(append(bytes.Clone(leaf.Raw), 0))}}, 0, card.ReasonUnreadable},
		"envoy":                              {clientcert.Envoy, http.Header{envoy: {`Hash=ab;Cert="` + escaped(inPEM(leaf)) + `";Subject="CN=a\"b,O=x;y";URI=`}}, 0, ""},
		"envoy, with chain":                  {clientcert.Envoy, http.Header{envoy: {`Cert="` + escaped(inPEM(leaf)) + `";Chain="` + escaped(inPEM(leaf, issuer)) + `"`}}, 1, ""},
		"envoy, none":                        {clientcert.Envoy, http.Header{}, 0, card.ReasonMissing},
		"envoy, of two proxies":              {clientcert.Envoy, http.Header{envoy: {`Cert="` + escaped(inPEM(leaf)) + `",Cert="` + escaped(inPEM(issuer)) + `"`}}, 0, card.ReasonUnreadable},
		"envoy, of two proxies in parts":     {clientcert.Envoy, http.Header{envoy: {`Hash=a,Hash=b;Cert="` + escaped(inPEM(leaf)) + `"`}}, 0, card.ReasonUnreadable},
		"envoy, an open quote":               {clientcert.Envoy, http.Header{envoy: {`Cert="` + escaped(inPEM(leaf))}}, 0, card.ReasonUnreadable},
		"envoy, names of the owner":          {clientcert.Envoy, http.Header{envoy: {`Hash=ab;Cert="` + escaped(inPEM(leaf)) + `";URI=x;DNS=y;DNS=z`}}, 0, ""},
		"envoy, a name with another's":       {clientcert.Envoy, http.Header{envoy: {`Hash=ab;Cert="` + escaped(inPEM(issuer)) + `";URI=x;Cert="` + escaped(inPEM(leaf)) + `"`}}, 0, card.ReasonUnreadable},
		"envoy, a name with a chain":         {clientcert.Envoy, http.Header{envoy: {`Cert="` + escaped(inPEM(leaf)) + `";DNS=x;Chain="` + escaped(inPEM(issuer)) + `"`}}, 0, card.ReasonUnreadable},
		"envoy, twice in one":                {clientcert.Envoy, http.Header{envoy: {`Cert="` + escaped(inPEM(issuer)) + `";cert="` + escaped(inPEM(leaf)) + `"`}}, 0, card.ReasonUnreadable},
		"envoy, a key that takes long":       {clientcert.Envoy, http.Header{envoy: {`Cert="` + escaped(inPEM(leaf)) + `";Chain="` + escaped(inPEM(costly(t, 9000, 65537))) + `"`}}, 0, card.ReasonUnreadable},
		"nginx, an exponent that takes long": {clientcert.Nginx, http.Header{plain: {escaped(inPEM(costly(t, 2048, 1<<31-1)))}}, 0, card.ReasonUnreadable},
		"envoy, no certificate":              {clientcert.Envoy, http.Header{envoy: {`Hash=ab;Subject="CN=x"`}}, 0, card.ReasonUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := behind(t, c.form, proxy, clientcert.Path, c.header)
			if s.reason() != c.reason {
				t.Fatalf("%q, want %q", s.reason(), c.reason)
			}
			if c.reason != "" {
				return
			}
			if !s.presented.Leaf.Equal(leaf) || len(s.presented.Others) != c.others {
				t.Errorf("another certificate, or %d others", len(s.presented.Others))
			}
		})
	}
}

// TestHeader_OfATrustedProxyAlone: whoever else writes it is refused, and the log tells of it
// without what was written.
func TestHeader_OfATrustedProxyAlone(t *testing.T) {
	leaf := certificate(t, "RSSMRA80A01H501U/1.x")
	header := func() http.Header {
		return http.Header{"X-Ssl-Client-Cert": {escaped(inPEM(leaf))}, "X-Forwarded-For": {"10.1.2.3"}}
	}
	for _, sender := range []string{"192.0.2.1:5000", "[2001:db8::1]:5000", "127.0.0.1:1", "10.2.0.1:443", "", "@"} {
		s, log := behind(t, clientcert.Nginx, sender, clientcert.Path, header())
		if !fault.Is(s.err, fault.Forbidden) || s.reason() != card.ReasonProxy {
			t.Errorf("%q: %v", sender, s.err)
		}
		if strings.Count(log, "\n") != 1 || !strings.Contains(log, "WARN") || strings.Contains(log, "BEGIN") || strings.Contains(log, "RSSMRA") {
			t.Errorf("%q: the log says %q", sender, log)
		}
	}
	if s, log := behind(t, clientcert.Nginx, "[::ffff:10.1.2.3]:40000", clientcert.Path, header()); s.err != nil || log != "" {
		t.Errorf("the proxy by its mapped address: %v, %q", s.err, log)
	}
	// Nothing else is served there, not even to the proxy.
	behind(t, clientcert.Nginx, proxy, "/v1/me", header())
}

// TestDirect_TheConnectionCounts: over the listener for cards no header is read, and the API is not
// served.
func TestDirect_TheConnectionCounts(t *testing.T) {
	leaf, issuer, forged := certificate(t, "a"), certificate(t, "b"), certificate(t, "c")
	e, s, _ := entrance(t, clientcert.Config{Form: clientcert.Nginx, Proxies: proxies})
	send := func(path string, all ...*x509.Certificate) int {
		*s = seen{}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
		r.RemoteAddr, r.TLS = proxy, &tls.ConnectionState{PeerCertificates: all}
		r.Header.Set("X-SSL-Client-Cert", escaped(inPEM(forged)))
		w := httptest.NewRecorder()
		e.Direct().ServeHTTP(w, r)
		return w.Code
	}
	if send(clientcert.Path, leaf, issuer); !s.served || s.err != nil || !s.presented.Leaf.Equal(leaf) || len(s.presented.Others) != 1 {
		t.Errorf("%+v", *s)
	}
	if send(clientcert.Path); s.reason() != card.ReasonMissing {
		t.Errorf("without a certificate: %v", s.err)
	}
	for _, path := range []string{"/v1/me", "/docs", "/", "/v1/sessions", "/v1/sessions/card/"} {
		if code := send(path, leaf); code != http.StatusNotFound || s.served {
			t.Errorf("%s is served: %d", path, code)
		}
	}
	if send("/v1/status"); !s.served {
		t.Error("the status is not served")
	}
}

// TestEntrance_PagesOfForeignOrigins: a browser shows the card by itself, so a foreign page could
// open sessions.
func TestEntrance_PagesOfForeignOrigins(t *testing.T) {
	leaf := certificate(t, "a")
	send := func(local bool, header http.Header) string {
		e, s, _ := entrance(t, clientcert.Config{Origins: []string{"https://app.example.org"}, Local: local})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://cards.example.org"+clientcert.Path, nil)
		r.TLS, r.Header = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, header
		e.Direct().ServeHTTP(httptest.NewRecorder(), r)
		return s.reason()
	}
	from := func(origin, site string) http.Header {
		return http.Header{"Origin": {origin}, "Sec-Fetch-Site": {site}}
	}
	for name, c := range map[string]struct {
		local  bool
		header http.Header
		want   string
	}{
		"no browser":            {false, http.Header{}, ""},
		"a page that may":       {false, from("https://app.example.org", "same-site"), ""},
		"a foreign page":        {false, from("https://evil.example", "cross-site"), card.ReasonOrigin},
		"a page of nowhere":     {false, from("null", "cross-site"), card.ReasonOrigin},
		"a foreign old browser": {false, http.Header{"Origin": {"https://evil.example"}}, card.ReasonOrigin},
		"a tester's page":       {true, from("http://localhost:5173", "cross-site"), ""},
	} {
		if got := send(c.local, c.header); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// An application's certificate comes by the connection, or in the header of a trusted proxy at the
// listener for that. Nobody logs in with a card by it.
func TestMutualTLS_ComesFromTheConnectionOrATrustedProxy(t *testing.T) {
	leaf, forged := certificate(t, "Paghe"), certificate(t, "Attacker")
	header := http.Header{"X-Ssl-Client-Cert": {escaped(inPEM(forged))}}
	ask := func(config clientcert.Config, path, sender string, direct bool, shown ...*x509.Certificate) *x509.Certificate {
		var got *x509.Certificate
		config.Proxies, config.Log = proxies, slog.New(slog.DiscardHandler)
		e, err := clientcert.NewEntrance(config, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = clientcert.LeafOf(r.Context())
		}))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
		r.RemoteAddr, r.Header, r.TLS = sender, header, &tls.ConnectionState{PeerCertificates: shown}
		handler := e.MutualBehind()
		if direct {
			handler = e.MutualTLS()
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
		return got
	}
	const token = "/oauth2/token"
	nginx := clientcert.Config{Mutual: clientcert.Nginx, Form: clientcert.Nginx}
	for name, c := range map[string]struct {
		got, want *x509.Certificate
	}{
		"by the connection":             {ask(nginx, token, proxy, true, leaf), leaf},
		"by a connection without one":   {ask(nginx, token, proxy, true), nil},
		"by a trusted proxy":            {ask(nginx, token, proxy, false), forged},
		"by anybody":                    {ask(nginx, token, "192.0.2.7:40000", false), nil},
		"in another form":               {ask(clientcert.Config{Mutual: clientcert.HAProxy}, token, proxy, false), nil},
		"at the login with a card":      {ask(nginx, clientcert.Path, proxy, true, leaf), nil},
		"at the page for cards":         {ask(nginx, card.LoginPath, proxy, true, leaf), nil},
		"there, by a proxy without one": {ask(clientcert.Config{Mutual: clientcert.Nginx}, clientcert.Path, proxy, false), nil},
		"by the connection of a proxy":  {ask(nginx, token, "192.0.2.7:40000", false, leaf), nil},
	} {
		if c.got != c.want && (c.got == nil || c.want == nil || !c.got.Equal(c.want)) {
			t.Errorf("%s: %v", name, c.got != nil)
		}
	}
}
