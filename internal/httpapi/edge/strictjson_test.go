package edge

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"diresco/internal/platform/fault"
)

func TestStrictJSON_ReadsOneValue(t *testing.T) {
	const lone = `\ud83d`
	for name, c := range map[string]struct {
		body, pointer, code string
		kind                fault.Code
	}{
		"broken":           {`{"a":`, "/a", fault.FieldSyntax, fault.Malformed},
		"broken inside":    {`{"a":{"b":tru}}`, "/a/b", fault.FieldSyntax, fault.Malformed},
		"no colon":         {`{"a"}`, "/a", fault.FieldSyntax, fault.Malformed},
		"name is no text":  {`{1:2}`, "", fault.FieldSyntax, fault.Malformed},
		"nothing":          {``, "", fault.FieldSyntax, fault.Malformed},
		"raw control":      {"{\"a\":\"\n\"}", "/a", fault.FieldSyntax, fault.Malformed},
		"duplicate":        {`{"a":1,"a":2}`, "/a", fault.FieldDuplicateKey, fault.Malformed},
		"duplicate inside": {`{"x":[{"a":1,"\u0061":2}]}`, "/x/0/a", fault.FieldDuplicateKey, fault.Malformed},
		"trailing value":   {`{} {}`, "", fault.FieldTrailing, fault.Malformed},
		"trailing text":    {`{}x`, "", fault.FieldTrailing, fault.Malformed},
		"not UTF-8":        {"\"\xc3\x28\"", "", fault.FieldSyntax, fault.Malformed},
		"raw surrogate":    {"\"\xed\xa0\x80\"", "", fault.FieldSyntax, fault.Malformed},
		"too deep": {
			strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), "", fault.FieldTooDeep, fault.Malformed,
		},
		"U+0000":                    {`{"a":["b","\u0000"]}`, "/a/1", fault.FieldCharacter, fault.Invalid},
		"U+0000 in a name":          {`{"a\u0000":1}`, "/a\x00", fault.FieldCharacter, fault.Invalid},
		"high half alone":           {`{"a":"` + lone + `"}`, "/a", fault.FieldCharacter, fault.Invalid},
		"high half, then text":      {`{"a":"` + lone + `xxxxxx"}`, "/a", fault.FieldCharacter, fault.Invalid},
		"high half twice":           {`{"a":"` + lone + lone + `"}`, "/a", fault.FieldCharacter, fault.Invalid},
		"high half, other escape":   {`{"a":"` + lone + `\nxxxxx"}`, "/a", fault.FieldCharacter, fault.Invalid},
		"low half alone":            {`{"a":"\ude00"}`, "/a", fault.FieldCharacter, fault.Invalid},
		"low half first":            {`{"a":"\ude00` + lone + `"}`, "/a", fault.FieldCharacter, fault.Invalid},
		"half after escaped escape": {`{"a":"\\\ud83d"}`, "/a", fault.FieldCharacter, fault.Invalid},
		"number too large":          {`{"a":1e400}`, "/a", fault.FieldMaximum, fault.Invalid},
		"too many items":            {`{"a":[` + strings.Repeat("0,", maxMembers) + `0]}`, "/a", fault.FieldTooMany, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseJSON([]byte(c.body))
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != c.kind || len(f.Fields) != 1 ||
				f.Fields[0] != (fault.Field{Pointer: c.pointer, Code: c.code}) {
				t.Errorf("got %+v with %+v", f, f.Fields)
			}
		})
	}
	for _, body := range []string{
		`{}`, `[]`, `null`, `true`, `-0.5e-3`, ` "x" `, `{"a":{"b":[1,2,{"c":null}]},"è":"\ud83d\ude00 \\ud800 \" \/ \u00e8"}`,
		`{"a":"` + "\u2028😀" + `"}`,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth),
	} {
		got, err := parseJSON([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		var want any
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", body, got, want)
		}
	}
}

// What is taken means the same to encoding/json, which handlers use; and what encoding/json refuses
// is refused.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"\ud83d\ude00"],"b":{"c":null}}`, `"\u0000"`, `{"a":1,"a":2}`, `[1e400]`, `"\ud800"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseJSON([]byte(body))
		var want any
		reference := json.Unmarshal([]byte(body), &want)
		if err == nil && (reference != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%q: got %v, encoding/json says %v (%v)", body, got, want, reference)
		}
		var refused *fault.Fault
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("%q: %v is no fault", body, err)
		}
	})
}
