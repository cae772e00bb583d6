package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"diresco/internal/platform/fault"
)

func TestFault_AreRecognised(t *testing.T) {
	for _, err := range []error{
		fault.New(fault.Conflict), fault.Because(fault.Conflict, "reason"), fault.After(fault.Conflict, time.Second),
		fault.Wrap(fault.Conflict, io.EOF),
		fmt.Errorf("outer: %w", fault.New(fault.Conflict)), errors.Join(io.EOF, fault.New(fault.Conflict)),
	} {
		if !fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) {
			t.Errorf("%v is a conflict: %v, not found: %v", err, fault.Is(err, fault.Conflict), fault.Is(err, fault.NotFound))
		}
	}
	if fault.Is(nil, fault.Conflict) || fault.Is(io.EOF, fault.Conflict) {
		t.Error("what is no fault is taken for one")
	}
	if !errors.Is(fault.Wrap(fault.Unavailable, io.EOF), io.EOF) {
		t.Error("the cause is lost")
	}
	if !fault.Is(fault.InvalidFields(fault.Field{Pointer: "/a", Code: "b"}), fault.Invalid) {
		t.Error("wrong fields are not invalid")
	}
}

func TestFault_TheTextOfAFaultHoldsNothingOfTheRequest(t *testing.T) {
	f := fault.InvalidFields(fault.Field{Pointer: "/content/RSSMRA80A01H501U", Code: "format"})
	if text := f.Error(); strings.Contains(text, "RSSMRA") {
		t.Error(text)
	}
	if text := (&fault.Fault{Code: fault.Conflict, Reason: "type-not-open", Err: io.EOF}).Error(); text != "conflict (type-not-open): EOF" {
		t.Error(text)
	}
}
