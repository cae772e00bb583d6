package etag

import (
	"strings"
	"testing"

	"diresco/internal/platform/fault"
)

// FuzzExpected looks whether a header can name a version that stands nowhere in it.
func FuzzExpected(f *testing.F) {
	for _, header := range []string{`"3"`, `W/"3-gzip"`, `"1", "3"`, "*", `"3.AbCd"`, `"03"`, `"`, `W/`, `"a,b", *`, "3"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		version, err := Expected(header, func() (int, error) { return 7, nil })
		if err != nil {
			t.Errorf("%q: %v", header, err)
		}
		switch {
		case version == fault.AnyVersion:
			if !strings.Contains(header, "*") {
				t.Errorf("%q stands for any version", header)
			}
		case version < 0:
			t.Errorf("%q is version %d", header, version)
		case version > 0:
			if !strings.Contains(header, strings.TrimSuffix(Version(version), `"`)) {
				t.Errorf("%q is version %d", header, version)
			}
		}
		named := Parse(header)
		if named.Match(Version(7)) && !strings.Contains(header, "*") && !strings.Contains(header, `"7`) {
			t.Errorf("%q names version 7", header)
		}
	})
}
