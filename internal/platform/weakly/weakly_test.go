package weakly_test

import (
	"errors"
	"runtime"
	"testing"

	"diresco/internal/platform/weakly"
)

func TestKept_WhileItIsUsed(t *testing.T) {
	made := 0
	failure := errors.New("not now")
	get := weakly.Kept(func() (*[]byte, error) {
		if made++; made == 1 {
			return nil, failure
		}
		content := make([]byte, 1<<20)
		return &content, nil
	})
	if _, err := get(); !errors.Is(err, failure) {
		t.Errorf("an error that is not there: %v", err)
	}
	first, err := get()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC()
		if again, err := get(); err != nil || again != first || made != 2 {
			t.Fatalf("made %d times, the same: %v, %v", made, again == first, err)
		}
	}
	runtime.KeepAlive(first)
	runtime.GC()
	if later, err := get(); err != nil || len(*later) != 1<<20 || made != 3 {
		t.Errorf("made %d times, %v", made, err)
	}
}
