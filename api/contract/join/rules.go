package main

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// operation is what the rules look at.
type operation struct {
	path string
	// to is who may call it, from x-access.
	to string
	// takes are the names of its parameters, as components know them.
	takes   map[string]bool
	hasBody bool
	sandbox bool
}

func (o operation) keyed() bool {
	return o.takes["IdempotencyKey"] || o.takes["RequiredIdempotencyKey"]
}

func always(operation) bool { return true }

func hasBody(o operation) bool { return o.hasBody }

func takes(parameter string) func(operation) bool {
	return func(o operation) bool { return o.takes[parameter] }
}

// problem is a refusal: the response that describes it, and the rule that says which operations can
// always give it.
type problem struct {
	status   string
	response string
	follows  func(operation) bool
}

// problems are the refusals, in the order of their statuses. An operation names in x-problems what
// it gives beside those that follow.
var problems = []problem{
	{"304", "NotModified", takes("IfNoneMatch")},
	{"400", "BadRequest", always},
	// A token that is not valid is refused even where none is needed.
	{"401", "Unauthenticated", always},
	{"403", "Forbidden", func(o operation) bool { return o.to != "anyone" }},
	{"404", "NotFound", func(o operation) bool { return strings.Contains(o.path, "{") || o.sandbox }},
	{"406", "NotAcceptable", always},
	{"409", "Conflict", operation.keyed},
	{"412", "PreconditionFailed", takes("IfMatch")},
	{"413", "TooLarge", hasBody},
	{"415", "UnsupportedMediaType", hasBody},
	{"422", "Unprocessable", func(o operation) bool { return o.hasBody || o.keyed() }},
	{"428", "PreconditionRequired", takes("IfMatch")},
	{"429", "TooManyRequests", always},
	{"500", "InternalError", always},
	{"503", "Unavailable", always},
}

// headers are the headers of an answer, with the component that describes each.
type headers map[string]string

// common are the headers that every answer has.
func common() headers {
	h := headers{}
	for _, name := range []string{
		"Access-Control-Allow-Origin", "Cache-Control", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Request-Id", "Vary",
	} {
		h[name] = name
	}
	return h
}

var methods = []string{"get", "put", "post", "delete", "patch", "head", "options", "trace"}

// The extensions that only the parts have, and the parameter that every operation takes.
const (
	problemsKey    = "x-problems"
	locationKey    = "x-location"
	acceptLanguage = "AcceptLanguage"
)

// expand writes what follows from rules and is therefore not authored. This is the security and the
// language of every operation, the headers of every answer, the refusals, and the cursor of every
// list.
func expand(t text) (text, error) {
	d, err := read(t)
	if err != nil {
		return nil, err
	}
	for path, item := range members(at(d.root, "paths")) {
		for method, op := range members(item) {
			if slices.Contains(methods, method.Value) {
				if err := d.expandOperation(path.Value, item, method, op); err != nil {
					return nil, err
				}
			}
		}
	}
	for name, response := range members(at(d.root, "components", "responses")) {
		h := common()
		if at(response, "content", "application/problem+json") != nil {
			h["Content-Language"] = "Content-Language"
		}
		if err := d.expandHeaders(name, response, h); err != nil {
			return nil, err
		}
	}
	for name, schema := range members(at(d.root, "components", "schemas")) {
		if err := d.expandList(name, schema); err != nil {
			return nil, err
		}
	}
	return d.changed(), nil
}

// nextCursor is the member of a page that tells where the next begins.
const nextCursor = "next_cursor"

// isPage reports whether the schema is that of a page of a list.
func isPage(schema *yaml.Node) bool {
	return reference(at(schema, "properties", "_links")) == "PageLinks"
}

// expandList writes the cursor of the next page where the links are that lead there.
func (d *document) expandList(name, schema *yaml.Node) error {
	if !isPage(schema) {
		return nil
	}
	properties := at(schema, "properties")
	if authored, _ := member(properties, nextCursor); authored != nil {
		return d.fault(authored, "%s: %s follows from a rule: leave it out", name.Value, nextCursor)
	}
	links, _ := member(properties, "_links")
	d.write(links.Line-1, links, links.Column-1, nextCursor+": { $ref: '#/components/schemas/NextCursor' }")
	return nil
}

func (d *document) expandOperation(path string, item, method, op *yaml.Node) error {
	o := operation{path: path, takes: map[string]bool{}, hasBody: at(op, "requestBody") != nil}
	if to := at(op, "x-access", "to"); to != nil {
		o.to = to.Value
	} else {
		return d.fault(method, "%s %s: no x-access that says to whom", method.Value, path)
	}
	if at(op, "responses") == nil {
		return d.fault(method, "%s %s: no responses", method.Value, path)
	}
	for _, parameters := range []*yaml.Node{at(item, "parameters"), at(op, "parameters")} {
		if parameters != nil {
			for _, p := range parameters.Content {
				o.takes[reference(p)] = true
			}
		}
	}
	if tags := at(op, "tags"); tags != nil {
		o.sandbox = slices.ContainsFunc(tags.Content, func(tag *yaml.Node) bool { return tag.Value == "Sandbox" })
	}
	if err := d.expandParameters(method, op, o); err != nil {
		return err
	}
	if err := d.expandAnswers(method, op, o); err != nil {
		return err
	}
	return d.expandProblems(method, op, o)
}

