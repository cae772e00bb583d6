package openid_test

import (
	"testing"

	"diresco/internal/identity/federation/openid/trust"
)

// A trust mark that this party would show in vain is noticed before.
func TestTrust_AnOwnMarkIsLookedAt(t *testing.T) {
	r := newRealm(t, "cie")
	for name, c := range map[string]struct {
		entry trust.MarkEntry
		good  bool
	}{
		"good":               {trust.MarkEntry{ID: markType, Mark: r.mark(nil)}, true},
		"about another":      {trust.MarkEntry{ID: markType, Mark: r.mark(with(map[string]any{"sub": middleID}))}, false},
		"of another type":    {trust.MarkEntry{ID: "https://other.example", Mark: r.mark(nil)}, false},
		"ended":              {trust.MarkEntry{ID: markType, Mark: r.mark(with(map[string]any{"exp": start.Unix()}))}, false},
		"an example's":       {trust.MarkEntry{ID: markType, Mark: "eyJ0….eyJp….c2ln…"}, false},
		"a text that is not": {trust.MarkEntry{ID: markType, Mark: "a.b.c"}, false},
	} {
		if err := trust.CheckOwn(c.entry, issuer, r.clock.Now()); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
