package attachment

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAttachment_ATextIsFoundWhereverItStands(t *testing.T) {
	for _, before := range []int{0, 1, 32<<10 - 9, 32<<10 - 8, 32<<10 - 1, 32 << 10, 100_000} {
		content := strings.Repeat("x", before) + "/Encrypt" + strings.Repeat("y", 10)
		for name, r := range map[string]io.Reader{
			"at once": strings.NewReader(content), "byte by byte": iotest.OneByteReader(strings.NewReader(content)),
			"with the end": iotest.DataErrReader(strings.NewReader(content)),
		} {
			if found, err := mentions(r, "/Encrypt"); err != nil || !found {
				t.Errorf("behind %d, %s: %v, %v", before, name, found, err)
			}
		}
		cut := content[:before+7]
		if found, err := mentions(strings.NewReader(cut), "/Encrypt"); err != nil || found {
			t.Errorf("cut behind %d: %v, %v", before, found, err)
		}
	}
	if _, err := mentions(iotest.ErrReader(io.ErrUnexpectedEOF), "x"); err == nil {
		t.Error("no error")
	}
}
