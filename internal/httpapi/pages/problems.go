package pages

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
)

// problemText is one kind of problem in one language.
type problemText struct {
	Lang   string `json:"-"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Help   string `json:"help"`
	// Remedy is what to do.
	Remedy string `json:"remedy"`
}

// problemOperation is one that gives a problem.
type problemOperation struct {
	ID      string `json:"operation_id"`
	Summary string `json:"summary"`
	// Href leads to the operation in the documentation.
	Href string `json:"href"`
}

// problemPage is what a problem's page shows.
type problemPage struct {
	Slug   fault.Code
	Status int
	Texts  []problemText
	// Operations are those that give it; Any says that all do, whatever is asked.
	Operations []*problemOperation
	Any        bool
}

// problemEntry is a problem in the index for programs.
type problemEntry struct {
	Code       fault.Code             `json:"code"`
	Type       string                 `json:"type"`
	Status     int                    `json:"status"`
	Texts      map[string]problemText `json:"texts"`
	Operations []*problemOperation    `json:"operations"`
}

// problemGivers say which operations of those with its status give a problem, where not all do. The
// others give it if their description names it.
var problemGivers = map[fault.Code]func(o *openapi3.Operation, access map[string]any) bool{
	fault.PINChangeRequired: func(_ *openapi3.Operation, access map[string]any) bool {
		return access["to"] != "anyone" && access["forced"] != true
	},
	fault.Reauthenticate:       func(_ *openapi3.Operation, access map[string]any) bool { return access["fresh"] == true },
	fault.StrongLogin:          func(_ *openapi3.Operation, access map[string]any) bool { return access["strong"] == true },
	fault.DispositiveRequired:  func(_ *openapi3.Operation, access map[string]any) bool { return access["dispositive"] == true },
	fault.ServiceNotDelegated:  func(_ *openapi3.Operation, access map[string]any) bool { return access["service"] != nil },
	fault.Forbidden:            func(_ *openapi3.Operation, access map[string]any) bool { return access["classes"] != nil },
	fault.RequestInProgress:    func(o *openapi3.Operation, _ map[string]any) bool { return keyed(o) },
	fault.IdempotencyKeyReused: func(o *openapi3.Operation, _ map[string]any) bool { return keyed(o) },
	fault.SessionEnded:         func(_ *openapi3.Operation, access map[string]any) bool { return access["to"] != "anyone" },
	fault.Unauthenticated: func(_ *openapi3.Operation, access map[string]any) bool {
		return access["to"] != "anyone"
	},
}

// named are the problems that only the operations give whose descriptions name them.
var named = []fault.Code{
	fault.InvalidCredentials, fault.PINExpired, fault.IdentityNotConfirmed, fault.OTPExhausted, fault.OTPExpired, fault.ExclusiveExists,
	fault.ChannelClosed, fault.CodeInvalid, fault.OTPInvalid, fault.DelegateMustBePerson, fault.PINLocked,
}

// keyed reports whether the operation takes an Idempotency-Key.
func keyed(o *openapi3.Operation) bool {
	return slices.ContainsFunc(o.Parameters, func(p *openapi3.ParameterRef) bool { return p.Value.Name == "Idempotency-Key" })
}

// gives reports whether the operation gives a problem, which has the status.
func gives(o *openapi3.Operation, code fault.Code, status int) bool {
	if o.Responses.Status(status) == nil {
		return false
	}
	if strings.Contains(o.Description, "`"+string(code)+"`") {
		return true
	}
	access, _ := o.Extensions["x-access"].(map[string]any)
	if decide, ok := problemGivers[code]; ok {
		return decide(o, access)
	}
	return !slices.Contains(named, code)
}

// problemOperations are the operations as the pages of problems show them, each once for all pages.
func problemOperations(contract *openapi3.T) map[*openapi3.Operation]*problemOperation {
	all := map[*openapi3.Operation]*problemOperation{}
	for _, item := range contract.Paths.Map() {
		for _, o := range item.Operations() {
			all[o] = &problemOperation{o.OperationID, o.Summary, docsLink(o)}
		}
	}
	return all
}

// problemView makes the page of a problem.
func problemView(operations map[*openapi3.Operation]*problemOperation, code fault.Code) problemPage {
	status, _ := problem.Status(code)
	view := problemPage{Slug: code, Status: status}
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		title, detail, help := problem.Words(lang, code)
		view.Texts = append(view.Texts, problemText{
			Lang: lang.String(), Title: title, Detail: detail, Help: help, Remedy: problem.Remedy(lang, code),
		})
	}
	for o, shown := range operations {
		if gives(o, code, status) {
			view.Operations = append(view.Operations, shown)
		}
	}
	slices.SortFunc(view.Operations, func(a, b *problemOperation) int { return strings.Compare(a.ID, b.ID) })
	// What the router answers is in no operation.
	view.Any = len(view.Operations) == 0 || len(view.Operations) == len(operations)
	return view
}

// docsLink is where the documentation shows an operation.
func docsLink(o *openapi3.Operation) string {
	return "/docs#/" + url.PathEscape(o.Tags[0]) + "/" + o.OperationID
}

// addProblems adds the page of each problem, and the index of all, for people and for programs. They
// are written when somebody asks: together they take megabytes.
func (p *pages) addProblems(templates *template.Template, contract *openapi3.T) {
	operations := problemOperations(contract)
	var views []problemPage
	for _, code := range problem.Codes() {
		view := problemView(operations, code)
		p.problems[string(code)] = p.newHTML(templates, "problem.html", view)
		views = append(views, view)
	}
	p.problemIndex = newLargeFile(jsonType, func() ([]byte, error) { return problemIndex(views) })
	byStatus := slices.Clone(views)
	slices.SortStableFunc(byStatus, func(a, b problemPage) int { return a.Status - b.Status })
	p.problems[""] = p.newHTML(templates, "problems.html", byStatus)
	p.problemIndex.open, p.problemIndex.negotiated, p.problems[""].negotiated = true, true, true
}

// problemIndex writes the index for programs.
func problemIndex(views []problemPage) ([]byte, error) {
	index := struct {
		Items []problemEntry `json:"items"`
	}{}
	for _, view := range views {
		entry := problemEntry{
			Code: view.Slug, Type: problem.PagesPath + string(view.Slug), Status: view.Status, Texts: map[string]problemText{},
			Operations: view.Operations,
		}
		if entry.Operations == nil {
			entry.Operations = []*problemOperation{}
		}
		for _, text := range view.Texts {
			entry.Texts[text.Lang] = text
		}
		index.Items = append(index.Items, entry)
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(index)
	return encoded.Bytes(), err
}

// serveProblem explains one kind of problem.
func (p *pages) serveProblem(w http.ResponseWriter, r *http.Request) error {
	f, ok := p.problems[r.PathValue("slug")]
	if !ok {
		return fault.New(fault.NotFound)
	}
	return f.serve(w, r)
}

// serveProblems lists all kinds of problem: as JSON to who asks for that, else as a page.
func (p *pages) serveProblems(w http.ResponseWriter, r *http.Request) error {
	f := p.problems[""]
	if accept := strings.Join(r.Header.Values("Accept"), ","); strings.Contains(accept, "json") && !strings.Contains(accept, "text/html") {
		f = p.problemIndex
	}
	return f.serve(w, r)
}
