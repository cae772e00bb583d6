package session_test

import (
	"context"
	"testing"

	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// want ends the test when the error is not a fault of that kind; "" stands for none.
func want(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if code == "" && err != nil || code != "" && !fault.Is(err, code) {
		t.Fatalf("got %v, want %q", err, code)
	}
}

func renew(t *testing.T, w *pintest.World, token secret.Text, key string) session.Session {
	t.Helper()
	s, err := w.Sessions.Renew(ctx, token, key)
	want(t, err, "")
	return s
}
