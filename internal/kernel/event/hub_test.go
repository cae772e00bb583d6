package event

import (
	"testing"
)

// some are events with the positions from one to another.
func some(from, to int64) []Event {
	var events []Event
	for p := from; p <= to; p++ {
		events = append(events, Event{Position: p})
	}
	return events
}

// Whoever goes on from where a waiting ended misses nothing that it was not given.
func TestWaiting_GoesOnBehindWhatWasGiven(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(w *waiting)
		given   int
		at      int64
		reason  Reason
	}{
		"nothing to be seen": {func(w *waiting) { w.tell(nil, 9) }, 0, 9, ""},
		"some":               {func(w *waiting) { w.tell(some(6, 7), 9) }, 2, 9, ""},
		"told before":        {func(w *waiting) { w.tell(some(4, 6), 6) }, 1, 6, ""},
		"told back":          {func(w *waiting) { w.tell(nil, 4) }, 0, 5, ""},
		"too slow at once":   {func(w *waiting) { w.tell(nil, 6); w.tell(some(7, 9+mostUntold), 9+mostUntold); w.tell(nil, 9999) }, 0, 6, TooSlow},
		"too slow":           {func(w *waiting) { w.tell(some(7, 8), 8); w.tell(some(9, 9+mostUntold), 9+mostUntold) }, 0, 6, TooSlow},
		"session over":       {func(w *waiting) { w.tell(some(7, 8), 8); w.close(SessionEnded); w.tell(some(9, 9), 9) }, 0, 6, SessionEnded},
		"stopping":           {func(w *waiting) { w.tell(some(7, 8), 8); w.close(ServerStopping); w.tell(some(9, 9), 9) }, 2, 8, ServerStopping},
	} {
		w := &waiting{from: 5, told: 5, signal: make(chan struct{}, 1)}
		c.happens(w)
		events, at := w.take(MaxLimit)
		if len(events) != c.given || at != c.at || w.reason() != c.reason {
			t.Errorf("%s: %d events, then %d, %q; want %d, %d, %q", name, len(events), at, w.reason(), c.given, c.at, c.reason)
		}
	}
}
