package translog

import "testing"

// FuzzCheckpoint looks whether a text that is no checkpoint ends the program, or has a size that no
// tree has.
func FuzzCheckpoint(f *testing.F) {
	f.Add("diresco.example/log\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	f.Add("a\n-1\nAAAA\n")
	f.Add("a\n18446744073709551615\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— a AAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		name, size, _, err := read(text)
		if err == nil && (name == "" || size < 0) {
			t.Errorf("%q is a checkpoint of %q with %d", text, name, size)
		}
		if _, err := open("diresco.example/log", nil, text); err == nil {
			t.Errorf("%q was signed by nobody, and is taken", text)
		}
	})
}
