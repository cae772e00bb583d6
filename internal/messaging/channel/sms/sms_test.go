package sms_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/channel/channeltest"
	"diresco/internal/messaging/channel/sms"
)

func outgoing() channel.Outgoing {
	return channel.Outgoing{
		ID: uuid.MustParse("018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f"), Kind: "pin.changed", Channel: outbox.SMS, To: "+393331234567",
		Locale: "it", Subject: "no", Text: "no", HTML: "no",
		Short: "DiResCo: il PIN è cambiato.", CreatedAt: time.Date(2026, 3, 16, 8, 15, 2, 0, time.UTC),
	}
}

func sender(t *testing.T, gateway *channeltest.Gateway, from string) *sms.Sender {
	t.Helper()
	s, err := sms.NewSender(sms.Config{URL: gateway.URL(), Token: "hunter2", From: from})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSMS_WhatTheGatewayGets(t *testing.T) {
	gateway := channeltest.NewGateway(t)
	sent, err := sender(t, gateway, "DiResCo").Send(t.Context(), outgoing())
	if err != nil || sent.State != outbox.Sent || sent.ProviderRef != "gateway-1" {
		t.Errorf("%+v, %v", sent, err)
	}
	if _, err := sender(t, gateway, "").Send(t.Context(), outgoing()); err != nil {
		t.Error(err)
	}
	messages := gateway.Messages()
	for i, want := range []string{
		`{"message_id":"018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f","to":"+393331234567","text":"DiResCo: il PIN è cambiato.","sender":"DiResCo"}`,
		`{"message_id":"018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f","to":"+393331234567","text":"DiResCo: il PIN è cambiato."}`,
	} {
		if messages[i].Body != want {
			t.Errorf("%s", messages[i].Body)
		}
	}
	for header, want := range map[string]string{
		"Authorization": "Bearer hunter2", "Content-Type": "application/json", "Idempotency-Key": "018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f",
		"Accept": "application/json",
	} {
		if got := messages[0].Header.Get(header); got != want {
			t.Errorf("%s: %q", header, got)
		}
	}
}

func TestSMS_WhatAnswersMean(t *testing.T) {
	for _, tt := range []struct {
		status    int
		body      string
		reference string
		refused   string
		later     bool
	}{
		{status: 200, body: `{"reference": "abc", "more": [1]}`, reference: "abc"},
		{status: 201, body: `{}`},
		{status: 204},
		// It was taken: whatever else is said, it must not go out twice.
		{status: 202, body: `<html>`},
		{status: 202, body: `{"reference": 5}`},
		{status: 202, body: `{"reference": "a\nb"}`},
		{status: 202, body: `{"reference": "` + strings.Repeat("x", 201) + `"}`},
		{status: 202, body: strings.Repeat("x", 1<<20)},
		{status: 400, refused: "refused-by-gateway"},
		{status: 404, refused: "unknown-number"},
		{status: 410, refused: "unknown-number"},
		{status: 422, body: `{"error": "+393331234567"}`, refused: "refused-by-gateway"},
		{status: 401, later: true},
		{status: 403, later: true},
		{status: 409, later: true},
		{status: 429, later: true},
		{status: 500, body: `+393331234567: DiResCo: il PIN è cambiato.`, later: true},
		{status: 503, later: true},
		{status: 301, later: true},
		{status: 307, later: true},
	} {
		gateway := channeltest.NewGateway(t)
		gateway.Answer(tt.status, tt.body)
		sent, err := sender(t, gateway, "").Send(t.Context(), outgoing())
		refused := channeltest.Refusal(err)
		switch {
		case tt.refused != "":
			if refused == nil || refused.Reason != tt.refused {
				t.Errorf("%d: %v", tt.status, err)
				continue
			}
			// 400 and 422 speak of the message, so the phone stays a contact.
			if about := tt.status == http.StatusBadRequest || tt.status == http.StatusUnprocessableEntity; refused.Message != about {
				t.Errorf("%d: %+v", tt.status, refused)
			}
		case tt.later:
			if err == nil || refused != nil || strings.Contains(err.Error(), "333123") || strings.Contains(err.Error(), "PIN") {
				t.Errorf("%d: %v", tt.status, err)
			}
		case err != nil || sent.State != outbox.Sent || sent.ProviderRef != tt.reference:
			t.Errorf("%d %.40s: %+v, %v", tt.status, tt.body, sent, err)
		}
	}
}

func TestSMS_RedirectsAreNotFollowed(t *testing.T) {
	other := channeltest.NewGateway(t)
	gateway := channeltest.NewGateway(t)
	gateway.Handle(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL(), http.StatusPermanentRedirect)
	})
	if _, err := sender(t, gateway, "").Send(t.Context(), outgoing()); err == nil || len(other.Messages()) != 0 {
		t.Errorf("%v, %d messages elsewhere", err, len(other.Messages()))
	}
}

