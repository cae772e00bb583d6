package clock_test

import (
	"testing"
	"time"

	"diresco/internal/platform/clock"
)

var instant = time.Date(2026, 3, 29, 3, 30, 0, 123_456_789, time.FixedZone("", 7200))

func TestClock_TimesAreWholeMicrosecondsInUTC(t *testing.T) {
	want := time.Date(2026, 3, 29, 1, 30, 0, 123_456_000, time.UTC)
	moved := clock.NewManual(instant)
	moved.Advance(time.Nanosecond)
	for name, got := range map[string]time.Time{
		"normal": clock.Normal(instant), "manual": clock.NewManual(instant).Now(), "manual, moved": moved.Now(),
	} {
		if got != want { // the very same value, location included
			t.Errorf("%s: %v, not %v", name, got, want)
		}
	}
	now := clock.System{}.Now()
	if now != clock.Normal(now) || now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
		t.Errorf("the machine's time is %v", now)
	}
}

func TestClock_Move(t *testing.T) {
	base := clock.NewManual(instant)
	c := clock.NewOffset(base)
	if c.Offset() != 0 || !c.Now().Equal(base.Now()) {
		t.Error("a new offset is not zero")
	}
	c.Set(-time.Hour)
	base.Advance(time.Minute)
	if want := clock.Normal(instant).Add(-59 * time.Minute); !c.Now().Equal(want) || c.Offset() != -time.Hour {
		t.Errorf("%v, not %v", c.Now(), want)
	}
}
