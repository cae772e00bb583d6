// Package taxcode holds the two identifiers that the Italian tax authority gives. They are the tax
// code (codice fiscale) and the VAT number (partita IVA).
//
// A value of these types is either valid or the zero value, which stands for "none". Both print
// masked, so that one that slips into a log line or an error message does not tell whose it is;
// Clear gives the whole text.
package taxcode

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"diresco/internal/platform/fault"
)

// ErrPattern means that a text does not have the form of a tax code or VAT number. It has a wrong
// length, a wrong character, or a day of birth that no calendar has.
var ErrPattern = errors.New("not in the form of a tax code or VAT number")

// ErrCheck means that a text has the right form but a wrong check character. Its last character is
// not the check character of the others.
var ErrCheck = errors.New("check character is wrong")

// checkError is ErrCheck with the character that would be right.
type checkError struct{ want byte }

// Error implements error. It does not tell the character: an error may end in a log.
func (checkError) Error() string { return ErrCheck.Error() }

// Is reports whether the error is ErrCheck.
func (checkError) Is(target error) bool { return target == ErrCheck }

// CheckCharacter returns the check character that a code should have ended with. The error is one
// of Parse or ParseVAT that is [ErrCheck]. For any other it returns "".
func CheckCharacter(err error) string {
	var wrong checkError
	if !errors.As(err, &wrong) {
		return ""
	}
	return string(wrong.want)
}

// Refused is the fault of a field that should hold a tax code or VAT number. The error is one of
// Parse or ParseVAT. Of the code it tells nothing but the check character that would be right.
func Refused(pointer string, err error) *fault.Fault {
	field := fault.Field{Pointer: pointer, Code: fault.FieldFormat}
	if want := CheckCharacter(err); want != "" {
		field.Right = &fault.Right{CheckCharacter: want}
	}
	return fault.InvalidFields(field)
}

const (
	personLength       = 16
	organisationLength = 11
)

// Code is a tax code (codice fiscale). That of a person has 16 characters;
// that of an organisation, and the temporary one of a person, has 11 digits.
//
// Two codes are the same if, and only if, == says so. An omocodia variant,
// which the tax authority gives to one of two people who would otherwise share
// a code, is another person's code and never equal to the plain one.
type Code struct{ text }

// Parse reads a tax code. ASCII letters may be in lower case, and blanks may stand anywhere: phones
// add one behind it, and people write it in groups. Nothing else is put right.
//
// The check letter of a person's code follows the decree of 23 December 1976
// and is computed on the code as written, so all 128 omocodia variants are
// valid. An 11-digit code has the check digit of a VAT number.
//
// The error wraps [ErrPattern] or [ErrCheck] and never holds the input.
func Parse(s string) (Code, error) {
	s = upperASCII(withoutBlanks(s))
	var err error
	switch len(s) {
	case personLength:
		err = checkPerson(s)
	case organisationLength:
		err = checkDigits(s)
	default:
		err = ErrPattern
	}
	if err != nil {
		return Code{}, fmt.Errorf("tax code: %w", err)
	}
	return Code{newText(s)}, nil
}

// MustParse is Parse for a code that is known to be valid, such as a constant
// of test data. It panics if it is not.
func MustParse(s string) Code {
	c, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return c
}

// IsPerson reports whether c is the 16-character code of a person. An 11-digit
// code may be the temporary one of a person too: the code does not tell.
func (c Code) IsPerson() bool { return len(c.Clear()) == personLength }

// UnmarshalText implements [encoding.TextUnmarshaler] by [Parse].
func (c *Code) UnmarshalText(b []byte) error {
	parsed, err := Parse(string(b))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// Scan implements [database/sql.Scanner] for text columns. NULL gives the zero
// value; a text that is no tax code is an error.
func (c *Code) Scan(src any) error {
	return scan(c, src, Parse)
}

// VAT is a VAT number (partita IVA): 11 digits, the last of them the check
// digit.
type VAT struct{ text }

// ParseVAT reads a VAT number, without the prefix IT. The error wraps
// [ErrPattern] or [ErrCheck] and never holds the input.
func ParseVAT(s string) (VAT, error) {
	err := ErrPattern
	if len(s) == organisationLength {
		err = checkDigits(s)
	}
	if err != nil {
		return VAT{}, fmt.Errorf("VAT number: %w", err)
	}
	return VAT{newText(s)}, nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseVAT].
func (v *VAT) UnmarshalText(b []byte) error {
	parsed, err := ParseVAT(string(b))
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

// Scan implements [database/sql.Scanner] for text columns. NULL gives the zero
// value; a text that is no VAT number is an error.
func (v *VAT) Scan(src any) error {
	return scan(v, src, ParseVAT)
}

func scan[T any](dst *T, src any, parse func(string) (T, error)) error {
	var s string
	switch src := src.(type) {
	case nil:
		var zero T
		*dst = zero
		return nil
	case string:
		s = src
	case []byte:
		s = string(src)
	default:
		return fmt.Errorf("%T is not a text column", src)
	}
	parsed, err := parse(s)
	if err != nil {
		return err
	}
	*dst = parsed
	return nil
}

// withoutBlanks drops spaces, tabs and line ends, and what is not seen at all.
func withoutBlanks(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// upperASCII raises a–z only: strings.ToUpper would also turn ı and ſ into
// letters that a tax code may hold.
func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
