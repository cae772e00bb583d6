package db

import (
	"context"
	"sync"
)

// listeners are those in this process who wait for something to be committed, by topic.
type listeners struct {
	mu      sync.Mutex
	byTopic map[string][]chan struct{}
}

type announcedKey struct{}

// Announce wakes the listeners to a topic once the context's transaction was committed, and never
// when it was rolled back. Only this process hears it: whoever depends on it must look for work now
// and then too.
func (d *DB) Announce(ctx context.Context, topic string) {
	if topics, ok := ctx.Value(announcedKey{}).(*[]string); ok {
		*topics = append(*topics, topic)
	}
}

// Listen returns a channel that gets a value after something was announced on the topic.
// Announcements that come close together may give one value. The function that is returned ends the
// listening.
func (d *DB) Listen(topic string) (<-chan struct{}, func()) {
	heard := make(chan struct{}, 1)
	d.listeners.mu.Lock()
	defer d.listeners.mu.Unlock()
	if d.listeners.byTopic == nil {
		d.listeners.byTopic = map[string][]chan struct{}{}
	}
	d.listeners.byTopic[topic] = append(d.listeners.byTopic[topic], heard)
	return heard, func() {
		d.listeners.mu.Lock()
		defer d.listeners.mu.Unlock()
		var left []chan struct{}
		for _, l := range d.listeners.byTopic[topic] {
			if l != heard {
				left = append(left, l)
			}
		}
		d.listeners.byTopic[topic] = left
	}
}

// tell wakes the listeners to the topics.
func (d *DB) tell(topics []string) {
	if len(topics) == 0 {
		return
	}
	d.listeners.mu.Lock()
	defer d.listeners.mu.Unlock()
	for _, topic := range topics {
		for _, l := range d.listeners.byTopic[topic] {
			select {
			case l <- struct{}{}:
			default: // it has not heard the last one yet
			}
		}
	}
}
