package edge

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// routeKey is how the router names an operation.
type routeKey struct{ method, path string }

// operation is what the edge knows of one operation of the contract, worked out once at start.
type operation struct {
	id      string
	pattern string // method and path as net/http writes patterns
	rule    access.Rule
	// sandbox operations exist in the sandbox only.
	sandbox bool
	// remembered operations give the same answer again to a repeated Idempotency-Key.
	remembered bool
	// rendered answers hold a secret: a repeat renders them anew, and they are never stored.
	rendered bool
	// cacheable says how long anybody may keep an answer that is the same for everybody.
	cacheable []string
	// tagged answers can be asked for with If-None-Match.
	tagged bool
	// conditional operations need If-Match or, where they may make something new, If-None-Match.
	conditional bool
	makesNew    bool
	// signed operations are for programs that sign what they send instead of logging in.
	signed bool
	// reads are traced: they show what belongs to somebody else than the reader.
	readsOthers bool
	// leaving says since when the operation is deprecated; nil for one that stays.
	leaving *leaving
	// shared operations are for any session. What they show of others is decided where it is read,
	// not by the guard.
	shared bool

	path    []*parameter
	query   map[string]*parameter
	headers []*parameter
	// produces are the media types of a success, the preferred one first.
	produces []string
	// consumes are the media types of the body; empty for operations that take none.
	consumes     []string
	body         *openapi3.Schema
	bodyRequired bool
	// maxBody is how long a JSON body may be, in bytes.
	maxBody int64
	// form is how a body of several parts must look; nil for operations that take none.
	form *formRule
	// raw are the media types of bodies that are one file, with how long that may be, in bytes.
	raw map[string]int64
}

// parameter is one value in the path, the query or a header.
type parameter struct {
	name     string
	in       fault.Place
	required bool
	schema   *openapi3.Schema
}

// signatureHeader is what makes an operation one for programs that sign what they send.
const signatureHeader = "Webhook-Signature"

const (
	sandboxTag      = "Sandbox"
	accessExtension = "x-access"
	searchSuffix    = "-searches"
	keyHeader       = "Idempotency-Key"
	ifMatchHeader   = "If-Match"
	jsonType        = "application/json"
	mergePatchType  = "application/merge-patch+json"
	problemType     = problem.MediaType
)

// readOperations makes the table of operations. It refuses a contract with an operation that has no
// access rule, or that has something the edge would leave unchecked.
func readOperations(contract *openapi3.T) (map[routeKey]*operation, error) {
	table, lean := make(map[routeKey]*operation), leaner{}
	for path, item := range contract.Paths.Map() {
		for method, o := range item.Operations() {
			op, err := readOperation(method, path, item, o)
			if err != nil {
				return nil, fmt.Errorf("contract: %s %s: %w", method, path, err)
			}
			lean.operation(op)
			table[routeKey{method, routerPath(reqctx.BasePath + path)}] = op
		}
	}
	if len(table) == 0 {
		return nil, errors.New("contract: no operations")
	}
	return table, nil
}

// routerPath writes a path as the router does.
func routerPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

func readOperation(method, path string, item *openapi3.PathItem, o *openapi3.Operation) (*operation, error) {
	op := &operation{id: o.OperationID, pattern: method + " " + reqctx.BasePath + path, query: map[string]*parameter{}}
	if op.id == "" {
		return nil, errors.New("no operationId")
	}
	if err := op.readRule(o, path); err != nil {
		return nil, err
	}
	if err := op.readParameters(item, o); err != nil {
		return nil, err
	}
	if err := op.readBody(o); err != nil {
		return nil, err
	}
	op.readAnswers(method, o)
	op.sandbox = slices.Contains(o.Tags, sandboxTag)
	search := strings.HasSuffix(path, searchSuffix)
	if err := op.readExtensions(method, search, o); err != nil {
		return nil, err
	}
	if err := op.readLeaving(o); err != nil {
		return nil, err
	}
	op.conditional = op.header(ifMatchHeader) && (method == http.MethodPatch || method == http.MethodPut)
	op.makesNew = op.conditional && op.header("If-None-Match")
	op.signed = op.header(signatureHeader)
	read := method == http.MethodGet || search
	op.rule.Shows = method == http.MethodGet
	if op.shared && (!read || op.rule.To != access.ToSession || op.staff()) {
		return nil, fmt.Errorf("%s: shared is for reads by any session", accessExtension)
	}
	// What only some classes may use is about others, even where a session is all it takes.
	op.readsOthers = read && op.rule.To != access.ToAnyone && (op.rule.To != access.ToSession || op.staff() || op.shared)
	return op, nil
}

