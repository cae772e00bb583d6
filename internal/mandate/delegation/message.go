package delegation

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/servicecatalog"
)

// positionsTold is how many positions a message names by their numbers.
const positionsTold = 10

// data is what the messages about a delegation are made of: the parties, what is given and for how
// long. The titles of services are in it in both languages, since nobody knows yet which one is
// read.
func (d View) data(called map[access.Service]servicecatalog.Title) map[string]any {
	numbers := make([]string, min(len(d.Positions), positionsTold))
	for i := range numbers {
		numbers[i] = d.Positions[i].Number
	}
	data := map[string]any{
		"reference": d.ReferenceCode, "delegate": d.DelegateName, "contributor": d.ContributorName,
		"positions":        strconv.Itoa(len(d.Positions)),
		"position_numbers": strings.Join(numbers, ", "), "exclusive": d.Exclusive,
	}
	if more := len(d.Positions) - len(numbers); more > 0 {
		data["more_positions"] = more
	}
	if d.ValidUntil != nil {
		data["valid_until"] = d.ValidUntil.UTC().Format(time.RFC3339Nano)
	}
	if d.Scope == Total {
		return data
	}
	italian, english := make([]string, len(d.Services)), make([]string, len(d.Services))
	for i, service := range d.Services {
		italian[i], english[i] = called[service].Italian, called[service].English
	}
	data["services_it"], data["services_en"] = strings.Join(italian, "; "), strings.Join(english, "; ")
	return data
}

// serviceTitles reads what the services are called that delegations name.
func (s *Service) serviceTitles(ctx context.Context, all ...View) (map[access.Service]servicecatalog.Title, error) {
	var named []access.Service
	for _, d := range all {
		if d.Scope == Total {
			continue
		}
		for _, service := range d.Services {
			if !slices.Contains(named, service) {
				named = append(named, service)
			}
		}
	}
	if len(named) == 0 {
		return nil, nil
	}
	titles, err := s.catalogue.Titles(ctx, named)
	if err != nil {
		return nil, err
	}
	called := make(map[access.Service]servicecatalog.Title, len(named))
	for i, service := range named {
		called[service] = titles[i]
	}
	return called, nil
}
