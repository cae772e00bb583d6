package outbox

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"
)

func TestBreaker_RetriesComeLaterAndLater(t *testing.T) {
	for attempts, want := range map[int]time.Duration{
		1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 7: 320 * time.Second, 8: 640 * time.Second,
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			got := backOff(attempts, rand.Reader)
			if got < want*3/4 || got > want*5/4 {
				t.Errorf("after %d attempts %v, want about %v", attempts, got, want)
			}
			seen[got] = true
		}
		if len(seen) < 10 {
			t.Errorf("after %d attempts all wait alike: %v", attempts, seen)
		}
	}
	for _, attempts := range []int{9, 10, 100, 1 << 30} {
		if got := backOff(attempts, rand.Reader); got > 15*time.Minute || got < 11*time.Minute {
			t.Errorf("after %d attempts %v", attempts, got)
		}
	}
	// A source of randomness that fails is no reason to lose a message.
	if got := backOff(1, bytes.NewReader(nil)); got != 5*time.Second {
		t.Errorf("without randomness %v", got)
	}
}

func TestBreaker_AChannelThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	now := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)
	var b breaker
	for i := range 4 {
		if b.failed(now) || b.room(now) != groupSize {
			t.Fatalf("left alone after %d failures", i+1)
		}
	}
	b.succeeded()
	for range 4 {
		b.failed(now)
	}
	if !b.failed(now) || b.room(now) != 0 {
		t.Fatal("five failures in a row, and it is not left alone")
	}
	// What was under way says nothing new.
	if b.failed(now) || b.pause != firstPause {
		t.Errorf("pause %v", b.pause)
	}
	for _, wait := range []time.Duration{5, 10, 20, 40, 60, 60} {
		now = now.Add(wait*time.Second - 1)
		if b.room(now) != 0 {
			t.Fatalf("tried before %d seconds were over", wait)
		}
		now = now.Add(1)
		if b.room(now) != 1 || b.room(now) != 0 {
			t.Fatalf("not tried once after %d seconds", wait)
		}
		b.failed(now)
	}
	now = now.Add(time.Minute)
	if b.room(now) != 1 {
		t.Fatal("not tried")
	}
	b.succeeded()
	if b.room(now) != groupSize {
		t.Error("it answers, and is still left alone")
	}
}

func TestBreaker_AClockThatIsSetBackStopsNoChannel(t *testing.T) {
	now := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)
	var b breaker
	for range patienceOfChannel {
		b.failed(now)
	}
	now = now.Add(-24 * time.Hour)
	if b.room(now) != 1 || b.room(now) != 0 {
		t.Error("it is not tried once by the new time")
	}
	if now = now.Add(lastPause); b.room(now) != 1 {
		t.Error("it is not tried again")
	}
}
