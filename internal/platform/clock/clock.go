// Package clock is the only place that reads the time of the machine. Everything else is given a
// Clock.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time: UTC, in whole microseconds, which is what both databases keep.
type Clock interface {
	Now() time.Time
}

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return Normal(time.Now()) }

// Normal returns t as the system keeps it: UTC, truncated to microseconds, without a monotonic
// reading.
func Normal(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Offset is another clock moved by a settable amount. The sandbox's testers move it; tests too.
type Offset struct {
	base   Clock
	mu     sync.RWMutex
	offset time.Duration
}

// NewOffset returns a clock that starts with no offset from base.
func NewOffset(base Clock) *Offset { return &Offset{base: base} }

// Now implements Clock.
func (o *Offset) Now() time.Time {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.base.Now().Add(o.offset)
}

// Offset returns how far the clock is from its base.
func (o *Offset) Offset() time.Duration {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.offset
}

// Set replaces the offset.
func (o *Offset) Set(offset time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.offset = offset
}

// Manual is a clock that stands still until it is told to move. It is safe for concurrent use.
type Manual struct {
	mu  sync.RWMutex
	now time.Time
}

// NewManual returns a clock that stands at the given instant.
func NewManual(at time.Time) *Manual { return &Manual{now: Normal(at)} }

// Now implements Clock.
func (m *Manual) Now() time.Time {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.now
}

// Advance moves the clock forwards.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = Normal(m.now.Add(d))
}
