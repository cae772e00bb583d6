package catalogue

import (
	"bytes"
	"encoding/json"
	"maps"
)

// English is the keyword beside the words of a schema that has the same in English: an object with
// title, description and labels. Title, description and x-labels themselves are Italian.
const English = "x-en"

const labelsKeyword = "x-labels"

// words is what a schema says to people, in English.
type words struct {
	Title       json.RawMessage `json:"title"`
	Description json.RawMessage `json:"description"`
	Labels      json.RawMessage `json:"labels"`
}

// Localised returns the schema with its words in one language, without the keyword for the other.
// The order of its members stays. What has no English words keeps the Italian ones.
func Localised(schema json.RawMessage, english bool) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := localise(&b, schema, english); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func localise(b *bytes.Buffer, value json.RawMessage, english bool) error {
	switch value[0] {
	case '{':
		return localiseObject(b, value, english)
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(value, &items); err != nil {
			return err
		}
		b.WriteByte('[')
		for i, item := range items {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := localise(b, item, english); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	}
	b.Write(value)
	return nil
}

func localiseObject(b *bytes.Buffer, value json.RawMessage, english bool) error {
	names, members, err := inOrder(value)
	if err != nil {
		return err
	}
	instead := map[string]json.RawMessage{}
	if raw, there := members[English]; there && english {
		var in words
		_ = json.Unmarshal(raw, &in) // within a const or an enum it may be anything, and is no words then
		maps.Copy(instead, map[string]json.RawMessage{"title": in.Title, "description": in.Description, labelsKeyword: in.Labels})
	}
	b.WriteByte('{')
	first := true
	for _, name := range names {
		if name == English {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		quoted, err := json.Marshal(name)
		if err != nil {
			return err
		}
		b.Write(quoted)
		b.WriteByte(':')
		if other := instead[name]; other != nil {
			b.Write(other)
			continue
		}
		if err := localise(b, members[name], english); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// inOrder returns the members of a JSON object, and their names in the order of the text.
func inOrder(object json.RawMessage) (names []string, members map[string]json.RawMessage, err error) {
	members = map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil { // the brace
		return nil, nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var member json.RawMessage
		if err := d.Decode(&member); err != nil {
			return nil, nil, err
		}
		text := name.(string) //nolint:forcetypeassert // names of members are strings
		names = append(names, text)
		members[text] = member
	}
	return names, members, nil
}
