package hostname_test

import (
	"testing"

	"diresco/internal/platform/hostname"
)

func TestASCII_IsReadAgainAsItIs(t *testing.T) {
	for domain, want := range map[string]string{
		"Bücher.example": "xn--bcher-kva.example", "xn--bcher-kva.example": "xn--bcher-kva.example", "diresco.example": "diresco.example",
		// What is no text, and what stands for it, is no name.
		"\ufffd.example": "", "\xbc.example": "", "xn--zn7c.example": "",
		"localhost": "", "": "", "a..example": "", "a b.example": "",
	} {
		if got, ok := hostname.ASCII(domain); got != want && ok || ok != (want != "") {
			t.Errorf("%q becomes %q, %v", domain, got, ok)
		}
	}
}
