package clamd

import (
	"testing"
)

// FuzzVerdict looks whether anything but the one good answer lets a file through.
func FuzzVerdict(f *testing.F) {
	for _, reply := range []string{
		"stream: OK", "OK", "stream: Eicar-Signature FOUND", "stream:  FOUND", "FOUND", "INSTREAM size limit exceeded. ERROR", "",
		"stream: stream: OK",
	} {
		f.Add(reply)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		finding, err := verdict(reply)
		if err == nil && finding == "" && reply != "OK" && reply != "stream: OK" {
			t.Errorf("%q lets a file through", reply)
		}
	})
}
