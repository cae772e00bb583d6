package catalogue

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// MaxFindings bounds what Validate returns, so that the answer to a wrong
// content does not grow with it.
const MaxFindings = 100

// Finding says that one place of a content is wrong, and how.
type Finding struct {
	// Pointer is the JSON pointer (RFC 6901) of the place within the content.
	// A missing property is pointed at where it should be.
	Pointer string
	// Code is a fault.Field… for a value.
	Code string
	// Right says what the schema would have taken, as far as it tells; else it is nil.
	Right *fault.Right
}

// Schema is the compiled content schema of one version of a declaration type.
// It may be used from several goroutines at once.
type Schema struct {
	compiled *jsonschema.Schema
	// document is the schema as it was written.
	document map[string]any
}

// Compile prepares the JSON Schema (2020-12 unless it says otherwise) of a
// type's content. Formats are asserted; to those of JSON Schema it adds
// "tax-code" (of a person or an organisation, in upper case) and "vat-number".
// A $ref leads nowhere outside the schema itself and the meta-schemas of
// json-schema.org, which are built in: nothing is ever fetched. The keyword
// propertyNames is refused; patternProperties with additionalProperties false
// says the same.
func Compile(code string, version int, schema json.RawMessage) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("schema of %s version %d: %w", code, version, err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.AssertFormat()
	c.UseRegexpEngine(compilePattern)
	c.RegisterFormat(&jsonschema.Format{Name: "tax-code", Validate: isTaxCode})
	c.RegisterFormat(&jsonschema.Format{Name: "vat-number", Validate: isVATNumber})
	c.RegisterVocabulary(&jsonschema.Vocabulary{URL: "diresco://vocabulary", Compile: refuseKeywords})
	c.AssertVocabs()

	// The name has a scheme, else the compiler would take it for a file's. It has a path, else
	// relative references would lead back to the schema.
	name := fmt.Sprintf("diresco://declaration-types/%s/%d", url.PathEscape(code), version)
	if err := c.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("schema of %s version %d: %w", code, version, err)
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("schema of %s version %d: %w", code, version, err)
	}
	var document map[string]any
	_ = json.Unmarshal(schema, &document) // a schema may be a bare true or false, which names no members
	return &Schema{compiled, document}, nil
}

// mostMatched is the most bytes of a text that a pattern is held against. A longer one matches
// nothing: it is longer than any maxLength that a type may have.
const mostMatched = 4 * mostText

// pattern is a regular expression in RE2, which needs a time that grows with the text alone.
type pattern struct{ *regexp.Regexp }

// MatchString implements jsonschema.Regexp.
func (p pattern) MatchString(text string) bool {
	return len(text) <= mostMatched && p.Regexp.MatchString(text)
}

func compilePattern(text string) (jsonschema.Regexp, error) {
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return pattern{compiled}, nil
}

type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a schema may only refer to itself")
}

// refuseKeywords is called for every schema object. The library's errors of
// propertyNames share the memory of their location with later ones, so they
// may point at another place of the content.
func refuseKeywords(_ *jsonschema.CompilerContext, schema map[string]any) (jsonschema.SchemaExt, error) {
	if _, ok := schema["propertyNames"]; ok {
		return nil, errors.New("the keyword propertyNames is not supported")
	}
	return nil, nil
}

var errFormat = errors.New("not of this format")

func isTaxCode(v any) error {
	s, isText := v.(string)
	if !isText {
		return nil // a format concerns texts only: type is another keyword
	}
	c, err := taxcode.Parse(s)
	if err == nil && c.Clear() != s {
		return errFormat
	}
	return err
}

func isVATNumber(v any) error {
	s, isText := v.(string)
	if !isText {
		return nil
	}
	_, err := taxcode.ParseVAT(s)
	return err
}

