package throttle_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"diresco/internal/identity/throttle"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// try makes one attempt at a time and fails the test when it is not granted.
func try(t *testing.T, s throttle.State, outcome throttle.Outcome, now time.Time) throttle.State {
	t.Helper()
	reserved, verdict, wait := s.Reserve(now)
	if verdict != throttle.Granted {
		t.Fatalf("verdict %d, wait %v at %+v", verdict, wait, s)
	}
	settled, ok := reserved.Settle(reserved.Epoch, outcome, now)
	if !ok {
		t.Fatal("not settled")
	}
	return settled
}

func refused(t *testing.T, s throttle.State, now time.Time, want time.Duration) {
	t.Helper()
	if _, verdict, wait := s.Reserve(now); verdict != throttle.Locked || wait != want {
		t.Errorf("verdict %d, wait %v; want locked for %v", verdict, wait, want)
	}
}

func TestThrottle_FiveMinutes(t *testing.T) {
	now := start
	var s throttle.State
	for range throttle.MaxFailures - 1 {
		s = try(t, s, throttle.Wrong, now)
	}
	s = try(t, s, throttle.Right, now)
	if s.Failures != 0 {
		t.Fatalf("%d failures after a right one", s.Failures)
	}
	for range throttle.MaxFailures {
		s = try(t, s, throttle.Wrong, now)
	}
	refused(t, s, now, 5*time.Minute)
	// Attempts during the wait neither count nor prolong it.
	refused(t, s, now.Add(4*time.Minute), time.Minute)
	refused(t, s, now.Add(5*time.Minute-time.Microsecond), time.Microsecond)
	now = now.Add(5 * time.Minute)
	s = try(t, s, throttle.Wrong, now)
	refused(t, s, now, 5*time.Minute)
	now = now.Add(5 * time.Minute)
	s = try(t, s, throttle.Abandoned, now)
	if s.Failures != 11 {
		t.Errorf("%d failures, want 11: an abandoned attempt counts nothing", s.Failures)
	}
	s = try(t, s, throttle.Right, now)
	if s.Failures != 0 || s.LockedUntil != nil {
		t.Errorf("after the right one: %+v", s)
	}
}

func TestThrottle_OnlyOneAtATimeAfterTheWait(t *testing.T) {
	s := throttle.State{Failures: 10, LockedUntil: &start}
	first, verdict, _ := s.Reserve(start)
	if verdict != throttle.Granted {
		t.Fatal("the wait is over")
	}
	if _, verdict, _ := first.Reserve(start); verdict != throttle.Occupied {
		t.Errorf("verdict %d while one is evaluated, want occupied", verdict)
	}
}

func TestThrottle_LostAttemptsCountAsWrong(t *testing.T) {
	var s throttle.State
	for range throttle.MaxFailures {
		s, _, _ = s.Reserve(start)
	}
	if _, verdict, _ := s.Reserve(start.Add(throttle.Lease - time.Microsecond)); verdict != throttle.Occupied {
		t.Errorf("verdict %d before the lease is over, want occupied", verdict)
	}
	over := start.Add(throttle.Lease)
	refused(t, s, over, 5*time.Minute)
	next, verdict, _ := s.Reserve(over.Add(5 * time.Minute))
	if verdict != throttle.Granted || next.Failures != 10 || next.InFlight != 1 {
		t.Errorf("verdict %d, state %+v", verdict, next)
	}
	// One of the lost settles after all: it has counted already.
	if after, settled := next.Settle(s.Epoch, throttle.Right, over.Add(5*time.Minute)); settled || after != next {
		t.Errorf("settled %v, state %+v", settled, after)
	}
}

// No ten evaluations in a row end wrong without a wait of five minutes after them. No more than ten
// run together. Both hold whatever happens in whatever order.
func TestThrottle_NeverMoreThanTenGuesses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s throttle.State
		now := start
		var epochs []int
		wrong := 0
		var lastWrong time.Time
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				next, verdict, wait := s.Reserve(now)
				switch verdict {
				case throttle.Granted:
					if wrong >= throttle.MaxFailures && now.Sub(lastWrong) < throttle.Lockout {
						t.Fatalf("granted %v after the last of %d wrong ones", now.Sub(lastWrong), wrong)
					}
					if next.Epoch != s.Epoch {
						epochs = nil
					}
					epochs = append(epochs, next.Epoch)
				case throttle.Locked:
					if wait <= 0 || wait > throttle.Lockout {
						t.Fatalf("must wait %v", wait)
					}
				case throttle.Occupied:
					if len(epochs) == 0 {
						t.Fatal("occupied by nobody")
					}
				}
				s = next
			case 2:
				if len(epochs) == 0 {
					continue
				}
				outcome := throttle.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome"))
				next, settled := s.Settle(epochs[0], outcome, now)
				if !settled {
					t.Fatal("an attempt of this epoch was not settled")
				}
				s, epochs = next, epochs[1:]
				switch outcome {
				case throttle.Wrong:
					wrong, lastWrong = wrong+1, now
				case throttle.Right:
					wrong = 0
				case throttle.Abandoned:
				}
			default:
				now = now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second)
			}
			if len(epochs) > throttle.MaxFailures || s.InFlight != len(epochs) {
				t.Fatalf("%d in flight, state %+v", len(epochs), s)
			}
		}
	})
}
