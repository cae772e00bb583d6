package declaration

import (
	"encoding/json"

	"diresco/internal/platform/money"
)

// change is what an operation made of a declaration, as the trail keeps it. It holds no personal
// data and no words of anybody.
type change struct {
	State   State        `json:"state"`
	Amount  string       `json:"amount,omitempty"`
	Reasons []ReasonCode `json:"reasons,omitempty"`
}

// changed returns what an operation has just made of a declaration, for the trail.
func (d Declaration) changed() string {
	c := change{State: d.State}
	if d.Amount != nil {
		c.Amount = d.Amount.String()
	}
	for _, r := range d.Because() {
		c.Reasons = append(c.Reasons, r.Code)
	}
	text, err := json.Marshal(c)
	if err != nil {
		// It is texts alone: they always encode.
		panic(err)
	}
	return string(text)
}

// changeIn reads what changed wrote. It reports false for a record of an older program, which has
// nothing.
func changeIn(detail *string) (change, bool) {
	var c change
	if detail == nil || json.Unmarshal([]byte(*detail), &c) != nil || c.State == "" {
		return change{}, false
	}
	return c, true
}

// amount returns the amount of a change, if it has one.
func (c change) amount() *money.Cents {
	amount, err := money.Parse(c.Amount)
	if err != nil {
		return nil
	}
	return &amount
}
