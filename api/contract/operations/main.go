// Command operations writes what the service works by: the published contract without what only its
// readers need. To parse the whole takes many times the memory, at each start. Package api runs it
// by go generate, in its own folder, after the contract was joined.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// What is read and what is written, as seen from package api.
const (
	contract = "../openapi.yaml"
	made     = "operations.json.gz"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "operations: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	doc, err := openapi3.NewLoader().LoadFromFile(contract)
	if err != nil {
		return err
	}
	whole, err := doc.MarshalJSON()
	if err != nil {
		return err
	}
	var tree object
	decoder := json.NewDecoder(bytes.NewReader(whole))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return err
	}
	short, err := reduce(tree)
	if err != nil {
		return err
	}
	content, err := json.Marshal(short)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(made, packed.Bytes(), 0o644) //nolint:gosec // a source file, for everybody to read
}

type object = map[string]any

// reduction makes the short contract. It takes along the components that are asked for.
type reduction struct {
	whole object
	taken object
}

// reduce returns the contract as the service needs it.
func reduce(whole object) (object, error) {
	r := reduction{whole: whole, taken: object{}}
	info := part(whole, "info")
	paths := object{}
	for path, item := range part(whole, "paths") {
		short := object{}
		for name, value := range item.(object) {
			switch name {
			case "parameters":
				parameters, err := r.parameters(value)
				if err != nil {
					return nil, err
				}
				short[name] = parameters
			case "get", "put", "post", "patch", "delete":
				operation, err := r.operation(value.(object))
				if err != nil {
					return nil, fmt.Errorf("%s %s: %w", name, path, err)
				}
				short[name] = operation
			default:
				return nil, fmt.Errorf("%s: unknown member %s", path, name)
			}
		}
		paths[path] = short
	}
	return object{
		"openapi": whole["openapi"], "info": object{"title": info["title"], "version": info["version"]}, "paths": paths,
		"components": r.taken,
	}, nil
}

// operation keeps who may use an operation, what it takes, and which kinds of answer it gives.
func (r reduction) operation(o object) (object, error) {
	short := object{}
	for name, value := range o {
		switch {
		case name == "operationId", name == "tags", name == "summary", name == "deprecated", strings.HasPrefix(name, "x-"):
			short[name] = value
		case name == "description":
			short[name] = codes(value)
		}
	}
	parameters, err := r.parameters(o["parameters"])
	if err != nil {
		return nil, err
	}
	if parameters != nil {
		short["parameters"] = parameters
	}
	if o["requestBody"] != nil {
		if short["requestBody"], err = r.body(part(o, "requestBody"), o["x-sample"] == true); err != nil {
			return nil, err
		}
	}
	answers := object{}
	for status, answer := range part(o, "responses") {
		found, err := r.resolve(answer.(object))
		if err != nil {
			return nil, err
		}
		if answers[status], err = r.answer(found, strings.HasPrefix(status, "2")); err != nil {
			return nil, err
		}
	}
	short["responses"] = answers
	return short, nil
}

var code = regexp.MustCompile("`[a-z-]+`")

// codes are the words of a description that stand as code: the problems that an operation gives are
// among them.
func codes(description any) string {
	text, _ := description.(string)
	return strings.Join(code.FindAllString(text, -1), " ")
}

// answer keeps that there is an answer. Of a success it keeps the media types, and what decides
// about caching.
func (r reduction) answer(answer object, success bool) (object, error) {
	short := object{"description": ""}
	if !success {
		return short, nil
	}
	if content := part(answer, "content"); len(content) > 0 {
		types := object{}
		for mediaType := range content {
			types[mediaType] = object{}
		}
		short["content"] = types
	}
	headers := object{}
	for _, name := range []string{"ETag", "Cache-Control"} {
		header := part(part(answer, "headers"), name)
		if len(header) == 0 {
			continue
		}
		found, err := r.resolve(header)
		if err != nil {
			return nil, err
		}
		schema, err := r.resolve(part(found, "schema"))
		if err != nil {
			return nil, err
		}
		headers[name] = object{"schema": object{"type": "string", "pattern": schema["pattern"]}}
		if schema["pattern"] == nil {
			headers[name] = object{"schema": object{"type": "string"}}
		}
	}
	if len(headers) > 0 {
		short["headers"] = headers
	}
	return short, nil
}

