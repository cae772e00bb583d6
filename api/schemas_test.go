package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"diresco/api"
	"diresco/internal/platform/taxcode"
)

// walk calls visit for the schema and all schemas inside it. It does not follow references:
// components are walked by themselves.
func walk(at string, ref *openapi3.SchemaRef, visit func(at string, s *openapi3.Schema)) {
	if ref == nil || ref.Ref != "" {
		return
	}
	visit(at, ref.Value)
	for name, property := range ref.Value.Properties {
		walk(at+"."+name, property, visit)
	}
	walk(at+"[]", ref.Value.Items, visit)
}

// everySchema walks each schema that is written in the contract, once.
func everySchema(doc *openapi3.T, visit func(at string, s *openapi3.Schema)) {
	for name, ref := range doc.Components.Schemas {
		walk(name, ref, visit)
	}
	for name, ref := range doc.Components.Headers {
		walk("header "+name, ref.Value.Schema, visit)
	}
	for name, ref := range doc.Components.Parameters {
		walk("parameter "+name, ref.Value.Schema, visit)
	}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for _, parameter := range op.Parameters {
				if parameter.Ref == "" {
					walk(op.OperationID+" "+parameter.Value.Name, parameter.Value.Schema, visit)
				}
			}
			for status, response := range op.Responses.Map() {
				for mediaType, media := range response.Value.Content {
					walk(op.OperationID+" "+status+" "+mediaType, media.Schema, visit)
				}
			}
		}
	}
}

// patched are the schemas of what stands in a merge patch, those referred to included.
func patched(doc *openapi3.T) map[*openapi3.Schema]bool {
	found := map[*openapi3.Schema]bool{}
	var reach func(s *openapi3.Schema)
	reach = func(s *openapi3.Schema) {
		if found[s] {
			return
		}
		found[s] = true
		for _, property := range s.Properties {
			reach(property.Value)
		}
		if s.Items != nil {
			reach(s.Items.Value)
		}
	}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			if media := op.RequestBody.Value.Content["application/merge-patch+json"]; media != nil {
				reach(media.Schema.Value)
			}
		}
	}
	return found
}

func TestContract_SchemasAreBounded(t *testing.T) {
	doc := contract(t)
	patched := patched(doc)
	everySchema(doc, func(at string, s *openapi3.Schema) {
		// Null takes a value away in a merge patch, and stands nowhere else.
		if s.Nullable && (!s.Type.Is("string") || len(s.Enum) > 0 || !patched[s]) {
			t.Errorf("%s is nullable", at)
		}
		switch {
		case s.Type.Is("string"):
			if len(s.Enum) == 0 && (s.MaxLength == nil || s.Pattern == "" && s.Format == "") {
				t.Errorf("%s: a string needs maxLength and a pattern or format", at)
			}
		case s.Type.Is("array"):
			if s.MaxItems == nil {
				t.Errorf("%s: an array needs maxItems", at)
			}
		case s.Type.Is("integer"), s.Type.Is("number"):
			if s.Min == nil || s.Max == nil || s.Format == "" {
				t.Errorf("%s: a number needs bounds and a format", at)
			}
		case s.Type.Is("object"):
			if len(s.Properties) == 0 && s.MaxProps == nil {
				t.Errorf("%s: a free-form object needs maxProperties", at)
			}
		}
	})
}

// TestContract_BodiesRefuseUnknownFields follows references, since what a body refers to is input
// too.
func TestContract_BodiesRefuseUnknownFields(t *testing.T) {
	var check func(at string, s *openapi3.Schema)
	check = func(at string, s *openapi3.Schema) {
		if s.Type.Is("object") && len(s.Properties) > 0 && (s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has) {
			t.Errorf("%s takes unknown fields", at)
		}
		for name, property := range s.Properties {
			check(at+"."+name, property.Value)
		}
		if s.Items != nil {
			check(at+"[]", s.Items.Value)
		}
	}
	eachOperation(t, func(_ *testing.T, _, _ string, op *openapi3.Operation) {
		if op.RequestBody != nil {
			for _, media := range op.RequestBody.Value.Content {
				check(op.OperationID, media.Schema.Value)
			}
		}
	})
}

// conforms checks a value with formats, which the library leaves out by default.
func conforms(s *openapi3.Schema, value any) error {
	return s.VisitJSON(value,
		openapi3.EnableFormatValidation(),
		openapi3.WithStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC9562)),
		openapi3.WithStringFormatValidator("uri-reference", openapi3.NewRegexpFormatValidator(`^\S*$`)),
		openapi3.MultiErrors())
}