// Validate decodes a content and returns what is wrong with it, or nothing if it meets the schema.
// The findings are ordered by pointer and code, and at most [MaxFindings]. A number counts as the
// IEEE 754 double that RFC 8785 makes of it; one beyond their range is always wrong. A content that
// is not one JSON value gives a single finding "other" at the root.
func (s *Schema) Validate(content json.RawMessage) (value any, wrong []Finding) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return nil, []Finding{{Code: fault.FieldOther}}
	}
	var found findings
	doc = found.toDoubles(doc, nil)
	if err := s.compiled.Validate(doc); err != nil {
		var invalid *jsonschema.ValidationError
		if !errors.As(err, &invalid) {
			return nil, []Finding{{Code: fault.FieldOther}}
		}
		found.collect(invalid)
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Code, b.Code))
	})
	found = slices.CompactFunc(found, func(a, b Finding) bool { return a.Pointer == b.Pointer && a.Code == b.Code })
	return doc, found[:min(len(found), MaxFindings)]
}

type findings []Finding

func (f *findings) add(code string, at ...string) { f.addRight(nil, code, at...) }

func (f *findings) addRight(right *fault.Right, code string, at ...string) {
	var b strings.Builder
	for _, token := range at {
		b.WriteByte('/')
		b.WriteString(escapeToken.Replace(token))
	}
	*f = append(*f, Finding{b.String(), code, right})
}

var escapeToken = strings.NewReplacer("~", "~0", "/", "~1")

// toDoubles replaces the numbers by doubles. The validator computes with exact
// fractions: a number with an exponent of a million would cost it megabytes,
// and a greater one a panic.
func (f *findings) toDoubles(v any, at []string) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = f.toDoubles(member, append(at, name))
		}
	case []any:
		for i, item := range v {
			v[i] = f.toDoubles(item, append(at, strconv.Itoa(i)))
		}
	case json.Number:
		d, err := v.Float64()
		switch {
		case err != nil && d < 0:
			f.add(fault.FieldMinimum, at...)
			return -math.MaxFloat64
		case err != nil:
			f.add(fault.FieldMaximum, at...)
			return math.MaxFloat64
		}
		return d
	}
	return v
}

// collect walks the validator's tree of errors. Of the branches of anyOf and
// oneOf none is the right one, so what each of them misses is not told.
func (f *findings) collect(e *jsonschema.ValidationError) {
	at := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, cause := range e.Causes {
			f.collect(cause)
		}
	case *kind.Required:
		f.addEach(fault.FieldRequired, at, k.Missing)
	case *kind.DependentRequired:
		f.addEach(fault.FieldRequired, at, k.Missing)
	case *kind.Dependency:
		f.addEach(fault.FieldRequired, at, k.Missing)
	case *kind.AdditionalProperties:
		f.addEach(fault.FieldUnknown, at, k.Properties)
	case *kind.UniqueItems:
		f.addEach(fault.FieldDuplicate, at, []string{strconv.Itoa(k.Duplicates[1])})
	default:
		f.addRight(rightOf(k), codeOf(k), at...)
	}
}

func (f *findings) addEach(code string, at, names []string) {
	for _, name := range names {
		f.add(code, append(slices.Clone(at), name)...)
	}
}

func codeOf(k jsonschema.ErrorKind) string {
	switch k.(type) {
	case *kind.FalseSchema:
		return fault.FieldUnknown
	case *kind.Type:
		return fault.FieldType
	case *kind.Enum:
		return fault.FieldEnum
	case *kind.Const:
		return fault.FieldConst
	case *kind.Format:
		return fault.FieldFormat
	case *kind.Pattern:
		return fault.FieldPattern
	case *kind.MinLength:
		return fault.FieldTooShort
	case *kind.MaxLength:
		return fault.FieldTooLong
	case *kind.Minimum, *kind.ExclusiveMinimum:
		return fault.FieldMinimum
	case *kind.Maximum, *kind.ExclusiveMaximum:
		return fault.FieldMaximum
	case *kind.MultipleOf:
		return fault.FieldMultipleOf
	case *kind.MinItems, *kind.MinProperties, *kind.Contains, *kind.MinContains:
		return fault.FieldTooFew
	case *kind.MaxItems, *kind.MaxProperties, *kind.MaxContains, *kind.AdditionalItems:
		return fault.FieldTooMany
	default:
		return fault.FieldOther
	}
}
