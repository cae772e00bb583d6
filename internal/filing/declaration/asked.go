package declaration

import (
	"encoding/json"
	"strings"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/filing/fund"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// asked is what a complete content asks for, as its step reads it.
type asked struct {
	step catalogue.Step
	// fund is the code of the fund, and amount what is asked of it. Both are empty where the type
	// has no fund.
	fund   string
	amount money.Cents
	// hire is the day on which the work begins (YYYY-MM-DD), event the kind of event, worker the
	// tax code. Each is empty where the content does not tell.
	hire, event, worker string
}

// ask reads what a complete content asks for. It returns fault.Invalid with the fields that the
// step needs and the content has not, and for an amount over the cap.
func ask(t *Type, step, content string) (*asked, error) {
	var value any
	if err := json.Unmarshal([]byte(content), &value); err != nil {
		return nil, err
	}
	s, _ := t.StepCalled(step)
	a := &asked{
		step: s, hire: catalogue.TextAt(value, t.HireDateField), event: catalogue.TextAt(value, t.EventField),
		worker: strings.ToUpper(catalogue.TextAt(value, t.WorkerField)),
	}
	found := s.Missing(value)
	amount := s.Amount
	if step == catalogue.Confirmation {
		// A confirmation asks by the rule of its reservation.
		if r, there := t.StepCalled(catalogue.Reservation); there {
			amount = r.Amount
		}
	}
	if t.Fund != nil && amount != nil && len(found) == 0 {
		a.amount, found = amount.Of(value)
		if a.fund = t.FundFor(value); a.fund == "" {
			found = append(found, catalogue.Finding{Pointer: t.Fund.RegionField, Code: fault.FieldRequired})
		}
	}
	if len(found) == 0 {
		return a, nil
	}
	fields := make([]fault.Field, len(found))
	for i, f := range found {
		fields[i] = fault.Field{Pointer: "/content" + f.Pointer, Code: f.Code, Right: f.Right}
	}
	return nil, fault.InvalidFields(fields...)
}

// amountPointer is where a content says how much it asks for.
func (t *Type) amountPointer() string {
	r, _ := t.StepCalled(catalogue.Reservation)
	switch {
	case r.Amount == nil:
		return "/content"
	case r.Amount.Field != "":
		return "/content" + r.Amount.Field
	}
	return "/content" + r.Amount.PayField
}

// terms returns the terms for hire and confirmation that run from the acceptance of a reservation.
func (t *Type) terms() (hire, confirm fund.Term) {
	c, _ := t.StepCalled(catalogue.Confirmation)
	return termOf(c.HireWithin), termOf(c.ConfirmWithin)
}

func termOf(t *catalogue.Term) fund.Term {
	if t == nil {
		return fund.Term{}
	}
	return fund.Term{Days: t.Days, Working: t.Kind == catalogue.WorkingDays}
}
