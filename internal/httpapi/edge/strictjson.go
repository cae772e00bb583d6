package edge

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
)

const (
	// maxDepth is how deep objects and arrays may stand in each other.
	maxDepth = 64
	// maxMembers is how many members one object or array may have. That is many more than any
	// schema allows, and few enough that naming what is wrong with them stays cheap.
	maxMembers = 2_000
)

// parseJSON decodes a body, looking closer than encoding/json does. It returns these faults:
//   - fault.Malformed: broken JSON, a duplicate key, trailing bytes, too much depth;
//   - fault.Invalid: U+0000, half a surrogate pair, a number beyond float64. They can be read but
//     neither stored nor signed.
func parseJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, malformedJSON("", fault.FieldSyntax)
	}
	// The reader looks itself at whether text is valid. So an escaped half of a pair can be told
	// from broken syntax.
	p := jsonReader{jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowInvalidUTF8(true))}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	if _, err := p.d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, malformedJSON("", fault.FieldTrailing)
	}
	return value, nil
}

func malformedJSON(at, code string) error {
	return &fault.Fault{Code: fault.Malformed, Reason: problem.ReasonJSON, Fields: []fault.Field{{Pointer: at, Code: code}}}
}

type jsonReader struct{ d *jsontext.Decoder }

func (p jsonReader) broken(err error) error {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return malformedJSON("", fault.FieldSyntax)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return malformedJSON(string(syntactic.JSONPointer), fault.FieldDuplicateKey)
	}
	return malformedJSON(string(syntactic.JSONPointer), fault.FieldSyntax)
}

func (p jsonReader) invalid(code string) error {
	return fault.InvalidFields(fault.Field{Pointer: string(p.d.StackPointer()), Code: code})
}

func (p jsonReader) value() (any, error) {
	switch p.d.PeekKind() {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return p.text()
	case '0':
		return p.number()
	default:
		token, err := p.d.ReadToken()
		if err != nil {
			return nil, p.broken(err)
		}
		switch token.Kind() {
		case 't':
			return true, nil
		case 'f':
			return false, nil
		default:
			return nil, nil
		}
	}
}

func (p jsonReader) open() error {
	if p.d.StackDepth() >= maxDepth {
		return malformedJSON("", fault.FieldTooDeep)
	}
	if _, err := p.d.ReadToken(); err != nil {
		return p.broken(err)
	}
	return nil
}

func (p jsonReader) close() error {
	if _, err := p.d.ReadToken(); err != nil {
		return p.broken(err)
	}
	return nil
}

// crowded names the object or array that the last value stands in.
func (p jsonReader) crowded() error {
	return fault.InvalidFields(fault.Field{Pointer: string(p.d.StackPointer().Parent()), Code: fault.FieldTooMany})
}

func (p jsonReader) object() (any, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	members := make(map[string]any)
	for p.d.PeekKind() != '}' {
		if len(members) == maxMembers {
			return nil, p.crowded()
		}
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if members[name], err = p.value(); err != nil {
			return nil, err
		}
	}
	return members, p.close()
}

func (p jsonReader) array() (any, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	items := []any{}
	for p.d.PeekKind() != ']' {
		if len(items) == maxMembers {
			return nil, p.crowded()
		}
		item, err := p.value()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, p.close()
}

func (p jsonReader) number() (any, error) {
	raw, err := p.d.ReadValue()
	if err != nil {
		return nil, p.broken(err)
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return nil, p.invalid(fault.FieldMaximum)
	}
	return n, nil
}

// text reads a string or the name of a member.
func (p jsonReader) text() (string, error) {
	if kind := p.d.PeekKind(); kind != '"' {
		if _, err := p.d.ReadToken(); err != nil {
			return "", p.broken(err)
		}
		return "", malformedJSON("", fault.FieldSyntax)
	}
	raw, err := p.d.ReadValue()
	if err != nil {
		return "", p.broken(err)
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	if !storable(raw) {
		return "", p.invalid(fault.FieldCharacter)
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", p.invalid(fault.FieldCharacter)
	}
	return string(text), nil
}

// storable reports whether the escapes of a JSON string are free of U+0000 and of halves of
// surrogate pairs.
func storable(raw []byte) bool {
	const escape, low, high, end = 6, 0xD800, 0xDC00, 0xE000
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if raw[i+1] != 'u' {
			i++
			continue
		}
		unit := codeUnit(raw[i:])
		i += escape - 1
		switch {
		case unit == 0, unit >= high && unit < end:
			return false
		case unit >= low && unit < high:
			second := codeUnit(raw[i+1:])
			if second < high || second >= end {
				return false
			}
			i += escape
		}
	}
	return true
}

// codeUnit reads the UTF-16 code unit of a \u escape at the start of b. It is 0 if there is none.
func codeUnit(b []byte) uint64 {
	const length, hex = 6, 16
	if len(b) < length || b[0] != '\\' || b[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(b[2:length]), hex, hex)
	if err != nil {
		return 0
	}
	return unit
}
