package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"diresco/internal/identity/oauth"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// mutualServer is the listener where applications come with a certificate.
type mutualServer struct {
	w   *fixture
	url string
}

// asking sends a request with a certificate, or without one, a token and a form.
type asking = func(with *tls.Certificate, method, path, token string, form url.Values, headers ...header) answer

func (w *fixture) mutual() mutualServer {
	server := httptest.NewUnstartedServer(w.app.MutualHandler())
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	w.t.Cleanup(server.Close)
	return mutualServer{w, server.URL}
}

func (s mutualServer) ask(with *tls.Certificate, method, path, token string, form url.Values, headers ...header) answer {
	t := s.w.t
	t.Helper()
	settings := &tls.Config{InsecureSkipVerify: true}
	if with != nil {
		settings.Certificates = []tls.Certificate{*with}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		r.Header.Set(h.name, h.value)
	}
	response, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: body}
}

// redeem lets an application in, which pushes its request with a certificate. It returns the form with
// which it redeems the code.
func (w *fixture) redeem(ask asking, with *tls.Certificate, token, clientID string) url.Values {
	w.t.Helper()
	sum := sha256.Sum256([]byte(codeVerifier))
	pushed := ask(with, http.MethodPost, oauth.PushPath, "", url.Values{
		"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {"http://127.0.0.1/callback"}, "scope": {"declarations"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}).want(w.t, http.StatusCreated, "")
	reference, _ := pushed.field("request_uri").(string)
	ctx, binding := w.pageContext(), secret.Text("the secret of a browser")
	flow, err := w.app.OAuth.Begin(ctx, url.Values{"client_id": {clientID}, "request_uri": {reference}}, binding)
	if err != nil {
		w.t.Fatal(err)
	}
	redirect, err := w.app.OAuth.Approve(ctx, w.asActor(token), flow.ID, binding, w.allOfIt())
	if err != nil {
		w.t.Fatal(err)
	}
	back, err := url.Parse(redirect)
	if err != nil {
		w.t.Fatal(err)
	}
	return url.Values{
		"client_id": {clientID}, "grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
		"redirect_uri": {"http://127.0.0.1/callback"}, "code_verifier": {codeVerifier},
	}
}

// authority issues certificates of applications.
type authority struct {
	leaf   *x509.Certificate
	key    *ecdsa.PrivateKey
	url    string
	serial int64
	// revoked is the serial number of the one that is revoked.
	revoked atomic.Int64
}

// newAuthority makes an authority, and a file with its certificate.
func newAuthority(t *testing.T, now func() time.Time) (a *authority, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a = &authority{key: key, serial: 100}
	a.leaf = a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, key)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: now().Add(-time.Minute), NextUpdate: now().Add(time.Minute),
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(a.revoked.Load()), RevocationTime: now()}},
		}, a.leaf, a.key)
		if err != nil {
			t.Error(err)
		}
		_, _ = rw.Write(list)
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	file = filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.leaf.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a, file
}

func (a *authority) sign(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	issuer := a.leaf
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// issue makes the certificate of an application with a name.
func (a *authority) issue(t *testing.T, name string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.serial++
	leaf := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name, Country: []string{"IT"}}, NotBefore: time.Unix(0, 0),
		NotAfter: time.Unix(1<<32, 0), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames: []string{name}, CRLDistributionPoints: []string{a.url},
	}, key)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// TestMutualTLS_ANameVouchedForLetsIn is the story of a server whose certificate a trusted authority
