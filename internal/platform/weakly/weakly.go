// Package weakly keeps what is large and hardly ever asked for, as long as somebody uses it and a
// little longer.
package weakly

import (
	"sync"
	"weak"
)

// Kept returns a function that makes a value when it is asked for it. Whoever asks again gets the
// same one, unless the garbage collector has taken it since. An error is not kept.
func Kept[T any](create func() (*T, error)) func() (*T, error) {
	var mu sync.Mutex
	var last weak.Pointer[T]
	return func() (*T, error) {
		mu.Lock()
		defer mu.Unlock()
		if kept := last.Value(); kept != nil {
			return kept, nil
		}
		made, err := create()
		if err == nil {
			last = weak.Make(made)
		}
		return made, err
	}
}
