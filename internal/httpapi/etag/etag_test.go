package etag

import (
	"errors"
	"testing"

	"diresco/internal/platform/fault"
)

func TestETag_ExpectedVersion(t *testing.T) {
	third := func() (int, error) { return 3, nil }
	for header, want := range map[string]int{
		`"1"`: 1, `"27"`: 27, `"3.pZ1w"`: 3, `*`: fault.AnyVersion, ` * `: fault.AnyVersion,
		// A proxy that compresses makes a tag weak, or says so in it.
		`W/"3"`: 3, `W/"3.pZ1w"`: 3, `"3-gzip"`: 3, `"3.pZ1w-br"`: 3,
		// Of several, the present one counts.
		`"1", "3"`: 3, `W/"3","1"`: 3, `"1",, "3" `: 3, `"1", "2"`: 0, `"1", *`: fault.AnyVersion,
		// None of these was ever given.
		`"-1"`: 0, `"-1.x"`: 0, `"0"`: 0, `1`: 0, `"01"`: 0, `"+1"`: 0, `"*"`: 0, ``: 0, `w/"3"`: 0, `"3`: 0, `"3"x`: 0, `"a,b"`: 0,
	} {
		if got, err := Expected(header, third); got != want || err != nil {
			t.Errorf("%s is %d, %v, want %d", header, got, err, want)
		}
	}
}

func TestETag_SeveralVersionsOfWhatIsNotSeen(t *testing.T) {
	hidden := fault.New(fault.NotFound)
	if _, err := Expected(`"1", "2"`, func() (int, error) { return 0, hidden }); !errors.Is(err, hidden) {
		t.Errorf("it says %v", err)
	}
}

func TestETag_Match(t *testing.T) {
	for header, want := range map[string]bool{
		`"3.pZ1w"`: true, `W/"3.pZ1w"`: true, `"3.pZ1w-gzip"`: true, `*`: true, `"1", W/"3.pZ1w"`: true, `"a,b","3.pZ1w"`: true,
		`"3"`: false, `"3.pZ1W"`: false, `3.pZ1w`: false, ``: false, `"1", "2"`: false,
	} {
		for _, tag := range []string{`"3.pZ1w"`, `W/"3.pZ1w"`} {
			if got := Parse(header).Match(tag); got != want {
				t.Errorf("%s against %s: %t", header, tag, got)
			}
		}
	}
	// One of some hundred thousand answers has a tag that looks as if a proxy had appended to it.
	if tag := Computed([]byte("363405")); tag != `"H1m_Xc5kxdDLq-br"` || !Parse(tag).Match(tag) {
		t.Errorf("%s does not match itself", tag)
	}
	if !Parse(`"1"`, `"3"`).Match(`"3"`) {
		t.Error("the second of two lines is not read")
	}
}
