package pages

import (
	"encoding/json"
	"fmt"
	"strings"

	"diresco/internal/httpapi/problem"
)

const (
	jsonType       = "application/json"
	mergePatchType = "application/merge-patch+json"
)

// keptHeaders are those of answers that a program acts on.
var keptHeaders = []string{"ETag", "Location", "Retry-After"}

// forGenerators returns the contract as generators of clients like it. It describes the same
// service.
//
// Twelve refusals with eight headers each, for every operation, make a client that is many times as
// large and says nothing more. So here all refusals are one default answer, few headers are named,
// and what some generators cannot read is left out: bounds of files, types of the parts of a form,
// other forms of what can be had as JSON, and extensions. What some take for nothing is said in so
// many words.
func forGenerators(contract []byte) ([]byte, error) {
	var doc map[string]any
	if err := json.Unmarshal(contract, &doc); err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	doc = trimmed(doc).(map[string]any)
	components, ok := doc["components"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("contract: no components")
	}
	responses, ok := components["responses"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("contract: no responses")
	}
	for name, response := range responses {
		if content, ok := object(response, "content"); ok && content[problem.MediaType] != nil {
			delete(responses, name)
		} else {
			keepHeaders(response)
		}
	}
	responses["Refused"] = map[string]any{"description": "Any refusal.", "content": map[string]any{
		problem.MediaType: map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Problem"}},
	}}
	delete(responses, "NotModified")
	paths, ok := doc["paths"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("contract: no paths")
	}
	for _, item := range paths {
		for _, operation := range item.(map[string]any) {
			answers, ok := object(operation, "responses")
			if !ok {
				continue // the parameters of a path
			}
			for status, answer := range answers {
				if strings.HasPrefix(status, "2") {
					keepHeaders(answer)
				} else {
					delete(answers, status)
				}
			}
			answers["default"] = map[string]any{"$ref": "#/components/responses/Refused"}
		}
	}
	return json.Marshal(doc)
}

// trimmed returns a part of the contract without what generators cannot read or do not need.
func trimmed(part any) any {
	switch part := part.(type) {
	case map[string]any:
		if part["format"] == "binary" {
			delete(part, "maxLength")
		}
		if part["type"] == "object" && part["properties"] == nil && part["additionalProperties"] == nil {
			// Where anything may stand, some generators expect nothing unless this says so.
			part["additionalProperties"] = true
		}
		if patch, ok := part[mergePatchType]; ok {
			// The name under which every client can send a change.
			delete(part, mergePatchType)
			part[jsonType] = patch
		}
		if part[jsonType] != nil {
			// Among several forms of a body or an answer, many clients do not tell which one it is.
			for form := range part {
				if form != jsonType && strings.Contains(form, "/") {
					delete(part, form)
				}
			}
		}
		for name, value := range part {
			if strings.HasPrefix(name, "x-") || name == "encoding" {
				delete(part, name)
				continue
			}
			part[name] = trimmed(value)
		}
	case []any:
		for i, value := range part {
			part[i] = trimmed(value)
		}
	}
	return part
}

func object(of any, name string) (map[string]any, bool) {
	outer, ok := of.(map[string]any)
	if !ok {
		return nil, false
	}
	inner, ok := outer[name].(map[string]any)
	return inner, ok
}

func keepHeaders(response any) {
	headers, ok := object(response, "headers")
	if !ok {
		return
	}
	kept := map[string]any{}
	for _, name := range keptHeaders {
		if header := headers[name]; header != nil {
			kept[name] = header
		}
	}
	response.(map[string]any)["headers"] = kept
}
