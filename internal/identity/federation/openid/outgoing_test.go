package openid

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"diresco/internal/platform/egress"
)

// TestOutgoing_LeadsWhereItMay: what is configured is reached where it lies, and what others name
// only on the public Internet.
func TestOutgoing_LeadsWhereItMay(t *testing.T) {
	configured := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer configured.Close()
	named := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("what others name was reached on the loopback")
	}))
	defer named.Close()
	client := newClient(newOutgoing(nil, configured.URL, "https://127.0.0.2:1", "https://10.255.255.1"))
	if _, err := get(t.Context(), client, configured.URL+"/x", "*/*"); err != nil {
		t.Errorf("what is configured: %v", err)
	}
	for _, address := range []string{
		named.URL, strings.Replace(named.URL, "http:", "https:", 1), strings.Replace(named.URL, "127.0.0.1", "localhost", 1),
		strings.Replace(named.URL, "127.0.0.1", "[::1]", 1), "https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/", "http://example.org/",
		"https://user@example.org/", "file:///etc/passwd",
		"https://10.255.255.1/", // it is configured, and lies in no network that is allowed
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		if !errors.Is(err, egress.ErrRefused) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestOutgoing_OfEachProviderAlone: what one provider names reaches nothing that is configured for
// another.
func TestOutgoing_OfEachProviderAlone(t *testing.T) {
	internal := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer internal.Close()
	var d Deps
	own, other := newClient(d.outgoing(Settings{Issuer: internal.URL + "/realms/a"})), newClient(d.outgoing(Settings{Issuer: "https://op.example"}))
	if _, err := get(t.Context(), own, internal.URL+"/realms/a/token", "*/*"); err != nil {
		t.Errorf("its own: %v", err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, internal.URL+"/admin", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := other.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	if !errors.Is(err, egress.ErrRefused) {
		t.Errorf("another's: %v", err)
	}
}
