package webhook

import (
	"net/http"
	"time"

	"github.com/google/uuid"
)

const (
	// queueLength is how many deliveries to one endpoint a process has in its hands.
	queueLength = 256
	// atOnce is how many attempts at one endpoint are under way at once; slowAtOnce of one that takes
	// longer than slowAnswer, so that it does not take what others need.
	atOnce     = 16
	slowAtOnce = 4
	slowAnswer = time.Second
	// patienceOfEndpoint is how many failures in a row an endpoint may have before it is left alone.
	patienceOfEndpoint = 5
	firstPause         = 5 * time.Second
	lastPause          = 5 * time.Minute
)

// endpoint is a webhook as the sender of one process sees it. Its owner locks it.
type endpoint struct {
	id          uuid.UUID
	application uuid.UUID
	queue       []Delivery
	// coming are those that will be handed over when the transaction commits that made them.
	coming int
	busy   int
	slow   bool
	// more says that there may be more in the database that is due.
	more bool
	// used is when there was something for it last.
	used    time.Time
	breaker breaker
	// version is the newest of the webhook that was seen.
	version int
	contact *contact
}

// contact is how to speak to an endpoint as it is in one version.
type contact struct {
	webhook Webhook
	signer  signer
	client  *http.Client
	// until is when the first of its secrets expires; zero for never.
	until time.Time
	// broken is why nothing can be sent to it.
	broken error
}

// meets forgets how the endpoint was before its owner changed it.
func (e *endpoint) meets(w Webhook) {
	e.application = w.ApplicationID
	if w.Version > e.version {
		e.version, e.breaker = w.Version, breaker{}
	}
}

// room is how many more deliveries the endpoint takes.
func (e *endpoint) room(now time.Time) int {
	if !e.breaker.closed(now) {
		return 0
	}
	return max(0, queueLength-len(e.queue)-e.coming)
}

// startable is how many attempts may begin now.
func (e *endpoint) startable(now time.Time) int {
	most := atOnce
	if e.slow {
		most = slowAtOnce
	}
	return min(len(e.queue), max(0, e.breaker.allows(now, e.busy, most)-e.busy))
}

// breaker leaves an endpoint alone that does not answer: one attempt after a pause, which grows until
// one succeeds.
type breaker struct {
	failures int
	pause    time.Duration
	until    time.Time
	// asked is until when the endpoint asked to be left alone.
	asked time.Time
}

// closed reports whether the endpoint is not left alone.
func (b *breaker) closed(now time.Time) bool { return !now.Before(b.until) }

// allows is how many attempts may be under way at once.
func (b *breaker) allows(now time.Time, busy, most int) int {
	switch {
	case !b.closed(now):
		return 0
	case b.pause > 0:
		return min(1, max(busy, 1)) // one finds out how it is
	}
	return most
}

// succeeded notes a success. What was under way when the endpoint asked to be left alone changes
// nothing about that.
func (b *breaker) succeeded() { *b = breaker{until: b.asked, asked: b.asked} }

// failed notes a failure. after is how long the endpoint asked to be left alone.
func (b *breaker) failed(now time.Time, after time.Duration) {
	paused := !b.closed(now)
	if after > 0 {
		if until := now.Add(min(after, longestRetryAfter)); until.After(b.asked) {
			b.asked = until
		}
		if b.asked.After(b.until) {
			b.until = b.asked
		}
	}
	if b.failures++; b.failures < patienceOfEndpoint || paused {
		return // what was under way since before the pause says nothing new
	}
	b.pause = min(max(firstPause, 2*b.pause), lastPause)
	if until := now.Add(b.pause); until.After(b.until) {
		b.until = until
	}
}
