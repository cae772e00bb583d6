package smarttask

import (
	_ "embed"
	"encoding/json"
	"slices"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// Type is a kind of task: who may ask for it, what it says, what is examined and what it brings
// about.
type Type struct {
	Code    string `json:"type"`
	TitleIT string `json:"title_it"`
	TitleEN string `json:"title_en"`
	// ActingAs are the rights by which it may be asked for.
	ActingAs []access.ActingAs `json:"acting_as"`
	// Topic is that of its ticket.
	Topic     string          `json:"topic"`
	Example   json.RawMessage `json:"content_example"`
	Schema    json.RawMessage `json:"content_schema"`
	ExamineIT string          `json:"examined_it"`
	ExamineEN string          `json:"examined_en"`
	EffectIT  string          `json:"effect_it"`
	EffectEN  string          `json:"effect_en"`

	compiled *catalogue.Schema
	rule     rule
}

// Title is what it is called, in English or in Italian.
func (t Type) Title(english bool) string { return text{t.TitleIT, t.TitleEN}.in(english) }

// Examined says what is examined, in English or in Italian.
func (t Type) Examined(english bool) string { return text{t.ExamineIT, t.ExamineEN}.in(english) }

// Effect says what it brings about, in English or in Italian.
func (t Type) Effect(english bool) string { return text{t.EffectIT, t.EffectEN}.in(english) }

// ContentSchema is the JSON Schema of its content, with its words in English or in Italian.
func (t Type) ContentSchema(english bool) (json.RawMessage, error) {
	return catalogue.Localised(t.Schema, english)
}

//go:embed types.json
var shipped []byte

// schemaVersion is that of the schemas that come with the program.
const schemaVersion = 1

var (
	types      = load()
	typeByCode = func() map[string]Type {
		by := make(map[string]Type, len(types))
		for _, t := range types {
			by[t.Code] = t
		}
		return by
	}()
	codes = func() []string {
		all := make([]string, len(types))
		for i, t := range types {
			all[i] = t.Code
		}
		return all
	}()
)

// load reads the types that come with the program.
func load() []Type {
	var all []Type
	if err := json.Unmarshal(shipped, &all); err != nil {
		panic(err) // the file is part of the program, and a test reads it
	}
	for i := range all {
		t := &all[i]
		t.rule = rules[t.Code]
		var err error
		if t.compiled, err = catalogue.Compile(t.Code, schemaVersion, t.Schema); err != nil {
			panic(err)
		}
	}
	return all
}

// mayAsk narrows the actor's rights down to those by which a task of the type is asked for. It
// returns fault.Forbidden where there is none.
func (t Type) mayAsk(by access.Actor) (access.Actor, error) {
	by.Rights = slices.DeleteFunc(slices.Clone(by.Rights), func(r access.Right) bool {
		return !slices.Contains(t.ActingAs, r.ActingAs) || !r.Covers(access.Dossier)
	})
	if len(by.Rights) > 0 {
		return by, nil
	}
	allowed := make([]string, len(t.ActingAs))
	for i, a := range t.ActingAs {
		allowed[i] = string(a)
	}
	return by, &fault.Fault{Code: fault.Forbidden, Reason: "smart-task-not-yours", Allowed: allowed}
}

// Known is the type with the code, whoever it is open to.
func Known(code string) Type { return typeByCode[code] }
