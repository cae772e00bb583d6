package api

import "encoding/json"

// List is an array that the contract requires. It is written as [] even when it is nil, because no array of the contract may be null.
type List[T any] []T

// MarshalJSON writes the items, and [] if there are none.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}
