package outbox_test

import (
	"testing"

	"diresco/internal/kernel/outbox"
)

func TestKind_IsDeclaredOnce(t *testing.T) {
	kind := outbox.Declare(outbox.Kind{Name: "test.declared", Audience: outbox.EveryContact})
	if got := outbox.KindNamed("test.declared"); got != kind {
		t.Errorf("found %+v", got)
	}
	outbox.Declare(kind) // the same again is the same
	defer func() {
		if recover() == nil {
			t.Error("another kind of the same name was declared")
		}
	}()
	outbox.Declare(outbox.Kind{Name: "test.declared"})
}

func TestKind_OfAnOlderProgramGoesToTheFirstContact(t *testing.T) {
	if got := outbox.KindNamed("test.gone"); got != (outbox.Kind{Name: "test.gone"}) {
		t.Errorf("found %+v", got)
	}
}
