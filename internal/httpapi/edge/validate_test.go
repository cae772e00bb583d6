package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"diresco/api"
	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
)

func codes(p api.Problem) []string {
	var all []string
	if p.Errors != nil {
		for _, e := range *p.Errors {
			for _, at := range []*string{e.Pointer, e.Parameter, e.Header} {
				if at != nil {
					all = append(all, *at+" "+e.Code)
				}
			}
		}
	}
	return all
}

func TestValidation_ParametersThatAreWrongAreNamed(t *testing.T) {
	w := newWorld(t)
	list := func(query string) ask {
		return ask{method: http.MethodGet, path: "/v1/declarations?" + query, token: "live"}
	}
	for name, c := range map[string]struct {
		ask  ask
		want []string
	}{
		"unknown":          {list("stato=draft&z=1"), []string{"stato unknown-parameter", "z unknown-parameter"}},
		"repeated":         {list("limit=1&limit=2"), []string{"limit repeated"}},
		"no number":        {list("limit=ten"), []string{"limit type"}},
		"fraction":         {list("limit=1.5"), []string{"limit type"}},
		"empty":            {list("limit="), []string{"limit type"}},
		"too small":        {list("limit=0"), []string{"limit minimum"}},
		"too large":        {list("limit=101"), []string{"limit maximum"}},
		"much too large":   {list("limit=99999999999999999999"), []string{"limit type"}},
		"not a state":      {list("state=lost"), []string{"state enum"}},
		"not a type":       {list("type=" + strings.Repeat("A", 33)), []string{"type too-long"}},
		"no date":          {list("submitted_from=2026-02-30T00:00:00Z"), []string{"submitted_from format"}},
		"zero byte":        {list("cursor=a%00b"), []string{"cursor pattern"}},
		"not UTF-8":        {list("cursor=%ff"), []string{"cursor pattern"}},
		"bad escape":       {list("cursor=%zz"), nil},
		"short key":        {draft(draftBody).with("Idempotency-Key", "short"), []string{"Idempotency-Key pattern"}},
		"key with a space": {draft(draftBody).with("Idempotency-Key", "with a space"), []string{"Idempotency-Key pattern"}},
		"half quoted key":  {draft(draftBody).with("Idempotency-Key", `"key-00000001`), []string{"Idempotency-Key pattern"}},
		"no key":           {draft(draftBody).with("Idempotency-Key", ""), []string{"Idempotency-Key required"}},
		"query with a body": {func() ask {
			a := draft(draftBody)
			a.path += "?dry_run=true"
			return a
		}(), []string{"dry_run unknown-parameter"}},
		"several":           {list("limit=0&state=x&x=1"), []string{"limit minimum", "state enum", "x unknown-parameter"}},
		"control in a name": {list("a%01b=1"), []string{" unknown-parameter"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.on(t)
			if got := codes(w.problem(w.do(c.ask), http.StatusBadRequest, fault.Malformed)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for _, query := range []string{
		"", "limit=100", "state=draft&type=RIOC", "submitted_from=2026-03-01T00:00:00Z",
		"submitted_from=2026-03-01T00:00:00.123456%2B01:00",
	} {
		if answer := w.do(list(query)); answer.Code != http.StatusOK {
			t.Errorf("%s: got %d %s", query, answer.Code, answer.Body)
		}
	}
	two := draft(draftBody)
	r := w.request(two)
	r.Header.Add("Idempotency-Key", "key-00000002")
	if got := codes(w.problem(w.serve(r), http.StatusBadRequest, fault.Malformed)); !slices.Equal(
		got, []string{"Idempotency-Key repeated"},
	) {
		t.Errorf("two keys: %q", got)
	}
}

func TestValidation_BodiesThatBreakTheContractAreNamedByField(t *testing.T) {
	w := newWorld(t)
	id := aPosition.String()
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"empty object": {`{}`, []string{"/content required", "/position_id required", "/type required"}},
		"unknown":      {`{"type":"RIOC","position_id":"` + id + `","content":{},"colour":"red"}`, []string{"/colour unknown-field"}},
		"owner": {
			`{"type":"RIOC","position_id":"` + id + `","content":{},"state":"accepted","protocol_number":"1","filed_by":{}}`,
			[]string{"/filed_by unknown-field", "/protocol_number unknown-field", "/state unknown-field"},
		},
		"wrong case": {`{"Type":"RIOC","type":"RIOC","position_id":"` + id + `","content":{}}`, []string{"/Type unknown-field"}},
		"wrong types": {
			`{"type":1,"position_id":[],"content":"x","submit":"yes"}`,
			[]string{"/content type", "/position_id type", "/submit type", "/type type"},
		},
		"null":      {`{"type":null,"position_id":"` + id + `","content":{}}`, []string{"/type null"}},
		"not an id": {`{"type":"RIOC","position_id":"1","content":{}}`, []string{"/position_id pattern"}},
		"enum":      {`{"type":"RIOC","position_id":"` + id + `","content":{},"step":"jump"}`, []string{"/step enum"}},
		"too long": {
			`{"type":"` + strings.Repeat("A", 33) + `","position_id":"` + id + `","content":{}}`,
			[]string{"/type pattern", "/type too-long"},
		},
		"not an object":   {`[]`, []string{" type"}},
		"a text":          {`"x"`, []string{" type"}},
		"null itself":     {`null`, []string{" null"}},
		"escaped pointer": {`{"type":"RIOC","position_id":"` + id + `","content":{},"a/b~c":1}`, []string{"/a~1b~0c unknown-field"}},
		"control in name": {`{"type":"RIOC","position_id":"` + id + `","content":{},"a\u0001b":1}`, []string{" unknown-field"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.on(t)
			got := codes(w.problem(w.do(draft(c.body)), http.StatusUnprocessableEntity, fault.Invalid))
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestValidation_AnAnswerNamesAHundredFieldsAtMost(t *testing.T) {
	w := newWorld(t)
	members := make([]string, maxMembers)
	for i := range members {
		members[i] = fmt.Sprintf(`"%s%d":0`, strings.Repeat("x", 100), i)
	}
	p := w.problem(w.do(draft("{"+strings.Join(members, ",")+"}")), http.StatusUnprocessableEntity, fault.Invalid)
	if n := len(*p.Errors); n != problem.MaxFields {
		t.Errorf("got %d", n)
	}
}

func TestValidation_TheContentArrivesByteForByte(t *testing.T) {
	w := newWorld(t)
	var got json.RawMessage
	w.handlers.draft = func(_ context.Context, r api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error) {
		got = r.Body.Content
		return drafted(nil), nil
	}
	const content = `{"z": 1.50, "a":  "\u00e8 😀", "n":{"y":[1e2,null]}}`
	body := `{"content":` + content + `,"type":"RIOC","position_id":"` + aPosition.String() + `"}`
	for _, chunked := range []bool{false, true} {
		a := draft(body).with("Content-Type", "application/json; charset=UTF-8")
		a.chunked = chunked
		if answer := w.do(a); answer.Code != http.StatusCreated || string(got) != content {
			t.Errorf("got %d %s, content %s", answer.Code, answer.Body, got)
		}
	}
}

func TestValidation_BodiesAreBounded(t *testing.T) {
	w := newWorld(t)
	body := `{"type":"RIOC","position_id":"` + aPosition.String() + `","content":{"text":"` + strings.Repeat("a", maxBody) + `"}}`
	for _, chunked := range []bool{false, true} {
		a := draft(body)
		a.chunked = chunked
		w.problem(w.do(a), http.StatusRequestEntityTooLarge, fault.TooLarge)
		a.body = body[:maxBody-4] + `"}}`
		if answer := w.do(a); answer.Code == http.StatusRequestEntityTooLarge {
			t.Errorf("chunked %v: 1 MiB is not too long", chunked)
		}
		a.body = strings.Repeat(" ", maxBody-len(draftBody)) + draftBody
		if answer := w.do(a); answer.Code != http.StatusCreated {
			t.Errorf("chunked %v: got %d %s", chunked, answer.Code, answer.Body)
		}
	}
}

func TestValidation_BodiesInOtherForms(t *testing.T) {
	w := newWorld(t)
	for _, mediaType := range []string{
		"", "text/plain", "application/xml", "application/json; charset=latin1", "multipart/form-data; boundary=x",
		"application/merge-patch+json", "nonsense",
	} {
		w.problem(w.do(draft(draftBody).with("Content-Type", mediaType)), http.StatusUnsupportedMediaType, fault.UnsupportedMediaType)
	}
	zipped := w.do(draft(draftBody).with("Content-Encoding", "gzip"))
	w.problem(zipped, http.StatusUnsupportedMediaType, fault.UnsupportedMediaType)
	if coding := zipped.Header().Get("Accept-Encoding"); coding != "identity" || !strings.Contains(
		zipped.Body.String(), "Content-Encoding",
	) {
		t.Errorf("a compressed body: codings %q, %s", coding, zipped.Body)
	}

	change := ask{
		method: http.MethodPatch, path: "/v1/declarations/" + aDeclaration.String(), token: "live", body: `{"content":{"a":null}}`,
		header: map[string]string{"If-Match": `"3"`},
	}
	// Many generated clients know but one name for JSON.
	for _, mediaType := range []string{"application/merge-patch+json", "application/json", "application/json; charset=utf-8"} {
		if answer := w.do(change.with("Content-Type", mediaType)); answer.Code != http.StatusOK ||
			!strings.Contains(answer.Body.String(), `{"a":null}`) {
			t.Errorf("%s: got %d %s", mediaType, answer.Code, answer.Body)
		}
	}
	w.problem(w.do(change.with("Content-Type", "text/plain")), http.StatusUnsupportedMediaType, fault.UnsupportedMediaType)
	w.problem(
		w.do(change.with("Content-Type", "application/merge-patch+json", "If-Match", "")), http.StatusPreconditionRequired,
		fault.PreconditionRequired,
	)

	submit := ask{
		method: http.MethodPost, path: "/v1/declarations/" + aDeclaration.String() + "/submission", token: "live",
		header: map[string]string{"Idempotency-Key": "key-00000001"},
	}
	for body, want := range map[string]int{
		"": http.StatusOK, "{}": http.StatusOK, "{ }": http.StatusOK, `{"a":1}`: http.StatusBadRequest, "x": http.StatusBadRequest,
	} {
		submit.body = body
		if answer := w.do(submit); answer.Code != want {
			t.Errorf("%q where no body is expected: got %d %s", body, answer.Code, answer.Body)
		}
	}
	w.problem(w.do(draft("")), http.StatusBadRequest, fault.Malformed)
}

func TestValidation_AnOptionalBodyMayBeMissing(t *testing.T) {
	w := newWorld(t, sandboxed)
	for body, want := range map[string]string{"": "no body", `{"legal_name":"Rossi S.r.l."}`: "Rossi S.r.l."} {
		answer := w.do(ask{method: http.MethodPost, path: "/v1/sandbox/contributors", body: body})
		if answer.Code != http.StatusCreated || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%q: got %d %s", body, answer.Code, answer.Body)
		}
	}
}

func TestValidation_TheFormOfTheAnswerIsTheCallersChoice(t *testing.T) {
	w := newWorld(t)
	receipt := ask{method: http.MethodGet, path: "/v1/declarations/" + aDeclaration.String() + "/receipt", token: "live"}
	for accept, want := range map[string]string{
		"":                "application/json",
		"*/*":             "application/json",
		"application/*":   "application/json",
		"application/pdf": "application/pdf",
		"APPLICATION/PDF": "application/pdf",
		"text/html, */*":  "application/json",
		"application/json;q=0.1, application/pdf;q=0.9": "application/pdf",
		"application/json;q=0, */*":                     "application/jose",
		"application/pdf;q=0.5, application/*;q=0.4":    "application/pdf",
		"application/problem+json":                      "application/json",
		"text/html":                                     "",
		"application/pdf;q=0":                           "",
		"nonsense":                                      "",
		"application/pdf;q=NaN":                         "",
	} {
		answer := w.do(receipt.with("Accept", accept))
		if want == "" {
			w.problem(answer, http.StatusNotAcceptable, fault.NotAcceptable)
			continue
		}
		got := answer.Header().Get("Content-Type")
		if want == "application/jose" && answer.Code == http.StatusOK && strings.Contains(answer.Body.String(), want) {
			continue // the fake writes the type it was asked for
		}
		if answer.Code != http.StatusOK || got != want || !strings.Contains(answer.Header().Get("Vary"), "Accept,") {
			t.Errorf("%q: got %d %s, want %s", accept, answer.Code, got, want)
		}
	}
}

// naughty are texts that break careless software.
var naughty = []string{
	"", " ", "undefined", "null", "NaN", "1e309", "-0", "0x1F", "' OR 1=1 --", `"; DROP TABLE declarations; --`,
	"<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "../../etc/passwd%00",
	"%s%n%p", "\u200b", "\u202eright-to-left", "Ω≈ç√∫˜µ≤≥÷", "田中さんにあげて下さい", "👩‍👩‍👧‍👦", "T̗̺͖̹̯͓Ṯ̤͍̥͇͈h̲́e͏͓̼̗̙", "\ufeff",
	"\u0085\u2028\u2029", "à", "a\u0300", "\t\r\n\v\f", "\x01\x02\x7f",
	strings.Repeat("A", 5000), strings.Repeat("é", 3000), "\U0010ffff", "ﷺ", "İıſK",
}

func TestValidation_NaughtyTextsArriveUnchangedOrAreRefused(t *testing.T) {
	w := newWorld(t)
	var got string
	w.handlers.draft = func(_ context.Context, r api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error) {
		var content struct{ Text string }
		if err := json.Unmarshal(r.Body.Content, &content); err != nil {
			return nil, err
		}
		got = content.Text
		return drafted(nil), nil
	}
	w.handlers.start = func(api.StartSessionRequestObject) (api.StartSessionResponseObject, error) {
		return nil, fault.New(fault.InvalidCredentials)
	}
	for _, text := range naughty {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		answer := w.do(draft(`{"type":"RIOC","position_id":"` + aPosition.String() + `","content":{"text":` + string(quoted) + `}}`))
		if answer.Code != http.StatusCreated || got != text {
			t.Errorf("%.40q: got %d, %.40q", text, answer.Code, got)
		}
		for _, body := range []string{
			`{"type":` + string(quoted) + `,"position_id":` + string(quoted) + `,"content":{}}`,
			`{"type":"RIOC","position_id":"` + aPosition.String() + `","content":{},` + string(quoted) + `:1}`, string(quoted), text,
		} {
			if answer := w.do(draft(body)); answer.Code >= http.StatusInternalServerError || answer.Code < http.StatusBadRequest {
				t.Errorf("%.60q: got %d", body, answer.Code)
			}
		}
		login := w.do(ask{
			method: http.MethodPost, path: "/v1/sessions", body: `{"tax_code":` + string(quoted) + `,"pin":` + string(quoted) + `}`,
		})
		if !slices.Contains([]int{http.StatusUnauthorized, http.StatusUnprocessableEntity}, login.Code) {
			t.Errorf("login with %.40q: got %d", text, login.Code)
		}
	}
}

func TestValidation_NoBodyMakesAnInternalError(t *testing.T) {
	w := newWorld(t)
	bodies := map[string]string{
		"doubled": draftBody + draftBody, "deep arrays": strings.Repeat("[", 100_000), "deep objects": strings.Repeat(`{"a":`, 100_000),
		"deep content": `{"content":` + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 71),
		"many members": "[" + strings.Repeat("0,", 200_000) + "0]", "long number": `{"type":` + strings.Repeat("9", 100_000) + `}`,
		"huge number": `{"content":{"n":1e400}}`, "not UTF-8": "{\"type\":\"\xff\xfe\"}",
		"zero byte": "{\"type\":\"a\x00\"}", "byte order mark": "\ufeff" + draftBody, "only spaces": "   ", "comment": "/* */ {}",
		"single quotes": "{'type':1}", "trailing comma": `{"type":"RIOC",}`,
	}
	for i := range len(draftBody) {
		bodies[fmt.Sprintf("cut after %d", i)] = draftBody[:i]
	}
	for name, body := range maps.All(bodies) {
		if body == "" {
			continue
		}
		answer := w.do(draft(body))
		if answer.Code != http.StatusBadRequest && answer.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
		}
	}
}

func FuzzBody(f *testing.F) {
	w := newWorld(f, unhurried)
	f.Add(draftBody)
	f.Add(`{"type":"\ud800","content":{"a":[1e400]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if answer := w.serve(w.request(draft(body))); answer.Code >= http.StatusInternalServerError {
			t.Errorf("%q: got %d %s", body, answer.Code, answer.Body)
		}
	})
}

func TestSchemaCodes_HaveTexts(t *testing.T) {
	other := problem.FieldText(problem.Italian, fault.FieldOther)
	for keyword, code := range schemaCodes {
		if text := problem.FieldText(problem.Italian, code); text == "" || text == other {
			t.Errorf("%s of %s has no text", code, keyword)
		}
	}
}
