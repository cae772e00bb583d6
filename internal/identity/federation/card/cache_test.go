package card //nolint:testpackage // what is kept is not seen from outside

import (
	"fmt"
	"testing"
	"time"
)

func TestCache_IsBounded(t *testing.T) {
	at := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)
	c := newCache[int](100)
	put := func(key string, cost int, until time.Time) {
		c.put(key, entry[int]{value: cost, cost: cost, fresh: until, until: until}, at)
	}
	put("lasting", 40, at.Add(time.Hour))
	put("over", 50, at)
	put("next", 50, at.Add(time.Hour))
	if _, good, _ := c.get("lasting", at); !good {
		t.Error("what has had its time does not go first")
	}
	put("too much", 101, at.Add(time.Hour))
	if _, good, _ := c.get("too much", at); good {
		t.Error("what is larger than all is kept")
	}
	for i := range 1000 {
		put(fmt.Sprint(i%7, i), 3, at.Add(time.Hour))
		put("the same", 3, at.Add(time.Hour))
	}
	sum := 0
	for _, e := range c.entries {
		sum += e.cost
	}
	if sum != c.cost || sum > 100 || sum < 90 {
		t.Errorf("%d are kept, %d counted", sum, c.cost)
	}
}
