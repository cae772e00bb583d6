package card

import (
	"sync"
	"time"
)

// cache keeps what was fetched, up to a bound.
type cache[V any] struct {
	// most is the sum of the costs that it keeps.
	most int

	mu      sync.Mutex
	entries map[string]entry[V]
	cost    int
}

type entry[V any] struct {
	value V
	cost  int
	// until is when it is good for nothing any more, fresh when a newer one is asked for.
	fresh, until time.Time
}

func newCache[V any](most int) *cache[V] {
	return &cache[V]{most: most, entries: map[string]entry[V]{}}
}

// get returns what is kept and still good, and whether that is new enough not to ask again.
func (c *cache[V]) get(key string, now time.Time) (value V, good, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, kept := c.entries[key]
	if !kept || !now.Before(e.until) {
		return value, false, false
	}
	return e.value, true, now.Before(e.fresh)
}

// put keeps a value. Where there is no room, what has had its time goes, and then what comes first.
func (c *cache[V]) put(key string, e entry[V], now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	if e.cost > c.most {
		return
	}
	for other, kept := range c.entries {
		if c.cost+e.cost <= c.most {
			break
		}
		if !now.Before(kept.until) {
			c.drop(other)
		}
	}
	for other := range c.entries {
		if c.cost+e.cost <= c.most {
			break
		}
		c.drop(other)
	}
	c.entries[key] = e
	c.cost += e.cost
}

// forget drops what is kept by a key.
func (c *cache[V]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
}

// drop drops what is kept by a key, under the lock.
func (c *cache[V]) drop(key string) {
	c.cost -= c.entries[key].cost
	delete(c.entries, key)
}
