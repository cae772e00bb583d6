package catalogue_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

func all(t testing.TB) []catalogue.Type {
	t.Helper()
	types, err := catalogue.All()
	if err != nil {
		t.Fatal(err)
	}
	return types
}

func compile(t testing.TB, dt catalogue.Type) *catalogue.Schema {
	t.Helper()
	s, err := catalogue.Compile(dt.Code, dt.Version, dt.ContentSchema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate returns what is wrong with a content.
func validate(s *catalogue.Schema, content json.RawMessage) []catalogue.Finding {
	_, wrong := s.Validate(content)
	return wrong
}

// A receipt prints words, never the values of a list.
func TestCatalogue_EveryValueOfAListHasAWord(t *testing.T) {
	lists := 0
	for _, dt := range all(t) {
		var schema any
		if err := json.Unmarshal(dt.ContentSchema, &schema); err != nil {
			t.Fatal(err)
		}
		var walk func(at string, v any)
		walk = func(at string, v any) {
			object, _ := v.(map[string]any)
			labels, _ := object["x-labels"].(map[string]any)
			values, _ := object["enum"].([]any)
			lists += min(len(values), 1)
			if len(labels) != len(values) {
				t.Errorf("%s%s: %d words for %d values", dt.Code, at, len(labels), len(values))
			}
			for _, value := range values {
				if word, _ := labels[value.(string)].(string); word == "" {
					t.Errorf("%s%s: %v has no word", dt.Code, at, value)
				}
			}
			for name, member := range object {
				walk(at+"/"+name, member)
			}
		}
		walk("", schema)
	}
	if lists != 17 {
		t.Errorf("%d lists", lists)
	}
}

func TestCatalogue_All(t *testing.T) {
	var known []string
	for _, dt := range all(t) {
		known = append(known, fmt.Sprintf("%s/%d", dt.Code, dt.Version))
		if dt.OpensAt.IsZero() || dt.ClosesAt != nil {
			t.Errorf("%s: window %v–%v", dt.Code, dt.OpensAt, dt.ClosesAt)
		}
	}
	slices.Sort(known)
	want := []string{
		"151-2015/1", "151-2015/2", "76-2013/1", "ART22-GIOVANI/1", "DETI-arr/1", "GAGI/1", "IO-LAVORO/1", "NEET-2023/1", "RIOC/1", "SRDC/1",
	}
	if !slices.Equal(known, want) {
		t.Errorf("got %v, want %v", known, want)
	}
}

func TestCatalogue_WorkerField(t *testing.T) {
	for _, dt := range all(t) {
		var example map[string]any
		if err := json.Unmarshal(dt.ContentExample, &example); err != nil {
			t.Fatal(err)
		}
		worker, _ := example[strings.TrimPrefix(dt.WorkerField, "/")].(string)
		if c, err := taxcode.Parse(worker); err != nil || !c.IsPerson() {
			t.Errorf("%s: %s does not lead to a person's tax code: %v", dt.Code, dt.WorkerField, err)
		}
	}
}

// TestCatalogue_SchemasAreBounded walks every schema: a content that meets it has no
// unknown property and a bounded size.
func TestCatalogue_SchemasAreBounded(t *testing.T) {
	for _, dt := range all(t) {
		var schema any
		if err := json.Unmarshal(dt.ContentSchema, &schema); err != nil {
			t.Fatal(err)
		}
		walk(t, dt.Code, schema)
	}
}

func walk(t *testing.T, at string, schema any) {
	t.Helper()
	s, _ := schema.(map[string]any)
	need := func(keywords ...string) {
		for _, k := range keywords {
			if _, ok := s[k]; !ok {
				t.Errorf("%s has no %s", at, k)
			}
		}
	}
	switch s["type"] {
	case "object":
		need("properties", "required")
		if s["additionalProperties"] != false {
			t.Errorf("%s takes unknown properties", at)
		}
		properties, _ := s["properties"].(map[string]any)
		for name, p := range properties {
			walk(t, at+"/"+name, p)
		}
	case "array":
		need("items", "minItems", "maxItems")
		walk(t, at+"/items", s["items"])
	case "string":
		need("title", "description")
		if s["enum"] != nil {
			return
		}
		need("minLength", "maxLength")
		if s["format"] != "date" {
			need("pattern")
		}
		if p, ok := s["pattern"].(string); ok {
			re := regexp.MustCompile(p)
			for _, control := range []string{"\x00", "\n", "\r", "\t", "\x1b", "\x7f", "\u0085", "\u009f"} {
				if re.MatchString("A1" + control) {
					t.Errorf("%s takes the control character %q", at, control)
				}
			}
		}
	case "number", "integer":
		need("title", "description", "minimum", "maximum")
	case "boolean":
		need("title", "description")
	default:
		t.Errorf("%s has no type", at)
	}
}

// TestCatalogue_FreeTextIsKept: what people write in notes is taken as it is.
func TestCatalogue_FreeTextIsKept(t *testing.T) {
	for _, dt := range all(t) {
		schema := compile(t, dt)
		for _, note := range []string{
			"perché è così: «D'Alò», 50 % & <b>", "日本語 عربى 🙂", `\"; DROP TABLE x; --`, "\u200b", strings.Repeat("è", 500),
		} {
			if found := validate(schema, change(t, dt, "notes", note)); len(found) != 0 {
				t.Errorf("%s: note %q: %v", dt.Code, note, found)
			}
		}
		for note, code := range map[string]string{
			"": "too-short", strings.Repeat("è", 501): "too-long", "a\nb": "pattern", "a\x00": "pattern",
		} {
			found := validate(schema, change(t, dt, "notes", note))
			if len(found) != 1 || found[0].Pointer != "/notes" || found[0].Code != code {
				t.Errorf("%s: note %.10q: %v, want %s", dt.Code, note, found, code)
			}
		}
	}
}

// change returns the example with one property set, or deleted if value is nil.
func change(t testing.TB, dt catalogue.Type, name string, value any) json.RawMessage {
	t.Helper()
	var content map[string]any
	if err := json.Unmarshal(dt.ContentExample, &content); err != nil {
		t.Fatal(err)
	}
	content[name] = value
	if value == nil {
		delete(content, name)
	}
	b, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCatalogue_RulesOfTheTypes(t *testing.T) {
	type finding struct{ pointer, code string }
	tests := []struct {
		typ, name string
		value     any
		want      []finding
	}{
		{"RIOC", "worker_tax_code", "RSSMRA80A01H50MM", nil},
		{"RIOC", "worker_tax_code", "00743110157", nil},
		{"RIOC", "worker_tax_code", "RSSMRA80A01H501A", []finding{{"/worker_tax_code", "format"}}},
		{"RIOC", "worker_tax_code", "rssmra80a01h501u", []finding{{"/worker_tax_code", "format"}}},
		{"RIOC", "worker_tax_code", nil, []finding{{"/worker_tax_code", "required"}}},
		{"RIOC", "average_monthly_pay", "1850,00", []finding{{"/average_monthly_pay", "pattern"}}},
		{"RIOC", "average_monthly_pay", "-1.00", []finding{{"/average_monthly_pay", "pattern"}}},
		{"RIOC", "average_monthly_pay", 1850, []finding{{"/average_monthly_pay", "type"}}},
		{"RIOC", "part_time_percentage", nil, nil},
		{"RIOC", "part_time_percentage", 100, []finding{{"/part_time_percentage", "maximum"}}},
		{"RIOC", "employer_contribution_rate", -0.01, []finding{{"/employer_contribution_rate", "minimum"}}},
		{"151-2015", "contract_type", "fixed_term", []finding{{"/contract_months", "required"}}},
		{"151-2015", "contract_months", 24, nil},
		{"151-2015", "monthly_payments", 13.5, []finding{{"/monthly_payments", "type"}}},
		{"151-2015", "disability_type", "other", []finding{{"/disability_type", "enum"}}},
		{"76-2013", "hire_not_compulsory", false, []finding{{"/hire_not_compulsory", "const"}}},
		{"76-2013", "event_date", "2026-02-30", []finding{{"/event_date", "format"}}},
		{"DETI-arr", "years", []any{}, []finding{{"/years", "too-few"}}},
		{
			"DETI-arr", "years",
			[]any{map[string]any{"year": 2012, "pay": "1.00", "relief_80": "0.80", "extra": 1}},
			[]finding{{"/years/0/extra", "unknown-field"}, {"/years/0/relief_15", "required"}, {"/years/0/year", "minimum"}},
		},
		{"SRDC", "training_body_tax_code", nil, nil},
		{"SRDC", "training_body_tax_code", "00743110158", []finding{{"/training_body_tax_code", "format"}}},
		{"SRDC", "state", "accepted", []finding{{"/state", "unknown-field"}}},
	}
	byCode := map[string]catalogue.Type{}
	for _, dt := range all(t) {
		if dt.Version == 1 {
			byCode[dt.Code] = dt
		}
	}
	for _, tt := range tests {
		dt := byCode[tt.typ]
		var got []finding
		for _, f := range validate(compile(t, dt), change(t, dt, tt.name, tt.value)) {
			got = append(got, finding{f.Pointer, f.Code})
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s with %s = %v: %v, want %v", tt.typ, tt.name, tt.value, got, tt.want)
		}
	}
}

// What is wrong with a content comes with what the schema would take, and with nothing of the
// content itself.
func TestCatalogue_FindingsSayWhatWouldBeRight(t *testing.T) {
	schema, err := catalogue.Compile("TEST", 1, json.RawMessage(`{"type":"object","properties":{
		"rate":{"type":"number","minimum":1.5,"maximum":100,"multipleOf":0.5},"kind":{"enum":["full","part"]},"notes":{"type":"string","maxLength":5},
		"worker":{"type":"string","format":"tax-code"},"from":{"type":"string","format":"date"},"pay":{"type":"string","pattern":"^[0-9]+$"},
		"years":{"type":"array","maxItems":1},"fixed":{"const":7}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]fault.Right{
		`{"rate":0.5}`:                  {Minimum: new(1.5)},
		`{"rate":100.5}`:                {Maximum: new(100.0)},
		`{"rate":2.25}`:                 {MultipleOf: new(0.5)},
		`{"kind":"half"}`:               {Allowed: []string{"full", "part"}},
		`{"notes":"too long"}`:          {MaxLength: new(int64(5))},
		`{"notes":1}`:                   {Expected: "string"},
		`{"worker":"RSSMRA80A01H501A"}`: {Expected: "tax-code", CheckCharacter: "U"},
		`{"worker":"RSSMRA80A01"}`:      {Expected: "tax-code"},
		`{"from":"16/03/2026"}`:         {Expected: "date", Example: "2026-03-16"},
		`{"pay":"1,0"}`:                 {Expected: "^[0-9]+$"},
		`{"years":[1,2]}`:               {MaxItems: new(int64(1))},
		`{"fixed":8}`:                   {Allowed: []string{"7"}},
	} {
		_, found := schema.Validate(json.RawMessage(content))
		if len(found) != 1 || found[0].Right == nil {
			t.Errorf("%s: %+v", content, found)
			continue
		}
		if diff := cmp.Diff(want, *found[0].Right); diff != "" {
			t.Errorf("%s: %s", content, diff)
		}
	}
}
