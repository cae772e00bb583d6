package national

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"diresco/internal/httpapi/clientcert"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/fault"
)

// shown asks for the page of cards as a browser does at their own address.
func shown(t *testing.T, l *logins, query string, leaf *x509.Certificate, headers ...string) (*httptest.ResponseRecorder, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, card.LoginPath+query, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.TLS = &tls.ConnectionState{}
	if leaf != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{leaf}
	}
	var w *httptest.ResponseRecorder
	var failed error
	entrance, err := clientcert.NewEntrance(clientcert.Config{Log: slog.New(slog.DiscardHandler)},
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { w, _, failed = serve(t, l, r) }))
	if err != nil {
		t.Fatal(err)
	}
	entrance.Direct().ServeHTTP(httptest.NewRecorder(), r)
	return w, failed
}

// What the browser proved goes on, and of what it wrote the state alone.
func TestCardPage_TakesWhatTheConnectionProved(t *testing.T) {
	leaf := &x509.Certificate{Raw: []byte("leaf")}
	l := &logins{returnTo: "https://app.example/back?code=x"}
	w, err := shown(t, l, "?state=abc", leaf, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if err != nil || w.Code != http.StatusSeeOther || w.Header().Get("Location") != l.returnTo {
		t.Fatalf("%d %v: %v", w.Code, w.Header(), err)
	}
	if l.protocol != federation.Certificate || l.state != "abc" || l.values.Get("certificate") != card.Shown(leaf, nil).Get("certificate") {
		t.Errorf("answered %s %s %v", l.protocol, l.state, l.values)
	}
	l = &logins{returnTo: "https://app.example/back", err: &federation.Refusal{Outcome: federation.Denied, Reason: card.ReasonMissing}}
	if w, err = shown(t, l, "?state=abc", nil); err != nil || l.values.Has("certificate") {
		t.Fatalf("%v: %v", l.values, err)
	}
	if at := w.Header().Get("Location"); !strings.Contains(at, "error_description=") {
		t.Errorf("no words: %s", at)
	}
}

// A login with a card is a page that somebody opens: nothing else reaches it, nor elsewhere.
func TestCardPage_IsOpenedAsAPageAtItsOwnAddress(t *testing.T) {
	leaf := &x509.Certificate{Raw: []byte("leaf")}
	for name, c := range map[string]struct {
		query   string
		headers []string
		want    fault.Code
	}{
		"script":        {"?state=abc", []string{"Sec-Fetch-Mode", "no-cors"}, fault.Forbidden},
		"frame":         {"?state=abc", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, fault.Forbidden},
		"own answer":    {"?state=abc&certificate=x", nil, fault.Malformed},
		"two states":    {"?state=abc&state=def", nil, fault.Malformed},
		"without state": {"", nil, fault.Malformed},
	} {
		l := &logins{}
		if _, err := shown(t, l, c.query, leaf, c.headers...); !fault.Is(err, c.want) || l.protocol != "" {
			t.Errorf("%s: %v, %q", name, err, l.protocol)
		}
	}
	l := &logins{}
	elsewhere := httptest.NewRequestWithContext(t.Context(), http.MethodGet, card.LoginPath+"?state=abc", nil)
	if _, _, err := serve(t, l, elsewhere); !fault.Is(err, fault.NotFound) || l.protocol != "" {
		t.Errorf("at another address: %v, %q", err, l.protocol)
	}
}
