package pin_test

import (
	"context"
	"testing"

	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// want ends the test when the error is not a fault of that kind; "" stands for none.
func want(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if code == "" && err != nil || code != "" && !fault.Is(err, code) {
		t.Fatalf("got %v, want %q", err, code)
	}
}
