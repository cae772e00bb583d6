package egress_test

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"diresco/internal/platform/egress"
	"diresco/internal/platform/egress/egresstest"
)

func TestEgress_Public(t *testing.T) {
	for _, address := range []string{"8.8.8.8", "193.204.114.232", "::ffff:8.8.8.8", "2001:4860:4860::8888", "2a02:6b8::1"} {
		if !egress.Public(netip.MustParseAddr(address)) {
			t.Errorf("%s is refused", address)
		}
	}
	for _, address := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "192.0.0.1",
		"192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
		"fe80::1", "fe80::1%eth0", "2a02:6b8::1%eth0",
		"fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "2002:7f00:1::1", "2001::7f00:1", "100::1",
	} {
		if egress.Public(netip.MustParseAddr(address)) {
			t.Errorf("%s is reached", address)
		}
	}
	if egress.Public(netip.Addr{}) {
		t.Error("no address is reached")
	}
}

func TestEgress_CheckURL(t *testing.T) {
	for _, raw := range []string{
		"https://sms.example.org/v1", "https://sms.example.org:8443", "http://127.0.0.1:9000/x", "http://localhost:9000",
		"http://[::1]:9000",
	} {
		if _, err := egress.CheckURL(raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{
		"", "sms.example.org", "http://sms.example.org", "http://10.0.0.1", "http://localhost.example.org", "http://127.0.0.1.example.org",
		"ftp://sms.example.org",
		"https://", "https://u:p@sms.example.org", "https://sms.example.org/#x", "https:sms.example.org", "file:///etc/passwd",
		"https://a b/",
	} {
		if _, err := egress.CheckURL(raw); err == nil {
			t.Errorf("%s is accepted", raw)
		}
	}
}

// get asks once and returns the status.
func get(t *testing.T, target string, o egress.Options) (int, error) {
	t.Helper()
	u, err := egress.CheckURL(target)
	if err != nil {
		t.Fatal(err)
	}
	o.Timeout = 10 * time.Second
	client := egress.Client(u, o)
	t.Cleanup(client.CloseIdleConnections)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func server(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	return s
}

func TestEgress_ALoopbackAddressThatIsWrittenAsOneIsReached(t *testing.T) {
	called := 0
	s := server(t, func(http.ResponseWriter, *http.Request) { called++ })
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if _, err := get(t, s.URL, egress.Options{RootCAs: roots}); err != nil || called != 1 {
		t.Errorf("%v, %d calls", err, called)
	}
	if _, err := get(t, s.URL, egress.Options{}); err == nil || called != 1 {
		t.Errorf("an unknown certificate: %v, %d calls", err, called)
	}
}

func TestEgress_RedirectsAreNotFollowed(t *testing.T) {
	inner := server(t, func(http.ResponseWriter, *http.Request) { t.Error("followed") })
	outer := server(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.URL, http.StatusTemporaryRedirect)
	})
	roots := x509.NewCertPool()
	roots.AddCert(outer.Certificate())
	status, err := get(t, outer.URL, egress.Options{RootCAs: roots})
	if err != nil || status != http.StatusTemporaryRedirect {
		t.Errorf("%d, %v", status, err)
	}
}

func TestEgress_ProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	proxy := server(t, func(http.ResponseWriter, *http.Request) { t.Error("used") })
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	if _, err := get(t, "https://10.1.2.3/", egress.Options{}); !errors.Is(err, egress.ErrRefused) {
		t.Error(err)
	}
}

func TestEgress_HousesAreNotReached(t *testing.T) {
	s := server(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	for _, host := range []string{
		"10.0.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "[::]", "[fd00::1]", "[fe80::1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]",
	} {
		if _, err := get(t, "https://"+host+":"+port, egress.Options{}); !errors.Is(err, egress.ErrRefused) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A name that points into the internal network is found out when it is dialled, not when it is
// configured. It may have pointed elsewhere then.
func TestEgress_NamesThatPointIntoTheHouse(t *testing.T) {
	s := server(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	for _, address := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"} {
		resolver := egresstest.Resolver(t, address)
		_, err := get(t, "https://sms.example.org:"+port, egress.Options{Resolver: resolver})
		if !errors.Is(err, egress.ErrRefused) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// An operator may let what is configured lie in a network of theirs, and in no other.
func TestEgress_AllowedNetworksAreReached(t *testing.T) {
	called := 0
	s := server(t, func(http.ResponseWriter, *http.Request) { called++ })
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	resolver := egresstest.Resolver(t, "127.0.0.1")
	target := "https://sms.example.com:" + port // the test's certificate has this name
	options := egress.Options{RootCAs: roots, Resolver: resolver, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if _, err := get(t, target, options); err != nil || called != 1 {
		t.Errorf("%v, %d calls", err, called)
	}
	options.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if _, err := get(t, target, options); !errors.Is(err, egress.ErrRefused) || called != 1 {
		t.Errorf("%v, %d calls", err, called)
	}
}

// And a client for the loopback reaches nothing but the loopback.
func TestEgress_LocalhostElsewhere(t *testing.T) {
	resolver := egresstest.Resolver(t, "8.8.8.8")
	u, err := egress.CheckURL("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	client := egress.Client(u, egress.Options{Timeout: 10 * time.Second, Resolver: resolver})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://sms.example.org/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Do(request); !errors.Is(err, egress.ErrRefused) {
		t.Errorf("%v, %v", response, err)
		if err == nil {
			_ = response.Body.Close()
		}
	}
}