// expandParameters writes the security, which follows from x-access, and the last parameter.
func (d *document) expandParameters(method, op *yaml.Node, o operation) error {
	if security, _ := member(op, "security"); security != nil {
		return d.fault(security, "security follows from x-access: leave it out")
	}
	if o.takes[acceptLanguage] {
		return d.fault(method, "every operation takes %s: leave it out", acceptLanguage)
	}
	parameters, _ := member(op, "parameters")
	next := parameters
	for _, name := range []string{"requestBody", "responses"} {
		if next == nil {
			next, _ = member(op, name)
		}
	}
	indent := next.Column - 1
	security := []string{"security:", "  - bearer: []"}
	if o.to == "anyone" {
		security = slices.Insert(security, 1, "  - {}")
	}
	d.write(next.Line-1, method, indent, security...)
	language := "  - { $ref: '#/components/parameters/" + acceptLanguage + "' }"
	if parameters == nil {
		d.write(next.Line-1, method, indent, "parameters:", language)
	} else {
		d.write(d.end(parameters), method, indent, language)
	}
	return nil
}

// expandAnswers writes the headers of the successes.
func (d *document) expandAnswers(method, op *yaml.Node, o operation) error {
	// What is made is somewhere, save what can be asked for nowhere.
	somewhere := true
	if key, value := member(op, locationKey); key != nil {
		if value.Value != "none" {
			return d.fault(key, "%s: %q is not known", locationKey, value.Value)
		}
		somewhere = false
		d.drop(key)
	}
	for status, answer := range members(at(op, "responses")) {
		if status.Value < "200" || status.Value >= "300" {
			return d.fault(
				status, "only successes are written here: name %s in %s, if it does not follow anyway", status.Value, problemsKey,
			)
		}
		if reference(answer) != "" {
			continue
		}
		h := common()
		if somewhere && (status.Value == "201" || status.Value == "202") {
			h["Location"] = "Location"
		}
		if method.Value == "get" && o.takes["IfNoneMatch"] {
			// ETag proper is the version of what is kept; it is authored.
			h["ETag"] = "ETag-Computed"
		}
		if err := d.expandHeaders(status, answer, h); err != nil {
			return err
		}
	}
	return nil
}

// expandHeaders writes the headers that follow among those that are authored. An authored one may
// say more than the rule does.
func (d *document) expandHeaders(key, answer *yaml.Node, follow headers) error {
	description, _ := member(answer, "description")
	if description == nil {
		return d.fault(key, "%s: no description", key.Value)
	}
	place, indent := d.end(description), description.Column-1
	written := map[string]text{}
	for name, ref := range follow {
		l := d.text[description.Line-1]
		l.text = strings.Repeat(" ", indent+2) + name + ": { $ref: '#/components/headers/" + ref + "' }"
		written[name] = text{l}
	}
	if authored, values := member(answer, "headers"); authored != nil {
		for name, value := range members(values) {
			if reference(value) == follow[name.Value] && follow[name.Value] != "" {
				return d.fault(name, "%s follows from a rule: leave it out", name.Value)
			}
			written[name.Value] = d.text[name.Line-1 : d.end(name)]
		}
		place = authored.Line - 1
		d.drop(authored)
	}
	d.write(place, description, indent, "headers:")
	for _, name := range slices.Sorted(maps.Keys(written)) {
		d.before[place] = append(d.before[place], written[name]...)
	}
	return nil
}

// expandProblems writes the refusals behind the successes.
func (d *document) expandProblems(method, op *yaml.Node, o operation) error {
	named := map[string]bool{}
	if key, value := member(op, problemsKey); key != nil {
		last := ""
		for _, status := range value.Content {
			i := slices.IndexFunc(problems, func(p problem) bool { return p.status == status.Value })
			switch {
			case i < 0:
				return d.fault(key, "%s: there is no response for %q", problemsKey, status.Value)
			case problems[i].follows(o):
				return d.fault(key, "%s: %s follows from a rule: leave it out", problemsKey, status.Value)
			case status.Value <= last:
				return d.fault(key, "%s: statuses stand in their order, each once", problemsKey)
			}
			last, named[status.Value] = status.Value, true
		}
		if len(named) == 0 {
			return d.fault(key, "%s: a list of statuses is needed", problemsKey)
		}
		d.drop(key)
	}
	responses, _ := member(op, "responses")
	place := d.end(responses)
	for _, p := range problems {
		if named[p.status] || p.follows(o) {
			d.write(place, method, responses.Column+1, "'"+p.status+"': { $ref: '#/components/responses/"+p.response+"' }")
		}
	}
	return nil
}
