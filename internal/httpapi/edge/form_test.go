package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/fault"
)

// RequestPinUpgrade stands for every operation that takes a form.
func (h *handlers) RequestPinUpgrade(
	ctx context.Context, _ api.RequestPinUpgradeRequestObject,
) (api.RequestPinUpgradeResponseObject, error) {
	if h.form != nil {
		h.form(reqctx.FormOf(ctx))
	}
	return api.RequestPinUpgrade202JSONResponse{
		Body:    api.PinUpgrade{UpgradeId: aDeclaration},
		Headers: api.RequestPinUpgrade202ResponseHeaders{Location: "/v1/me/pin/upgrades/" + aDeclaration.String()},
	}, nil
}

// part is one part of a form; a file has a file name.
type part struct {
	name, filename, content string
	file                    bool
	header                  textproto.MIMEHeader
}

func field(name, content string) part { return part{name: name, content: content} }

func attached(filename, content string) part {
	return part{name: "files", filename: filename, content: content, file: true}
}

// document are the fields of a complete request.
func document() []part {
	return []part{
		field("document_kind", "identity_card"), field("document_number", "CA12345AB"), field("issued_by", "Comune di Forlì"),
		field("issued_on", "2021-05-10"), field("expires_on", "2031-05-10"),
	}
}

var quotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// encode writes a form with the boundary.
func encode(t testing.TB, boundary string, parts ...part) string {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		h := p.header
		if h == nil {
			h = textproto.MIMEHeader{}
			h.Set("Content-Disposition", `form-data; name="`+quotes.Replace(p.name)+`"`)
			if p.file {
				h.Set("Content-Disposition", h.Get("Content-Disposition")+`; filename="`+quotes.Replace(p.filename)+`"`)
				h.Set("Content-Type", "application/octet-stream")
			}
		}
		in, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(in, p.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const formPath = "/v1/me/pin/upgrades"

func formAsk(body string) ask {
	return ask{
		method: http.MethodPost, path: formPath, body: body, token: "live",
		header: map[string]string{"Idempotency-Key": "key-00000001", "Content-Type": "multipart/form-data; boundary=xYz"},
	}
}

func (w *world) form(parts ...part) ask {
	w.t.Helper()
	return formAsk(encode(w.t, "xYz", parts...))
}

func without(parts []part, name string) []part {
	return slices.DeleteFunc(parts, func(p part) bool { return p.name == name })
}

func TestForm_ArrivesWhole(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.SpoolDir = dir })
	long := strings.Repeat("0123456789", 300_000)
	var kept *reqctx.Form
	w.handlers.form = func(f *reqctx.Form) {
		kept = f
		if f.Text("document_number") != "CA12345AB" || f.Text("issued_by") != "Comune di Forlì" || f.Optional("office_code") != nil ||
			*f.Optional("document_kind") != "identity_card" {
			t.Errorf("got %v", f.Texts)
		}
		var got []string
		for _, u := range f.Files("files") {
			content, err := io.ReadAll(u.Open())
			if err != nil {
				t.Error(err)
			}
			got = append(got, u.Name(), string(content))
		}
		if !slices.Equal(got, []string{"../a b.pdf", "short", "è.png", long}) {
			t.Errorf("%d texts of files", len(got))
		}
		// What is kept aside has no name that somebody could find, or that a crash would leave.
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%d files lie about, %v", len(left), err)
		}
	}
	for _, chunked := range []bool{false, true} {
		kept = nil
		a := w.form(append(document(), attached("../a b.pdf", "short"), attached("è.png", long))...)
		a.chunked = chunked
		if answer := w.do(a); answer.Code != http.StatusAccepted || kept == nil {
			t.Fatalf("got %d %s", answer.Code, answer.Body)
		}
		if _, err := io.ReadAll(kept.Files("files")[1].Open()); err == nil {
			t.Error("a file can still be read when its request is over")
		}
	}
}

