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

// Page is a page of a list. The contract has a schema for the page of each list; Go has this.
type Page[T any] struct {
	// Links are where this page is, and the one behind it.
	Links PageLinks `json:"_links"`
	// Items are never nil. It is no List: what a method has written is read through once more.
	Items []T `json:"items"`
	// NextCursor begins the page behind this one; on the last it is nil.
	NextCursor *NextCursor `json:"next_cursor,omitempty"`
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