func TestSMS_NumbersThatAreNone(t *testing.T) {
	gateway := channeltest.NewGateway(t)
	s := sender(t, gateway, "")
	for _, to := range []string{
		"", "3331234567", "+0333123456", "+39 333 1234567", "+393331234567\n", "+393331234567,+393331234568", "+39333123456789012",
		"+39333x", `+393331234567","to":"+393331234568`, "+٣٩٣٣٣١٢٣٤٥٦٧",
	} {
		m := outgoing()
		m.To = to
		_, err := s.Send(t.Context(), m)
		if refused := channeltest.Refusal(err); refused == nil || refused.Reason != "malformed-number" {
			t.Errorf("%q: %v", to, err)
		}
	}
	if n := len(gateway.Messages()); n != 0 {
		t.Errorf("%d messages left", n)
	}
}

func TestSMS_ATextStaysOneTextOfOneLine(t *testing.T) {
	gateway := channeltest.NewGateway(t)
	s := sender(t, gateway, "")
	for _, text := range []string{"a\r\nTo: +393331234568", ".", "a\r\n.\r\nb", `a","to":"+393331234568`, "a\x00\x1b\u0085\u2028b"} {
		m := outgoing()
		m.Short = text
		if _, err := s.Send(t.Context(), m); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		all := gateway.Messages()
		got := all[len(all)-1]
		if got.To != m.To || strings.ContainsAny(got.Text, "\r\n\x00") ||
			len(got.Text) != len(text) && !strings.ContainsAny(text, "\u0085\u2028") {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestSMS_NobodyListens(t *testing.T) {
	gateway := channeltest.NewGateway(t)
	gateway.Close()
	_, err := sender(t, gateway, "").Send(t.Context(), outgoing())
	if err == nil || channeltest.Refusal(err) != nil || strings.Contains(err.Error(), "/v1/messages") {
		t.Error(err)
	}
}

func TestSMS_ASilentGatewayIsLeft(t *testing.T) {
	gateway := channeltest.NewGateway(t)
	reached, release := make(chan struct{}), make(chan struct{})
	gateway.Handle(func(http.ResponseWriter, *http.Request) { close(reached); <-release })
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	if _, err := sender(t, gateway, "").Send(ctx, outgoing()); err == nil || channeltest.Refusal(err) != nil {
		t.Error(err)
	}
}

// Which addresses exactly, package egress tests.
func TestSMS_HousesAreNotReached(t *testing.T) {
	for _, raw := range []string{"https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::ffff:192.168.0.1]/"} {
		s, err := sms.NewSender(sms.Config{URL: raw, Token: "hunter2"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(t.Context(), outgoing()); err == nil || channeltest.Refusal(err) != nil ||
			strings.Contains(err.Error(), "latest") {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{"http://sms.example.org", "http://10.0.0.1", "https://u:hunter2@sms.example.org", "sms.example.org"} {
		if _, err := sms.NewSender(sms.Config{URL: raw}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
