package delegation

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// positionsTold is how many positions a message names by their numbers.
const positionsTold = 10

// data is what the messages about a delegation are made of: the parties, what is given and for how long. The titles of services are
// in it in both languages, since nobody knows yet which one is read.
func (s *Service) data(ctx context.Context, d Shown) (map[string]any, error) {
	numbers := make([]string, min(len(d.Positions), positionsTold))
	for i := range numbers {
		numbers[i] = d.Positions[i].Number
	}
	data := map[string]any{
		"reference": d.ReferenceCode, "delegate": d.DelegateName, "contributor": d.ContributorName, "positions": strconv.Itoa(len(d.Positions)),
		"position_numbers": strings.Join(numbers, ", "), "exclusive": d.Exclusive,
	}
	if more := len(d.Positions) - len(numbers); more > 0 {
		data["more_positions"] = more
	}
	if d.ValidUntil != nil {
		data["valid_until"] = d.ValidUntil.UTC().Format(time.RFC3339Nano)
	}
	if d.Scope == Total {
		return data, nil
	}
	titles, err := s.Catalogue.Titles(ctx, d.Covered)
	if err != nil {
		return nil, err
	}
	italian, english := make([]string, len(titles)), make([]string, len(titles))
	for i, t := range titles {
		italian[i], english[i] = t.Italian, t.English
	}
	data["services_it"], data["services_en"] = strings.Join(italian, "; "), strings.Join(english, "; ")
	return data, nil
}
