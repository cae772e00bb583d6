package declaration

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// line is a line of a printed content.
type line = struct{ Label, Value string }

// described is what printing needs of a content's schema.
type described struct {
	Title      string     `json:"title"`
	Format     string     `json:"format"`
	Pattern    string     `json:"pattern"`
	Properties members    `json:"properties"`
	Items      *described `json:"items"`
	// Labels are the words for the values of a list.
	Labels map[string]string `json:"x-labels"`
}

// members are the properties of a schema in the order of the form.
type members struct {
	names []string
	of    map[string]described
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *members) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, &m.of); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil { // the brace
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		m.names = append(m.names, name.(string)) //nolint:forcetypeassert // names of members are strings
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return nil
}

// labelled lists the content's members in the order of the form. Its schema has that order, and
// gives the titles. What the schema does not know comes last.
func labelled(content, schema string) ([]line, error) {
	var s described
	if err := json.Unmarshal([]byte(schema), &s); err != nil {
		return nil, err
	}
	return s.lines([]byte(content))
}

func (s described) lines(content []byte) ([]line, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(content, &values); err != nil {
		return nil, err
	}
	names := slices.Clone(s.Properties.names)
	var others []string
	for name := range values {
		if _, known := s.Properties.of[name]; !known {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	var lines []line
	for _, name := range append(names, others...) {
		value, there := values[name]
		if !there {
			continue
		}
		member := s.Properties.of[name]
		label := member.Title
		if label == "" {
			label = name
		}
		more, err := member.print(label, value)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

// print gives a value its lines: one, or as many as a list has members.
func (s described) print(label string, value json.RawMessage) ([]line, error) {
	switch value[0] {
	case '{':
		inner, err := s.lines(value)
		if err != nil {
			return nil, err
		}
		parts := make([]string, len(inner))
		for i, l := range inner {
			parts[i] = l.Label + ": " + l.Value
		}
		return []line{{label, strings.Join(parts, "\n")}}, nil
	case '[':
		var values []json.RawMessage
		if err := json.Unmarshal(value, &values); err != nil {
			return nil, err
		}
		items := described{}
		if s.Items != nil {
			items = *s.Items
		}
		var lines []line
		for i, v := range values {
			more, err := items.print(label+", "+strconv.Itoa(i+1), v)
			if err != nil {
				return nil, err
			}
			lines = append(lines, more...)
		}
		return lines, nil
	}
	return []line{{label, s.italian(value)}}, nil
}

// italian writes a plain value as it is written in Italy. Whole numbers stay as they are: a year is
// one.
func (s described) italian(value json.RawMessage) string {
	text := string(value)
	switch {
	case text == "true":
		return "sì"
	case text == "false":
		return "no"
	case text == "null":
		return "–"
	case value[0] != '"':
		return figure(text)
	}
	if json.Unmarshal(value, &text) != nil {
		return text
	}
	label := s.Labels[text]
	switch {
	case label != "":
		return label
	case s.Format == "date":
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return day.Format("02/01/2006")
		}
	case strings.Contains(s.Pattern, `\.[0-9]`): // an amount: digits, a point and decimals
		return figure(text)
	}
	return text
}

// figure puts a comma before the decimals of a figure, and a point after thousands.
func figure(text string) string {
	whole, decimals, found := strings.Cut(text, ".")
	if !found || strings.Trim(whole, "-0123456789") != "" || strings.Trim(decimals, "0123456789") != "" {
		return text
	}
	sign := ""
	if rest, negative := strings.CutPrefix(whole, "-"); negative {
		sign, whole = "-", rest
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "." + whole[i:]
	}
	return sign + whole + "," + decimals
}
