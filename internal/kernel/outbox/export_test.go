package outbox

import "time"

// RenewOn has leases renewed whenever there is a tick.
func (w *Worker) RenewOn(ticks <-chan time.Time) {
	w.every = func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }
}
