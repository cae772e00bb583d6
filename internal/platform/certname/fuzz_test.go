package certname

import (
	"crypto/x509"
	"testing"
)

// FuzzName looks whether a name can end the program, or be one of a certificate that has none.
func FuzzName(f *testing.F) {
	f.Add(uint8(0), "CN=a,O=b,C=IT")
	f.Add(uint8(0), `CN=\2C\+,2.5.4.3=#0c0161`)
	f.Add(uint8(1), "app.example")
	f.Add(uint8(2), "https://app.example/id")
	f.Add(uint8(3), "::ffff:192.0.2.1")
	f.Add(uint8(4), "a@b.example")
	f.Fuzz(func(t *testing.T, kind uint8, value string) {
		n := Name{Kind: Kinds()[int(kind)%len(Kinds())], Value: value}
		if n.Valid() && n.In(&x509.Certificate{}) {
			t.Errorf("%s %q is the name of a certificate without one", n.Kind, value)
		}
	})
}

// FuzzSubject looks whether what a certificate says of itself can end the program.
func FuzzSubject(f *testing.F) {
	f.Add([]byte("0\x0f1\r0\x0b\x06\x03U\x04\x03\x0c\x04name"))
	f.Add([]byte("0\x00"))
	f.Fuzz(func(t *testing.T, der []byte) {
		parts, ok := readSubject(der)
		if ok && len(parts) == 0 {
			t.Errorf("%x is a subject without a part", der)
		}
	})
}