func TestForm_WhatIsWrongInAFormIsNamedByField(t *testing.T) {
	w := newWorld(t)
	one := attached("a.pdf", "x")
	big := strings.Repeat("x", 5<<20+1)
	for name, c := range map[string]struct {
		parts []part
		want  []string
	}{
		"nothing": {
			nil,
			[]string{
				"/document_kind required", "/document_number required", "/expires_on required", "/files required", "/issued_by required",
				"/issued_on required",
			},
		},
		"no file":        {document(), []string{"/files required"}},
		"nothing chosen": {append(document(), attached("", "")), []string{"/files required"}},
		"five files":     {append(document(), one, one, one, one, one, one), []string{"/files too-many"}},
		"a long file":    {append(document(), one, attached("b.pdf", big)), []string{"/files/1 file-too-large"}},
		"two long files": {
			append(document(), attached("a.pdf", big), one, attached("b.pdf", big)),
			[]string{"/files/0 file-too-large", "/files/2 file-too-large"},
		},
		"a text for a file": {append(document(), field("files", "x")), []string{"/files no-file"}},
		"a file for a text": {
			append(without(document(), "issued_by"), part{name: "issued_by", filename: "x", file: true, content: "x"}, one),
			[]string{"/issued_by type"},
		},
		"unknown":      {append(document(), one, field("state", "accepted")), []string{"/state unknown-field"}},
		"unknown file": {append(document(), one, part{name: "photo", filename: "x", file: true}), []string{"/photo unknown-field"}},
		"brackets": {
			append(document(), part{name: "files[]", filename: "x", file: true, content: "x"}),
			[]string{"/files required", "/files[] unknown-field"},
		},
		"pointer":        {append(document(), one, field("a/b~c", "")), []string{"/a~1b~0c unknown-field"}},
		"no name at all": {append(document(), one, field("", "x")), []string{"/ unknown-field"}},
		"repeated": {
			append(document(), one, field("issued_by", "a"), field("issued_by", "b")), []string{"/issued_by repeated"},
		},
		"enum": {
			append(without(document(), "document_kind"), one, field("document_kind", "library_card")), []string{"/document_kind enum"},
		},
		"empty": {append(without(document(), "issued_by"), one, field("issued_by", "")), []string{"/issued_by too-short"}},
		"no date": {
			append(without(document(), "issued_on"), one, field("issued_on", "2021-02-30")), []string{"/issued_on format"},
		},
		"too long": {
			append(without(document(), "issued_by"), one, field("issued_by", strings.Repeat("è", 121))), []string{"/issued_by too-long"},
		},
		"much too long": {
			append(without(document(), "issued_by"), one, field("issued_by", strings.Repeat("è", 1<<20))), []string{"/issued_by too-long"},
		},
		"not UTF-8": {
			append(without(document(), "issued_by"), one, field("issued_by", "Forl\xec")), []string{"/issued_by forbidden-character"},
		},
		"zero byte": {
			append(without(document(), "issued_by"), one, field("issued_by", "a\x00b")), []string{"/issued_by forbidden-character"},
		},
		"escape": {
			append(without(document(), "issued_by"), one, field("issued_by", "a\x1b[2Jb")), []string{"/issued_by forbidden-character"},
		},
		"line break": {
			append(without(document(), "issued_by"), one, field("issued_by", "a\r\nb")), []string{"/issued_by pattern"},
		},
		"all of it": {
			[]part{field("document_kind", "x"), field("zz", ""), attached("a", big)},
			[]string{
				"/document_kind enum", "/document_number required", "/expires_on required", "/files/0 file-too-large",
				"/issued_by required", "/issued_on required", "/zz unknown-field",
			},
		},
		"more than are looked": {slices.Repeat([]part{field("issued_by", "x")}, maxParts+1), []string{" too-many", "/issued_by repeated"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.on(t)
			w.handlers.form = func(*reqctx.Form) { t.Error("the handler was called") }
			got := codes(w.problem(w.do(w.form(c.parts...)), http.StatusUnprocessableEntity, fault.Invalid))
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestForm_ThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.handlers.form = func(*reqctx.Form) { t.Error("the handler was called") }
	whole := encode(t, "xYz", append(document(), attached("a.pdf", strings.Repeat("x", 50_000)))...)
	odd := func(pairs ...string) string {
		h := textproto.MIMEHeader{}
		for pair := range slices.Chunk(pairs, 2) {
			h.Add(pair[0], pair[1])
		}
		return encode(t, "xYz", part{header: h, content: "x"})
	}
	const disposition = "Content-Disposition"
	for name, a := range map[string]ask{
		"no boundary":           formAsk(whole).with("Content-Type", "multipart/form-data"),
		"an empty boundary":     formAsk(whole).with("Content-Type", `multipart/form-data; boundary=""`),
		"a long boundary":       formAsk(whole).with("Content-Type", "multipart/form-data; boundary="+strings.Repeat("x", 71)),
		"another boundary":      formAsk(whole).with("Content-Type", "multipart/form-data; boundary=other"),
		"JSON":                  formAsk(`{"document_kind":"identity_card"}`),
		"nothing":               formAsk(""),
		"cut in a header":       formAsk(whole[:40]),
		"cut in a field":        formAsk(whole[:80]),
		"cut in a file":         formAsk(whole[:len(whole)-20_000]),
		"without its end":       formAsk(strings.TrimSuffix(whole, "--\r\n")),
		"no disposition":        formAsk(odd("Content-Type", "text/plain")),
		"two dispositions":      formAsk(odd(disposition, `form-data; name="issued_by"`, disposition, `form-data; name="zz"`)),
		"another disposition":   formAsk(odd(disposition, `attachment; name="issued_by"`)),
		"no name":               formAsk(odd(disposition, `form-data; filename="x"`)),
		"two names":             formAsk(odd(disposition, `form-data; name="issued_by"; name="zz"`)),
		"quotes in a file name": formAsk(odd(disposition, `form-data; name="files"; filename="a"b.pdf"`)),
		"an encoding":           formAsk(odd(disposition, `form-data; name="issued_by"`, "Content-Transfer-Encoding", "base64")),
		"control in a name":     formAsk(odd(disposition, "form-data; name=\"a\x01b\"")),
		"a nested form":         formAsk(odd("Content-Type", "multipart/mixed; boundary=in")),
	} {
		t.Run(name, func(t *testing.T) {
			w := w.on(t)
			w.problem(w.do(a), http.StatusBadRequest, fault.Malformed)
		})
	}
	for name, contentType := range map[string]string{
		"JSON": "application/json", "a form without files": "application/x-www-form-urlencoded", "mixed": "multipart/mixed; boundary=xYz",
		"another charset": "multipart/form-data; boundary=xYz; charset=utf-16", "nothing": "",
		"no type": "form", "two types": "multipart/form-data, multipart/form-data",
	} {
		t.Run(name, func(t *testing.T) {
			w := w.on(t)
			w.problem(w.do(formAsk(whole).with("Content-Type", contentType)), http.StatusUnsupportedMediaType, fault.UnsupportedMediaType)
		})
	}
	w.problem(w.do(formAsk(whole).with("Content-Encoding", "gzip")), http.StatusUnsupportedMediaType, fault.UnsupportedMediaType)
	w.problem(
		w.do(draft(whole).with("Content-Type", "multipart/form-data; boundary=xYz")), http.StatusUnsupportedMediaType,
		fault.UnsupportedMediaType,
	)
}

func TestForm_AreBounded(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.SpoolDir = dir })
	// Four files of 5 MiB, and the rest.
	const longest = 21 << 20
	long := strings.Repeat("x", 5<<20)
	files := func(more ...part) []part {
		return append(append(document(), attached("a", long), attached("b", long), attached("c", long), attached("d", long)), more...)
	}
	for _, chunked := range []bool{false, true} {
		fits := w.form(files()...)
		fits.chunked = chunked
		if answer := w.do(fits); answer.Code != http.StatusAccepted {
			t.Errorf("20 MiB: %d %s", answer.Code, answer.Body)
		}
		for name, a := range map[string]ask{
			"a field too many":   w.form(files(field("zz", strings.Repeat("x", 2<<20)))...),
			"what means nothing": formAsk(encode(t, "xYz", append(document(), attached("a", "x"))...) + strings.Repeat(" ", longest)),
			"before the first":   formAsk(strings.Repeat("\r\n", longest/2) + encode(t, "xYz", document()...)),
			"a long field":       w.form(append(document(), field("zz", strings.Repeat("x", longest)))...),
		} {
			a.chunked = chunked
			t.Run(fmt.Sprintf("%s, chunked %v", name, chunked), func(t *testing.T) {
				w := w.on(t)
				w.problem(w.do(a), http.StatusRequestEntityTooLarge, fault.TooLarge)
			})
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files lie about, %v", len(left), err)
	}
}

func TestForm_AFullDiskIsNotTheCallersFault(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.SpoolDir = "/nowhere/at/all" })
	w.problem(
		w.do(w.form(append(document(), attached("a", strings.Repeat("x", 100_000)))...)), http.StatusServiceUnavailable, fault.Unavailable,
	)
}

