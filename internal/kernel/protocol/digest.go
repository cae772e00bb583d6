package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/gowebpki/jcs"
)

// DigestOf returns the digest that the register keeps of a value: that of the RFC 8785 form of its
// JSON.
func DigestOf(value any) (string, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	canonical, err := jcs.Transform(encoded)
	if err != nil {
		return "", err
	}
	return DigestOfCanonical(canonical), nil
}

// DigestOfCanonical returns the digest of a text that is in the form of RFC 8785 already:
// "sha-256:" and hexadecimal digits.
func DigestOfCanonical(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha-256:" + hex.EncodeToString(sum[:])
}
