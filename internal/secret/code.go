package secret

import (
	"io"
	"strings"
	"unicode"
)

// Alphabet is what PINs and codes are made of: upper-case letters and digits without those that look alike, 0 and O, 1, I
// and L.
const Alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

// Draw makes a PIN or code of so many characters, each as likely as any other.
func Draw(random io.Reader, length int) (Text, error) {
	code := make([]byte, 0, length)
	buffer := make([]byte, length)
	for len(code) < length {
		if _, err := io.ReadFull(random, buffer); err != nil {
			return "", err
		}
		for _, b := range buffer {
			// Five bits; the one value beyond the alphabet is thrown away.
			if i := int(b & 31); i < len(Alphabet) && len(code) < length {
				code = append(code, Alphabet[i])
			}
		}
	}
	return Text(code), nil
}

// Normalise returns what is compared of a PIN or code that somebody typed: capital letters without the spaces and dashes
// that people put between groups.
func Normalise(typed Text) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r):
			return -1
		}
		return r
	}, typed.Reveal())
}
