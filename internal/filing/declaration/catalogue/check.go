package catalogue

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

var (
	codeForm = regexp.MustCompile(`^[A-Za-z0-9-]{2,32}$`)
	fundForm = regexp.MustCompile(`^[A-Za-z0-9-]{2,32}$`)
	rateForm = regexp.MustCompile(`^(0\.[0-9]{1,4}|1(\.0{1,4})?)$`)
	isRegion = regexp.MustCompile(`^(0[1-9]|1[0-9]|20)$`)
)

const (
	mostDays = 366
	mostAge  = 120
)

// Check returns what is wrong with the document of a type, with pointers into it, or nothing. It
// checks everything that can be told without a database.
func Check(t Type) []Finding {
	c := checker{Type: t}
	c.called()
	c.windows()
	if c.schema() {
		c.steps()
		c.fund()
		c.pointers()
		c.requirements()
		c.example()
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Code, b.Code))
	})
	return c.found[:min(len(c.found), MaxFindings)]
}

type checker struct {
	Type
	compiled *Schema
	found    findings
}

func (c *checker) note(at, code string, right *fault.Right) {
	c.found = append(c.found, Finding{Pointer: at, Code: code, Right: right})
}

func (c *checker) called() {
	if !codeForm.MatchString(c.Code) {
		c.note("/code", fault.FieldPattern, &fault.Right{Expected: codeForm.String()})
	}
	for at, text := range map[string]string{"/title/it": c.Title.IT, "/title/en": c.Title.EN, "/legal_reference": c.LegalReference} {
		if strings.TrimSpace(text) == "" {
			c.note(at, fault.FieldRequired, nil)
		}
	}
	for i, by := range c.Submitters {
		at := fmt.Sprintf("/submitters/%d", i)
		may := []access.ActingAs{
			access.LegalRepresentative, access.EmployeeDelegate, access.Employer, access.Intermediary, access.SubDelegate,
		}
		switch {
		case !slices.Contains(may, by):
			c.note(at, fault.FieldEnum, &fault.Right{Allowed: namesOf(may)})
		case slices.Contains(c.Submitters[:i], by):
			c.note(at, fault.FieldDuplicate, nil)
		}
	}
	if all := []Withdrawal{UntilDecision, UntilConfirmation, NoWithdrawal}; !slices.Contains(all, c.Withdrawal) {
		c.note("/withdrawal", fault.FieldEnum, &fault.Right{Allowed: namesOf(all)})
	}
	if all := []Decision{ByOperator, Automatically}; !slices.Contains(all, c.Decision) {
		c.note("/decision", fault.FieldEnum, &fault.Right{Allowed: namesOf(all)})
	}
}

func namesOf[T ~string](values []T) []string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return names
}

func (c *checker) windows() {
	if c.ClosesAt != nil && !c.ClosesAt.After(c.OpensAt) {
		c.note("/closes_at", fault.FieldNotAfter, nil)
	}
	if c.Deferred == nil {
		return
	}
	if !c.Deferred.ClosesAt.After(c.OpensAt) || c.ClosesAt != nil && c.Deferred.ClosesAt.After(*c.ClosesAt) {
		c.note("/deferred/closes_at", fault.FieldNotAfter, nil)
	}
	if c.Fund == nil {
		c.note("/deferred", fault.FieldNotApplicable, nil)
	}
	if c.HireDateField == "" {
		c.note("/hire_date_field", fault.FieldRequired, nil)
	}
}

// schema reports whether the content schema is within the bounds and compiles.
func (c *checker) schema() bool {
	if wrong := bound(c.ContentSchema); wrong != nil {
		c.within("/content_schema", wrong)
		return false
	}
	compiled, err := Compile(c.Code, c.Version, c.ContentSchema)
	if err == nil {
		c.compiled = compiled
		return true
	}
	var broken *jsonschema.SchemaValidationError
	var invalid *jsonschema.ValidationError
	if errors.As(err, &broken) && errors.As(broken.Err, &invalid) {
		var found findings
		found.collect(invalid)
		c.within("/content_schema", found)
	}
	if len(c.found) == 0 || !strings.HasPrefix(c.found[len(c.found)-1].Pointer, "/content_schema") {
		c.note("/content_schema", fault.FieldSchema, nil)
	}
	return false
}

// within notes the findings of a part of the document.
func (c *checker) within(part string, wrong []Finding) {
	for _, f := range wrong {
		c.note(part+f.Pointer, f.Code, f.Right)
	}
}

