package declaration_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// plain writes a JSON value in the form of RFC 8785, by that document and without the library in
// use. Names stand in the order of their UTF-16 code units, numbers as ECMAScript writes them, and
// nothing is escaped that need not be.
func plain(b *strings.Builder, value any) {
	switch v := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.SortFunc(names, func(x, y string) int {
			return slices.CompareFunc(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)), cmp.Compare[uint16])
		})
		b.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			plain(b, name)
			b.WriteByte(':')
			plain(b, v[name])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			plain(b, item)
		}
		b.WriteByte(']')
	case string:
		b.WriteByte('"')
		for _, r := range v {
			switch short := strings.IndexRune("\b\t\n\f\r\"\\", r); {
			case short >= 0:
				b.WriteString([]string{`\b`, `\t`, `\n`, `\f`, `\r`, `\"`, `\\`}[strings.Count("\b\t\n\f\r\"\\"[:short], "")-1])
			case r < ' ':
				fmt.Fprintf(b, `\u%04x`, r)
			default:
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
	case float64:
		if v == 0 {
			v = 0 // the negative zero is written as the other one
		}
		// The encoder of the standard library follows ECMAScript.
		text, err := json.Marshal(math.Abs(v))
		if err != nil {
			panic(err)
		}
		if v < 0 {
			b.WriteByte('-')
		}
		b.Write(text)
	case bool:
		fmt.Fprint(b, v)
	case nil:
		b.WriteString("null")
	default:
		panic(fmt.Sprintf("%T", value))
	}
}

func plainText(value any) string {
	var b strings.Builder
	plain(&b, value)
	return b.String()
}

