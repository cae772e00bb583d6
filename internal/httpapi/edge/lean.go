package edge

import "github.com/getkin/kin-openapi/openapi3"

// leaner copies schemas without what only readers of the contract need, so that the parsed contract
// can be let go. Each is copied once: many operations share one, and some lead back to themselves.
type leaner map[*openapi3.Schema]*openapi3.Schema

// operation replaces the schemas of an operation.
func (l leaner) operation(op *operation) {
	op.body = l.schema(op.body)
	if op.form != nil {
		op.form.texts = l.schema(op.form.texts)
	}
	for _, p := range op.path {
		p.schema = l.schema(p.schema)
	}
	for _, p := range op.query {
		p.schema = l.schema(p.schema)
	}
	for _, p := range op.headers {
		p.schema = l.schema(p.schema)
	}
}

func (l leaner) schema(s *openapi3.Schema) *openapi3.Schema {
	if s == nil {
		return nil
	}
	if made, ok := l[s]; ok {
		return made
	}
	lean := new(openapi3.Schema)
	*lean = *s
	l[s], l[lean] = lean, lean
	lean.Title, lean.Description, lean.ExternalDocs, lean.Extensions, lean.Default = "", "", nil, nil, nil
	if exampleOf(s) == "" {
		lean.Example = nil // refusals show no other
	}
	lean.OneOf, lean.AnyOf, lean.AllOf = l.refs(s.OneOf), l.refs(s.AnyOf), l.refs(s.AllOf)
	lean.Not, lean.Items = l.ref(s.Not), l.ref(s.Items)
	lean.AdditionalProperties.Schema = l.ref(s.AdditionalProperties.Schema)
	if s.Properties != nil {
		lean.Properties = make(openapi3.Schemas, len(s.Properties))
		for name, ref := range s.Properties {
			lean.Properties[name] = l.ref(ref)
		}
	}
	return lean
}

func (l leaner) ref(r *openapi3.SchemaRef) *openapi3.SchemaRef {
	if r == nil {
		return nil
	}
	return &openapi3.SchemaRef{Ref: r.Ref, Value: l.schema(r.Value)}
}

func (l leaner) refs(all openapi3.SchemaRefs) openapi3.SchemaRefs {
	if all == nil {
		return nil
	}
	lean := make(openapi3.SchemaRefs, len(all))
	for i, r := range all {
		lean[i] = l.ref(r)
	}
	return lean
}
