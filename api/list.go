package api

import "encoding/json"

// List is an array that the contract requires. It is written as [] even when it is nil, because no
// array of the contract may be null.
type List[T any] []T

// MarshalJSON writes the items, and [] if there are none.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}

// Settings are the free-form members of an object that the contract requires. It is written as {}
// even when it is nil, because no object of the contract may be null.
type Settings map[string]any

// MarshalJSON writes the members, and {} if there are none.
func (s Settings) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]any(s))
}
