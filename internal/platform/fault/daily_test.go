package fault_test

import (
	"errors"
	"testing"
	"time"

	"diresco/internal/platform/fault"
)

func TestDaily_ADaysWorth(t *testing.T) {
	now := time.Date(2026, 3, 15, 9, 0, 0, 0, time.UTC)
	ago := func(hours ...int) (times []time.Time) {
		for _, h := range hours {
			times = append(times, now.Add(-time.Duration(h)*time.Hour))
		}
		return times
	}
	for name, c := range map[string]struct {
		before []time.Time
		wait   time.Duration
	}{
		"none": {nil, 0}, "one less": {ago(23, 1), 0}, "as many": {ago(23, 20, 1), time.Hour},
		"more, from before the limit was lowered": {ago(23, 20, 2, 1), 4 * time.Hour},
	} {
		err := fault.OverDaily(c.before, 3, now)
		var f *fault.Fault
		if refused := errors.As(err, &f); refused != (c.wait > 0) || refused && (f.Code != fault.RateLimited || f.RetryAfter != c.wait) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
