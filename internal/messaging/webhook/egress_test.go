package webhook_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/net/dns/dnsmessage"

	"diresco/internal/messaging/webhook"
	"diresco/internal/platform/egress"
	"diresco/internal/platform/fault"
)

// TestWebhook_AddressesAreRefusedWhereTheyAreGiven: whatever leads, as it is written, to no host of
// the public Internet.
func TestWebhook_AddressesAreRefusedWhereTheyAreGiven(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		production := w.production()
		for address, code := range map[string]string{
			"http://a.example/": "uri-insecure", "ftp://a.example/": "uri-insecure", "https://localhost/": "uri-localhost",
			"https://a.localhost/": "uri-localhost", "https://LOCALHOST./": "uri-localhost", "https://127.0.0.1/": "uri-private",
			"https://[::1]/": "uri-private", "https://10.0.0.1/": "uri-private", "https://192.168.1.1:8443/": "uri-private",
			"https://172.16.0.1/": "uri-private", "https://169.254.169.254/latest": "uri-private", "https://[fe80::1]/": "uri-private",
			"https://[fd00::1]/": "uri-private", "https://[::ffff:127.0.0.1]/": "uri-private", "https://[::ffff:10.0.0.1]/": "uri-private",
			"https://[64:ff9b::7f00:1]/": "uri-private", "https://0.0.0.0/": "uri-private", "https://[::]/": "uri-private",
			"https://100.64.0.1/": "uri-private", "https://2130706433/": "format", "https://0x7f.1/": "format", "https://127.1/": "format",
			"https://0177.0.0.1/": "format", "https://u:p@a.example/": "uri-userinfo", "https://a.example/#x": "uri-fragment", "https:a.example": "format",
			"https:///x": "format", "": "too-short", "https://a.example/\\@10.0.0.1/": "forbidden-character", "https://a.example:0/": "format",
			"https://a.example/" + strings.Repeat("x", 500): "too-long", "http://127.0.0.1:8080/": "uri-insecure", "//a.example/": "uri-insecure",
		} {
			_, err := production.Add(ctx, w.employer, w.software.Application.ID, webhook.Input{URL: address})
			refused(t, address, err, "/url", code)
		}
		for _, address := range []string{"https://a.example/hooks?key=1", "https://a.example:8443", "https://8.8.8.8/x", "https://[2001:4860:4860::8888]/"} {
			if _, err := production.Add(ctx, w.employer, w.software.Application.ID, webhook.Input{URL: address}); err != nil {
				t.Errorf("%s: %v", address, err)
			}
		}
		// The sandbox takes the machine's own addresses by http, and nothing else beside.
		for address, code := range map[string]string{
			"http://localhost:1/": "uri-localhost", "http://127.0.0.2/": "uri-insecure", "http://10.0.0.1/": "uri-insecure", "https://127.0.0.1/": "uri-private",
			"http://[::ffff:127.0.0.1]/": "uri-insecure", "http://a.example/": "uri-insecure", "http://0.0.0.0/": "uri-insecure",
			"http://127.1/": "uri-insecure",
		} {
			_, err := w.service.Add(ctx, w.employer, w.software.Application.ID, webhook.Input{URL: address})
			refused(t, "in the sandbox "+address, err, "/url", code)
		}
		for _, address := range []string{"http://127.0.0.1:9000/x", "http://[::1]:9000", "https://a.example/"} {
			w.add(address)
		}
	})
}

// production is the service as it is outside a sandbox.
func (w *fixture) production() *webhook.Service {
	return webhook.NewService(webhook.Deps{
		Runner: w.Runner, Applications: w.apps, Events: w.feed, Rights: w.Rights, Keys: w.keys, Random: random{},
	})
}

// TestWebhook_AddressesAreRefusedWhenTheyAreDialled: a name may lead anywhere by then.
func TestWebhook_AddressesAreRefusedWhenTheyAreDialled(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		_, port, _ := strings.Cut(r.Listener.Addr().String(), ":")
		hook, err := w.production().Add(ctx, w.employer, w.software.Application.ID, webhook.Input{URL: "https://hooks.example.org:" + port + "/"})
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{"127.0.0.1", "10.0.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fd00::1", "fe80::1"} {
			resolver := &net.Resolver{PreferGo: true, Dial: nameServer(t, netip.MustParseAddr(address))}
			w.attempted(t, hook.ID, public(egress.Options{Resolver: resolver}), address)
		}
		// What stands in the database is not believed either.
		for _, address := range []string{r.URL, "http://127.0.0.1:" + port, "https://127.0.0.1:" + port, "https://10.0.0.1/"} {
			w.Exec(t, "UPDATE webhooks SET url = ?, version = version + 1", address)
			w.attempted(t, hook.ID, public(egress.Options{}), address)
		}
		if r.count() != 0 {
			t.Errorf("%d were sent", r.count())
		}
	})
}

// attempted has a fresh sender make one attempt, which the address must refuse.
func (w *fixture) attempted(t *testing.T, hook uuid.UUID, change func(*webhook.Options), address string) {
	t.Helper()
	w.Exec(t, "DELETE FROM webhook_attempts")
	w.Exec(t, "DELETE FROM webhook_deliveries")
	if _, err := w.service.Ping(ctx, w.employer, w.software.Application.ID, hook); err != nil {
		t.Fatal(err)
	}
	s := w.newSender(w.DB, change)
	w.drain(s)
	d := w.only(hook)
	if len(d.Attempts) != 1 || d.Attempts[0].Outcome != webhook.AddressRefused || d.Attempts[0].Answer != nil {
		t.Errorf("%s: %+v", address, d.Attempts)
	}
}

// TestWebhook_ReadsLittleOfAnAnswer, however much there is.
func TestWebhook_ReadsLittleOfAnAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		r.answers(func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusAccepted)
			for range 1 << 14 {
				if _, err := rw.Write([]byte(strings.Repeat("x\x1b", 1<<10))); err != nil {
					return
				}
			}
		})
		w.happens()
		d := w.only(hook.ID)
		if d.State != webhook.Delivered || d.Attempts[0].Answer == nil || *d.Attempts[0].Answer != strings.Repeat("x", 512) {
			t.Errorf("%+v", d)
		}
	})
}

// refused fails the test unless the fault names the field with the code.
func refused(t *testing.T, what string, err error, pointer, code string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Pointer != pointer || f.Fields[0].Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// nameServer answers every question with the one address.
func nameServer(t *testing.T, address netip.Addr) func(ctx context.Context, network, server string) (net.Conn, error) {
	t.Helper()
	listener, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := listener.ReadFrom(packet)
			if err != nil {
				return
			}
			if answer, err := answerTo(packet[:n], address); err == nil {
				_, _ = listener.WriteTo(answer, from)
			}
		}
	}()
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", listener.LocalAddr().String())
	}
}

func answerTo(packet []byte, address netip.Addr) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return nil, err
	}
	m.Header.Response, m.Additionals = true, nil
	q := m.Questions[0]
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	switch {
	case q.Type == dnsmessage.TypeA && address.Is4():
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: address.As4()}}}
	case q.Type == dnsmessage.TypeAAAA && address.Is6():
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}}}
	}
	return m.Pack()
}