// body keeps the schemas of a body, and the example from which a sample is made.
func (r reduction) body(body object, sample bool) (object, error) {
	body, err := r.resolve(body)
	if err != nil {
		return nil, err
	}
	content := object{}
	for mediaType, media := range part(body, "content") {
		short := object{}
		if schema, ok := media.(object)["schema"]; ok {
			if short["schema"], err = r.schema(schema); err != nil {
				return nil, err
			}
		}
		if example, ok := media.(object)["example"]; ok && sample {
			short["example"] = example
		}
		content[mediaType] = short
	}
	short := object{"content": content}
	if body["required"] == true {
		short["required"] = true
	}
	return short, nil
}

// parameters are as they were, without their texts.
func (r reduction) parameters(written any) ([]any, error) {
	list, _ := written.([]any)
	var short []any
	for _, p := range list {
		kept, err := r.parameter(p)
		if err != nil {
			return nil, err
		}
		short = append(short, kept)
	}
	return short, nil
}

func (r reduction) parameter(written any) (any, error) {
	p, _ := written.(object)
	if ref, ok := p["$ref"].(string); ok {
		return object{"$ref": ref}, r.take("parameters", ref, r.parameter)
	}
	schema, err := r.schema(p["schema"])
	if err != nil {
		return nil, err
	}
	short := object{"name": p["name"], "in": p["in"], "schema": schema}
	if p["required"] == true {
		short["required"] = true
	}
	return short, nil
}

// schema keeps all that decides about a value, and the example that a refusal shows.
func (r reduction) schema(written any) (any, error) {
	s, ok := written.(object)
	if !ok {
		return written, nil // additionalProperties may be true or false
	}
	if ref, ok := s["$ref"].(string); ok {
		return object{"$ref": ref}, r.take("schemas", ref, r.schema)
	}
	short := object{}
	for name, value := range s {
		var err error
		switch name {
		case "title", "description", "externalDocs", "default":
		case "properties":
			properties := object{}
			for of, property := range value.(object) {
				if properties[of], err = r.schema(property); err != nil {
					return nil, err
				}
			}
			short[name] = properties
		case "items", "not", "additionalProperties":
			short[name], err = r.schema(value)
		case "allOf", "oneOf", "anyOf":
			var list []any
			for _, one := range value.([]any) {
				kept, err := r.schema(one)
				if err != nil {
					return nil, err
				}
				list = append(list, kept)
			}
			short[name] = list
		case "discriminator":
			return nil, errors.New("a schema with a discriminator: its references are not taken along")
		case "example":
			switch value.(type) {
			case object, []any:
			default:
				short[name] = value
			}
		default:
			if !strings.HasPrefix(name, "x-") {
				short[name] = value
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return short, nil
}

// take takes a component along, reduced, with those that it refers to.
func (r reduction) take(kind, ref string, reduced func(any) (any, error)) error {
	name, ok := strings.CutPrefix(ref, "#/components/"+kind+"/")
	if !ok {
		return fmt.Errorf("%s is none of the %s", ref, kind)
	}
	if r.taken[kind] == nil {
		r.taken[kind] = object{}
	}
	taken := part(r.taken, kind)
	if taken[name] != nil {
		return nil
	}
	found, err := r.resolve(object{"$ref": ref})
	if err != nil {
		return err
	}
	taken[name] = object{} // for schemas that lead back to themselves
	taken[name], err = reduced(found)
	return err
}

// resolve returns what a reference leads to, and everything else as it is.
func (r reduction) resolve(from object) (object, error) {
	ref, ok := from["$ref"].(string)
	if !ok {
		return from, nil
	}
	steps := strings.Split(ref, "/")
	found := r.whole
	for _, step := range steps[1:] {
		found = part(found, step)
	}
	if steps[0] != "#" || len(found) == 0 {
		return nil, fmt.Errorf("%s leads nowhere", ref)
	}
	return r.resolve(found)
}

// part is a member that is an object; it is empty where there is none.
func part(of object, name string) object {
	inner, _ := of[name].(object)
	return inner
}
