// Command postman makes a Postman collection of the contract, to try the API by hand. Package api
// runs it by go generate, in its own folder, after the contract was joined.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// What is read and what is written, as seen from package api.
const (
	contract = "../openapi.yaml"
	made     = "postman/diresco.postman_collection.json"
)

const schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"

// keep makes the next request easier: it keeps the token and the ids of an answer as variables.
var keep = []string{
	"const kind = pm.response.headers.get('Content-Type') || '';",
	"if (pm.response.code < 300 && kind.startsWith('application/json')) {",
	"  const body = pm.response.json();",
	"  if (body.access_token) pm.collectionVariables.set('token', body.access_token);",
	"  if (body.refresh_token) pm.collectionVariables.set('refresh_token', body.refresh_token);",
	"  const one = Array.isArray(body.items) ? body.items[0] || {} : body;",
	"  for (const [name, value] of Object.entries(one)) {",
	"    if (name.endsWith('_id') && typeof value === 'string') pm.collectionVariables.set(name, value);",
	"  }",
	"  const tag = pm.response.headers.get('ETag');",
	"  if (tag) pm.collectionVariables.set('etag', tag);",
	"}",
}

type (
	collection struct {
		Info     info       `json:"info"`
		Auth     auth       `json:"auth"`
		Event    []event    `json:"event"`
		Variable []variable `json:"variable"`
		Item     []folder   `json:"item"`
	}
	info struct {
		ID          string `json:"_postman_id"`
		Name        string `json:"name"`
		Description string `json:"description"`
		Schema      string `json:"schema"`
	}
	auth struct {
		Type   string     `json:"type"`
		Bearer []variable `json:"bearer,omitempty"`
	}
	event struct {
		Listen string `json:"listen"`
		Script script `json:"script"`
	}
	script struct {
		Type string   `json:"type"`
		Exec []string `json:"exec"`
	}
	// variable is a name with a value: a variable, a header, a parameter, a field of a form.
	variable struct {
		Key         string `json:"key"`
		Value       string `json:"value"`
		Type        string `json:"type,omitempty"`
		Description string `json:"description,omitempty"`
		Disabled    bool   `json:"disabled,omitempty"`
	}
	folder struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Item        []item `json:"item"`
	}
	item struct {
		Name     string     `json:"name"`
		Request  request    `json:"request"`
		Response []struct{} `json:"response"`
	}
	request struct {
		Method      string     `json:"method"`
		Auth        *auth      `json:"auth,omitempty"`
		Header      []variable `json:"header"`
		Body        *body      `json:"body,omitempty"`
		URL         address    `json:"url"`
		Description string     `json:"description"`
	}
	address struct {
		Raw      string     `json:"raw"`
		Host     []string   `json:"host"`
		Path     []string   `json:"path"`
		Query    []variable `json:"query,omitempty"`
		Variable []variable `json:"variable,omitempty"`
	}
	body struct {
		Mode     string     `json:"mode"`
		Raw      string     `json:"raw,omitempty"`
		FormData []variable `json:"formdata,omitempty"`
		Options  *options   `json:"options,omitempty"`
	}
	options struct {
		Raw language `json:"raw"`
	}
	language struct {
		Language string `json:"language"`
	}
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "postman: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	doc, err := openapi3.NewLoader().LoadFromFile(contract)
	if err != nil {
		return err
	}
	all, err := collect(doc)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	return os.WriteFile(made, b.Bytes(), 0o644) //nolint:gosec // a source file, for everybody to read
}

// collect makes the collection, a folder for each section, in the order of the documentation.
func collect(doc *openapi3.T) (collection, error) {
	all := collection{
		Info: info{
			ID: "3d8c1f0e-6a57-4b1e-9c42-7f2a90d5e814", Name: doc.Info.Title, Schema: schema,
			Description: "Made from openapi.yaml. Set `base_url`, send *Open a session of a test person* (Sandbox) or *Log in*, and go on: the token, and the " +
				"ids of what was answered last, are kept as variables.",
		},
		Auth:  auth{Type: "bearer", Bearer: []variable{{Key: "token", Value: "{{token}}", Type: "string"}}},
		Event: []event{{Listen: "test", Script: script{Type: "text/javascript", Exec: keep}}},
		Variable: []variable{
			{Key: "base_url", Value: "http://127.0.0.1:8080/v1"},
			{Key: "token"},
			{Key: "refresh_token"},
			{Key: "etag", Value: "*"},
			{Key: "key", Value: "rep-rome"},
		},
	}
	for _, tag := range doc.Tags {
		f := folder{Name: tag.Name, Description: tag.Description}
		for _, path := range doc.Paths.InMatchingOrder() {
			entry := doc.Paths.Value(path)
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				if o := entry.GetOperation(method); o != nil && slices.Contains(o.Tags, tag.Name) {
					made, err := itemOf(method, path, entry, o)
					if err != nil {
						return collection{}, fmt.Errorf("%s: %w", o.OperationID, err)
					}
					f.Item = append(f.Item, made)
				}
			}
		}
		slices.SortStableFunc(f.Item, func(a, b item) int { return strings.Compare(a.Request.URL.Raw, b.Request.URL.Raw) })
		all.Item = append(all.Item, f)
	}
	return all, nil
}

