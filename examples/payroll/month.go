package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The columns that are about the declaration. All others are fields of its content.
const (
	referenceColumn = "reference"
	positionColumn  = "position"
	typeColumn      = "type"
)

// row is a line of the month.
type row struct {
	line                      int
	reference, position, kind string
	content                   map[string]string
}

// readMonth reads the file. Columns may stand in any order, separated by commas or semicolons.
func readMonth(path string) ([]row, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // spreadsheets write it
	header, _, err := bufio.NewReader(bytes.NewReader(text)).ReadLine()
	if err != nil {
		return nil, fmt.Errorf("%s is empty", path)
	}
	lines := csv.NewReader(bytes.NewReader(text))
	if bytes.Count(header, []byte(";")) > bytes.Count(header, []byte(",")) {
		lines.Comma = ';'
	}
	lines.TrimLeadingSpace = true
	columns, err := lines.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range columns {
		columns[i] = strings.ToLower(strings.TrimSpace(columns[i]))
	}
	for _, needed := range []string{referenceColumn, positionColumn, typeColumn} {
		if !slices.Contains(columns, needed) {
			return nil, fmt.Errorf("%s has no column %s", path, needed)
		}
	}
	var month []row
	seen := map[string]int{}
	for {
		values, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := lines.FieldPos(0)
		r := row{line: line, content: map[string]string{}}
		for i, value := range values {
			value = strings.TrimSpace(value)
			switch columns[i] {
			case referenceColumn:
				r.reference = value
			case positionColumn:
				r.position = value
			case typeColumn:
				r.kind = value
			default:
				if value != "" {
					r.content[columns[i]] = value
				}
			}
		}
		if r.reference == "" {
			return nil, fmt.Errorf("%s, line %d: no reference. Give each declaration a name of yours that stays the same", path, line)
		}
		name := strings.ToLower(fileName(r.reference))
		if first := seen[name]; first > 0 {
			return nil, fmt.Errorf("%s, line %d: reference %s, or one like it, stands on line %d already", path, line, r.reference, first)
		}
		seen[name] = line
		month = append(month, r)
	}
	if len(month) == 0 {
		return nil, fmt.Errorf("%s has no declarations", path)
	}
	return month, nil
}

// form says of what kind the fields of a declaration type are.
type form struct {
	Properties map[string]struct {
		Type string `json:"type"`
	} `json:"properties"`
}

// declared is the content of a line as the type wants it: numbers as numbers, all else as text. What
// does not fit stays text, so that the service says what is wrong with it.
func (r row) declared(of form) (json.RawMessage, error) {
	content := map[string]any{}
	for column, text := range r.content {
		content[column] = text
		switch of.Properties[column].Type {
		case "number", "integer":
			number := json.Number(strings.Replace(text, ",", ".", 1))
			if json.Valid([]byte(number)) {
				content[column] = number
			}
		case "boolean":
			if is, err := strconv.ParseBool(text); err == nil {
				content[column] = is
			}
		}
	}
	return json.Marshal(content)
}

// fileName is what the receipt of a declaration is called.
func fileName(reference string) string {
	safe := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '.' {
			return c
		}
		return '_'
	}, reference)
	return strings.TrimLeft(safe, ".") + ".pdf"
}
