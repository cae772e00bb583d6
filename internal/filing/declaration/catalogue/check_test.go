package catalogue_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
)

// gagi is a type with everything: two steps, terms, requirements, an amount and funds of regions.
func gagi(t testing.TB) catalogue.Type {
	t.Helper()
	types := all(t)
	i := slices.IndexFunc(types, func(dt catalogue.Type) bool { return dt.Code == "GAGI" })
	dt := types[i]
	dt.Steps = slices.Clone(dt.Steps)
	for i := range dt.Steps {
		dt.Steps[i].Requirements = slices.Clone(dt.Steps[i].Requirements)
	}
	fund, amount := *dt.Fund, *dt.Steps[0].Amount
	dt.Fund, dt.Steps[0].Amount = &fund, &amount
	return dt
}

// wrongs are the findings as texts: the pointer, a space and the code.
func wrongs(dt catalogue.Type) []string {
	var found []string
	for _, f := range catalogue.Check(dt) {
		found = append(found, f.Pointer+" "+f.Code)
	}
	return found
}

func TestCheck_RulesThatDoNotFitTogether(t *testing.T) {
	closes := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, spoil := range map[string]func(dt *catalogue.Type){
		"/code pattern":                    func(dt *catalogue.Type) { dt.Code = "GA GI" },
		"/title/en required":               func(dt *catalogue.Type) { dt.Title.EN = " " },
		"/legal_reference required":        func(dt *catalogue.Type) { dt.LegalReference = "" },
		"/submitters/0 enum":               func(dt *catalogue.Type) { dt.Submitters = []access.ActingAs{access.OfficeOperator} },
		"/submitters/1 duplicate":          func(dt *catalogue.Type) { dt.Submitters = []access.ActingAs{access.Employer, access.Employer} },
		"/withdrawal enum":                 func(dt *catalogue.Type) { dt.Withdrawal = "sometimes" },
		"/decision const":                  func(dt *catalogue.Type) { dt.Decision = catalogue.ByOperator },
		"/closes_at not-after":             func(dt *catalogue.Type) { dt.ClosesAt = &closes },
		"/deferred/closes_at not-after":    func(dt *catalogue.Type) { dt.Deferred = &catalogue.Deferred{ClosesAt: closes} },
		"/steps step-order":                func(dt *catalogue.Type) { slices.Reverse(dt.Steps) },
		"/fund required":                   func(dt *catalogue.Type) { dt.Fund = nil; dt.Steps[0].Amount = nil },
		"/fund not-applicable":             func(dt *catalogue.Type) { dt.Steps = []catalogue.Step{{Step: "single"}}; dt.Withdrawal = "never" },
		"/fund/fund_code pattern":          func(dt *catalogue.Type) { dt.Fund.Code = "a b" },
		"/fund/region_field leads-nowhere": func(dt *catalogue.Type) { dt.Fund.RegionField = "/contract_months" },
		"/worker_field required":           func(dt *catalogue.Type) { dt.WorkerField = "" },
		"/worker_field leads-nowhere":      func(dt *catalogue.Type) { dt.WorkerField = "/region" },
		"/event_field leads-nowhere":       func(dt *catalogue.Type) { dt.EventField = "/event_date" },
		"/hire_date_field leads-nowhere":   func(dt *catalogue.Type) { dt.HireDateField = "/event" },
		"/steps/0/amount required":         func(dt *catalogue.Type) { dt.Steps[0].Amount = nil },
		"/steps/0/amount/cap format":       func(dt *catalogue.Type) { dt.Steps[0].Amount.Cap = "6000" },
		"/steps/0/amount/rate format": func(dt *catalogue.Type) {
			dt.Steps[0].Amount = &catalogue.Amount{Cap: "1.00", Rate: "2", PayField: "/amount", Months: 12}
		},
		"/steps/0/amount/months maximum": func(dt *catalogue.Type) {
			dt.Steps[0].Amount = &catalogue.Amount{Cap: "1.00", Rate: "0.5", PayField: "/amount"}
		},
		"/steps/0/amount/months_field not-needed": func(dt *catalogue.Type) {
			dt.Steps[0].Amount = &catalogue.Amount{Cap: "1.00", Rate: "0.5", PayField: "/amount", MonthsField: "/contract_months"}
		},
		"/steps/0/amount/field leads-nowhere":      func(dt *catalogue.Type) { dt.Steps[0].Amount.Field = "/notes" },
		"/steps/0/hire_within not-applicable":      func(dt *catalogue.Type) { dt.Steps[0].HireWithin = dt.Steps[1].HireWithin },
		"/steps/1/confirm_within required":         func(dt *catalogue.Type) { dt.Steps[1].ConfirmWithin = nil },
		"/steps/1/confirm_within/days minimum":     func(dt *catalogue.Type) { dt.Steps[1].ConfirmWithin = &catalogue.Term{Kind: "working"} },
		"/steps/1/confirm_within/kind enum":        func(dt *catalogue.Type) { dt.Steps[1].ConfirmWithin = &catalogue.Term{Days: 3} },
		"/steps/1/requires/0 leads-nowhere":        func(dt *catalogue.Type) { dt.Steps[1].Requires = []string{"salary", "event_date"} },
		"/steps/1/requires/0 duplicate":            func(dt *catalogue.Type) { dt.Steps[1].Requires = []string{"event", "event_date"} },
		"/hire_date_field not-needed":              func(dt *catalogue.Type) { dt.Steps[1].Requires = nil },
		"/steps/0/requirements/0/requirement enum": func(dt *catalogue.Type) { dt.Steps[0].Requirements[0].Name = "luck" },
		"/steps/0/requirements/0/max minimum":      func(dt *catalogue.Type) { dt.Steps[0].Requirements[0].Max = new(3) },
		"/steps/0/requirements/0 required":         func(dt *catalogue.Type) { dt.Steps[0].Requirements[0] = catalogue.Requirement{Name: "age_at_hire"} },
		"/steps/0/requirements/1 not-applicable":   func(dt *catalogue.Type) { dt.Steps[0].Requirements[1].Min = new(3) },
		"/steps/0/requirements/1/requirement duplicate": func(dt *catalogue.Type) {
			dt.Steps[0].Requirements[1] = dt.Steps[0].Requirements[0]
		},
		"/steps/0/requirements/0/to not-after": func(dt *catalogue.Type) {
			dt.Steps[0].Requirements[0] = catalogue.Requirement{Name: "hire_date_window", From: "2026-02-01", To: "2026-01-31"}
		},
		"/steps/0/requirements/0/from format": func(dt *catalogue.Type) {
			dt.Steps[0].Requirements[0] = catalogue.Requirement{Name: "hire_date_window", From: "2026-02-30"}
		},
		"/content_example/amount maximum": func(dt *catalogue.Type) { dt.Steps[0].Amount.Cap = "5999.99" },
		"/content_example/event_date required": func(dt *catalogue.Type) {
			dt.ContentExample = json.RawMessage(strings.Replace(string(dt.ContentExample), `"event_date":"2026-03-20",`, "", 1))
		},
	} {
		dt := gagi(t)
		spoil(&dt)
		if found := wrongs(dt); !slices.Contains(found, want) {
			t.Errorf("want %s, got %v", want, found)
		}
	}
	if found := wrongs(gagi(t)); found != nil {
		t.Errorf("as it is shipped: %v", found)
	}
}

