package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"diresco/api"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// told is one wrong place as a client reads it.
func told(t *testing.T, p api.Problem, n int) string {
	t.Helper()
	if p.Errors == nil || len(*p.Errors) <= n {
		t.Fatalf("no place %d in %+v", n, p)
	}
	e := (*p.Errors)[n]
	if e.Detail == "" {
		t.Error("a place has no words")
	}
	e.Detail = ""
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(b), `,"detail":""`, "", 1)
}

func inEnglish(a ask) ask { return a.with("Accept-Language", "en") }

// Whoever sent something wrong is told what would have been right, by the contract. Programs read
// it in members, people in words.
func TestErrors_SayWhatWouldBeRight(t *testing.T) {
	w := newWorld(t)
	list := func(query string) ask {
		return inEnglish(ask{method: http.MethodGet, path: "/v1/declarations?" + query, token: "live"})
	}
	body := func(members string) ask {
		return inEnglish(draft(`{"position_id":"` + aPosition.String() + `","content":{},` + members + `}`))
	}
	for name, c := range map[string]struct {
		ask          ask
		want, detail string
	}{
		"a limit": {
			list("limit=1000"), `{"code":"maximum","maximum":100,"minimum":1,"parameter":"limit"}`, "At least 1, at most 100.",
		},
		"no number": {list("limit=ten"), `{"code":"type","expected":"integer","parameter":"limit"}`, "Expected: integer."},
		"an instant": {
			list("submitted_from=16/3/26"),
			`{"code":"format","example":"2026-03-16T08:15:04Z","expected":"RFC 3339","parameter":"submitted_from"}`,
			"For example: 2026-03-16T08:15:04Z",
		},
		"a long text": {
			list("cursor=" + strings.Repeat("A", 513)),
			`{"code":"too-long","max_length":512,"parameter":"cursor"}`,
			"At most 512 characters.",
		},
		"a short key": {
			inEnglish(draft(draftBody)).with("Idempotency-Key", "short"),
			`"header":"Idempotency-Key"`,
			"For example: ",
		},
		"no key": {
			inEnglish(draft(draftBody)).with("Idempotency-Key", ""),
			`"header":"Idempotency-Key"`,
			"For example: ",
		},
		"an unknown one": {list("stato=draft"), `"expected":"state","parameter":"stato"}`, "Did you mean state?"},
		"a step": {
			body(`"type":"RIOC","step":"jump"`),
			`{"allowed":["single","reservation","confirmation"],"code":"enum","pointer":"/step"}`,
			"Allowed: single, reservation, confirmation.",
		},
		"a field": {
			body(`"type":"RIOC","positon":"x","submited":true`),
			`"expected":"submit","pointer":"/submited"}`,
			"Did you mean submit?",
		},
		"a type": {
			body(`"type":1`),
			`{"code":"type","example":"RIOC","expected":"string","pointer":"/type"}`,
			"Expected: string.",
		},
		"a missing one": {
			body(`"submit":false`),
			`{"code":"required","example":"RIOC","expected":"string","pointer":"/type"}`,
			"For example: RIOC",
		},
		"an id": {
			inEnglish(draft(`{"type":"RIOC","position_id":"1","content":{}}`)),
			`{"code":"pattern","example":"018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c","expected":"UUID","pointer":"/position_id"}`,
			"Expected: UUID.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer := w.do(c.ask)
			var p api.Problem
			if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil || p.Errors == nil {
				t.Fatalf("got %d %s", answer.Code, answer.Body)
			}
			last := len(*p.Errors) - 1
			if got := told(t, p, last); !strings.Contains(got, c.want) || !strings.Contains((*p.Errors)[last].Detail, c.detail) {
				t.Errorf("got %s (%s), want %s (%s)", got, (*p.Errors)[last].Detail, c.want, c.detail)
			}
		})
	}
	lost := ask{method: http.MethodGet, path: "/v1/declarations?state=lost", token: "live"}
	p := w.problem(w.do(lost), http.StatusBadRequest, fault.Malformed)
	if e := (*p.Errors)[0]; e.Allowed == nil || !slices.Contains(*e.Allowed, "awaiting_credentials") ||
		!strings.Contains(e.Detail, "Ammessi: draft, submitted") {
		t.Errorf("a state: %+v", e)
	}
}