// staff reports whether the operation is for some user classes alone.
func (op *operation) staff() bool { return len(op.rule.Classes) > 0 }

func (op *operation) header(name string) bool {
	return slices.ContainsFunc(op.headers, func(p *parameter) bool { return p.name == name })
}

// readRule reads who may use the operation.
func (op *operation) readRule(o *openapi3.Operation, path string) error {
	var written struct {
		To      access.To          `json:"to"`
		Classes []access.UserClass `json:"classes"`
		Forced  bool               `json:"forced"`
		Fresh   bool               `json:"fresh"`
		Strong  bool               `json:"strong"`
		// Dispositive credentials are what the back office asks for.
		Dispositive bool           `json:"dispositive"`
		Service     access.Service `json:"service"`
		Shared      bool           `json:"shared"`
		Passive     bool           `json:"passive"`
		// Scopes let applications in.
		Scopes []string `json:"scopes"`
	}
	if o.Extensions[accessExtension] == nil {
		return errors.New("no " + accessExtension)
	}
	if err := extension(o, accessExtension, &written); err != nil {
		return err
	}
	rule := access.Rule{
		To: written.To, Classes: written.Classes, Forced: written.Forced, Fresh: written.Fresh, Strong: written.Strong,
		Dispositive: written.Dispositive, Service: written.Service, Scopes: written.Scopes,
		Passive: written.Passive,
	}
	switch {
	case !slices.Contains([]access.To{
		access.ToAnyone, access.ToSession, access.ToContributor, access.ToDeclaration, access.ToDelegate, access.ToDelegation,
		access.ToOffice, access.ToPosition, access.ToTicket, access.ToSmartTask, access.ToDMA,
	}, rule.To):
		return fmt.Errorf("%s: unknown to %q", accessExtension, rule.To)
	case rule.To == access.ToContributor && !strings.Contains(path, "{contributor_id}"),
		rule.To == access.ToDeclaration && !strings.Contains(path, "{declaration_id}"),
		rule.To == access.ToDelegate && !strings.Contains(path, "{delegate_id}"), rule.To == access.ToDelegation &&
			!strings.Contains(path, "{delegation_id}"),
		access.Affairs()[rule.To] != "" && !strings.Contains(path, "{"+access.Affairs()[rule.To]+"}"):
		return fmt.Errorf("%s: the path does not name the %s", accessExtension, rule.To)
	case rule.Service != "" && !slices.Contains(access.Services(), rule.Service):
		return fmt.Errorf("%s: unknown service %q", accessExtension, rule.Service)
	case !forApplications(rule):
		return fmt.Errorf("%s: scopes are for what takes neither the person nor a post, and each is one that there is", accessExtension)
	case rule.To == access.ToAnyone && (len(rule.Classes) > 0 || rule.Forced || rule.Fresh || rule.Strong ||
		rule.Dispositive || rule.Service != "" || len(rule.Scopes) > 0 || rule.Passive):
		return fmt.Errorf("%s: anyone cannot be narrowed", accessExtension)
	}
	classes := []access.UserClass{
		access.Citizen, access.InstitutionalIntermediary, access.Operator, access.ContactCentre, access.Administrator,
	}
	for _, c := range rule.Classes {
		if !slices.Contains(classes, c) {
			return fmt.Errorf("%s: unknown class %q", accessExtension, c)
		}
	}
	op.rule, op.shared = rule, written.Shared
	return nil
}

// forApplications reports whether the scopes of a rule may stand there. What needs the person, or is
// for who works here, has none.
func forApplications(rule access.Rule) bool {
	if rule.Scopes == nil {
		return true
	}
	person := len(rule.Classes) == 0 || slices.Contains(rule.Classes, access.Citizen)
	return len(rule.Scopes) > 0 && person && !rule.Fresh && !rule.Forced && !rule.Strong && !rule.Dispositive &&
		rule.To != access.ToOffice &&
		!slices.ContainsFunc(rule.Scopes, func(s string) bool {
			return s == access.ScopeOfflineAccess || !slices.Contains(access.Scopes(), s)
		})
}

