package egress_test

import (
	"net"
	"net/url"
	"testing"

	"diresco/internal/platform/egress"
)

// FuzzCheckURL looks whether an address that is taken leads elsewhere than it says.
func FuzzCheckURL(f *testing.F) {
	for _, raw := range []string{
		"https://app.example/hook", "http://127.0.0.1/", "http://localhost/", "https://a@b/", "//a",
		"https://[::1]:1/", "http://127.1/", "https:a", "file:///a",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := egress.CheckURL(raw)
		if err != nil {
			return
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host || u.User != nil || u.Hostname() == "" {
			t.Errorf("%q is %v, and then %v: %v", raw, u, again, err)
		}
		if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			t.Errorf("%q is taken without TLS", raw)
		} else if u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("%q has the scheme %s", raw, u.Scheme)
		}
	})
}
