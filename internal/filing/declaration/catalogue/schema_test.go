package catalogue_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/platform/fault"
)

func TestSchema_Findings(t *testing.T) {
	const schema = `{
		"type": "object", "additionalProperties": false, "required": ["must"],
		"properties": {
			"must": {"type": ["string", "boolean"]},
			"a~b/c": {"type": "object", "required": ["x/y"], "additionalProperties": false, "properties": {"x/y": true}},
			"text": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]*$"},
			"number": {"type": "number", "minimum": 1, "maximum": 9, "multipleOf": 0.01},
			"open": {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 9},
			"any": {},
			"enum": {"enum": ["x", 1]},
			"const": {"const": {"x": 1}},
			"date": {"type": "string", "format": "date"},
			"code": {"format": "tax-code"},
			"vat": {"format": "vat-number"},
			"list": {"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true, "items": {"$ref": "#/$defs/item"}},
			"has": {"type": "array", "contains": {"const": 1}, "maxContains": 2},
			"map": {"type": "object", "minProperties": 1, "maxProperties": 2,
				"patternProperties": {"^[a-z]+$": {"type": "string"}}, "additionalProperties": false},
			"either": {"anyOf": [{"type": "string"}, {"required": ["x"]}]},
			"one": {"oneOf": [{"type": "string"}, {"minLength": 1}]},
			"never": false,
			"not": {"not": {"type": "string"}},
			"both": {"allOf": [{"maxLength": 3}, {"pattern": "^x"}]},
			"pair": {"dependentRequired": {"a": ["b"]}}
		},
		"$defs": {"item": {"type": "integer", "maximum": 5}}
	}`
	compiled, err := catalogue.Compile("test", 1, json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		content string // without "must"
		want    string // pointers and codes
	}{
		{`"must": null`, "/must type"},
		{`"must": "", "text": "abc", "number": 1.15, "list": [1, 5], "code": "RSSMRA80A01H501U", "vat": "00743110157", "has": [1]`, ""},
		{`"text": "abc"`, "/must required"},
		{`"must": "", "text": 7`, "/text type"},
		{`"must": "", "text": "a"`, "/text too-short"},
		{`"must": "", "text": "èèèè"`, "/text pattern"},
		{`"must": "", "text": "abcdE"`, "/text pattern, /text too-long"},
		{`"must": "", "must2": 1, "m~/": 1`, "/must2 unknown-field, /m~0~1 unknown-field"},
		{`"must": "", "a~b/c": {}`, "/a~0b~1c/x~1y required"},
		{`"must": "", "a~b/c": {"x/y": 1, "": 2}`, "/a~0b~1c/ unknown-field"},
		{`"must": "", "number": 0.99`, "/number minimum"},
		{`"must": "", "number": 9.01`, "/number maximum"},
		{`"must": "", "number": 1.001`, "/number multiple-of"},
		{`"must": "", "open": 1`, "/open minimum"},
		{`"must": "", "open": 9`, "/open maximum"},
		{`"must": "", "any": 1e400`, "/any maximum"},
		{`"must": "", "any": [1, {"x": -1e400}]`, "/any/1/x minimum"},
		{`"must": "", "number": 1e401`, "/number maximum"},
		{`"must": "", "number": -1e402`, "/number minimum"},
		{`"must": "", "number": 1e-401`, "/number minimum"},
		{`"must": "", "enum": 1.0`, ""},
		{`"must": "", "enum": "y"`, "/enum enum"},
		{`"must": "", "const": {"x": 2}`, "/const const"},
		{`"must": "", "date": "2026-02-29"`, "/date format"},
		{`"must": "", "date": "2028-02-29"`, ""},
		{`"must": "", "code": "RSSMRA80A01H501A"`, "/code format"},
		{`"must": "", "code": 5, "vat": 5`, ""},
		{`"must": "", "vat": "00743110158"`, "/vat format"},
		{`"must": "", "vat": "RSSMRA80A01H501U"`, "/vat format"},
		{`"must": "", "list": []`, "/list too-few"},
		{`"must": "", "list": [1, 2, 6]`, "/list too-many, /list/2 maximum"},
		{`"must": "", "list": [1, 1.0]`, "/list/1 duplicate"},
		{`"must": "", "list": [1.5, "2"]`, "/list/0 type, /list/1 type"},
		{`"must": "", "has": [2]`, "/has too-few"},
		{`"must": "", "has": [1, 1, 1]`, "/has too-many"},
		{`"must": "", "map": {}`, "/map too-few"},
		{`"must": "", "map": {"a": "", "b": "", "c": ""}`, "/map too-many"},
		{`"must": "", "map": {"A": ""}`, "/map/A unknown-field"},
		{`"must": "", "either": {}`, "/either other"},
		{`"must": "", "one": "x"`, "/one other"},
		{`"must": "", "never": 1`, "/never unknown-field"},
		{`"must": "", "not": ""`, "/not other"},
		{`"must": "", "both": "yyyy"`, "/both pattern, /both too-long"},
		{`"must": "", "pair": {"a": 1}`, "/pair/b required"},
	}
	for _, tt := range tests {
		if got := show(validate(compiled, json.RawMessage("{"+tt.content+"}"))); got != tt.want {
			t.Errorf("{%s}: %q, want %q", tt.content, got, tt.want)
		}
	}
	for content, want := range map[string]string{
		`[]`: " type", `null`: " type", ``: " other", `{`: " other", `{} {}`: " other", `{"must": ""}x`: " other",
		strings.Repeat("[", 20000): " other",
	} {
		if got := show(validate(compiled, json.RawMessage(content))); got != want {
			t.Errorf("%.20s: %q, want %q", content, got, want)
		}
	}
}

