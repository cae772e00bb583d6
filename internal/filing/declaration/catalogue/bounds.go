package catalogue

import (
	"bytes"
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"diresco/internal/platform/fault"
)

// The bounds of a schema. What keeps them is checked in milliseconds, whatever the content is.
const (
	// MaxSchema is the most bytes of a schema, and of an example.
	MaxSchema = 64 << 10

	mostDepth      = 12
	mostMembers    = 200
	mostSchemas    = 2000
	mostItems      = 1000
	mostText       = 4000
	mostValues     = 200
	mostPattern    = 300
	mostPatternRun = 200
	// mostCost is the most schemas that one content is held against, with lists at their longest.
	mostCost = 100_000
)

// plain are the keywords whose values have no bounds of their own.
var plain = []string{
	"$schema", "title", "description", "type", "required", "dependentRequired", "minItems", "maxItems",
	"uniqueItems", "minLength", "maxLength", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
}

// keyword walks the value of a keyword and returns what it costs. It reports false for a keyword
// that a schema may not use.
func (w *walker) keyword(name, at string, value any, p place) (cost int64, known bool) {
	if slices.Contains(plain, name) {
		return 0, true
	}
	walk := map[string]func(at string, value any, p place) int64{
		"additionalProperties": w.falseOnly, "pattern": w.pattern, "format": w.format, "enum": w.values,
		"properties": w.members, "$defs": w.definitions, "items": w.items, "$ref": w.reference,
		"if": w.condition, "then": w.condition, "else": w.condition, "not": w.condition,
		"allOf": w.conditions, "anyOf": w.conditions, "oneOf": w.conditions, English: w.english, labelsKeyword: w.texts,
	}[name]
	if walk == nil {
		return 0, false
	}
	return walk(at, value, p), true
}

var formats = []string{"date", "date-time", "email", "uuid", "tax-code", "vat-number"}

var memberName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// place says where in a schema a schema stands.
type place struct {
	depth int
	// declares is where the members of a content are named: there each has its bounds.
	declares bool
	// member is a named one, which people see: it has words in both languages.
	member bool
	// times is how often a content can have it.
	times int64
	// refs are the references that led here.
	refs []string
}

// under is the place of what a schema has beneath it.
func (p place) under() place {
	return place{depth: p.depth + 1, declares: p.declares, times: p.times, refs: p.refs}
}

// walker goes through a schema and notes what breaks the bounds.
type walker struct {
	root    any
	found   findings
	schemas int
}

// bound returns what breaks the bounds of a schema's document, with pointers into it.
func bound(schema json.RawMessage) []Finding {
	if len(schema) > MaxSchema {
		return []Finding{{Code: fault.FieldTooLong, Right: &fault.Right{MaxLength: count(MaxSchema)}}}
	}
	var root any
	if err := json.Unmarshal(schema, &root); err != nil {
		return []Finding{{Code: fault.FieldSyntax}}
	}
	if wrong := exponents(schema); wrong != nil {
		return wrong
	}
	w := &walker{root: root}
	if object, ok := root.(map[string]any); !ok || object["type"] != "object" {
		return []Finding{{Pointer: "/type", Code: fault.FieldConst, Right: &fault.Right{Allowed: []string{"object"}}}}
	}
	cost := w.schema("", root, place{declares: true, times: 1})
	if w.found == nil && cost > mostCost {
		w.note("", fault.FieldTooCostly, nil)
	}
	return w.found
}

// exponents returns the numbers of a schema whose exponents are beyond those of doubles. The
// validator keeps exact fractions: such a number costs it memory without end, or a panic.
func exponents(schema json.RawMessage) []Finding {
	var found findings
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return []Finding{{Code: fault.FieldSyntax}}
	}
	found.exponents(doc, nil)
	return found[:min(len(found), MaxFindings)]
}

// mostExponent is beyond that of every double that is not nought.
const mostExponent = 400

func (f *findings) exponents(value any, at []string) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			f.exponents(member, append(at, name))
		}
	case []any:
		for i, item := range value {
			f.exponents(item, append(at, strconv.Itoa(i)))
		}
	case json.Number:
		_, exponent, has := strings.Cut(strings.ToLower(value.String()), "e")
		if n, err := strconv.Atoi(exponent); has && (err != nil || n < -mostExponent || n > mostExponent) {
			f.add(fault.FieldOther, at...)
		}
	}
}

func (w *walker) note(at, code string, right *fault.Right) {
	if len(w.found) < MaxFindings {
		w.found = append(w.found, Finding{Pointer: at, Code: code, Right: right})
	}
}

