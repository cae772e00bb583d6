package edge

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
)

// checkParameters holds query and headers against the contract. What is wrong there is a request
// that cannot be read.
func (e *edge) checkParameters(r *request) error {
	fields, err := r.checkQuery()
	if err != nil {
		return err
	}
	if fields, err = r.checkHeaders(fields); err != nil {
		return err
	}
	if len(fields) > 0 {
		return &fault.Fault{Code: fault.Malformed, Fields: fields}
	}
	header := r.c.Request().Header
	if r.op.conditional && header.Get(ifMatchHeader) == "" && (!r.op.makesNew || header.Get("If-None-Match") == "") {
		return fault.New(fault.PreconditionRequired)
	}
	return nil
}

func (r *request) checkQuery() ([]fault.Field, error) {
	var fields []fault.Field
	if raw := r.c.Request().URL.RawQuery; raw != "" {
		var err error
		if r.query, err = url.ParseQuery(raw); err != nil {
			return nil, fault.Because(fault.Malformed, problem.ReasonQuery)
		}
		for name, values := range r.query {
			p, known := r.op.query[name]
			switch {
			case !known:
				fields = append(fields, fault.Field{
					In: fault.InParameter, Pointer: name, Code: fault.FieldUnknownParameter, Right: knownNames(name, r.op.query),
				})
			case len(values) > 1:
				fields = append(fields, fault.Field{In: fault.InParameter, Pointer: name, Code: fault.FieldRepeated})
			default:
				fields = append(fields, p.wrong(values[0])...)
			}
		}
		slices.SortStableFunc(fields, func(a, b fault.Field) int { return strings.Compare(a.Pointer, b.Pointer) })
	}
	for name, p := range r.op.query {
		if p.required && !r.query.Has(name) {
			fields = append(fields, p.missing())
		}
	}
	return fields, nil
}

func (r *request) checkHeaders(fields []fault.Field) ([]fault.Field, error) {
	h := r.c.Request().Header
	for _, p := range r.op.headers {
		values := h.Values(p.name)
		switch {
		case len(values) == 0 && !p.required:
		case len(values) == 0 && p.name == keyHeader:
			return nil, &fault.Fault{
				Code: fault.Malformed, Reason: problem.ReasonNoKey, Fields: []fault.Field{p.missing()},
			}
		case len(values) == 0:
			fields = append(fields, p.missing())
		case len(values) > 1 && p.name == keyHeader:
			fields = append(fields, fault.Field{In: fault.InHeader, Pointer: p.name, Code: fault.FieldRepeated})
		default:
			fields = append(fields, p.wrong(strings.Join(values, ", "))...)
		}
	}
	if key := h.Get(keyHeader); len(key) > 1 && key[0] == '"' && key[len(key)-1] == '"' {
		// Quoted or not it is the same key, for whoever looks at it from here on.
		h.Set(keyHeader, key[1:len(key)-1])
	}
	return fields, nil
}

// missing is the field of a parameter that must be there and is not.
func (p *parameter) missing() fault.Field {
	return fault.Field{In: p.in, Pointer: p.name, Code: fault.FieldRequired, Right: rightOf(fault.FieldRequired, p.schema)}
}

// wrong says what is wrong with a parameter's value; it returns nothing if all is well.
func (p *parameter) wrong(value string) []fault.Field {
	err := p.check(value)
	if err == nil {
		return nil
	}
	fields := schemaFields(err)
	for i := range fields {
		fields[i].In, fields[i].Pointer = p.in, p.name
	}
	return fields[:1]
}

// check holds the value of a parameter against its schema.
func (p *parameter) check(value string) error {
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return &openapi3.SchemaError{SchemaField: "pattern", Schema: p.schema}
	}
	var typed any = value
	switch {
	case p.schema.Type.Is(openapi3.TypeInteger):
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return &openapi3.SchemaError{SchemaField: "type", Schema: p.schema}
		}
		typed = float64(n)
	case p.schema.Type.Is(openapi3.TypeBoolean):
		if value != "true" && value != "false" {
			return &openapi3.SchemaError{SchemaField: "type", Schema: p.schema}
		}
		typed = value == "true"
	}
	return p.schema.VisitJSON(typed, parameterOptions...)
}
