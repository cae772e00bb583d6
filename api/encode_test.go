package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"diresco/api"
)

// texts are what JSON writes in different ways.
var texts = []string{
	"", "Rossi", "/v1/declarations?limit=50&cursor=a", `a "quoted" \ text`, "<b>", "a\tb\nc\x00\x1f\x7f",
	"è già così: Müller", "\u2028 and \u2029",
	"not \xff valid \xc3", "\ufffd", "𝄞 beyond the plane", "INPS.1400.16/03/2026.0000042",
}

// instants have no fraction, some of it or all of it, and other zones.
var instants = []time.Time{
	time.Date(2026, 3, 16, 8, 15, 4, 218301000, time.UTC), time.Date(2026, 3, 16, 8, 15, 4, 0, time.UTC),
	time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	time.Date(2026, 7, 1, 10, 0, 0, 100000000, time.FixedZone("CEST", 7200)),
}

// contents are JSON with what is escaped, or left out, when it is written again.
var contents = []string{
	"{}", "null", "\"\"", `{"a":"<b> & \\\"c\\\\","d":[1, 2.50 ,-3e10, true,null]}`,
	" {\n\t\"a b\" : \" \\u003c \\\\\" , \"è\":\"\u2028\u2029\u2030 ‧\"}\r\n", `["\\\\", " \" ", {} ]`,
}

// filler puts something into every field there is, whichever these will be.
type filler struct {
	// pick chooses one of so many.
	pick func(n int) int
	// optional is in how many of ten cases what may be missing is there.
	optional int
}

func (f filler) fill(v reflect.Value) {
	switch v.Interface().(type) {
	case json.RawMessage:
		v.SetBytes([]byte(contents[f.pick(len(contents))]))
		return
	case time.Time:
		v.Set(reflect.ValueOf(instants[f.pick(len(instants))]))
		return
	case uuid.UUID:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(f.pick(256)))
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if f.pick(10) < f.optional {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.pick(4), 4))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString(texts[f.pick(len(texts))])
	case reflect.Int32:
		v.SetInt(int64(f.pick(1<<31)) - 1<<30)
	default:
		panic(fmt.Sprintf("no value for a %s", v.Type()))
	}
}

// TestEncoder_WritesWhatTheLibraryWrites: whatever is in a page, and whatever is missing.
func TestEncoder_WritesWhatTheLibraryWrites(t *testing.T) {
	t.Parallel()
	pages := []api.DeclarationList{
		{Items: []api.DeclarationSummary{}}, {Items: []api.DeclarationSummary{{Reasons: new([]api.DeclarationReason)}}},
	}
	for _, text := range texts {
		pages = append(pages, api.DeclarationList{Items: []api.DeclarationSummary{{Type: text}}})
	}
	check := func(t rapid.TB, page api.DeclarationList) {
		want, err := json.Marshal(page)
		if err != nil {
			t.Fatal(err)
		}
		got, err := api.AppendDeclarationList(nil, page)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v:\n%s\nwant\n%s", err, got, want)
		}
	}
	for _, page := range pages {
		check(t, page)
	}
	for _, optional := range optionals {
		rapid.Check(t, func(rt *rapid.T) {
			var page api.DeclarationList
			filler{picking(rt), optional}.fill(reflect.ValueOf(&page).Elem())
			check(rt, page)
		})
	}
}

// optionals leave out all that may be missing, some of it and none.
var optionals = []int{0, 5, 10}

func picking(t *rapid.T) func(n int) int {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
}

// TestEncoder_WritesADeclarationAsTheLibrary: whatever is in it, and whatever is missing.
func TestEncoder_WritesADeclarationAsTheLibrary(t *testing.T) {
	t.Parallel()
	for _, optional := range optionals {
		rapid.Check(t, func(rt *rapid.T) {
			var d api.Declaration
			if rapid.Bool().Draw(rt, "something") {
				filler{picking(rt), optional}.fill(reflect.ValueOf(&d).Elem())
			}
			want, err := json.Marshal(d)
			if err != nil {
				rt.Fatal(err)
			}
			got, err := api.AppendDeclaration(nil, &d)
			if err != nil || !bytes.Equal(got, want) {
				rt.Fatalf("%v:\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// FuzzEncoder_WritesContentAsTheLibrary: any JSON is written as the library writes it.
func FuzzEncoder_WritesContentAsTheLibrary(f *testing.F) {
	for _, content := range contents {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		d := api.Declaration{Content: json.RawMessage(content)}
		want, err := json.Marshal(d)
		if err != nil {
			return // it is no JSON
		}
		if got, err := api.AppendDeclaration(nil, &d); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v:\n%s\nwant\n%s", err, got, want)
		}
	})
}

// TestEncoder_RefusesWhatTheLibraryRefuses: no answer holds an instant that RFC 3339 has not.
func TestEncoder_RefusesWhatTheLibraryRefuses(t *testing.T) {
	t.Parallel()
	page := api.DeclarationList{Items: []api.DeclarationSummary{{CreatedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}}
	_, want := json.Marshal(page)
	if _, err := api.AppendDeclarationList(nil, page); err == nil || want == nil {
		t.Errorf("%v, the library says %v", err, want)
	}
}

func fifty() api.DeclarationList {
	page := api.DeclarationList{Items: make([]api.DeclarationSummary, 50)}
	number := "INPS.1400.16/03/2026.0000042"
	for i := range page.Items {
		page.Items[i] = api.DeclarationSummary{
			Type: "RIOC", TypeVersion: 1, State: "submitted", Step: "single", ProtocolNumber: &number, CreatedAt: instants[0],
			SubmittedAt: &instants[0],
			FiledBy:     api.FiledBy{ActingAs: "legal_representative", GivenName: "Mario", FamilyName: "Rossi"},
			Links:       api.SelfLinks{Self: api.Link{Href: "/v1/declarations/018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c"}},
		}
	}
	return page
}

func BenchmarkEncoder_AListOfFifty(b *testing.B) {
	page := fifty()
	b.Run("own", func(b *testing.B) {
		var buf []byte
		for b.Loop() {
			buf, _ = api.AppendDeclarationList(buf[:0], page)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		var buf bytes.Buffer
		for b.Loop() {
			buf.Reset()
			_ = json.NewEncoder(&buf).Encode(page)
		}
	})
	b.Run("encoding/json, items compacted again", func(b *testing.B) {
		type compacted struct {
			Links      api.PageLinks                    `json:"_links"`
			Items      api.List[api.DeclarationSummary] `json:"items"`
			NextCursor *string                          `json:"next_cursor,omitempty"`
		}
		twice := compacted{page.Links, page.Items, page.NextCursor}
		var buf bytes.Buffer
		for b.Loop() {
			buf.Reset()
			_ = json.NewEncoder(&buf).Encode(twice)
		}
	})
}
