package api_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// What follows holds what client generators stumble over. Each of these was seen to give clients
// that ask for what is optional, or do not compile. (What they misread of objects that hold
// anything, /openapi.client.json says in so many words.)
func TestContract_IsOneThatGeneratorsRead(t *testing.T) {
	doc := contract(t)
	for name := range doc.Components.Parameters {
		if doc.Components.Schemas[name] != nil {
			t.Errorf("a parameter and a schema are both called %s", name)
		}
	}
	seen := map[*openapi3.Schema]bool{}
	var check func(at string, ref *openapi3.SchemaRef)
	check = func(at string, ref *openapi3.SchemaRef) {
		if ref == nil || ref.Value == nil || seen[ref.Value] {
			return
		}
		s := ref.Value
		seen[s] = true
		if s.WriteOnly {
			t.Errorf("%s is write-only, though it is in requests alone", at)
		}
		for name, property := range s.Properties {
			if property.Value.Default == false {
				t.Errorf("%s.%s has false as its default, which makes it required in clients", at, name)
			}
			check(at+"."+name, property)
		}
		check(at+"[]", s.Items)
		for _, list := range []openapi3.SchemaRefs{s.AllOf, s.OneOf, s.AnyOf} {
			for _, one := range list {
				check(at, one)
			}
		}
	}
	for name, ref := range doc.Components.Schemas {
		check(name, ref)
	}
	eachOperation(t, func(_ *testing.T, _, _ string, op *openapi3.Operation) {
		if op.RequestBody == nil {
			return
		}
		for mediaType, media := range op.RequestBody.Value.Content {
			check(op.OperationID+" "+mediaType, media.Schema)
		}
	})
}

// Problems are shown in the contract as they are sent.
func TestContract_ProblemsLookAsTheyAreSent(t *testing.T) {
	doc := contract(t)
	codes := doc.Components.Schemas["ProblemCode"].Value.Enum
	shown := 0
	look := func(at string, example any) {
		problem, ok := example.(map[string]any)
		if !ok || problem["type"] == nil || problem["status"] == nil {
			return
		}
		shown++
		kind, _ := problem["type"].(string)
		code, _ := problem["code"].(string)
		instance, _ := problem["instance"].(string)
		if !strings.HasSuffix(kind, "/problems/"+code) || !strings.HasPrefix(kind, "https://") ||
			!strings.HasPrefix(instance, "urn:request:") {
			t.Errorf("%s: %v", at, problem)
		}
		known := false
		for _, c := range codes {
			known = known || c == code
		}
		if !known {
			t.Errorf("%s has code %q, which is none", at, code)
		}
	}
	look("Problem", doc.Components.Schemas["Problem"].Value.Example)
	for name, response := range doc.Components.Responses {
		for _, media := range response.Value.Content {
			look(name, media.Example)
			for _, example := range media.Examples {
				look(name, example.Value.Value)
			}
		}
	}
	if shown < 10 {
		t.Errorf("%d problems are shown", shown)
	}
}
