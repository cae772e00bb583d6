package secret

import (
	"io"
	"strings"
	"unicode"
)

// Alphabet is what PINs and codes are made of. It has the upper-case letters and digits without
// those that look alike, 0 and O, 1, I and L.
const Alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

// Draw makes a PIN or code of so many characters, each as likely as any other.
func Draw(random io.Reader, length int) (Text, error) {
	// Five bits; the one value beyond the alphabet is thrown away.
	return draw(random, length, func(b byte) (byte, bool) {
		i := int(b & 31)
		return Alphabet[i%len(Alphabet)], i < len(Alphabet)
	})
}

// DrawDigits makes a code of so many decimal digits, each as likely as any other.
func DrawDigits(random io.Reader, length int) (Text, error) {
	// Above 249 the digits would not be as likely as each other.
	return draw(random, length, func(b byte) (byte, bool) { return '0' + b%10, b < 250 })
}

// DrawAlphanumeric makes a secret of so many letters and digits, each as likely as any other. Nobody
// types it.
func DrawAlphanumeric(random io.Reader, length int) (Text, error) {
	const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// Above 247 the characters would not be as likely as each other.
	return draw(random, length, func(b byte) (byte, bool) { return characters[int(b)%len(characters)], int(b) < 4*len(characters) })
}

// Letters are consonants that look like nothing else and make no words. Codes that people read from
// one screen and type on another are made of them (RFC 8628 section 6.1).
const Letters = "BCDFGHJKLMNPQRSTVWXZ"

// DrawLetters makes a code of so many Letters, each as likely as any other.
func DrawLetters(random io.Reader, length int) (Text, error) {
	// Above 239 the letters would not be as likely as each other.
	return draw(random, length, func(b byte) (byte, bool) { return Letters[int(b)%len(Letters)], b < 240 })
}

// draw reads bytes until as many of them as are wanted gave a character.
func draw(random io.Reader, length int, pick func(byte) (character byte, good bool)) (Text, error) {
	code := make([]byte, 0, length)
	buffer := make([]byte, length)
	for len(code) < length {
		if _, err := io.ReadFull(random, buffer); err != nil {
			return "", err
		}
		for _, b := range buffer {
			if character, good := pick(b); good && len(code) < length {
				code = append(code, character)
			}
		}
	}
	return Text(code), nil
}

// Normalise returns what is compared of a PIN or code that somebody typed. It is in capital
// letters, without the spaces and dashes that people put between groups.
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
