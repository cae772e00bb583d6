package keyring_test

import (
	"errors"
	"strings"
	"testing"

	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
	"diresco/internal/test/dbtest"
)

// FuzzVerifyReceipt looks whether anything but a receipt that was signed here is one.
func FuzzVerifyReceipt(f *testing.F) {
	set, err := keyring.Generate()
	if err != nil {
		f.Fatal(err)
	}
	k, err := keyring.Open(f.Context(), dbtest.Open(f, dbtest.SQLite(f)), clock.NewManual(start), set)
	if err != nil {
		f.Fatal(err)
	}
	genuine, err := k.SignReceipt([]byte(`{"a":1}`))
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(genuine, ".")
	for _, text := range []string{
		genuine, parts[0] + "." + parts[1] + ".", "eyJhbGciOiJub25lIn0." + parts[1] + ".", `{"payload":"","signatures":[]}`, "..", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		payload, err := k.VerifyReceipt(t.Context(), text)
		switch {
		case err != nil && !errors.Is(err, keyring.ErrNotAReceipt):
			t.Errorf("%q: %v", text, err)
		case err == nil && (string(payload) != `{"a":1}` || !strings.Contains(text, parts[2][:80])):
			t.Errorf("%q is a receipt of %s", text, payload)
		}
	})
}
