package batch

import (
	"context"
	"runtime"
	"sync"
)

// Loader answers questions in groups: while one group is being asked, those who come meanwhile
// gather and go together next. Nobody waits for others to come; alone, one asks at once. What is
// asked is asked anew each time: nothing is kept.
type Loader[K comparable, V any] struct {
	ask   func(ctx context.Context, keys []K) (map[K]V, error)
	most  int
	lanes int

	mu      sync.Mutex
	waiting []*question[K, V]
	running int
}

type question[K comparable, V any] struct {
	key   K
	value V
	found bool
	err   error
	done  chan struct{}
}

// NewLoader returns a loader whose groups have at most so many questions. At most as many groups as
// lanes are asked at the same time. ask answers for the keys that it finds; it must not need
// anything of a single caller's context.
func NewLoader[K comparable, V any](most, lanes int, ask func(ctx context.Context, keys []K) (map[K]V, error)) *Loader[K, V] {
	return &Loader[K, V]{ask: ask, most: most, lanes: lanes}
}

// Load asks for one key and reports whether there is an answer. When the context ends first, the
// question is given up.
func (l *Loader[K, V]) Load(ctx context.Context, key K) (value V, found bool, err error) {
	q := &question[K, V]{key: key, done: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, q)
	if l.running < l.lanes {
		l.running++
		go l.run()
	}
	l.mu.Unlock()
	select {
	case <-q.done:
		return q.value, q.found, q.err
	case <-ctx.Done():
		return value, false, ctx.Err()
	}
}

// run asks until nobody waits any more.
func (l *Loader[K, V]) run() {
	for {
		// Who is about to ask is let in first: that costs nothing where nobody is.
		runtime.Gosched()
		l.mu.Lock()
		n := min(len(l.waiting), l.most)
		if n == 0 {
			l.running--
			l.mu.Unlock()
			return
		}
		group := l.waiting[:n:n]
		l.waiting = l.waiting[n:]
		l.mu.Unlock()
		l.answer(group)
	}
}

func (l *Loader[K, V]) answer(group []*question[K, V]) {
	keys := make([]K, 0, len(group))
	asked := make(map[K]bool, len(group))
	for _, q := range group {
		if !asked[q.key] {
			asked[q.key] = true
			keys = append(keys, q.key)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	values, err := l.ask(ctx, keys)
	for _, q := range group {
		q.value, q.found = values[q.key]
		q.err = err
		close(q.done)
	}
}
