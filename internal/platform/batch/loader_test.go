package batch_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"diresco/internal/platform/batch"
)

func TestLoader_AsksTogetherAndAnswersEach(t *testing.T) {
	var mu sync.Mutex
	var groups [][]int
	release := make(chan struct{})
	l := batch.NewLoader(8, 1, func(_ context.Context, keys []int) (map[int]string, error) {
		mu.Lock()
		first := len(groups) == 0
		groups = append(groups, keys)
		mu.Unlock()
		if first {
			<-release
		}
		found := map[int]string{}
		for _, k := range keys {
			if k%2 == 0 {
				found[k] = string(rune('a' + k))
			}
		}
		return found, nil
	})
	var all sync.WaitGroup
	ask := func(k int) {
		all.Go(func() {
			value, found, err := l.Load(context.Background(), k)
			if err != nil || found != (k%2 == 0) || found && value != string(rune('a'+k)) {
				t.Errorf("key %d: %q %v %v", k, value, found, err)
			}
		})
	}
	ask(0)
	for range 3 {
		for k := range 8 {
			ask(k)
		}
	}
	close(release)
	all.Wait()
	for _, g := range groups {
		seen := map[int]bool{}
		for _, k := range g {
			if seen[k] || len(g) > 8 {
				t.Errorf("a group of %v", g)
			}
			seen[k] = true
		}
	}
}

func TestLoader_TellsEverybodyOfAFailureAndForgetsIt(t *testing.T) {
	boom := errors.New("boom")
	fail := true
	l := batch.NewLoader(8, 1, func(_ context.Context, keys []int) (map[int]int, error) {
		if fail {
			return nil, boom
		}
		return map[int]int{keys[0]: 7}, nil
	})
	if _, _, err := l.Load(context.Background(), 1); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	fail = false
	if v, found, err := l.Load(context.Background(), 1); v != 7 || !found || err != nil {
		t.Errorf("got %v %v %v", v, found, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	end := make(chan struct{})
	defer close(end)
	stuck := batch.NewLoader(1, 1, func(context.Context, []int) (map[int]int, error) {
		<-end
		return nil, nil
	})
	if _, _, err := stuck.Load(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
