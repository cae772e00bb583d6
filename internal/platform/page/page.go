// Package page cuts lists into pages with opaque cursors.
package page

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

// The bounds of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 100
)

// Request asks for a page.
type Request struct {
	// Limit is how many items to return; zero stands for DefaultLimit.
	Limit int
	// Cursor is the Next of the page before, bound to the list; empty for the first.
	Cursor string
	// List names the list whose cursors are taken; where it is empty they are bound to none.
	List string
}

// Size returns the limit within its bounds.
func (r Request) Size() int {
	if r.Limit <= 0 {
		return DefaultLimit
	}
	return min(r.Limit, MaxLimit)
}

// Page is a part of a list; Next is empty on the last one.
type Page[T any] struct {
	Items []T
	Next  string
}

// Cut makes a page of size items out of up to size+1 rows. key gives an item's place in the order.
func Cut[T any](rows []T, size int, key func(T) Key) Page[T] {
	if len(rows) <= size {
		return Page[T]{Items: rows}
	}
	rows = rows[:size]
	return Page[T]{Items: rows, Next: key(rows[size-1]).encode()}
}

// Key is a place in an ordered list: an instant or a text, then an id.
type Key struct {
	At   time.Time `json:"t,omitzero"`
	Text string    `json:"x,omitempty"`
	ID   uuid.UUID `json:"i"`
}

func (k Key) encode() string {
	b, err := json.Marshal(k)
	if err != nil {
		// A key is a time, a text and an id: they always encode.
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// markLetters is how much of a cursor says to which list it belongs. It keeps lists apart that are
// mixed up by mistake; nothing is to be gained by mixing them up on purpose.
const markLetters = 6

func mark(list string) string {
	if list == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(list))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:markLetters]
}

// Bind makes the Next of a page a cursor of the list, which no other list takes.
func Bind(list, next string) string {
	if next == "" {
		return ""
	}
	return mark(list) + next
}

// After returns the place behind which the page begins, or nil for the first page. It returns
// fault.Malformed for a cursor that this API never gave, or gave for another list.
func (r Request) After() (*Key, error) {
	if r.Cursor == "" {
		return nil, nil
	}
	bad := &fault.Fault{Code: fault.Malformed, Fields: []fault.Field{{In: fault.InParameter, Pointer: "cursor", Code: fault.FieldCursor}}}
	cursor, ours := strings.CutPrefix(r.Cursor, mark(r.List))
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || !ours {
		return nil, bad
	}
	var k Key
	if err := json.Unmarshal(b, &k); err != nil || k.ID == uuid.Nil && k.Text == "" || k.encode() != cursor {
		return nil, bad
	}
	if strings.ContainsRune(k.Text, 0) {
		return nil, bad // no text of PostgreSQL has one, and to ask for it is an error there
	}
	return &k, nil
}

// Slice cuts a page out of a whole list, in the list's own order. The list is short enough to be in
// memory. Where the item is gone behind which the page begins, it begins anew: better twice than not
// at all.
func Slice[T any](all []T, request Request, key func(T) Key) (Page[T], error) {
	after, err := request.After()
	if err != nil {
		return Page[T]{}, err
	}
	if after != nil {
		i := slices.IndexFunc(all, func(item T) bool { return key(item).ID == after.ID && key(item).Text == after.Text })
		all = all[i+1:]
	}
	return Cut(all[:min(len(all), request.Size()+1)], request.Size(), key), nil
}
