package sandbox

import (
	"context"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/platform/money"
)

const (
	// budget is what each fund of the sandbox has: ten million euros.
	budget money.Cents = 1_000_000_000
	// scarceFund is nearly empty: one reservation fits, and the next one waits.
	scarceFund               = "ART22-GIOVANI"
	scarceBudget money.Cents = 1_300_000
)

// plantBudgets gives money to the funds of all types that come with the program.
func (s *Service) plantBudgets(ctx context.Context) error {
	shipped, err := catalogue.All()
	if err != nil {
		return err
	}
	now := s.clock.Now()
	var codes []string
	for _, t := range shipped {
		codes = append(codes, t.FundCodes()...)
	}
	b, err := s.funds.Lock(ctx, now, codes)
	if err != nil {
		return err
	}
	for _, code := range codes {
		amount := budget
		if code == scarceFund {
			amount = scarceBudget
		}
		if err := b.SetBudget(code, amount, nil, now); err != nil {
			return err
		}
	}
	return b.Save(ctx)
}