// A schema that would take long to check, or that grows without end, is refused by what it is.
func TestCheck_BoundsOfASchema(t *testing.T) {
	field := func(more string) string {
		return `{"title":"a","description":"b","x-en":{"title":"c","description":"d"},` + more + `}`
	}
	schema := func(properties, more string) string {
		return `{"type":"object","additionalProperties":false,"properties":{` + properties + `}` + more + `}`
	}
	one := func(more string) string { return schema(`"a":`+field(more), "") }
	// Each definition holds the one before twenty times: 20^5 schemas, if one followed them.
	multiplied := `"$defs":{"d0":{"type":"string"}`
	for i := 1; i <= 5; i++ {
		before := strings.Repeat(fmt.Sprintf(`,{"$ref":"#/$defs/d%d"}`, i-1), 20)
		multiplied += fmt.Sprintf(`,"d%d":{"allOf":[%s]}`, i, before[1:])
	}
	deep := `{"type":"string"}`
	for range 20 {
		deep = `{"not":` + deep + `}`
	}
	var many []string
	for i := range 201 {
		many = append(many, fmt.Sprintf(`"a%d":%s`, i, field(`"type":"boolean"`)))
	}
	for name, c := range map[string]struct{ schema, want string }{
		"not an object":             {`{"type":"string"}`, "/content_schema/type const"},
		"a bare true":               {`true`, "/content_schema/type const"},
		"unknown members":           {`{"type":"object","properties":{}}`, "/content_schema/additionalProperties const"},
		"a text without end":        {one(`"type":"string"`), "/content_schema/properties/a/maxLength required"},
		"a text of a megabyte":      {one(`"type":"string","maxLength":1000000`), "/content_schema/properties/a/maxLength maximum"},
		"a list without end":        {one(`"type":"array","items":{"type":"boolean"}`), "/content_schema/properties/a/maxItems required"},
		"a number without end":      {one(`"type":"integer"`), "/content_schema/properties/a/maximum required"},
		"no type":                   {one(`"maxLength":3`), "/content_schema/properties/a/type enum"},
		"a pattern that repeats":    {one(`"type":"string","maxLength":9,"pattern":"^(a{1,30}){1,30}$"`), "/content_schema/properties/a/pattern too-costly"},
		"a pattern that looks back": {one(`"type":"string","maxLength":9,"pattern":"(a)\\1"`), "/content_schema/properties/a/pattern format"},
		"a long pattern": {
			one(`"type":"string","maxLength":9,"pattern":"` + strings.Repeat("a", 301) + `"`), "/content_schema/properties/a/pattern too-long",
		},
		"a format nobody knows":   {one(`"type":"string","maxLength":9,"format":"regex"`), "/content_schema/properties/a/format enum"},
		"patterns of names":       {schema("", `,"patternProperties":{"a":true}`), "/content_schema/patternProperties unknown-keyword"},
		"a dynamic reference":     {one(`"$dynamicRef":"#a"`), "/content_schema/properties/a/$dynamicRef unknown-keyword"},
		"another base":            {schema("", `,"$id":"https://example.org"`), "/content_schema/$id unknown-keyword"},
		"a reference elsewhere":   {one(`"$ref":"https://example.org/a"`), "/content_schema/properties/a/$ref leads-nowhere"},
		"a reference to nothing":  {one(`"$ref":"#/$defs/a"`), "/content_schema/properties/a/$ref leads-nowhere"},
		"a reference to the root": {one(`"$ref":"#"`), "/content_schema/properties/a/$ref leads-back"},
		"a reference to itself": {
			schema(`"a":`+field(`"$ref":"#/$defs/a"`), `,"$defs":{"a":{"type":"object","additionalProperties":false,"properties":{"b":`+
				field(`"$ref":"#/$defs/a"`)+`}}}`), "/content_schema/$defs/a/properties/b/$ref leads-back",
		},
		"references that multiply": {schema(`"a":`+field(`"$ref":"#/$defs/d5"`), ","+multiplied+"}"), "/content_schema too-costly"},
		"depth":                    {schema("", `,"not":`+deep), "/content_schema" + strings.Repeat("/not", 13) + " too-deep"},
		"many members":             {schema(strings.Join(many, ","), ""), "/content_schema/properties too-many"},
		"lists of lists": {
			one(`"type":"array","maxItems":1000,"items":{"type":"array","maxItems":1000,"items":{"type":"boolean"}}`),
			"/content_schema too-costly",
		},
		"lists of lists, as many as an integer counts anew": {
			one(strings.Repeat(`"type":"array","maxItems":1000,"items":{`, 6) + `"type":"array","maxItems":10,"items":{"type":"boolean"}` +
				strings.Repeat("}", 6)), "/content_schema too-costly",
		},
		"a number with an endless exponent": {
			one(`"type":"number","minimum":1,"maximum":2,"multipleOf":1e-3000000`), "/content_schema/properties/a/multipleOf other",
		},
		"a nought with an endless exponent": {
			one(`"type":"number","minimum":0e99999999999999999999,"maximum":2`), "/content_schema/properties/a/minimum other",
		},
		"such a number where nobody looks": {schema("", `,"$defs":{"a":{"enum":[{"b":1E-401}]}}`), "/content_schema/$defs/a/enum/0/b other"},
		"labels that are none": {
			one(`"type":"number","minimum":1,"maximum":2,"x-labels":5`), "/content_schema/properties/a/x-labels type",
		},
		"a label that is no text": {
			one(`"type":"number","minimum":1,"maximum":2,"x-labels":{"1":5}`), "/content_schema/properties/a/x-labels/1 type",
		},
		"English words that are none": {
			one(`"type":"array","maxItems":2,"items":{"type":"boolean","x-en":5}`), "/content_schema/properties/a/items/x-en type",
		},
		"an English title that is no text": {
			one(`"type":"array","maxItems":2,"items":{"type":"boolean","x-en":{"title":{}}}`),
			"/content_schema/properties/a/items/x-en/title type",
		},
		"size":               {schema("", `,"description":"`+strings.Repeat("a", 64<<10)+`"`), "/content_schema too-long"},
		"a name in capitals": {schema(`"A":`+field(`"type":"boolean"`), ""), "/content_schema/properties/A format"},
		"a keyword of the wrong type": {
			one(`"type":"string","maxLength":9,"minLength":"1"`), "/content_schema/properties/a/minLength type",
		},
		"a word without English": {one(`"type":"string","enum":["x"],"x-labels":{"x":"y"}`), "/content_schema/properties/a/x-en/labels/x required"},
		"no title":               {schema(`"a":{"type":"boolean","description":"b","x-en":{"title":"c","description":"d"}}`, ""), "/content_schema/properties/a/title required"},
		"control characters":     {schema(`"a":{"type":"boolean","title":"a\u0007","description":"b","x-en":{"title":"c","description":"d"}}`, ""), "/content_schema/properties/a/title forbidden-character"},
	} {
		dt := catalogue.Type{
			Code: "PROVA", Version: 1, Title: catalogue.Title{IT: "a", EN: "b"}, LegalReference: "c", Steps: []catalogue.Step{{Step: "single"}},
			ContentSchema: json.RawMessage(c.schema), ContentExample: json.RawMessage(`{}`),
		}.WithDefaults()
		if found := wrongs(dt); !slices.ContainsFunc(found, func(f string) bool {
			return f == c.want || strings.HasSuffix(c.want, "too-costly") && strings.HasSuffix(f, "too-costly")
		}) {
			t.Errorf("%s: want %s, got %v", name, c.want, found)
		}
	}
}

