package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// closeForm forgets the files of a form.
func closeForm(f *reqctx.Form) error {
	if f == nil {
		return nil
	}
	var failed error
	for _, files := range f.Uploads {
		for _, u := range files {
			failed = errors.Join(failed, u.Close())
		}
	}
	return failed
}

// formIdentity is what makes two forms the same request: names, values, and digests of files. The
// bytes of the body would not do, since the boundary between its parts is another one at each try.
func formIdentity(f *reqctx.Form) ([]byte, error) {
	digests := make(map[string][]string, len(f.Uploads))
	for name, files := range f.Uploads {
		for _, u := range files {
			digests[name] = append(digests[name], u.Digest())
		}
	}
	return json.Marshal(map[string]any{"form": f.Texts, "files": digests}) // members in the order of their names
}

// formRule is what the contract says about a form.
type formRule struct {
	// texts is the schema of the fields that are no files.
	texts *openapi3.Schema
	files map[string]fileRule
	// size is how long the whole may be, in bytes: as long as its files need.
	size int64
}

// fileRule is what the contract says about the files of one field.
type fileRule struct {
	least, most uint64
	// size is how long each may be, in bytes.
	size int64
}

// count says how many files the field takes.
func (r fileRule) count() *fault.Right {
	return &fault.Right{MinItems: least(r.least), MaxItems: most(&r.most)}
}

// length says how long each file may be.
func (r fileRule) length() *fault.Right { return &fault.Right{Expected: attachment.UpTo(r.size)} }

// newFormRule reads the schema of a form. It refuses one with something that the edge would leave
// unchecked.
func newFormRule(s *openapi3.Schema) (*formRule, error) {
	if !s.Type.Is(openapi3.TypeObject) || s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has {
		return nil, errors.New("a form is an object without additional properties")
	}
	rule := &formRule{files: map[string]fileRule{}, texts: openapi3.NewObjectSchema()}
	rule.texts.Properties, rule.texts.AdditionalProperties = openapi3.Schemas{}, s.AdditionalProperties
	for name, property := range s.Properties {
		p := property.Value
		switch {
		case isFile(p):
			rule.files[name] = fileRule{most: 1, size: fileSize(p)}
		case p.Type.Is(openapi3.TypeArray) && p.Items != nil && isFile(p.Items.Value):
			if p.MaxItems == nil {
				return nil, fmt.Errorf("form field %s: files without maxItems", name)
			}
			rule.files[name] = fileRule{least: p.MinItems, most: *p.MaxItems, size: fileSize(p.Items.Value)}
		case plain(p):
			rule.texts.Properties[name] = property
		default:
			return nil, fmt.Errorf("form field %s: neither a single text, number or truth value, nor files", name)
		}
	}
	rule.size = besideFiles
	for _, file := range rule.files {
		rule.size += int64(file.most) * file.size //nolint:gosec // a contract of this house
	}
	rule.size = max(rule.size, maxForm)
	for _, name := range s.Required {
		if file, ok := rule.files[name]; ok {
			file.least = max(file.least, 1)
			rule.files[name] = file
			continue
		}
		rule.texts.Required = append(rule.texts.Required, name)
	}
	return rule, nil
}

func isFile(s *openapi3.Schema) bool { return s.Type.Is(openapi3.TypeString) && s.Format == "binary" }

// fileSize is how long a file may be. It is what the contract says, and never more than what is
// taken in at all.
func fileSize(s *openapi3.Schema) int64 {
	if s.MaxLength != nil && *s.MaxLength < attachment.MaxSize {
		return int64(*s.MaxLength)
	}
	return attachment.MaxSize
}

// typed returns the fields as the schema's types want them, for its validation. What cannot be read
// as its type stays text.
func (r *formRule) typed(texts map[string]string) map[string]any {
	values := make(map[string]any, len(texts))
	for name, text := range texts {
		values[name] = text
		switch s := r.texts.Properties[name].Value; {
		case s.Type.Is(openapi3.TypeInteger):
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				values[name] = float64(n)
			}
		case s.Type.Is(openapi3.TypeBoolean):
			if text == "true" || text == "false" {
				values[name] = text == "true"
			}
		}
	}
	return values
}