// reader fails the test when somebody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestForm_AStrangersFormIsNotRead(t *testing.T) {
	w := newWorld(t)
	for token, code := range map[string]fault.Code{
		"": fault.Unauthenticated, "ended": fault.SessionEnded, "garbage": fault.Unauthenticated,
	} {
		a := formAsk("x")
		a.token = token
		r := w.request(a)
		r.Body = io.NopCloser(unread{t})
		w.problem(w.serve(r), http.StatusUnauthorized, code)
	}
}

func TestForm_IsTheSameRequestByWhatIsInIt(t *testing.T) {
	w := newWorld(t)
	mac := func(boundary string, parts ...part) string {
		t.Helper()
		x := &request{form: &reqctx.Form{Texts: map[string]string{}}}
		var got []byte
		w.handlers.form = func(f *reqctx.Form) {
			x.form = f
			var err error
			if got, err = formIdentity(f); err != nil {
				t.Fatal(err)
			}
		}
		a := formAsk(encode(t, boundary, parts...)).with("Content-Type", "multipart/form-data; boundary="+boundary)
		if answer := w.do(a); answer.Code != http.StatusAccepted {
			t.Fatalf("got %d %s", answer.Code, answer.Body)
		}
		return string(got)
	}
	first := mac("xYz", append(document(), attached("a.pdf", "one"), attached("b.pdf", "two"))...)
	turned := document()
	slices.Reverse(turned)
	for name, same := range map[string]string{
		"another boundary":   mac("aBc", append(document(), attached("a.pdf", "one"), attached("b.pdf", "two"))...),
		"other order":        mac("xYz", append([]part{attached("a.pdf", "one"), attached("b.pdf", "two")}, turned...)...),
		"another file name":  mac("xYz", append(document(), attached("c.pdf", "one"), attached("b.pdf", "two"))...),
		"an empty file more": mac("xYz", append(document(), attached("", ""), attached("a.pdf", "one"), attached("b.pdf", "two"))...),
	} {
		if same != first {
			t.Errorf("%s: another request", name)
		}
	}
	for name, other := range map[string]string{
		"another value": mac(
			"xYz", append(without(document(), "issued_by"), field("issued_by", "x"), attached("a.pdf", "one"), attached("b.pdf", "two"))...,
		),
		"a field more": mac(
			"xYz", append(document(), field("office_code", "7000"), attached("a.pdf", "one"), attached("b.pdf", "two"))...,
		),
		"another file":       mac("xYz", append(document(), attached("a.pdf", "one"), attached("b.pdf", "three"))...),
		"files turned round": mac("xYz", append(document(), attached("a.pdf", "two"), attached("b.pdf", "one"))...),
		"a file less":        mac("xYz", append(document(), attached("a.pdf", "one"))...),
		"a file twice": mac(
			"xYz", append(document(), attached("a.pdf", "one"), attached("b.pdf", "two"), attached("b.pdf", "two"))...,
		),
	} {
		if other == first {
			t.Errorf("%s: the same request", name)
		}
	}
}

