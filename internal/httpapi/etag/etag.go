// Package etag writes and reads entity tags (RFC 9110 section 8.8.3). They are of a version, of
// what is shown, or of a whole answer.
package etag

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"diresco/internal/platform/fault"
)

// computedBytes is how much of a digest stands in a tag.
const computedBytes = 12

// Computed is the entity tag of an answer that has no version.
func Computed(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:computedBytes]) + `"`
}

// Version is the entity tag of a resource that counts its changes.
func Version(version int) string { return `"` + strconv.Itoa(version) + `"` }

// Shown is the entity tag of a resource that can look different without a change. It holds the
// version, and what is shown.
func Shown(version int, shown string) string {
	return `"` + strconv.Itoa(version) + "." + strings.Trim(Computed([]byte(shown)), `"`) + `"`
}

// Expected reads the expected version out of an If-Match header. A tag that this API never gave
// matches nothing.
func Expected(ifMatch string) int {
	if strings.TrimSpace(ifMatch) == "*" {
		return fault.AnyVersion
	}
	if number, _, told := strings.Cut(ifMatch, "."); told {
		ifMatch = number + `"`
	}
	version, err := strconv.Atoi(strings.Trim(ifMatch, `"`))
	if err != nil || version < 1 || Version(version) != ifMatch {
		return 0
	}
	return version
}