// schema walks one schema and returns how many schemas a content is held against because of it.
func (w *walker) schema(at string, schema any, p place) int64 {
	if always, ok := schema.(bool); ok && always && !p.declares {
		return 1
	}
	object, ok := schema.(map[string]any)
	if !ok {
		w.note(at, fault.FieldType, &fault.Right{Expected: "object"})
		return 0
	}
	w.schemas++
	switch {
	case p.depth > mostDepth:
		w.note(at, fault.FieldTooDeep, nil)
		return 0
	case p.times > mostCost:
		// Beneath it the product would grow beyond what an integer holds.
		w.note(at, fault.FieldTooCostly, nil)
		return 0
	case w.schemas > mostSchemas:
		// One finding is enough: the walk ends here.
		if w.schemas == mostSchemas+1 {
			w.note("", fault.FieldTooCostly, nil)
		}
		return 0
	}
	if p.member {
		w.words(at, object)
	}
	if _, refers := object["$ref"]; p.declares && !refers {
		w.bounded(at, object)
	}
	cost := p.times
	for _, name := range sortedNames(object) {
		more, known := w.keyword(name, at+"/"+name, object[name], p)
		if !known {
			w.note(at+"/"+escapeToken.Replace(name), fault.FieldUnknownKeyword, nil)
		}
		if cost += more; cost > mostCost {
			w.note(at, fault.FieldTooCostly, nil)
			return 0
		}
	}
	return cost
}

func (w *walker) falseOnly(at string, value any, _ place) int64 {
	if value != false {
		w.note(at, fault.FieldConst, &fault.Right{Allowed: []string{"false"}})
	}
	return 0
}

func (w *walker) format(at string, value any, _ place) int64 {
	if name, _ := value.(string); !slices.Contains(formats, name) {
		w.note(at, fault.FieldEnum, &fault.Right{Allowed: formats})
	}
	return 0
}

func (w *walker) values(at string, value any, _ place) int64 {
	if list, _ := value.([]any); len(list) > mostValues {
		w.note(at, fault.FieldTooMany, &fault.Right{MaxItems: count(mostValues)})
	}
	return 0
}

