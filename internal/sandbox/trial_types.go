package sandbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"diresco/internal/filing/declaration/catalogue"
)

// The types that only a sandbox has: one opens in a while, one closes soon.
const (
	openingType  = "PROVA-APRE"
	closingType  = "PROVA-CHIUDE"
	openingAfter = 30 * 24 * time.Hour
	closingAfter = 3 * 24 * time.Hour
)

// modelType is the type whose content the trial types have.
const modelType = "RIOC"

// plantTrialTypes adds the types with windows that a tester can see open and close.
func (s *Service) plantTrialTypes(ctx context.Context) error {
	shipped, err := catalogue.All()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(shipped, func(t catalogue.Type) bool { return t.Code == modelType })
	if i < 0 {
		return errors.New("no type to make trial types of")
	}
	now := s.clock.Now()
	opening, closing := shipped[i], shipped[i]
	opening.Code, opening.Version, opening.OpensAt = openingType, 1, now.Add(openingAfter)
	opening.Title = catalogue.Title{IT: "Dichiarazione di prova che apre tra 30 giorni", EN: "Trial declaration that opens in 30 days"}
	closes := now.Add(closingAfter)
	closing.Code, closing.Version, closing.ClosesAt = closingType, 1, &closes
	closing.Title = catalogue.Title{IT: "Dichiarazione di prova che chiude tra 3 giorni", EN: "Trial declaration that closes in 3 days"}
	return errors.Join(s.types.Add(ctx, opening), s.types.Add(ctx, closing))
}
