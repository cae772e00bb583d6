// Package otp keeps one-time codes. They serve to recover or revoke a PIN, to verify a contact and
// to activate a delegation.
//
// A Purpose says how its codes are made and tried; Codes makes and redeems those of all purposes. A
// code is stored as a keyed digest over itself and what it is bound to, and a subject has one live
// code for each purpose.
package otp

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/throttle"
	"diresco/internal/platform/secret"
)

// Purpose says what a kind of code is for, and how such codes are made and tried.
type Purpose struct {
	// Kind names the purpose where its codes are kept, and the counter of the tries at them.
	Kind throttle.Kind
	// Label derives the key of the codes' digests. A change of it makes all live codes worthless.
	Label string
	// Digits makes codes of decimal digits instead of the characters of secret.Alphabet.
	Digits bool
	Length int
	Life   time.Duration
	// Tries is how many entries of one code are compared, whoever makes them. The shared table
	// counts none.
	//
	// With 0 the limiter alone counts. Such a code is compared before anything is locked: a try
	// costs the same for a stranger, and whoever guesses holds nobody up.
	//
	// A code with tries is compared inside the transaction, after Redemption.Before. What it is
	// about is locked by then, so tries at it come one after the other, and a right one that has no
	// effect in the end takes itself back.
	Tries int
	// Table is where the codes are kept; nil for the table that purposes share.
	Table *Table
}

// Table is a table that keeps the codes of one purpose together with what else is known of them.
//
// It has the columns id, mac_key, mac, expires_at, used_at and ended_at, tries where the purpose
// counts them, and a unique index on the subject of codes that are neither used nor ended.
type Table struct {
	Name string
	// Subject is the column of what a code is about.
	Subject string
	// Made is the column of when a code was made.
	Made string
}

// draw makes a code.
func (c *Codes) draw(p Purpose) (secret.Text, error) {
	if p.Digits {
		return secret.DrawDigits(c.random, p.Length)
	}
	return secret.Draw(c.random, p.Length)
}

// Issue is a code that is to be made.
type Issue struct {
	Purpose   Purpose
	SubjectID uuid.UUID
	// Bound are the parts that the code is bound to beside its purpose. It is good only while
	// Redemption.Bound returns the same ones in the same order.
	Bound [][]byte
	// Columns are what the purpose's own table keeps beside the code; nil for the shared table.
	Columns map[string]any
}

// Redemption is somebody's try at a code.
type Redemption struct {
	Purpose Purpose
	// Name is whose tries are counted, such as the exact upper-cased tax code, whether or not such
	// a subject exists.
	Name secret.Text
	// PersonID is the registered person behind the name, if there is one.
	PersonID uuid.UUID
	// SubjectID is what the code is about; uuid.Nil for a stranger, for whom no code is right.
	SubjectID uuid.UUID
	Code      secret.Text
	// Address is where a wrong code counts against; empty for none.
	Address string
	// Before runs first in the transaction that uses the code; it may be nil. It locks what the
	// effect changes, where others lock that before they end the code.
	Before func(ctx context.Context) error
	// Bound returns what the code has to be bound to; it may be nil. For a purpose with tries it is
	// asked after Before, so it can tell of what that locked.
	Bound func() [][]byte
	// Wrong runs in the transaction that keeps a wrong try of a purpose with tries; it may be nil.
	// When it fails, the try does not count.
	Wrong func(ctx context.Context) error
}

// ErrNoCode tells that a purpose with tries has no code to be tried. Either none was made, or the
// last one was used or ended.
var ErrNoCode = errors.New("there is no live code")

// parts are what the digest of a code is made over.
func parts(id uuid.UUID, code string, bound [][]byte) [][]byte {
	return append([][]byte{id[:], []byte(code)}, bound...)
}