// steps checks which steps there are, and what each may have.
func (c *checker) steps() {
	names := make([]string, len(c.Steps))
	for i, s := range c.Steps {
		names[i] = s.Step
	}
	two := slices.Equal(names, []string{Reservation, Confirmation})
	if !two && !slices.Equal(names, []string{Single}) {
		c.note("/steps", fault.FieldStepOrder, nil)
		return
	}
	if two && c.Fund == nil {
		c.note("/fund", fault.FieldRequired, nil)
	}
	if two && c.Decision == ByOperator {
		c.note("/decision", fault.FieldConst, &fault.Right{Allowed: []string{string(Automatically)}})
	}
	if !two && c.Withdrawal == UntilConfirmation {
		c.note("/withdrawal", fault.FieldNotApplicable, nil)
	}
	for i, s := range c.Steps {
		at := fmt.Sprintf("/steps/%d", i)
		for j, name := range s.Requires {
			member, found := c.declared("/" + name)
			switch {
			case !found || member == nil || slices.Contains(s.Requires[:j], name):
				c.note(fmt.Sprintf("%s/requires/%d", at, j), fault.FieldLeadsNowhere, nil)
			case c.needed("/"+name, Step{}):
				c.note(fmt.Sprintf("%s/requires/%d", at, j), fault.FieldDuplicate, nil)
			}
		}
		c.term(at+"/hire_within", s.HireWithin, s.Step == Confirmation)
		c.term(at+"/confirm_within", s.ConfirmWithin, s.Step == Confirmation)
		c.amount(at+"/amount", s)
	}
	if two && c.Steps[1].HireWithin != nil {
		c.leads("/hire_date_field", c.HireDateField, isDate, &c.Steps[1])
	}
}

func (c *checker) term(at string, term *Term, wanted bool) {
	switch {
	case term == nil && wanted:
		c.note(at, fault.FieldRequired, nil)
	case term == nil:
	case !wanted:
		c.note(at, fault.FieldNotApplicable, nil)
	case term.Days < 1:
		c.note(at+"/days", fault.FieldMinimum, &fault.Right{Minimum: number(big.NewRat(1, 1))})
	case term.Days > mostDays:
		c.note(at+"/days", fault.FieldMaximum, &fault.Right{Maximum: number(big.NewRat(mostDays, 1))})
	case term.Kind != CalendarDays && term.Kind != WorkingDays:
		c.note(at+"/kind", fault.FieldEnum, &fault.Right{Allowed: namesOf([]TermKind{CalendarDays, WorkingDays})})
	}
}

// amount checks what a step asks. The reservation of a fund asks an amount, nothing else needs one.
func (c *checker) amount(at string, s Step) {
	a := s.Amount
	switch {
	case a == nil:
		if s.Step == Reservation {
			c.note(at, fault.FieldRequired, nil)
		}
		return
	case c.Fund == nil || s.Step == Confirmation:
		c.note(at, fault.FieldNotApplicable, nil)
		return
	}
	if most, err := money.Parse(a.Cap); err != nil || most == 0 {
		c.note(at+"/cap", fault.FieldFormat, &fault.Right{Example: "6000.00"})
	}
	if a.Field != "" {
		for name, given := range map[string]bool{
			"rate": a.Rate != "", "pay_field": a.PayField != "", "months": a.Months != 0, "months_field": a.MonthsField != "",
		} {
			if given {
				c.note(at+"/"+name, fault.FieldNotApplicable, nil)
			}
		}
		c.leads(at+"/field", a.Field, isMoney, &s)
		return
	}
	if !rateForm.MatchString(a.Rate) || strings.Trim(a.Rate, "0.") == "" {
		c.note(at+"/rate", fault.FieldFormat, &fault.Right{Example: "0.60"})
	}
	c.leads(at+"/pay_field", a.PayField, isMoney, &s)
	switch {
	case a.MonthsField != "" && a.Months != 0:
		c.note(at+"/months", fault.FieldNotApplicable, nil)
	case a.MonthsField != "":
		c.leads(at+"/months_field", a.MonthsField, isMonths, &s)
	case a.Months < 1 || a.Months > mostMonths:
		c.note(at+"/months", fault.FieldMaximum, &fault.Right{
			Minimum: number(big.NewRat(1, 1)), Maximum: number(big.NewRat(mostMonths, 1)),
		})
	}
}

