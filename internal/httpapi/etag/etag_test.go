package etag

import (
	"testing"

	"diresco/internal/platform/fault"
)

func TestEdge_VersionOf(t *testing.T) {
	for header, want := range map[string]int{
		`"1"`: 1, `"27"`: 27, `"3.pZ1w"`: 3, `*`: fault.AnyVersion, ` * `: fault.AnyVersion,
		// None of these was ever given.
		`"-1"`: 0, `"-1.x"`: 0, `"0"`: 0, `1`: 0, `W/"1"`: 0, `"01"`: 0, `"+1"`: 0, `"*"`: 0, `"1", "2"`: 0, ``: 0,
	} {
		if got := Expected(header); got != want {
			t.Errorf("%s is %d, want %d", header, got, want)
		}
	}
}
