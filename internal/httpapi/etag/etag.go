// Package etag writes and reads entity tags (RFC 9110 section 8.8.3). They are of a version, of
// what is shown, or of a whole answer.
package etag

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
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

// Tags are the entity tags that a caller names, in If-Match or If-None-Match.
type Tags struct {
	// any stands for "*", which every tag matches.
	any    bool
	opaque []string
}

// Parse reads the lines of a header: "*", or tags with commas between them (RFC 9110 section
// 8.8.3). What is no tag matches nothing.
//
// Weak tags count like strong ones: a proxy that compresses makes them weak, or appends to them
// with what, and here a tag names a version, not bytes.
func Parse(lines ...string) Tags {
	var t Tags
	for rest := strings.Join(lines, ","); rest != ""; {
		rest = strings.TrimLeft(rest, ", \t")
		if opaque, after, ok := quoted(strings.TrimPrefix(rest, "W/")); ok {
			t.opaque, rest = append(t.opaque, uncoded(opaque)), after
			continue
		}
		var one string
		one, rest, _ = strings.Cut(rest, ",")
		t.any = t.any || strings.TrimSpace(one) == "*"
	}
	return t
}

// uncoded is a tag without what proxies append that compress. A computed tag may happen to end so
// too.
func uncoded(opaque string) string {
	for _, coding := range [...]string{"-gzip", "-br", "-zstd"} {
		opaque = strings.TrimSuffix(opaque, coding)
	}
	return opaque
}

// quoted reads a text between quotes at the beginning of s, which only a comma or nothing follows.
func quoted(s string) (text, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, `"`)
	if !ok {
		return "", "", false
	}
	if text, rest, ok = strings.Cut(s, `"`); !ok {
		return "", "", false
	}
	rest = strings.TrimLeft(rest, " \t")
	return text, rest, rest == "" || rest[0] == ','
}

// Match reports whether the caller named the tag.
func (t Tags) Match(tag string) bool {
	return t.any || slices.Contains(t.opaque, uncoded(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)))
}

// Expected returns the version that an If-Match header expects. It is fault.AnyVersion for "*", and
// 0, which no resource has, for tags that this API never gave. Where the header names several
// versions, present finds the one to hold them against.
func Expected(ifMatch string, present func() (int, error)) (int, error) {
	named := Parse(ifMatch)
	if named.any {
		return fault.AnyVersion, nil
	}
	var versions []int
	for _, opaque := range named.opaque {
		number, _, _ := strings.Cut(opaque, ".")
		if version, err := strconv.Atoi(number); err == nil && version > 0 && strconv.Itoa(version) == number {
			versions = append(versions, version)
		}
	}
	if len(versions) <= 1 {
		return append(versions, 0)[0], nil
	}
	version, err := present()
	if err != nil || !slices.Contains(versions, version) {
		return 0, err
	}
	return version, nil
}