func (c *checker) fund() {
	if c.Fund == nil {
		return
	}
	if len(c.Steps) == 1 {
		c.note("/fund", fault.FieldNotApplicable, nil)
	}
	if !fundForm.MatchString(c.Fund.Code) {
		c.note("/fund/fund_code", fault.FieldPattern, &fault.Right{Expected: fundForm.String()})
	}
	if c.Fund.RegionField != "" {
		c.leads("/fund/region_field", c.Fund.RegionField, areRegions, &Step{})
	}
}

// pointers checks the members of the content that rules look at.
func (c *checker) pointers() {
	if c.WorkerField != "" || c.Fund != nil {
		c.leads("/worker_field", c.WorkerField, isTaxCodeText, &Step{})
	}
	if c.HireDateField != "" {
		c.leads("/hire_date_field", c.HireDateField, isDate, nil)
	}
	if c.EventField != "" {
		c.leads("/event_field", c.EventField, isList, &Step{})
	}
}

func (c *checker) requirements() {
	for i, s := range c.Steps {
		for j, r := range s.Requirements {
			at := fmt.Sprintf("/steps/%d/requirements/%d", i, j)
			if slices.ContainsFunc(s.Requirements[:j], func(other Requirement) bool { return other.Name == r.Name }) {
				c.note(at+"/requirement", fault.FieldDuplicate, nil)
				continue
			}
			c.requirement(at, r)
		}
	}
}

func (c *checker) requirement(at string, r Requirement) {
	ages, days := r.Min != nil || r.Max != nil, r.From != "" || r.To != ""
	switch r.Name {
	case AgeAtHire:
		c.wanted("/worker_field", c.WorkerField)
		c.wanted("/hire_date_field", c.HireDateField)
		for name, age := range map[string]*int{"min": r.Min, "max": r.Max} {
			if age != nil && (*age < 0 || *age > mostAge) {
				c.note(at+"/"+name, fault.FieldMaximum, &fault.Right{Maximum: number(big.NewRat(mostAge, 1))})
			}
		}
		if r.Min != nil && r.Max != nil && *r.Min > *r.Max {
			c.note(at+"/max", fault.FieldMinimum, &fault.Right{Minimum: number(big.NewRat(int64(*r.Min), 1))})
		}
		c.parameters(at, ages, days)
	case HireDateWindow:
		c.wanted("/hire_date_field", c.HireDateField)
		c.days(at, r)
		c.parameters(at, days, ages)
	case ContributorRegular:
		c.parameters(at, true, ages || days)
	case NoOtherLive:
		c.wanted("/worker_field", c.WorkerField)
		c.parameters(at, true, ages || days)
	default:
		c.note(at+"/requirement", fault.FieldEnum, &fault.Right{
			Allowed: namesOf([]RequirementName{AgeAtHire, HireDateWindow, ContributorRegular, NoOtherLive}),
		})
	}
}

// parameters notes a requirement without one that it needs, or with others.
func (c *checker) parameters(at string, needed, others bool) {
	if !needed {
		c.note(at, fault.FieldRequired, nil)
	}
	if others {
		c.note(at, fault.FieldNotApplicable, nil)
	}
}

func (c *checker) days(at string, r Requirement) {
	for name, day := range map[string]string{"from": r.From, "to": r.To} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			c.note(at+"/"+name, fault.FieldFormat, &fault.Right{Expected: "date", Example: formExamples["date"]})
			return
		}
	}
	if r.From != "" && r.To != "" && r.To < r.From {
		c.note(at+"/to", fault.FieldNotAfter, nil)
	}
}

func (c *checker) wanted(at, field string) {
	if field == "" && !slices.ContainsFunc(c.found, func(f Finding) bool { return f.Pointer == at }) {
		c.note(at, fault.FieldRequired, nil)
	}
}

// example checks that the example can be filed in every step.
func (c *checker) example() {
	if len(c.ContentExample) > MaxSchema {
		c.note("/content_example", fault.FieldTooLong, &fault.Right{MaxLength: count(MaxSchema)})
		return
	}
	content, wrong := c.compiled.Validate(c.ContentExample)
	c.within("/content_example", wrong)
	if c.found != nil {
		return
	}
	for _, s := range c.Steps {
		c.within("/content_example", s.Missing(content))
		if s.Amount != nil {
			_, wrong := s.Amount.Of(content)
			c.within("/content_example", wrong)
		}
	}
}

