package httpapi

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"diresco/internal/platform/fault"

	"github.com/getkin/kin-openapi/openapi3"
)

// Codes of what can be wrong with one field. There are no others from the edge; each has a text in every language.
const (
	codeRequired         = "required"
	codeUnknownField     = "unknown-field"
	codeReadOnly         = "read-only"
	codeType             = "type"
	codeNull             = "null"
	codeEnum             = "enum"
	codeFormat           = "format"
	codePattern          = "pattern"
	codeTooShort         = "too-short"
	codeTooLong          = "too-long"
	codeMinimum          = "minimum"
	codeMaximum          = "maximum"
	codeMultipleOf       = "multiple-of"
	codeTooFew           = "too-few"
	codeTooMany          = "too-many"
	codeDuplicate        = "duplicate"
	codeVariant          = "variant"
	codeCharacter        = "forbidden-character"
	codeOther            = "other"
	codeSyntax           = "syntax"
	codeDuplicateKey     = "duplicate-key"
	codeTrailing         = "trailing-data"
	codeTooDeep          = "too-deep"
	codeNoFile           = "no-file"
	codeUnknownParameter = "unknown-parameter"
	codeRepeated         = "repeated"
)

// Codes that the domain gives; the edge only has their texts.
const (
	codeConst        = "const"
	codeCursor       = "cursor"
	codeWrongPIN     = "wrong-pin"
	codeUnknownRight = "unknown-right"
	codeNotCanonical = "not-canonical"
)

// schemaCodes says which code stands for which keyword of a schema.
var schemaCodes = map[string]string{
	"required": codeRequired, "properties": codeUnknownField, "additionalProperties": codeUnknownField, "readOnly": codeReadOnly, "type": codeType,
	"nullable": codeNull, "enum": codeEnum, "format": codeFormat, "pattern": codePattern, "minLength": codeTooShort, "maxLength": codeTooLong,
	"minimum": codeMinimum, "exclusiveMinimum": codeMinimum, "maximum": codeMaximum, "exclusiveMaximum": codeMaximum, "multipleOf": codeMultipleOf,
	"minItems": codeTooFew, "minProperties": codeTooFew, "maxItems": codeTooMany, "maxProperties": codeTooMany, "uniqueItems": codeDuplicate,
	"oneOf": codeVariant, "anyOf": codeVariant, "not": codeVariant, "discriminator": codeVariant,
}

// maxFields is how many wrong fields one answer names.
const maxFields = 100

var (
	parameterOptions = []openapi3.SchemaValidationOption{openapi3.WithStringFormatValidators(formats), openapi3.MultiErrors(), openapi3.DisableSchemaErrorDetails()}
	bodyOptions      = append([]openapi3.SchemaValidationOption{openapi3.VisitAsRequest()}, parameterOptions...)
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

// schemaFields flattens what the validator found into the fields of a problem. Nothing of the value itself goes along.
func schemaFields(err error) []fault.Field {
	var f flattener
	f.add(err)
	if len(f.fields) == 0 {
		f.fields = []fault.Field{{Code: codeOther}}
	}
	return f.fields
}

type flattener struct{ fields []fault.Field }

func (f *flattener) add(err error) {
	if len(f.fields) >= maxFields {
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
		code = codeOther
	}
	at := pointer(e.JSONPointer())
	if code != codeUnknownField {
		f.put(fault.Field{Pointer: at, Code: code})
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
		f.put(fault.Field{Pointer: at + "/" + escapePointer(name), Code: code})
	}
}

func (f *flattener) put(field fault.Field) {
	if len(f.fields) < maxFields && !slices.ContainsFunc(f.fields, func(before fault.Field) bool { return before == field || sameForm(before, field) }) {
		f.fields = append(f.fields, field)
	}
}

// sameForm reports whether two findings say of one field that it looks wrong: what a pattern says, the format says as well.
func sameForm(a, b fault.Field) bool {
	form := []string{codePattern, codeFormat}
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
