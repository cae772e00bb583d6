package main

import (
	"bytes"
	"testing"
)

func TestHeldBack_WritesAfterItsRelease(t *testing.T) {
	var out bytes.Buffer
	h := &heldBack{to: &out}
	write := func(text string) {
		t.Helper()
		if n, err := h.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	write("a")
	if out.Len() != 0 {
		t.Error("it did not wait")
	}
	h.release()
	write("b")
	h.release()
	if out.String() != "ab" {
		t.Errorf("it wrote %q", out.String())
	}
}
