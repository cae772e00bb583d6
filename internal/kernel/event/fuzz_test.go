package event_test

import (
	"testing"

	"diresco/internal/kernel/event"
	"diresco/internal/platform/fault"
)

// FuzzCursor looks whether two cursors are one place.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{event.Cursor(0), event.Cursor(1 << 40), "", "e-1", "00", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		position, err := event.ParseCursor(text, "cursor", fault.InParameter)
		switch {
		case err != nil && !fault.Is(err, fault.Malformed):
			t.Errorf("%q: %v", text, err)
		case err == nil && (position < 0 || event.Cursor(position) != text):
			t.Errorf("%q is place %d", text, position)
		}
	})
}