// What was sent does not come back, but for the name of a field that is unknown.
func TestErrors_HoldNothingOfWhatWasSent(t *testing.T) {
	w := newWorld(t)
	const sent = "hunter2hunter2"
	for _, a := range []ask{
		{method: http.MethodGet, path: "/v1/declarations?state=" + sent + "&limit=" + sent + "&submitted_to=" + sent, token: "live"},
		draft(`{"type":"` + sent + strings.Repeat("x", 32) + `","position_id":"` + sent + `","content":"` + sent + `","step":"` + sent + `"}`),
		draft(draftBody).with("Idempotency-Key", sent+" "),
		{method: http.MethodGet, path: "/v1/" + sent, token: "live"},
		{method: http.MethodGet, path: "/v1/me", token: sent},
	} {
		if answer := w.do(a); answer.Code < 400 || strings.Contains(answer.Body.String()+answer.Header().Get("WWW-Authenticate"), sent) {
			t.Errorf("%s %s: %d %s", a.method, a.path, answer.Code, answer.Body)
		}
	}
}

// A path that is in no contract is told from a thing that is not there. A method is told from a
// path.
func TestErrors_TellPathsMethodsAndFormsApart(t *testing.T) {
	w := newWorld(t)
	missing := func(path string) api.Problem {
		return w.problem(w.do(inEnglish(ask{method: http.MethodGet, path: path, token: "live"})), http.StatusNotFound, fault.NotFound)
	}
	path, thing, closed := missing("/v1/declaration"), missing("/v1/declarations/1"), missing("/v1/sandbox/people")
	if !strings.Contains(path.Detail, "no such path") || strings.Contains(thing.Detail, "no such path") || closed.Detail != path.Detail {
		t.Errorf("got %q, %q, %q", path.Detail, thing.Detail, closed.Detail)
	}
	for name, c := range map[string]struct {
		ask    ask
		status int
		code   fault.Code
		want   []string
		detail string
	}{
		"method": {
			ask{method: http.MethodDelete, path: "/v1/declarations", token: "live"},
			http.StatusMethodNotAllowed, fault.MethodNotAllowed,
			[]string{"GET", "HEAD"},
			"Methods that it takes: ",
		},
		"form of the answer": {
			draft(draftBody).with("Accept", "text/html"), http.StatusNotAcceptable, fault.NotAcceptable,
			[]string{"application/json"},
			"Forms that there are: application/json.",
		},
		"form of the body": {
			draft(draftBody).with("Content-Type", "text/plain"), http.StatusUnsupportedMediaType, fault.UnsupportedMediaType,
			[]string{"application/json"},
			"Forms that it takes: application/json.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.on(t).problem(w.do(inEnglish(c.ask)), c.status, c.code)
			if p.Allowed == nil || !strings.Contains(p.Detail, c.detail) {
				t.Fatalf("got %+v", p)
			}
			for _, want := range c.want {
				if !slices.Contains(*p.Allowed, want) {
					t.Errorf("%q is not in %q", want, *p.Allowed)
				}
			}
		})
	}
}

// A refusal says who may, as the contract has it. Whoever gave a reason of their own keeps it.
func TestErrors_SayWhoMay(t *testing.T) {
	office := &operation{rule: access.Rule{To: access.ToOffice, Classes: []access.UserClass{access.Operator, access.Administrator}}}
	rights := &operation{rule: access.Rule{To: access.ToContributor, Service: access.Declarations}}
	for name, c := range map[string]struct {
		op      *operation
		refused error
		reason  string
		allowed []string
	}{
		"class":       {office, fault.New(fault.Forbidden), "user-class", []string{"operator", "administrator"}},
		"service":     {rights, fault.New(fault.ServiceNotDelegated), "", []string{"declarations"}},
		"own reason":  {office, fault.Because(fault.Forbidden, "post-unconfirmed"), "post-unconfirmed", nil},
		"not there":   {rights, fault.New(fault.NotFound), "", nil},
		"interrupted": {rights, context.Canceled, "", nil},
	} {
		f := asFault(c.op.whoMay(access.Actor{UserClass: access.Citizen}, c.refused))
		if f.Reason != c.reason || !slices.Equal(f.Allowed, c.allowed) {
			t.Errorf("%s: got %q %q", name, f.Reason, f.Allowed)
		}
	}
}
