package world

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// Capped is a declaration type that comes with the program, with a reservation and its
// confirmation, and CappedFund the fund of Lazio that pays it.
const (
	Capped     = "IO-LAVORO"
	CappedFund = "IO-LAVORO-12"
)

// CappedContent is a complete content for both steps of Capped, of 1,000 euros.
func CappedContent() map[string]any {
	return map[string]any{
		"worker_tax_code": "VRDLCU04A01H501S", "region": "12", "event": "hire", "event_date": "2026-03-05",
		"mandatory_communication_code": "1700026200987656", "average_monthly_pay": "1850.00", "unemployed": true, "amount": "1000.00",
	}
}

// Reservation is a complete reservation of Capped at the company's first position, with what is
// changed in its content.
func (c Company) Reservation(changed map[string]any) declaration.Input {
	content := CappedContent()
	for name, value := range changed {
		content[name] = value
		if value == nil {
			delete(content, name)
		}
	}
	raw, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return declaration.Input{Type: Capped, PositionID: c.Positions[0].ID, Content: raw, Submit: true}
}

// Confirmation is a complete confirmation of a reservation.
func (c Company) Confirmation(reservation uuid.UUID, changed map[string]any) declaration.Input {
	in := c.Reservation(changed)
	in.Step, in.ReservationID = "confirmation", &reservation
	return in
}

// Budget sets the budget of a fund, in euros, as somebody who is there.
func (a *App) Budget(t testing.TB, by access.Actor, code string, euros int) {
	t.Helper()
	amount, err := money.Parse(fmt.Sprintf("%d.00", euros))
	if err != nil {
		t.Fatal(err)
	}
	ctx, who, in := context.Background(), access.Actor{PersonID: by.PersonID}, fund.Replacement{Budget: amount}
	if _, err = a.Funds.Replace(ctx, who, code, fault.AnyVersion, in); fault.Is(err, fault.NotFound) {
		_, err = a.Funds.Create(ctx, who, code, in)
	}
	if err != nil {
		t.Fatal(err)
	}
}
