package webhook

import (
	"net/http"
	"testing"
	"time"
)

// An endpoint that never takes anything is asked less and less often, also where it says each time
// that it wants to be asked soon.
func TestBreaker_PausesGrowWhateverTheEndpointAsks(t *testing.T) {
	for name, after := range map[string]time.Duration{"no word": 0, http.StatusText(http.StatusServiceUnavailable): time.Second} {
		now := time.Date(2026, 3, 17, 9, 0, 0, 0, time.UTC)
		var b breaker
		for range patienceOfEndpoint {
			if !b.closed(now) {
				now = b.until
			}
			b.failed(now, after)
		}
		for _, want := range []time.Duration{firstPause, 2 * firstPause, 4 * firstPause} {
			if got := b.until.Sub(now); got != want {
				t.Errorf("%s: left alone for %v, want %v", name, got, want)
			}
			now = b.until
			if most := b.allows(now, 0, atOnce); most != 1 {
				t.Errorf("%s: %d attempts find out how it is", name, most)
			}
			b.failed(now, after)
		}
	}
}
