// Package secret holds the types for values that must never be read in a log, an error or a metric.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Text is a secret string: a PIN, a code, a token. Printing verbs, right or wrong ones, slog and
// JSON show a placeholder; only Reveal gives the value. Two ways round that remain: %p and %w,
// which go vet refuses for it, and printing a struct that holds one in an unexported field, which
// no method can prevent.
type Text string

// Reveal returns the secret itself. Call it where the value is hashed, compared or handed to its
// owner, nowhere else.
func (t Text) Reveal() string { return string(t) }

// String implements fmt.Stringer with a placeholder.
func (Text) String() string { return redacted }

// GoString implements fmt.GoStringer with a placeholder.
func (Text) GoString() string { return redacted }

// Format implements fmt.Formatter with a placeholder. A verb that is wrong for a string would else
// show the text beside the complaint.
func (Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer with a placeholder.
func (Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler with a placeholder, so that a secret in a struct
// that is encoded by mistake stays one.
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements encoding.TextUnmarshaler, so that configuration can be read into a Text.
func (t *Text) UnmarshalText(b []byte) error {
	*t = Text(b)
	return nil
}