func TestContract_ExamplesConform(t *testing.T) {
	doc := contract(t)
	try := func(at string, schema *openapi3.SchemaRef, example any) {
		if err := conforms(schema.Value, example); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	for name, ref := range doc.Components.Schemas {
		if ref.Value.Example == nil {
			t.Errorf("schema %s has no example", name)
		}
	}
	everySchema(doc, func(at string, s *openapi3.Schema) {
		if s.Example != nil {
			try(at, &openapi3.SchemaRef{Value: s}, s.Example)
		}
	})
	for name, ref := range doc.Components.Headers {
		try("header "+name, ref.Value.Schema, ref.Value.Example)
	}
	// Tools that try operations out send every example, also of what is optional. An example
	// cursor, tag or filter would be refused, or hide what is there.
	unasked := []string{"limit", "Accept-Language"}
	parameter := func(at string, p *openapi3.Parameter) {
		if p.Required || slices.Contains(unasked, p.Name) {
			try(at, p.Schema, p.Example)
		} else if p.Example != nil {
			t.Errorf("%s is optional and has an example", at)
		}
	}
	for name, ref := range doc.Components.Parameters {
		parameter("parameter "+name, ref.Value)
	}
	eachOperation(t, func(_ *testing.T, _, _ string, op *openapi3.Operation) {
		contents := map[string]openapi3.Content{}
		if op.RequestBody != nil {
			contents["body"] = op.RequestBody.Value.Content
		}
		for status, response := range op.Responses.Map() {
			contents[status] = response.Value.Content
		}
		for _, p := range op.Parameters {
			parameter(op.OperationID+" "+p.Value.Name, p.Value)
		}
		for at, content := range contents {
			for _, media := range content {
				if media.Example != nil {
					try(op.OperationID+" "+at, media.Schema, media.Example)
				}
				for name, example := range media.Examples {
					try(op.OperationID+" "+at+" "+name, media.Schema, example.Value.Value)
				}
			}
		}
		for _, parameter := range op.Parameters {
			if parameter.Value.Example != nil {
				try(op.OperationID+" "+parameter.Value.Name, parameter.Value.Schema, parameter.Value.Example)
			}
		}
	})
}

// A client that pages by cursor need not read it out of a link. Examples show both or none.
func TestContract_PagesSayTheNextCursor(t *testing.T) {
	pages := 0
	for name, ref := range contract(t).Components.Schemas {
		if links := ref.Value.Properties["_links"]; links == nil || links.Ref != "#/components/schemas/PageLinks" {
			continue
		}
		pages++
		if cursor := ref.Value.Properties["next_cursor"]; cursor == nil || cursor.Ref != "#/components/schemas/NextCursor" {
			t.Errorf("%s has a link to the next page and not its cursor", name)
		}
	}
	if pages == 0 {
		t.Error("no list was found")
	}
	var look func(part any)
	look = func(part any) {
		switch part := part.(type) {
		case map[string]any:
			links, _ := part["_links"].(map[string]any)
			next, _ := links["next"].(map[string]any)
			href, _ := next["href"].(string)
			_, cursor, found := strings.Cut(href, "cursor=")
			if !found {
				// The feed of events goes on by its own parameter.
				_, cursor, _ = strings.Cut(href, "after=")
			}
			if shown, _ := part["next_cursor"].(string); shown != cursor && part["items"] != nil {
				t.Errorf("an example has the cursor %q beside the link %q", shown, href)
			}
			for _, inner := range part {
				look(inner)
			}
		case []any:
			for _, inner := range part {
				look(inner)
			}
		}
	}
	source, err := os.ReadFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := yaml.Unmarshal(source, &whole); err != nil {
		t.Fatal(err)
	}
	look(whole)
}

func TestContract_TaxCodesInExamplesAreFormallyValid(t *testing.T) {
	source, err := os.ReadFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, match := range regexp.MustCompile(`tax_code: '?([A-Za-z0-9]{11,16})'?\n`).FindAllStringSubmatch(string(source), -1) {
		found++
		if _, err := taxcode.Parse(match[1]); err != nil {
			t.Errorf("%s: %v", match[1], err)
		}
	}
	if found == 0 {
		t.Error("no tax code found")
	}
}

func TestContract_ExampleContentMeetsItsExampleSchema(t *testing.T) {
	example, err := json.Marshal(contract(t).Components.Schemas["DeclarationType"].Value.Example)
	if err != nil {
		t.Fatal(err)
	}
	var declared struct {
		Schema  any `json:"content_schema"`
		Example any `json:"content_example"`
	}
	if err := json.Unmarshal(example, &declared); err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource("example:content", declared.Schema); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("example:content")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(declared.Example); err != nil {
		t.Error(err)
	}
}

// noLoader keeps a schema from fetching others.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errors.New("a schema stands alone") }

// TestContract_RequiredArraysAreNeverNull reads the generated types: every slice that is always
// written must be a List. Of pages, the handlers' pageOf sees to it.
func TestContract_RequiredArraysAreNeverNull(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "api.gen.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, isType := node.(*ast.TypeSpec)
		if !isType {
			return true
		}
		fields, isStruct := spec.Type.(*ast.StructType)
		if !isStruct {
			return true
		}
		for _, field := range fields.Fields.List {
			if _, isSlice := field.Type.(*ast.ArrayType); isSlice && field.Tag != nil && strings.Contains(field.Tag.Value, "json:") &&
				!strings.Contains(field.Tag.Value, "omitempty") {
				t.Errorf("%s.%s would be null when empty: the join gave it no List", spec.Name, field.Names[0])
			}
		}
		return true
	})
	for value, want := range map[any]string{
		&api.Service{}:   `{"channels":[],"links":[],"section":"","service_code":"","title":""}`,
		&api.MenuEntry{}: `{"pinned":false,"service_code":"","settings":{}}`,
		&api.Right{
			Services: []string{"declarations"},
		}: `{"acting_as":"","right_id":"00000000-0000-0000-0000-000000000000","services":["declarations"]}`,
	} {
		got, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestContract_FreeFormContentKeepsItsBytes guards what is signed: a map would reorder keys and
// round numbers.
func TestContract_FreeFormContentKeepsItsBytes(t *testing.T) {
	const content = `{"b":1.10,"a":12345678901234567890}`
	for _, target := range []any{&api.DeclarationDraft{}, &api.DeclarationChange{}, &api.Declaration{}} {
		if err := json.Unmarshal([]byte(fmt.Sprintf(`{"content":%s}`, content)), target); err != nil {
			t.Fatal(err)
		}
		if got := reflect.ValueOf(target).Elem().FieldByName("Content").Bytes(); string(got) != content {
			t.Errorf("%T: got %s", target, got)
		}
	}
}