func itemOf(method, path string, entry *openapi3.PathItem, o *openapi3.Operation) (item, error) {
	steps := strings.Split(strings.TrimPrefix(strings.NewReplacer("{", ":", "}", "").Replace(path), "/"), "/")
	description, _, _ := strings.Cut(o.Description, "\n\n")
	r := request{
		Method: method, Header: []variable{}, Description: description,
		URL: address{Raw: "{{base_url}}/" + strings.Join(steps, "/"), Host: []string{"{{base_url}}"}, Path: steps},
	}
	if o.Security != nil && slices.ContainsFunc(*o.Security, func(s openapi3.SecurityRequirement) bool { return len(s) == 0 }) {
		r.Auth = &auth{Type: "noauth"}
	}
	for _, ref := range slices.Concat(entry.Parameters, o.Parameters) {
		r.add(ref.Value)
	}
	if o.RequestBody != nil {
		if err := r.fill(o.RequestBody.Value.Content); err != nil {
			return item{}, err
		}
	}
	return item{Name: o.Summary, Request: r, Response: []struct{}{}}, nil
}

// add adds a parameter. What may be left out is there and not sent.
func (r *request) add(p *openapi3.Parameter) {
	v := variable{Key: p.Name, Disabled: !p.Required}
	if p.Example != nil {
		v.Value = fmt.Sprint(p.Example)
	}
	switch {
	case p.In == openapi3.ParameterInPath:
		v.Value, v.Disabled = "{{"+p.Name+"}}", false
		r.URL.Variable = append(r.URL.Variable, v)
	case p.In == openapi3.ParameterInQuery:
		r.URL.Query = append(r.URL.Query, v)
	case p.Name == "Idempotency-Key":
		// A new one for each request.
		v.Value = "{{$guid}}"
		r.Header = append(r.Header, v)
	case p.Name == "If-Match":
		v.Value, v.Disabled = "{{etag}}", false
		r.Header = append(r.Header, v)
	default:
		r.Header = append(r.Header, v)
	}
}

// fill takes the example of the first form that the body may have: JSON, else a form, else a file.
func (r *request) fill(content openapi3.Content) error {
	for _, mediaType := range sorted(content) {
		media := content[mediaType]
		if !strings.HasSuffix(mediaType, "json") {
			continue
		}
		example := media.Example
		for _, name := range sorted(media.Examples) {
			if example == nil {
				example = media.Examples[name].Value.Value
			}
		}
		if example == nil && media.Schema != nil {
			example = media.Schema.Value.Example
		}
		if members, ok := example.(map[string]any); ok {
			example = withIDs(members)
		}
		text, err := json.MarshalIndent(example, "", "  ")
		if err != nil {
			return err
		}
		r.Header = append(r.Header, variable{Key: "Content-Type", Value: mediaType})
		r.Body = &body{Mode: "raw", Raw: string(text), Options: &options{language{"json"}}}
		return nil
	}
	if form := content.Get("multipart/form-data"); form != nil && form.Schema != nil {
		r.Body = &body{Mode: "formdata"}
		for _, name := range sorted(form.Schema.Value.Properties) {
			field := form.Schema.Value.Properties[name].Value
			v := variable{Key: name, Type: "text"}
			if field.Format == "binary" || field.Items != nil {
				v.Type = "file"
			} else if field.Example != nil {
				v.Value = fmt.Sprint(field.Example)
			}
			r.Body.FormData = append(r.Body.FormData, v)
		}
		return nil
	}
	r.Body = &body{Mode: "file"}
	return nil
}

// withIDs puts the ids that were answered last in the place of those of the example.
func withIDs(members map[string]any) map[string]any {
	members = maps.Clone(members)
	for name, value := range members {
		if _, ok := value.(string); ok && strings.HasSuffix(name, "_id") {
			members[name] = "{{" + name + "}}"
		}
	}
	return members
}

func sorted[M ~map[string]V, V any](m M) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