func TestContent_CanonicalVectors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{}`, `{}`},
		{" {\t\"b\" : 1 ,\r\n \"a\":2 }", `{"a":2,"b":1}`},
		{
			`{"n":[0,-0,1.0,10e1,1E21,999999999999999900000,1e-6,1e-7,0.1,-1.50,23.81,5e-324,1.7976931348623157e308,9007199254740993]}`,
			`{"n":[0,0,1,100,1e+21,999999999999999900000,0.000001,1e-7,0.1,-1.5,23.81,5e-324,1.7976931348623157e+308,9007199254740992]}`,
		},
		{
			`{"s":"\u0041\u00e8\/\"\\\b\f\n\r\t\u0000\u001f\u007f\u2028<&>\ud83d\ude00"}`,
			"{\"s\":\"Aè/\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\u007f\u2028<&>😀\"}",
		},
		// U+FB33 comes after an emoji by UTF-16 code units, and before it by code points.
		{`{"\ufb33":1,"\ud83d\ude00":2,"ö":3,"1":4,"\r":5,"":6}`, "{\"\":6,\"\\r\":5,\"1\":4,\"ö\":3,\"😀\":2,\"\ufb33\":1}"},
		{`{"deep":{"z":[{"b":null,"a":true}],"y":false}}`, `{"deep":{"y":false,"z":[{"a":true,"b":null}]}}`},
	} {
		got, err := declaration.Canonical(json.RawMessage(c.in))
		if err != nil || got != c.want {
			t.Errorf("%s\n became %s\n    not %s (%v)", c.in, got, c.want, err)
		}
		var value any
		if err := json.Unmarshal([]byte(c.in), &value); err != nil {
			t.Fatal(err)
		}
		if text := plainText(value); text != c.want {
			t.Errorf("the test's own form of %s is %s", c.in, text)
		}
		if again, err := declaration.Canonical(json.RawMessage(got)); err != nil || again != got {
			t.Errorf("the form of the form of %s is %s (%v)", c.in, again, err)
		}
	}
}

func TestContent_WhatHasNoCanonicalForm(t *testing.T) {
	for _, in := range []string{``, `{`, `{}x`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, `{"a":01}`, `{"a":1e999}`, `{'a':1}`} {
		if got, err := declaration.Canonical(json.RawMessage(in)); err == nil {
			t.Errorf("%s became %s", in, got)
		}
	}
}

// anyJSON draws a JSON value and a text for it, one of the many ways to write it.
func anyJSON(depth int) *rapid.Generator[any] {
	text := rapid.OneOf(
		rapid.String(), rapid.StringOfN(rapid.SampledFrom([]rune("ab\"\\\n\u0000\u001f\u007f\u00e8\u2028\ufb33\U0001f600</")), 0, 6, -1),
	)
	hundredths := rapid.Map(rapid.Int16(), func(i int16) float64 { return float64(i) / 100 })
	leaf := rapid.OneOf(rapid.Just[any](nil), asAny(rapid.Bool()), asAny(text), asAny(rapid.Float64()), asAny(hundredths))
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, asAny(rapid.SliceOfN(anyJSON(depth-1), 0, 4)), asAny(rapid.MapOfN(text, anyJSON(depth-1), 0, 5)))
}

func asAny[T any](g *rapid.Generator[T]) *rapid.Generator[any] {
	return rapid.Map(g, func(v T) any { return v })
}

func TestContent_TheDigestOfAnyContent(t *testing.T) {
	contributor, position := uuid.MustParse("018f3a12-0a1b-7c3d-8e4f-5a6b7c8d9e0f"), uuid.MustParse("018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a")
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.MapOfN(rapid.String(), anyJSON(3), 0, 6).Draw(t, "content")
		var written bytes.Buffer
		encoder := json.NewEncoder(&written)
		encoder.SetEscapeHTML(rapid.Bool().Draw(t, "escaped"))
		encoder.SetIndent(
			rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "prefix"), rapid.SampledFrom([]string{"", "  "}).Draw(t, "indent"),
		)
		if err := encoder.Encode(content); err != nil {
			t.Fatal(err)
		}
		got, err := declaration.Canonical(written.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", written.String(), err)
		}
		if want := plainText(content); got != want {
			t.Fatalf("%s\n became %s\n    not %s", written.String(), got, want)
		}
		code := rapid.SampledFrom([]string{"RIOC", "76-2013", "DETI-arr", "Perché «no»"}).Draw(t, "type")
		version := rapid.IntRange(1, 100_000).Draw(t, "version")
		whole := plainText(map[string]any{
			"type": code, "version": float64(version), "contributor_id": contributor.String(), "position_id": position.String(),
			"content": content,
		})
		want := fmt.Sprintf("sha-256:%x", sha256.Sum256([]byte(whole)))
		if digest := declaration.DigestOf(code, version, contributor, position, got); digest != want {
			t.Fatalf("the digest of %s is %s, not %s", whole, digest, want)
		}
	})
}

func TestContent_TheDigestOfADeclaration(t *testing.T) {
	contributor, position := uuid.MustParse("018f3a12-0a1b-7c3d-8e4f-5a6b7c8d9e0f"), uuid.MustParse("018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a")
	const whole = `{"content":{"a":1.5},"contributor_id":"018f3a12-0a1b-7c3d-8e4f-5a6b7c8d9e0f","position_id":"018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a","type":"RIOC","version":1}`
	if got, want := declaration.DigestOf(
		"RIOC", 1, contributor, position, `{"a":1.5}`,
	), fmt.Sprintf("sha-256:%x", sha256.Sum256([]byte(whole))); got != want {
		t.Errorf("%s, not %s", got, want)
	}
	// What is stored gives the digest of the receipt again.
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		in := c.Input(true)
		in.Content = json.RawMessage(
			`{"notes":"<b> \u00e8 \u2028 \ud83d\ude00 \"\\\/","employer_contribution_rate":2.3810e1,"worker_tax_code":"RSSMRA80A01H501U","mandatory_communication_code":"1700021200123456","average_monthly_pay":"1850.00"}`,
		)
		filed := show(t, a, by, a.Draft(t, by, c, in).ID)
		var given any
		if err := json.Unmarshal(in.Content, &given); err != nil {
			t.Fatal(err)
		}
		whole := plainText(map[string]any{
			"type": world.Type, "version": 1.0, "contributor_id": c.ID.String(), "position_id": c.Positions[0].ID.String(),
			"content": given,
		})
		if want := fmt.Sprintf("sha-256:%x", sha256.Sum256([]byte(whole))); *filed.Digest != want || filed.Content != plainText(given) {
			t.Errorf("%s of %s, not %s", *filed.Digest, filed.Content, want)
		}
	})
}
