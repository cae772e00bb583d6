package pages

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/api"
)

// The contract for generators is a valid one, of the same operations, with few headers and one form
// of refusal.
func TestClientContract_HasWhatGeneratorsNeed(t *testing.T) {
	w := newWorld(t, Config{})
	answer := w.do(http.MethodGet, "/openapi.client.json")
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "application/json" ||
		answer.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("got %d %v", answer.Code, answer.Header())
	}
	text := answer.Body.String()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	operations := func(d *openapi3.T) (ids []string) {
		for _, item := range d.Paths.Map() {
			for _, op := range item.Operations() {
				ids = append(ids, op.OperationID)
			}
		}
		slices.Sort(ids)
		return ids
	}
	if got, want := operations(doc), operations(whole); !slices.Equal(got, want) {
		t.Errorf("operations %q, want %q", got, want)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Responses.Default() == nil {
				t.Errorf("%s %s has no default answer", method, path)
			}
			for status, response := range op.Responses.Map() {
				if status != "default" && !strings.HasPrefix(status, "2") {
					t.Errorf("%s %s answers %s", method, path, status)
				}
				for name := range response.Value.Headers {
					if !slices.Contains(keptHeaders, name) {
						t.Errorf("%s %s %s has the header %s", method, path, status, name)
					}
				}
			}
		}
	}
	for _, name := range []string{"content", "content_example"} {
		for _, schema := range []string{"DeclarationDraft", "DeclarationType"} {
			s := doc.Components.Schemas[schema].Value.Properties[name]
			if s != nil && (s.Value.AdditionalProperties.Has == nil || !*s.Value.AdditionalProperties.Has) {
				t.Errorf("%s.%s does not say that it holds anything", schema, name)
			}
		}
	}
	// Where there is JSON there is nothing else, in what is sent and in what comes.
	forms := map[string]openapi3.Content{
		"a list of delegations": doc.Paths.Value("/delegation-batches").Post.RequestBody.Value.Content,
		"a receipt":             doc.Paths.Value("/declarations/{declaration_id}/receipt").Get.Responses.Status(http.StatusOK).Value.Content,
	}
	for name, content := range forms {
		if len(content) != 1 || content["application/json"] == nil {
			t.Errorf("%s has the forms %v", name, content)
		}
	}
	change := doc.Paths.Value("/declarations/{declaration_id}").Patch.RequestBody.Value.Content
	if len(change) != 1 || change["application/json"] == nil {
		t.Errorf("a change is sent as %v", change)
	}
	if strings.Contains(text, `"x-`) || strings.Contains(text, `"encoding"`) {
		t.Error("extensions or encodings are left")
	}
	var look func(part any)
	look = func(part any) {
		switch part := part.(type) {
		case map[string]any:
			if part["format"] == "binary" && part["maxLength"] != nil {
				t.Error("a file has a bound")
			}
			for _, value := range part {
				look(value)
			}
		case []any:
			for _, value := range part {
				look(value)
			}
		}
	}
	var parsed any
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	look(parsed)
}