// pattern takes what RE2 matches in one pass, with few steps for each character.
func (w *walker) pattern(at string, value any, _ place) int64 {
	text, _ := value.(string)
	if utf8.RuneCountInString(text) > mostPattern {
		w.note(at, fault.FieldTooLong, &fault.Right{MaxLength: count(mostPattern)})
		return 0
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		w.note(at, fault.FieldFormat, &fault.Right{Expected: "RE2"})
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > mostPatternRun {
		w.note(at, fault.FieldTooCostly, nil)
	}
	return 0
}

func (w *walker) members(at string, value any, p place) int64 {
	object, _ := value.(map[string]any)
	if len(object) > mostMembers {
		w.note(at, fault.FieldTooMany, &fault.Right{MaxItems: count(mostMembers)})
		return 0
	}
	var cost int64
	for _, name := range sortedNames(object) {
		inner := p.under()
		inner.member = p.declares
		place := at + "/" + escapeToken.Replace(name)
		if p.declares && !memberName.MatchString(name) {
			w.note(place, fault.FieldFormat, &fault.Right{Expected: memberName.String()})
		}
		cost += w.schema(place, object[name], inner)
	}
	return cost
}

// definitions are walked where a reference leads to them.
func (w *walker) definitions(at string, value any, _ place) int64 {
	if object, _ := value.(map[string]any); len(object) > mostMembers {
		w.note(at, fault.FieldTooMany, &fault.Right{MaxItems: count(mostMembers)})
	}
	return 0
}

func (w *walker) items(at string, value any, p place) int64 {
	inner := p.under()
	owner, _ := At(w.root, strings.TrimSuffix(at, "/items"))
	object, _ := owner.(map[string]any)
	inner.times *= int64(atMost(object["maxItems"], mostItems))
	return w.schema(at, value, inner)
}

// atMost returns a whole number of a schema, or the greatest where it has none.
func atMost(value any, most float64) float64 {
	n, ok := value.(float64)
	if !ok || n < 0 || n > most {
		return most
	}
	return n
}

// reference follows a reference within the schema. One that leads back to itself has no end.
func (w *walker) reference(at string, value any, p place) int64 {
	ref, _ := value.(string)
	pointer, within := strings.CutPrefix(ref, "#")
	target, found := At(w.root, pointer)
	switch {
	case !within || !found || pointer != "" && pointer[0] != '/':
		w.note(at, fault.FieldLeadsNowhere, nil)
		return 0
	case slices.Contains(p.refs, pointer) || pointer == "" || strings.HasPrefix(at, pointer+"/"):
		w.note(at, fault.FieldLeadsBack, nil)
		return 0
	}
	inner := p.under()
	inner.refs = append(slices.Clone(p.refs), pointer)
	return w.schema(pointer, target, inner)
}

func (w *walker) condition(at string, value any, p place) int64 {
	inner := p.under()
	inner.declares = false
	return w.schema(at, value, inner)
}

func (w *walker) conditions(at string, value any, p place) int64 {
	list, _ := value.([]any)
	var cost int64
	for i, item := range list {
		cost += w.condition(at+"/"+strconv.Itoa(i), item, p)
	}
	return cost
}

// bounded notes what lets a content grow without end.
func (w *walker) bounded(at string, schema map[string]any) {
	switch schema["type"] {
	case "object":
		if _, ok := schema["properties"].(map[string]any); !ok {
			w.note(at+"/properties", fault.FieldRequired, nil)
		}
		if schema["additionalProperties"] != false {
			w.note(at+"/additionalProperties", fault.FieldConst, &fault.Right{Allowed: []string{"false"}})
		}
	case "array":
		if _, ok := schema["items"].(map[string]any); !ok {
			w.note(at+"/items", fault.FieldRequired, nil)
		}
		w.most(at+"/maxItems", schema["maxItems"], mostItems)
	case "string":
		if values, listed := schema["enum"].([]any); listed {
			w.labels(at, schema, values)
		} else if schema["const"] == nil {
			w.most(at+"/maxLength", schema["maxLength"], mostText)
		}
	case "number", "integer":
		for _, name := range []string{"minimum", "maximum"} {
			if _, ok := schema[name].(float64); !ok && schema["enum"] == nil && schema["const"] == nil {
				w.note(at+"/"+name, fault.FieldRequired, nil)
			}
		}
	case "boolean":
	default:
		w.note(at+"/type", fault.FieldEnum, &fault.Right{Allowed: []string{"object", "array", "string", "number", "integer", "boolean"}})
	}
}

func (w *walker) most(at string, value any, most int) {
	n, ok := value.(float64)
	switch {
	case !ok:
		w.note(at, fault.FieldRequired, nil)
	case n > float64(most):
		top := float64(most)
		w.note(at, fault.FieldMaximum, &fault.Right{Maximum: &top})
	}
}

// words notes which words a member lacks, in either language.
func (w *walker) words(at string, schema map[string]any) {
	english, _ := schema[English].(map[string]any)
	for _, name := range []string{"title", "description"} {
		w.word(at+"/"+name, schema[name])
		w.word(at+"/"+English+"/"+name, english[name])
	}
	for _, name := range sortedNames(english) {
		if !slices.Contains([]string{"title", "description", "labels"}, name) {
			w.note(at+"/"+English+"/"+escapeToken.Replace(name), fault.FieldUnknown, nil)
		}
	}
}

// english notes words that are none, wherever they stand: what is published is shown and printed.
func (w *walker) english(at string, value any, p place) int64 {
	object, ok := value.(map[string]any)
	if !ok {
		w.note(at, fault.FieldType, &fault.Right{Expected: "object"})
	}
	for _, name := range []string{"title", "description"} {
		value, there := object[name]
		if _, ok := value.(string); there && !ok {
			w.note(at+"/"+name, fault.FieldType, &fault.Right{Expected: "string"})
		}
	}
	if labels, there := object["labels"]; there {
		w.texts(at+"/labels", labels, p)
	}
	return 0
}

// texts notes what is no object of texts.
func (w *walker) texts(at string, value any, _ place) int64 {
	object, ok := value.(map[string]any)
	if !ok {
		w.note(at, fault.FieldType, &fault.Right{Expected: "object"})
	}
	for _, name := range sortedNames(object) {
		if _, ok := object[name].(string); !ok {
			w.note(at+"/"+escapeToken.Replace(name), fault.FieldType, &fault.Right{Expected: "string"})
		}
	}
	return 0
}

func (w *walker) word(at string, value any) {
	text, ok := value.(string)
	switch {
	case !ok || strings.TrimSpace(text) == "":
		w.note(at, fault.FieldRequired, nil)
	case utf8.RuneCountInString(text) > mostWord:
		w.note(at, fault.FieldTooLong, &fault.Right{MaxLength: count(mostWord)})
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7F && r <= 0x9F }):
		w.note(at, fault.FieldCharacter, nil)
	}
}

const mostWord = 500

// labels notes which values of a list have no word, in either language.
func (w *walker) labels(at string, schema map[string]any, values []any) {
	english, _ := schema[English].(map[string]any)
	italianWords, _ := schema[labelsKeyword].(map[string]any)
	englishWords, _ := english["labels"].(map[string]any)
	for _, value := range values {
		name, ok := value.(string)
		if !ok {
			w.note(at+"/enum", fault.FieldType, &fault.Right{Expected: "string"})
			return
		}
		w.word(at+"/"+labelsKeyword+"/"+escapeToken.Replace(name), italianWords[name])
		w.word(at+"/"+English+"/labels/"+escapeToken.Replace(name), englishWords[name])
	}
}

func sortedNames(object map[string]any) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