func (op *operation) readParameters(item *openapi3.PathItem, o *openapi3.Operation) error {
	for _, ref := range slices.Concat(item.Parameters, o.Parameters) {
		p := ref.Value
		if p.Schema == nil || p.Schema.Value == nil || !plain(p.Schema.Value) {
			return fmt.Errorf("parameter %s: not a single text, number or truth value", p.Name)
		}
		own := &parameter{name: p.Name, required: p.Required, schema: p.Schema.Value}
		switch p.In {
		case openapi3.ParameterInPath:
			op.path = append(op.path, own)
		case openapi3.ParameterInQuery:
			own.in = fault.InParameter
			op.query[p.Name] = own
		case openapi3.ParameterInHeader:
			own.in = fault.InHeader
			op.headers = append(op.headers, own)
		default:
			return fmt.Errorf("parameter %s: unknown place %q", p.Name, p.In)
		}
	}
	return nil
}

func plain(s *openapi3.Schema) bool {
	return s.Type.Is(openapi3.TypeString) || s.Type.Is(openapi3.TypeInteger) || s.Type.Is(openapi3.TypeBoolean)
}

func (op *operation) readBody(o *openapi3.Operation) error {
	if o.RequestBody == nil {
		return nil
	}
	op.bodyRequired = o.RequestBody.Value.Required
	for mediaType, content := range o.RequestBody.Value.Content {
		if mediaType == formType {
			if content.Schema == nil {
				return fmt.Errorf("request body %s: needs a schema", mediaType)
			}
			var err error
			if op.form, err = newFormRule(content.Schema.Value); err != nil {
				return fmt.Errorf("request body %s: %w", mediaType, err)
			}
			op.consumes = append(op.consumes, mediaType)
			continue
		}
		if !isJSON(mediaType) && content.Schema != nil {
			limit, err := newRawRule(content.Schema.Value)
			if err != nil {
				return fmt.Errorf("request body %s: %w", mediaType, err)
			}
			if op.raw == nil {
				op.raw = map[string]int64{}
			}
			op.raw[mediaType] = limit
			op.consumes = append(op.consumes, mediaType)
			continue
		}
		if content.Schema == nil || op.body != nil && op.body != content.Schema.Value {
			return fmt.Errorf("request body %s: needs a schema, one for all types", mediaType)
		}
		op.body = content.Schema.Value
		op.consumes = append(op.consumes, mediaType)
	}
	if op.body == nil && op.form == nil && op.raw == nil {
		return errors.New("request body without content")
	}
	if slices.Contains(op.consumes, mergePatchType) {
		// Many generated clients know no other name; a merge patch is what it means here.
		op.consumes = append(op.consumes, jsonType)
	}
	return nil
}

func isJSON(mediaType string) bool {
	base, _, err := mime.ParseMediaType(mediaType)
	return err == nil && (base == jsonType || strings.HasSuffix(base, "+json"))
}

func (op *operation) readAnswers(method string, o *openapi3.Operation) {
	for status, ref := range o.Responses.Map() {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		for mediaType := range ref.Value.Content {
			if !slices.Contains(op.produces, mediaType) {
				op.produces = append(op.produces, mediaType)
			}
		}
		if method == http.MethodGet {
			op.tagged = op.tagged || ref.Value.Headers["ETag"] != nil
			if op.rule.To == access.ToAnyone {
				op.cacheable = keptFor(ref.Value.Headers["Cache-Control"])
			}
		}
	}
	// JSON first, the others in a fixed order.
	slices.SortFunc(op.produces, func(a, b string) int {
		if (a == jsonType) != (b == jsonType) {
			if a == jsonType {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
}

// keptFor is how long the contract lets anybody keep an answer; nil is not at all.
func keptFor(header *openapi3.HeaderRef) []string {
	switch {
	case header == nil || header.Value.Schema == nil:
		return nil
	case strings.Contains(header.Value.Schema.Value.Pattern, "immutable"):
		return immutable
	case strings.Contains(header.Value.Schema.Value.Pattern, "public"):
		return publicFor
	}
	return nil
}