func TestForm_ThatWouldGoUncheckedStopsTheStart(t *testing.T) {
	text, binary := openapi3.NewStringSchema(), openapi3.NewStringSchema().WithFormat("binary")
	open, closed := true, false
	made := func(additional *bool, properties map[string]*openapi3.Schema) *openapi3.Schema {
		s := openapi3.NewObjectSchema().WithProperties(properties)
		s.AdditionalProperties.Has = additional
		return s
	}
	for name, s := range map[string]*openapi3.Schema{
		"open":              made(&open, map[string]*openapi3.Schema{"a": text}),
		"not said":          made(nil, map[string]*openapi3.Schema{"a": text}),
		"an object inside":  made(&closed, map[string]*openapi3.Schema{"a": openapi3.NewObjectSchema()}),
		"texts":             made(&closed, map[string]*openapi3.Schema{"a": openapi3.NewArraySchema().WithItems(text)}),
		"files without end": made(&closed, map[string]*openapi3.Schema{"a": openapi3.NewArraySchema().WithItems(binary)}),
		"no object":         text,
	} {
		if _, err := newFormRule(s); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	rule, err := newFormRule(made(&closed, map[string]*openapi3.Schema{
		"n": openapi3.NewIntegerSchema(), "yes": openapi3.NewBoolSchema(), "one": binary,
		"many": openapi3.NewArraySchema().WithItems(openapi3.NewStringSchema().WithFormat("binary").WithMaxLength(10)).WithMaxItems(3),
	}))
	if err != nil {
		t.Fatal(err)
	}
	if rule.files["one"] != (fileRule{most: 1, size: 5 << 20}) || rule.files["many"] != (fileRule{most: 3, size: 10}) {
		t.Errorf("got %+v", rule.files)
	}
	values := rule.typed(map[string]string{"n": "12", "yes": "true"})
	if values["n"] != 12.0 || values["yes"] != true || rule.typed(map[string]string{"n": "x"})["n"] != "x" {
		t.Errorf("got %v", values)
	}
}

func FuzzFormNames(f *testing.F) {
	for _, name := range []string{
		"files", "issued_by", "files[]", "", "a/b~c", "\x00", "\r\nX: y", `"`, `\`, "è", "\xff", "\u202e", "__proto__",
		strings.Repeat("x", 5000),
	} {
		f.Add(name, "a.pdf")
		f.Add("files", name)
	}
	w := newWorld(f, unhurried)
	f.Fuzz(func(t *testing.T, name, filename string) {
		w := w.on(t)
		var quoted bytes.Buffer
		fmt.Fprintf(&quoted, "--xYz\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n\r\nx\r\n", name, filename)
		for _, body := range []string{
			encode(t, "xYz", append(document(), part{name: name, filename: filename, file: true, content: "x"})...),
			quoted.String() + encode(t, "xYz", document()...),
		} {
			answer := w.do(formAsk(body))
			if answer.Code != http.StatusAccepted && answer.Code != http.StatusUnprocessableEntity && answer.Code != http.StatusBadRequest {
				t.Errorf("name %q, file %q: %d", name, filename, answer.Code)
			}
		}
	})
}

func TestForm_TheEndOfAFormIsFoundHoweverItArrives(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"x\r\n--b--\r\n", true},
		{"--b--", true},
		{"--b-", false},
		{"-- b--", false},
		{"--b\r\n--", false},
		{strings.Repeat("-", 50) + "b--", true},
		{"", false},
	} {
		for size := 1; size <= len(c.text)+1; size++ {
			end := &finalLine{text: []byte("--b--")}
			for chunk := range slices.Chunk([]byte(c.text), size) {
				if n, err := end.Write(chunk); n != len(chunk) || err != nil {
					t.Fatal(n, err)
				}
			}
			if end.seen != c.want {
				t.Errorf("%q in chunks of %d: %v", c.text, size, end.seen)
			}
		}
	}
}
