package edge

import (
	"reflect"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/api"
)

// What the service reads of the contract makes the same operations as the whole.
func TestOperations_NeedNoMoreOfTheContract(t *testing.T) {
	contract, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	want, err := readOperations(contract)
	if err != nil {
		t.Fatal(err)
	}
	short, err := ReadContract()
	if err != nil {
		t.Fatal(err)
	}
	got, err := readOperations(short)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%d operations, want %d", len(got), len(want))
	}
	for key, op := range want {
		// Media types are in the order of a map.
		for _, o := range []*operation{op, got[key]} {
			slices.Sort(o.consumes)
		}
		if !reflect.DeepEqual(got[key], op) {
			t.Errorf("%v is another one", key)
		}
	}
}

// What is kept of a schema decides as the whole did, also where it leads back to itself.
func TestLean_DecidesTheSame(t *testing.T) {
	node := openapi3.NewObjectSchema()
	node.Description, node.Required = "A tree.", []string{"name"}
	name := openapi3.NewStringSchema().WithMaxLength(3)
	name.Title, name.Example = "Its name", "abc"
	node.Properties = openapi3.Schemas{
		"name":     openapi3.NewSchemaRef("", name),
		"children": openapi3.NewSchemaRef("", openapi3.NewArraySchema().WithItems(node)),
		"either":   openapi3.NewSchemaRef("", openapi3.NewOneOfSchema(openapi3.NewStringSchema(), openapi3.NewBoolSchema())),
		"all":      openapi3.NewSchemaRef("", openapi3.NewAllOfSchema(openapi3.NewStringSchema().WithMinLength(2))),
	}
	node.AdditionalProperties = openapi3.AdditionalProperties{Schema: openapi3.NewSchemaRef("", openapi3.NewIntegerSchema().WithMax(9))}
	l := leaner{}
	lean := l.schema(node)
	if lean == node || l.schema(node) != lean || l.schema(lean) != lean || lean.Properties["children"].Value.Items.Value != lean {
		t.Error("it is not one copy")
	}
	if lean.Description != "" || lean.Properties["name"].Value.Title != "" || node.Description == "" {
		t.Error("the copy has the texts, or the original has lost them")
	}
	if lean.Properties["name"].Value.Example != "abc" {
		t.Error("the example that refusals show is lost")
	}
	type object = map[string]any
	for _, c := range []struct {
		value any
		right bool
	}{
		{object{"name": "abc"}, true},
		{object{"name": "abcd"}, false},
		{object{}, false},
		{object{"name": "a", "children": []any{object{"name": "b"}}}, true},
		{object{"name": "a", "children": []any{object{"name": "long"}}}, false},
		{object{"name": "a", "either": true}, true},
		{object{"name": "a", "either": 1.0}, false},
		{object{"name": "a", "all": "xy"}, true},
		{object{"name": "a", "all": "x"}, false},
		{object{"name": "a", "more": 9.0}, true},
		{object{"name": "a", "more": 10.0}, false},
	} {
		for which, s := range map[string]*openapi3.Schema{"whole": node, "lean": lean} {
			if err := s.VisitJSON(c.value, bodyOptions...); (err == nil) != c.right {
				t.Errorf("%s: %v: %v", which, c.value, err)
			}
		}
	}
}