// leads notes a pointer that leads to no member of the right kind. With a step, the member must be
// there in that step.
func (c *checker) leads(at, pointer string, kind func(map[string]any) bool, in *Step) {
	if pointer == "" {
		c.wanted(at, pointer)
		return
	}
	member, found := c.declared(pointer)
	switch {
	case slices.ContainsFunc(c.found, func(f Finding) bool { return f.Pointer == at }):
	case !found || !kind(member):
		c.note(at, fault.FieldLeadsNowhere, nil)
	case in != nil && !c.needed(pointer, *in):
		c.note(at, fault.FieldNotNeeded, nil)
	}
}

// declared returns the schema of the member of a content at a pointer. It looks through objects
// alone: what stands in lists has no place of its own.
func (c *checker) declared(pointer string) (map[string]any, bool) {
	schema := c.compiled.document
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		members, _ := resolve(c.compiled.document, schema)["properties"].(map[string]any)
		inner, found := members[unescapeToken.Replace(token)].(map[string]any)
		if !found {
			return nil, false
		}
		schema = inner
	}
	return resolve(c.compiled.document, schema), pointer != "" && pointer[0] == '/'
}

// needed reports whether a content always has the member at a pointer in a step.
func (c *checker) needed(pointer string, in Step) bool {
	schema := c.compiled.document
	for i, token := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		object := resolve(c.compiled.document, schema)
		required, _ := object["required"].([]any)
		if !slices.Contains(required, any(token)) && (i > 0 || !slices.Contains(in.Requires, token)) {
			return false
		}
		members, _ := object["properties"].(map[string]any)
		schema, _ = members[token].(map[string]any)
	}
	return true
}

// resolve follows the references of a schema, which lead somewhere and never back.
func resolve(root, schema map[string]any) map[string]any {
	for {
		ref, refers := schema["$ref"].(string)
		if !refers {
			return schema
		}
		target, _ := At(root, strings.TrimPrefix(ref, "#"))
		schema, _ = target.(map[string]any)
	}
}

func isDate(s map[string]any) bool { return s["type"] == "string" && s["format"] == "date" }

func isTaxCodeText(s map[string]any) bool { return s["type"] == "string" && s["format"] == "tax-code" }

func isList(s map[string]any) bool { return s["type"] == "string" && s["enum"] != nil }

func isMoney(s map[string]any) bool {
	pattern, _ := s["pattern"].(string)
	if s["type"] != "string" || pattern == "" {
		return false
	}
	form, err := regexp.Compile(pattern)
	if err != nil {
		return false
	}
	// What the pattern takes must be an amount, as far as some wrong ones tell.
	return form.MatchString("0.01") && !slices.ContainsFunc(
		[]string{"", "1", "1.5", "01.00", "-1.00", "1,00", "1.000", "1.00 "}, form.MatchString,
	)
}

func isMonths(s map[string]any) bool {
	least, isLeast := s["minimum"].(float64)
	most, isMost := s["maximum"].(float64)
	return s["type"] == "integer" && isLeast && isMost && least >= 1 && most <= mostMonths
}

func areRegions(s map[string]any) bool {
	values, _ := s["enum"].([]any)
	return len(values) > 0 && !slices.ContainsFunc(values, func(v any) bool {
		text, _ := v.(string)
		return !isRegion.MatchString(text)
	})
}

// FundCodes returns the codes of all funds that declarations of the type can ask.
func (t Type) FundCodes() []string {
	funds := t.FundTitles()
	codes := make([]string, len(funds))
	for i, f := range funds {
		codes[i] = f.Code
	}
	return codes
}

// FundTitle is a fund that declarations of a type can ask, and what it is called in Italian.
type FundTitle struct{ Code, Title string }

// FundTitles returns all funds that declarations of the type can ask.
func (t Type) FundTitles() []FundTitle {
	if t.Fund == nil {
		return nil
	}
	if t.Fund.RegionField == "" {
		return []FundTitle{{t.Fund.Code, t.Title.IT}}
	}
	compiled, err := Compile(t.Code, t.Version, t.ContentSchema)
	if err != nil {
		return nil
	}
	c := checker{Type: t, compiled: compiled}
	member, _ := c.declared(t.Fund.RegionField)
	values, _ := member["enum"].([]any)
	labels, _ := member[labelsKeyword].(map[string]any)
	funds := make([]FundTitle, 0, len(values))
	for _, v := range values {
		if region, ok := v.(string); ok {
			funds = append(funds, FundTitle{t.Fund.Code + "-" + region, fmt.Sprintf("%s, %v", t.Title.IT, labels[region])})
		}
	}
	return funds
}
