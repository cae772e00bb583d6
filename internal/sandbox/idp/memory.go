package idp

import (
	"encoding/base64"
	"io"
	"sync"
	"time"

	"diresco/internal/platform/clock"
)

// nameBytes is how many random bytes a name has.
const nameBytes = 24

// memory keeps values for a while, by names that nobody guesses.
type memory[T any] struct {
	lasts  time.Duration
	clock  clock.Clock
	random io.Reader

	mu     sync.Mutex
	values map[string]remembered[T]
	// order has the names as they came.
	order []string
}

type remembered[T any] struct {
	value T
	until time.Time
}

func newMemory[T any](lasts time.Duration, d Deps) *memory[T] {
	return &memory[T]{lasts: lasts, clock: d.Clock, random: d.Random, values: map[string]remembered[T]{}}
}

// put keeps a value and returns its name.
func (m *memory[T]) put(value T) (string, error) {
	name, err := draw(m.random)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.order) == most {
		delete(m.values, m.order[0])
		m.order = append(m.order[:0], m.order[1:]...)
	}
	m.order = append(m.order, name)
	m.values[name] = remembered[T]{value, m.clock.Now().Add(m.lasts)}
	return name, nil
}

// get returns the value of that name, while it lasts.
func (m *memory[T]) get(name string) (T, bool) { return m.find(name, false) }

// take returns a value for the last time.
func (m *memory[T]) take(name string) (T, bool) { return m.find(name, true) }

func (m *memory[T]) find(name string, last bool) (value T, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, found := m.values[name]
	if last {
		delete(m.values, name)
	}
	if !found || !m.clock.Now().Before(r.until) {
		return value, false
	}
	return r.value, true
}

func (m *memory[T]) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.values)
	m.order = nil
}

// draw returns a text by chance.
func draw(random io.Reader) (string, error) {
	b := make([]byte, nameBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}
