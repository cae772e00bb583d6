package smtpurl_test

import (
	"strings"
	"testing"

	"diresco/internal/platform/secret"
	"diresco/internal/platform/smtpurl"
)

func TestSMTPURL_Parse(t *testing.T) {
	for raw, want := range map[string]struct {
		address, user, password, name, from, domain string
		tls, loopback                               bool
	}{
		"smtp://relay.example.org?from=no-reply@example.org": {
			address: "relay.example.org:587", from: "no-reply@example.org", domain: "example.org",
		},
		"smtp://u:p%40ss@relay.example.org:25/?from=no-reply@example.org": {
			address: "relay.example.org:25", user: "u", password: "p@ss", from: "no-reply@example.org", domain: "example.org",
		},
		"smtps://u:@relay.example.org?from=DiResCo+%3Ca@b.example.org%3E": {
			address: "relay.example.org:465", user: "u", name: "DiResCo", from: "a@b.example.org", domain: "b.example.org", tls: true,
		},
		"smtps://u%40pec.it:p@[::1]:1465?from=%22Rossi,+M.%22+%3Ca@b.it%3E": {
			address: "[::1]:1465", user: "u@pec.it", password: "p", name: "Rossi, M.", from: "a@b.it", domain: "b.it", tls: true,
			loopback: true,
		},
		"smtp://localhost:25?from=a@b.it": {
			address: "localhost:25", from: "a@b.it", domain: "b.it", loopback: true,
		},
		"smtp://localhost.example.org?from=a@b.it": {
			address: "localhost.example.org:587", from: "a@b.it", domain: "b.it",
		},
	} {
		s, err := smtpurl.Parse(secret.Text(raw))
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if s.Address() != want.address || s.User != want.user || s.Password.Reveal() != want.password ||
			s.From.Name != want.name || s.From.Address != want.from ||
			s.Domain() != want.domain || s.TLS != want.tls || s.Loopback() != want.loopback {
			t.Errorf("%s: %+v", raw, s)
		}
	}
}

func TestSMTPURL_ParseRefuses(t *testing.T) {
	for _, raw := range []string{
		"", "relay.example.org:25", "http://hunter2@relay?from=a@b.it", "smtp://?from=a@b.it", "smtp://relay", "smtp://relay?from=hunter2",
		"smtp://relay?from=",
		"smtp://relay?from=a@b.it&tls=hunter2", "smtp://relay?from=a@b.it&from=c@d.it", "smtp://relay:99999?from=a@b.it",
		"smtp://relay:0?from=a@b.it",
		"smtp://user@relay?from=a@b.it", "smtp://:hunter2@relay?from=a@b.it", "smtp://relay/hunter2?from=a@b.it", "smtp:relay?from=a@b.it",
		"smtp://relay?from=a@b.it#hunter2",
		"smtp://relay?from=a%0D%0ABcc:x@b.it", "smtp://relay?from=%22a+b%22@c.it", "smtp://relay?from=a@[127.0.0.1]",
		"smtp://relay?from=%C3%A0@b.it",
		"smtp://u:hunter2%zz@relay?from=a@b.it",
	} {
		if s, err := smtpurl.Parse(secret.Text(raw)); err == nil {
			t.Errorf("%q: %+v", raw, s)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q is repeated: %v", raw, err)
		}
	}
}
