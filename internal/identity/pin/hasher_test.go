package pin

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"diresco/internal/platform/fault"
)

func hasher(t *testing.T, o HasherOptions) *Hasher {
	t.Helper()
	h, err := NewHasher(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func taken(t *testing.T, h *Hasher) *slot {
	t.Helper()
	s, err := h.acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHasher_Hash(t *testing.T) {
	h := hasher(t, HasherOptions{Memory: 8, Time: 1})
	s := taken(t, h)
	defer s.release()
	first, err := s.hash("AB2CD3EF")
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.hash("AB2CD3EF")
	if err != nil {
		t.Fatal(err)
	}
	if first == second || strings.Contains(first, "AB2CD3EF") {
		t.Error("hashes must be salted")
	}
	for pin, want := range map[string]bool{"AB2CD3EF": true, "AB2CD3EG": false, "": false, "ab2cd3ef": false} {
		if right, current, err := s.matches(first, pin); err != nil || right != want || !current {
			t.Errorf("%q: right %v, current %v, %v", pin, right, current, err)
		}
	}
	if n := h.Hashes(); n != 6 {
		t.Errorf("%d hashes counted, want 6", n)
	}
	// A hash made at another cost still tells right from wrong.
	dear := hasher(t, HasherOptions{Memory: 16, Time: 2})
	other := taken(t, dear)
	defer other.release()
	if right, current, err := other.matches(first, "AB2CD3EF"); err != nil || !right || current {
		t.Errorf("right %v, current %v, %v", right, current, err)
	}
}

func TestHasher_StandardCost(t *testing.T) {
	h := hasher(t, HasherOptions{})
	if !strings.HasPrefix(h.dummy, "$argon2id$v=19$m=19456,t=2,p=1$") || cap(h.slots) != runtime.GOMAXPROCS(0) || h.options.Queue != 64 ||
		h.options.Wait != 3*time.Second || h.options.Held != 512 || h.options.Hold != time.Second {
		t.Errorf("dummy %s, %d slots, options %+v", h.dummy, cap(h.slots), h.options)
	}
}

func TestHasher_UnreadableHashes(t *testing.T) {
	h := hasher(t, HasherOptions{Memory: 8, Time: 1})
	s := taken(t, h)
	defer s.release()
	good, err := s.hash("AB2CD3EF")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "other kind": strings.Replace(good, "argon2id", "argon2i", 1),
		"other version": strings.Replace(good, "v=19", "v=16", 1),
		"no time":       strings.Replace(good, "t=1", "t=0", 1), "more threads": strings.Replace(good, "p=1", "p=16", 1),
		"cut": good[:len(good)-4], "longer": good + "AAAA",
		"salt": strings.Replace(good, "p=1$", "p=1$*", 1),
	} {
		if right, _, err := s.matches(text, "AB2CD3EF"); err == nil || right {
			t.Errorf("%s: right %v, %v", name, right, err)
		} else if strings.Contains(err.Error(), good[40:]) {
			t.Errorf("%s: the error holds the hash", name)
		}
	}
}

func TestHasher_IsBounded(t *testing.T) {
	h := hasher(t, HasherOptions{Memory: 8, Time: 1, Slots: 2, Queue: 3, Held: -1})
	first, second := taken(t, h), taken(t, h)
	var served, together, most atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			s, err := h.acquire(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			for n := together.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			served.Add(1)
			together.Add(-1)
			s.release()
			s.release()
		})
	}
	for h.waiting.Load() < 3 {
		runtime.Gosched()
	}
	var f *fault.Fault
	if _, err := h.acquire(context.Background()); !errors.As(err, &f) || f.Code != fault.Busy || f.RetryAfter <= 0 {
		t.Errorf("one more than the queue holds: %v", err)
	}
	first.release()
	second.release()
	wg.Wait()
	if served.Load() != 3 || most.Load() > 2 {
		t.Errorf("%d served, %d together", served.Load(), most.Load())
	}
	if len(h.slots) != 0 || h.waiting.Load() != 0 {
		t.Errorf("%d slots and %d places in the queue are lost", len(h.slots), h.waiting.Load())
	}
}

// alarms stands in for time.After. A test ends each wait of the given duration by hand.
type alarms map[time.Duration]chan time.Time

func (a alarms) after(d time.Duration) <-chan time.Time { return a[d] }

func TestHasher_HoldsBackWhomItTurnsAway(t *testing.T) {
	ring := alarms{time.Second: make(chan time.Time)}
	h := hasher(t, HasherOptions{Memory: 8, Time: 1, Slots: 1, Queue: 1, Wait: time.Minute, Held: 3, After: ring.after})
	running := taken(t, h)
	queued, held := make(chan *slot), make(chan error)
	go func() {
		s, err := h.acquire(context.Background())
		if err != nil {
			t.Error(err)
		}
		queued <- s
	}()
	for h.waiting.Load() < 1 {
		runtime.Gosched()
	}
	ask := func(ctx context.Context) {
		_, err := h.acquire(ctx)
		held <- err
	}
	ctx, leave := context.WithCancel(context.Background())
	go ask(ctx)
	for range 2 {
		go ask(context.Background())
	}
	for h.held.Load() < 3 {
		runtime.Gosched()
	}
	// One more than may be held is told at once, while the others still wait.
	busy := func(what string, err error) {
		t.Helper()
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Busy || f.RetryAfter <= 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := h.acquire(context.Background())
	busy("one more than may be held", err)
	select {
	case err := <-held:
		t.Errorf("it was not held: %v", err)
	default:
	}
	leave()
	if err := <-held; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away: %v", err)
	}
	for range 2 {
		ring[time.Second] <- time.Time{}
		busy("after a second", <-held)
	}
	// Those who are held take nobody's place.
	running.release()
	(<-queued).release()
	if len(h.slots) != 0 || h.waiting.Load() != 0 || h.held.Load() != 0 {
		t.Errorf("%d slots, %d places in the queue and %d of the held are lost", len(h.slots), h.waiting.Load(), h.held.Load())
	}
}

func TestHasher_WaitsNotForEver(t *testing.T) {
	over := make(chan time.Time)
	close(over)
	h := hasher(t, HasherOptions{Memory: 8, Time: 1, Slots: 1, After: alarms{standardWait: over}.after})
	defer taken(t, h).release()
	if _, err := h.acquire(context.Background()); !fault.Is(err, fault.Busy) {
		t.Errorf("after waiting: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.acquire(ctx); !errors.Is(err, context.Canceled) && !fault.Is(err, fault.Busy) {
		t.Errorf("after cancelling: %v", err)
	}
}
