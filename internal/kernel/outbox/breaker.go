package outbox

import (
	"crypto/rand"
	"io"
	"math/big"
	"time"
)

// A delivery waits this long for its next attempt. It is not long at first, since somebody may be
// waiting for a code.
const (
	firstRetry = 5 * time.Second
	lastRetry  = 15 * time.Minute
)

// backOff returns how long to wait after the given number of attempts. It is 5 seconds after the
// first, twice as long after each further one, 15 minutes at most. Each wait is up to a quarter
// shorter or longer, so that what failed together does not come back together.
func backOff(attempts int, random io.Reader) time.Duration {
	wait := lastRetry
	if n := attempts - 1; n < 8 {
		wait = min(lastRetry, firstRetry<<max(0, n))
	}
	// Without randomness the retries come together, which is no reason to lose them.
	spread, err := rand.Int(random, big.NewInt(int64(wait/2)))
	if err == nil {
		wait += time.Duration(spread.Int64()) - wait/4
	}
	return min(wait, lastRetry)
}

const (
	// patienceOfChannel is how many failures in a row a channel may have before it is left alone
	// for a while.
	patienceOfChannel = 5
	firstPause        = 5 * time.Second
	lastPause         = time.Minute
)

// breaker leaves a channel alone that does not answer: one attempt after a pause, which grows until
// one succeeds.
type breaker struct {
	failures int
	pause    time.Duration
	until    time.Time
	// trying is set while one attempt is to find out how the channel is.
	trying bool
}

// room returns how many deliveries may be tried now: a full group, one or none.
func (b *breaker) room(now time.Time) int {
	switch {
	case b.pause == 0:
		return groupSize
	case now.Before(b.until) && !b.until.After(now.Add(b.pause)):
		return 0 // a clock that was set back does not stop this for long
	default:
		// The next one waits for what this one finds out, and not for ever.
		b.trying, b.until = true, now.Add(b.pause)
		return 1
	}
}

func (b *breaker) succeeded() { *b = breaker{} }

// hold leaves the channel alone at once, as after many failures.
func (b *breaker) hold(now time.Time) (begins bool) {
	b.failures = max(b.failures, patienceOfChannel-1)
	return b.failed(now)
}

// failed notes a failure and reports whether the channel is left alone from now on.
func (b *breaker) failed(now time.Time) (begins bool) {
	b.failures++
	switch {
	case b.failures < patienceOfChannel:
		return false
	case b.pause == 0:
		b.pause, begins = firstPause, true
	case b.trying:
		b.pause, b.trying = min(2*b.pause, lastPause), false
	default:
		return false // under way since before the pause: nothing new
	}
	b.until = now.Add(b.pause)
	return begins
}
