package edge

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
)

func addressesBehind(t *testing.T, log *bytes.Buffer, now *time.Time) *clientAddresses {
	t.Helper()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	c, err := newClientAddresses(proxies, Deps{
		Meter: noop.Meter{}, Log: slog.New(slog.NewTextHandler(log, nil)),
	}, func() time.Time { return *now })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func askedFrom(remote string, forwarded ...string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	for _, line := range forwarded {
		r.Header.Add(forwardedHeader, line)
	}
	return r
}

// Proxies write a client's address in many ways; each of them is the same client.
func TestClientAddress_IsReadAsProxiesWriteIt(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(0, 0)
	c := addressesBehind(t, &log, &now)
	for name, one := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"plain":                         {"10.0.0.1:80", []string{"203.0.113.66"}, "203.0.113.66"},
		"with a port":                   {"10.0.0.1:80", []string{"203.0.113.66:4711"}, "203.0.113.66"},
		"IPv6":                          {"10.0.0.1:80", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets":              {"10.0.0.1:80", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6 with a port":              {"10.0.0.1:80", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv6 with a zone":              {"10.0.0.1:80", []string{"fe80::7%eth0"}, "fe80::7"},
		"IPv4 in IPv6":                  {"10.0.0.1:80", []string{"::ffff:203.0.113.66"}, "203.0.113.66"},
		"in quotes":                     {"10.0.0.1:80", []string{`"[2001:db8::7]:4711"`}, "2001:db8::7"},
		"through two proxies":           {"10.0.0.1:80", []string{"203.0.113.66:1, 10.0.0.2:80"}, "203.0.113.66"},
		"through a proxy with IPv6":     {"[2001:db8:ffff::1]:80", []string{"203.0.113.66"}, "203.0.113.66"},
		"in two headers":                {"10.0.0.1:80", []string{"203.0.113.66", "10.0.0.2"}, "203.0.113.66"},
		"behind what it made up itself": {"10.0.0.1:80", []string{"nobody, 1.2.3.4, 203.0.113.66"}, "203.0.113.66"},
		"with an empty member":          {"10.0.0.1:80", []string{"203.0.113.66, ,"}, "203.0.113.66"},
		"nothing but proxies":           {"10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"no header":                     {"10.0.0.1:80", nil, "10.0.0.1"},
		"from no proxy":                 {"192.0.2.1:80", []string{"203.0.113.66"}, "192.0.2.1"},
		"from no proxy, by IPv6":        {"[2001:db8::9%eth0]:80", []string{"203.0.113.66"}, "2001:db8::9"},
		"from a socket":                 {"@", []string{"203.0.113.66"}, "@"},
	} {
		if got := c.of(askedFrom(one.remote, one.forwarded...)); got != one.want {
			t.Errorf("%s: %s, want %s", name, got, one.want)
		}
	}
	if log.Len() != 0 {
		t.Errorf("it complained: %s", &log)
	}
}

// What cannot be read is never taken for something else in silence.
func TestClientAddress_ThatCannotBeReadIsTold(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1_000_000, 0)
	c := addressesBehind(t, &log, &now)
	lines := func() int { return strings.Count(log.String(), "\n") }
	for _, forwarded := range []string{"unknown", "_hidden", "203.0.113.66, unknown", "203.0.113.66:port", "client.example"} {
		if got := c.of(askedFrom("10.0.0.1:80", forwarded)); got != "10.0.0.1" {
			t.Errorf("%s: %s", forwarded, got)
		}
	}
	if got := c.of(askedFrom("10.0.0.1:80", "unknown, 10.0.0.2")); got != "10.0.0.2" {
		t.Errorf("behind a second proxy: %s", got)
	}
	if lines() != 1 || !strings.Contains(log.String(), "10.0.0.1") || strings.Contains(log.String(), "hidden") {
		t.Errorf("within a minute the log says %q", &log)
	}
	now = now.Add(complainEvery)
	c.of(askedFrom("10.0.0.1:80", "unknown"))
	if lines() != 2 {
		t.Errorf("a minute later the log says %q", &log)
	}
}