func show(found []catalogue.Finding) string {
	var parts []string
	for _, f := range found {
		parts = append(parts, f.Pointer+" "+f.Code)
	}
	return strings.Join(parts, ", ")
}

func TestSchema_FindingsAreBounded(t *testing.T) {
	dt := all(t)[0]
	var content strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&content, `,"x%d":1`, i)
	}
	found := validate(compile(t, dt), json.RawMessage("{"+content.String()[1:]+"}"))
	if len(found) != catalogue.MaxFindings {
		t.Errorf("%d findings", len(found))
	}
}

func TestSchema_CompileRefuses(t *testing.T) {
	for name, schema := range map[string]string{
		"no JSON":                 `{`,
		"two values":              `{} {}`,
		"no schema":               `7`,
		"unknown type":            `{"type": "text"}`,
		"pattern that is none":    `{"pattern": "("}`,
		"negative length":         `{"maxLength": -1}`,
		"a file":                  `{"$ref": "file:///etc/hostname"}`,
		"a relative file":         `{"$ref": "other.json"}`,
		"the network":             `{"$ref": "https://example.org/schema.json"}`,
		"the network, deeper":     `{"properties": {"a": {"items": {"$ref": "http://127.0.0.1:1/x"}}}}`,
		"a meta-schema elsewhere": `{"$schema": "https://example.org/meta.json"}`,
		"a base elsewhere":        `{"$id": "https://example.org/a.json", "$ref": "b.json"}`,
		"nothing there":           `{"$ref": "#/$defs/none"}`,
		"propertyNames, deep":     `{"properties": {"a": {"anyOf": [{"propertyNames": {"maxLength": 3}}]}}}`,
	} {
		if s, err := catalogue.Compile("test", 1, json.RawMessage(schema)); err == nil || s != nil {
			t.Errorf("%s: compiled", name)
		}
	}
}

func TestSchema_PropertyCalledLikeAKeyword(t *testing.T) {
	s, err := catalogue.Compile("test", 1, json.RawMessage(`{"properties": {"propertyNames": {"type": "string"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := show(validate(s, json.RawMessage(`{"propertyNames": 1}`))); got != "/propertyNames type" {
		t.Error(got)
	}
}

func TestSchema_RecursiveSchema(t *testing.T) {
	s, err := catalogue.Compile(
		"a #?/è", 2, json.RawMessage(`{"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := show(validate(s, json.RawMessage(`{"next": {"next": {"x": 1}}}`))); got != "/next/next/x unknown-field" {
		t.Error(got)
	}
}

func TestSchema_ConcurrentUse(t *testing.T) {
	for _, dt := range all(t) {
		schema := compile(t, dt)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 20 {
					if found := validate(schema, dt.ContentExample); len(found) != 0 {
						t.Errorf("%s: %v", dt.Code, found)
					}
					if found := validate(schema, json.RawMessage(`{"x": 1}`)); len(found) < 2 {
						t.Errorf("%s: %v", dt.Code, found)
					}
				}
			})
		}
		wg.Wait()
	}
}

var knownCodes = []string{
	fault.FieldRequired, fault.FieldUnknown, fault.FieldType, fault.FieldEnum, fault.FieldConst,
	fault.FieldFormat, fault.FieldPattern, fault.FieldTooShort, fault.FieldTooLong, fault.FieldMinimum,
	fault.FieldMaximum, fault.FieldMultipleOf, fault.FieldTooFew, fault.FieldTooMany, fault.FieldDuplicate,
	fault.FieldOther,
}

func FuzzValidate(f *testing.F) {
	var schemas []*catalogue.Schema
	for _, dt := range all(f) {
		schemas = append(schemas, compile(f, dt))
		f.Add([]byte(dt.ContentExample))
	}
	for _, s := range []string{
		`{}`, `null`, `{"years":[{"year":1e401}]}`, `{"notes":"\ud800"}`, `{"a/~b":[[[]]]}`, `{"monthly_payments":1e402}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, s := range schemas {
			found := validate(s, content)
			if !cmp.Equal(found, validate(s, content)) {
				t.Error("another answer for the same content")
			}
			for _, f := range found {
				if !slices.Contains(knownCodes, f.Code) || (f.Pointer != "" && f.Pointer[0] != '/') {
					t.Errorf("finding %+v", f)
				}
			}
			if len(found) == 0 && !json.Valid(content) {
				t.Error("passed without being JSON")
			}
		}
	})
}
