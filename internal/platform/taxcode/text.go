package taxcode

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"
	"unique"
)

// text is what Code and VAT have in common: it keeps the characters and shows
// them masked.
//
// The characters stand behind a handle because fmt does not call the methods
// of unexported struct fields: it would print a plain string there in clear,
// but of a handle it prints an address.
type text struct{ chars unique.Handle[string] }

func newText(s string) text { return text{unique.Make(s)} }

// Clear returns the whole text, or "" for the zero value.
func (t text) Clear() string {
	if t.IsZero() {
		return ""
	}
	return t.chars.Value()
}

// IsZero reports whether there is no value.
func (t text) IsZero() bool { return t == text{} }

// Masked returns the first three characters and the last one, with • for each
// of the others: RSS••••••••••••U.
func (t text) Masked() string {
	s := t.Clear()
	if s == "" {
		return ""
	}
	return s[:3] + strings.Repeat("•", len(s)-4) + s[len(s)-1:]
}

// String returns the masked form. Use Clear where the whole text is meant.
func (t text) String() string { return t.Masked() }

// Format implements [fmt.Formatter]: every verb and flag, %#v and %x too,
// writes the masked form. A width is honoured.
func (t text) Format(f fmt.State, _ rune) {
	s := t.Masked()
	pad := ""
	if width, ok := f.Width(); ok {
		pad = strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
	}
	if f.Flag('-') {
		s += pad
	} else {
		s = pad + s
	}
	_, _ = io.WriteString(f, s) // a fmt.State keeps its own errors
}

// LogValue implements [slog.LogValuer] with the masked form.
func (t text) LogValue() slog.Value { return slog.StringValue(t.Masked()) }

// Value implements [driver.Valuer]: the whole text, or NULL for the zero value.
func (t text) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.Clear(), nil
}

// MarshalText implements [encoding.TextMarshaler] with the whole text, since
// that is what an answer of the API has to carry. The zero value is an error:
// leave the field out (omitzero) instead.
func (t text) MarshalText() ([]byte, error) {
	if t.IsZero() {
		return nil, errors.New("no tax code or VAT number to write")
	}
	return []byte(t.Clear()), nil
}
