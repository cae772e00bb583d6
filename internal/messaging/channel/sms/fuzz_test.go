package sms

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"diresco/internal/kernel/outbox"
)

// FuzzRead looks whether what a gateway answers can end the program, or have a message sent twice.
func FuzzRead(f *testing.F) {
	f.Add(200, `{"reference":"a"}`)
	f.Add(202, `[`)
	f.Add(404, "")
	f.Add(599, strings.Repeat("{", 100))
	f.Fuzz(func(t *testing.T, status int, body string) {
		sent, err := read(&http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))})
		if success := status >= 200 && status <= 299; success != (err == nil) || success && sent.State != outbox.Sent {
			t.Errorf("%d %q: %+v, %v", status, body, sent, err)
		}
		if len(sent.ProviderRef) > maxReference || strings.ContainsAny(sent.ProviderRef, "\r\n\x00") {
			t.Errorf("%q is kept", sent.ProviderRef)
		}
	})
}
