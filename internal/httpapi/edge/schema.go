package edge

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
)

// schemaCodes says which code stands for which keyword of a schema.
var schemaCodes = map[string]string{
	"required": fault.FieldRequired, "properties": fault.FieldUnknown, "additionalProperties": fault.FieldUnknown,
	"readOnly": fault.FieldReadOnly, "type": fault.FieldType,
	"nullable": fault.FieldNull, "enum": fault.FieldEnum, "format": fault.FieldFormat, "pattern": fault.FieldPattern,
	"minLength": fault.FieldTooShort, "maxLength": fault.FieldTooLong,
	"minimum": fault.FieldMinimum, "exclusiveMinimum": fault.FieldMinimum, "maximum": fault.FieldMaximum,
	"exclusiveMaximum": fault.FieldMaximum, "multipleOf": fault.FieldMultipleOf,
	"minItems": fault.FieldTooFew, "minProperties": fault.FieldTooFew, "maxItems": fault.FieldTooMany, "maxProperties": fault.FieldTooMany,
	"uniqueItems": fault.FieldDuplicate,
	"oneOf":       fault.FieldVariant, "anyOf": fault.FieldVariant, "not": fault.FieldVariant, "discriminator": fault.FieldVariant,
}

var (
	parameterOptions = []openapi3.SchemaValidationOption{
		openapi3.WithStringFormatValidators(formats), openapi3.MultiErrors(), openapi3.DisableSchemaErrorDetails(),
	}
	bodyOptions = append([]openapi3.SchemaValidationOption{openapi3.VisitAsRequest()}, parameterOptions...)
)

// formats are those that the validator does not know, or knows too loosely.
var formats = map[string]openapi3.StringFormatValidator{
	"uuid":      openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC9562),
	"email":     openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForEmail),
	"date":      openapi3.NewCallbackValidator(func(s string) error { return instant(time.DateOnly, s) }),
	"date-time": openapi3.NewCallbackValidator(func(s string) error { return instant(time.RFC3339, s) }),
}

var errFormat = errors.New("format")

var dateTime = regexp.MustCompile(openapi3.FormatOfStringDateTime)

// instant refuses what looks like a time but is none, such as 30 February.
func instant(layout, s string) error {
	if layout == time.RFC3339 && !dateTime.MatchString(s) {
		return errFormat
	}
	if _, err := time.Parse(layout, s); err != nil {
		return errFormat
	}
	return nil
}

// schemaFields flattens what the validator found into the fields of a problem. Nothing of the value
// itself goes along.
func schemaFields(err error) []fault.Field {
	var f flattener
	f.add(err)
	if len(f.fields) == 0 {
		f.fields = []fault.Field{{Code: fault.FieldOther}}
	}
	return f.fields
}

type flattener struct{ fields []fault.Field }

func (f *flattener) add(err error) {
	if len(f.fields) >= problem.MaxFields {
		return
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked node by node
	case openapi3.MultiError:
		for _, one := range e {
			f.add(one)
		}
	case *openapi3.SchemaError:
		f.addSchema(e)
	case interface{ Unwrap() error }:
		f.add(e.Unwrap())
	}
}

func (f *flattener) addSchema(e *openapi3.SchemaError) {
	if e.SchemaField == "allOf" && e.Origin != nil {
		f.add(e.Origin)
		return
	}
	code, ok := schemaCodes[e.SchemaField]
	if !ok {
		code = fault.FieldOther
	}
	at := pointer(e.JSONPointer())
	if code != fault.FieldUnknown {
		f.put(fault.Field{Pointer: at, Code: code, Right: rightOf(code, schemaAt(e, code))})
		return
	}
	// The validator names the object; which of its members are unknown is seen by comparing.
	members, _ := e.Value.(map[string]any)
	var unknown []string
	for name := range members {
		if e.Schema == nil || e.Schema.Properties[name] == nil {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		field := fault.Field{Pointer: at + "/" + escapePointer(name), Code: code}
		if e.Schema != nil {
			field.Right = knownNames(name, e.Schema.Properties)
		}
		f.put(field)
	}
}

// schemaAt is the schema of what is wrong. Of something that is missing the validator names the
// object that it should be in.
func schemaAt(e *openapi3.SchemaError, code string) *openapi3.Schema {
	path := e.JSONPointer()
	if code != fault.FieldRequired || e.Schema == nil || len(path) == 0 {
		return e.Schema
	}
	if property := e.Schema.Properties[path[len(path)-1]]; property != nil {
		return property.Value
	}
	return nil
}

func (f *flattener) put(field fault.Field) {
	if len(f.fields) < problem.MaxFields && !slices.ContainsFunc(f.fields, func(before fault.Field) bool {
		return before.Pointer == field.Pointer && before.Code == field.Code || sameForm(before, field)
	}) {
		f.fields = append(f.fields, field)
	}
}

// sameForm reports whether two findings say of one field that it looks wrong. What a pattern says,
// the format says as well.
func sameForm(a, b fault.Field) bool {
	form := []string{fault.FieldPattern, fault.FieldFormat}
	return a.Pointer == b.Pointer && slices.Contains(form, a.Code) && slices.Contains(form, b.Code)
}

// pointer writes a path as an RFC 6901 JSON pointer.
func pointer(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteByte('/')
		b.WriteString(escapePointer(p))
	}
	return b.String()
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func escapePointer(s string) string { return pointerEscapes.Replace(s) }