// Where a schema may say anything, it may say something that only looks like words.
func TestCheck_TakesTypesThatCanBeShown(t *testing.T) {
	dt := gagi(t)
	dt.ContentSchema = json.RawMessage(strings.Replace(string(dt.ContentSchema), "{", `{"$defs":{"a":{"const":{"x-en":5}},"b":{"x-en":[]}},`, 1))
	if found := wrongs(dt); found != nil {
		t.Fatal(found)
	}
	for _, english := range []bool{false, true} {
		if _, err := catalogue.Localised(dt.ContentSchema, english); err != nil {
			t.Error(err)
		}
	}
}

// A pattern is not held against a text that is longer than any may be.
func TestSchema_ALongTextMatchesNoPattern(t *testing.T) {
	schema, err := catalogue.Compile("TEST", 1, json.RawMessage(`{"type":"object","properties":{"a":{"type":"string","maxLength":9,"pattern":"^a*$"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	found := validate(schema, json.RawMessage(`{"a":"`+strings.Repeat("a", 1<<20)+`"}`))
	if len(found) != 2 || found[0].Code != "pattern" || found[1].Code != "too-long" {
		t.Errorf("%v", found)
	}
}

func TestAmount_IsRoundedOnceHalfACentUpwards(t *testing.T) {
	for _, c := range []struct {
		amount  catalogue.Amount
		content string
		want    string
		wrong   string
	}{
		{catalogue.Amount{Cap: "6000.00", Field: "/amount"}, `{"amount":"6000.00"}`, "6000.00", ""},
		{catalogue.Amount{Cap: "6000.00", Field: "/amount"}, `{"amount":"6000.01"}`, "", "/amount maximum"},
		{catalogue.Amount{Cap: "6000.00", Field: "/amount"}, `{}`, "", "/amount required"},
		{catalogue.Amount{Cap: "6000.00", Field: "/amount"}, `{"amount":"6,00"}`, "", "/amount format"},
		{catalogue.Amount{Cap: "6000.00", Rate: "0.60", PayField: "/pay", Months: 12}, `{"pay":"100.00"}`, "720.00", ""},
		{catalogue.Amount{Cap: "6000.00", Rate: "0.60", PayField: "/pay", Months: 12}, `{"pay":"1000.00"}`, "6000.00", ""},
		{catalogue.Amount{Cap: "6000.00", Rate: "0.5", PayField: "/pay", Months: 1}, `{"pay":"0.01"}`, "0.01", ""},
		{catalogue.Amount{Cap: "6000.00", Rate: "0.4999", PayField: "/pay", Months: 1}, `{"pay":"0.01"}`, "0.00", ""},
		{catalogue.Amount{Cap: "6000.00", Rate: "0.3333", PayField: "/pay", Months: 3}, `{"pay":"0.05"}`, "0.05", ""},
		{
			catalogue.Amount{Cap: "999999999999.99", Rate: "1", PayField: "/pay", MonthsField: "/m"},
			`{"pay":"999999999999.99","m":120}`,
			"999999999999.99", "",
		},
		{catalogue.Amount{Cap: "9.00", Rate: "1", PayField: "/pay", MonthsField: "/m"}, `{"pay":"1.00","m":1.5}`, "", "/m type"},
		{catalogue.Amount{Cap: "9.00", Rate: "1", PayField: "/pay", MonthsField: "/m"}, `{"pay":"1.00"}`, "", "/m required"},
	} {
		var content any
		if err := json.Unmarshal([]byte(c.content), &content); err != nil {
			t.Fatal(err)
		}
		got, wrong := c.amount.Of(content)
		switch {
		case c.wrong != "":
			if len(wrong) != 1 || wrong[0].Pointer+" "+wrong[0].Code != c.wrong {
				t.Errorf("%+v of %s: %v, want %s", c.amount, c.content, wrong, c.wrong)
			}
		case wrong != nil || got.String() != c.want:
			t.Errorf("%+v of %s: %s %v, want %s", c.amount, c.content, got, wrong, c.want)
		}
	}
}

func TestType_AsksTheFundOfItsRegion(t *testing.T) {
	dt := gagi(t)
	if got := dt.FundFor(map[string]any{"region": "12"}); got != "GAGI-12" {
		t.Error(got)
	}
	codes := dt.FundCodes()
	if len(codes) != 20 || codes[0] != "GAGI-01" || codes[19] != "GAGI-20" {
		t.Error(codes)
	}
	dt.Fund.RegionField = ""
	if got := dt.FundFor(nil); got != "GAGI" || !slices.Equal(dt.FundCodes(), []string{"GAGI"}) {
		t.Error(got, dt.FundCodes())
	}
	if dt.PrintedCode("confirmation") != "GAGI-CONFERMA" || dt.PrintedCode("reservation") != "GAGI" {
		t.Error("the printed codes")
	}
}

func TestLocalised_KeepsTheOrderAndFallsBackToItalian(t *testing.T) {
	schema := json.RawMessage(`{"z":1,"title":"uno","properties":{"b":{"title":"due","x-en":{"title":"two","labels":{"k":"v"}},"x-labels":{"k":"w"}},` +
		`"a":{"description":"<tre>"}},"x-en":{"title":"one"},"enum":["x-en",{"x-en":2,"title":"q"}]}`)
	for english, want := range map[bool]string{
		false: `{"z":1,"title":"uno","properties":{"b":{"title":"due","x-labels":{"k":"w"}},"a":{"description":"<tre>"}},"enum":["x-en",{"title":"q"}]}`,
		true:  `{"z":1,"title":"one","properties":{"b":{"title":"two","x-labels":{"k":"v"}},"a":{"description":"<tre>"}},"enum":["x-en",{"title":"q"}]}`,
	} {
		schema := schema
		if english {
			schema = json.RawMessage(strings.Replace(string(schema), `"x-en":2`, `"x-en":{}`, 1))
		}
		got, err := catalogue.Localised(schema, english)
		if err != nil || string(got) != want {
			t.Errorf("english %v: %v\n%s\n%s", english, err, got, want)
		}
	}
}