// issued: it is known by the name in it, until the certificate is revoked.
func TestMutualTLS_ANameVouchedForLetsIn(t *testing.T) {
	const place = "https://mtls.diresco.example"
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		var w *fixture
		trusted, file := newAuthority(t, func() time.Time { return w.clock.Now() })
		foreign, _ := newAuthority(t, func() time.Time { return w.clock.Now() })
		w = startWith(t, rawURL, cheapPINs, func(c *config.Config) { c.MTLSURL, c.MTLSAddr, c.MTLSCA = place, "127.0.0.1:0", file })
		f, ask := w.filer(), w.mutual().ask
		own, other := trusted.issue(t, "server.paghe.example"), trusted.issue(t, "other.paghe.example")
		pretended := foreign.issue(t, "server.paghe.example")
		made := payrollOf(map[string]any{
			"kind": "confidential", "token_endpoint_auth_method": "tls_client_auth", "tls_client_certificate_bound_access_tokens": true,
			"tls_client_auth_san_dns": "server.paghe.example", "tls_client_auth_subject_dn": "CN=server.paghe.example,C=IT",
		})
		w.do(http.MethodPost, "/v1/applications", f.token, made, key()).want(t, http.StatusUnprocessableEntity, "validation-failed")
		delete(made, "tls_client_auth_subject_dn")
		registered := w.do(http.MethodPost, "/v1/applications", f.token, made, key()).want(t, http.StatusCreated, "")
		path, _ := registered.field("application_id").(string)
		path = "/v1/applications/" + path
		clientID, _ := registered.field("client_id").(string)
		redeem := w.redeem(ask, own, f.token, clientID)
		for _, with := range []*tls.Certificate{nil, other, pretended} {
			ask(with, http.MethodPost, oauth.TokenPath, "", redeem).oauthError(t, http.StatusUnauthorized, "invalid_client")
		}
		// A header means nothing where no proxy writes it.
		inHeader := header{"X-SSL-Client-Cert", url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Leaf.Raw})))}
		ask(nil, http.MethodPost, oauth.TokenPath, "", redeem, inHeader).oauthError(t, http.StatusUnauthorized, "invalid_client")
		w.do(http.MethodPost, oauth.TokenPath, "", redeem.Encode(), inHeader, header{"Content-Type", "application/x-www-form-urlencoded"}).
			oauthError(t, http.StatusUnauthorized, "invalid_client")
		given := ask(own, http.MethodPost, oauth.TokenPath, "", redeem).want(t, http.StatusOK, "")
		token, _ := given.field("access_token").(string)
		ask(own, http.MethodGet, "/v1/contributors", token, nil).want(t, http.StatusOK, "")
		ask(other, http.MethodGet, "/v1/contributors", token, nil).want(t, http.StatusUnauthorized, "unauthenticated")
		seen := ask(own, http.MethodPost, oauth.IntrospectionPath, "", url.Values{"client_id": {clientID}, "token": {token}}).want(t, http.StatusOK, "")
		if seen.field("cnf", "x5t#S256") != oauth.CertificateHash(own.Leaf) {
			t.Errorf("inspected %s", seen.body)
		}
		// Another name takes the place of the one that was, in another field too.
		tag := w.do(http.MethodGet, path, f.token, nil).want(t, http.StatusOK, "").header.Get("ETag")
		changed := w.do(http.MethodPatch, path, f.token, map[string]any{"tls_client_auth_subject_dn": "CN=other.paghe.example,C=IT"}, header{"If-Match", tag}).
			want(t, http.StatusOK, "")
		if changed.field("tls_client_auth_subject_dn") != "CN=other.paghe.example,C=IT" || changed.field("tls_client_auth_san_dns") != nil {
			t.Errorf("changed to %s", changed.body)
		}
		question := url.Values{"client_id": {clientID}, "token": {token}}
		ask(own, http.MethodPost, oauth.IntrospectionPath, "", question).oauthError(t, http.StatusUnauthorized, "invalid_client")
		ask(other, http.MethodPost, oauth.IntrospectionPath, "", question).want(t, http.StatusOK, "")
		trusted.revoked.Store(other.Leaf.SerialNumber.Int64())
		w.clock.Advance(2 * time.Minute)
		ask(other, http.MethodPost, oauth.IntrospectionPath, "", question).oauthError(t, http.StatusUnauthorized, "invalid_client")
		if strings.Contains(w.log.String(), "paghe.example") {
			t.Error("the log names who comes")
		}
	})
}
