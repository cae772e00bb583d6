package access_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// set makes a set of services; without any it is empty, and not nil.
func set(services ...access.Service) access.ServiceSet {
	return append(access.ServiceSet{}, services...)
}

func TestServiceSet_IsStoredAsItWas(t *testing.T) {
	for text, services := range map[string]access.ServiceSet{
		`["*"]`: set(access.AllServices), `[]`: set(), `["declarations","view_dma"]`: set(access.Declarations, access.ViewDMA),
	} {
		if stored, err := services.Value(); err != nil || stored != text {
			t.Errorf("%v stored as %v, %v", []access.Service(services), stored, err)
		}
		for _, stored := range []any{text, []byte(text)} {
			read := set("before", "it", "was", "read")
			if err := read.Scan(stored); err != nil || !cmp.Equal(read, services) {
				t.Errorf("%s read as %#v, %v", text, read, err)
			}
		}
	}
	if stored, err := access.ServiceSet(nil).Value(); err != nil || stored != "[]" {
		t.Errorf("none stored as %v, %v", stored, err)
	}
}

func TestServiceSet_Algebra(t *testing.T) {
	all, declarations, both, none := set(access.AllServices), set(access.Declarations), set(access.ViewDMA, access.Declarations), set()
	for _, c := range []struct{ a, b, intersection, union access.ServiceSet }{
		{all, both, both, all},
		{both, all, both, all},
		{none, all, none, all},
		{none, none, none, none},
		{all, all, all, all},
		{both, declarations, declarations, both},
		{declarations, both, declarations, set(access.Declarations, access.ViewDMA)},
		{declarations, set(access.ViewDMA), none, set(access.Declarations, access.ViewDMA)},
	} {
		if got := c.a.Intersect(c.b); !cmp.Equal(got, c.intersection) {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
		if got := c.a.Union(c.b); !cmp.Equal(got, c.union) {
			t.Errorf("%v or %v: %v", c.a, c.b, got)
		}
		if got, want := c.a.CoversAll(c.b), cmp.Equal(c.union, c.a); got != want {
			t.Errorf("%v covers all of %v: %v", c.a, c.b, got)
		}
	}
	if got := all.List(); !cmp.Equal(got, access.Services()) {
		t.Errorf("all are %v", got)
	}
	if got := access.ServiceSet(nil).OrAll(); !cmp.Equal(got, all) {
		t.Errorf("none named: %v", got)
	}
	if got := none.OrAll(); !cmp.Equal(got, none) {
		t.Errorf("an empty list: %v", got)
	}
}

func TestServiceSet_CheckNamesEachMistake(t *testing.T) {
	for _, c := range []struct {
		services access.ServiceSet
		want     []fault.Field
	}{
		{nil, nil},
		{set(access.Declarations, access.ViewDMA), nil},
		{set(), []fault.Field{{Pointer: "/at", Code: "too-few"}}},
		{set("x", access.ViewDMA, access.ViewDMA, access.AllServices), []fault.Field{
			{Pointer: "/at/0", Code: "unknown-service"}, {Pointer: "/at/2", Code: "duplicate"}, {Pointer: "/at/3", Code: "unknown-service"},
		}},
	} {
		if diff := cmp.Diff(c.want, c.services.Check("/at")); diff != "" {
			t.Errorf("%v: want -, got +:\n%s", c.services, diff)
		}
	}
}
