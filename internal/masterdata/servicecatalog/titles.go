package servicecatalog

import (
	"context"

	"diresco/internal/kernel/access"
)

// Title is what a service is called.
type Title struct{ Italian, English string }

// Titles returns the titles of the services that rights name, in their order. One that is not in
// the catalogue is called by its code.
func (c *Catalogue) Titles(ctx context.Context, codes []access.Service) ([]Title, error) {
	return c.repo.titles(ctx, codes)
}

func (r repository) titles(ctx context.Context, codes []access.Service) ([]Title, error) {
	var rows []serviceRow
	if err := r.db.From(ctx).Raw("SELECT code, title_it, title_en FROM services WHERE code IN ?", codes).Scan(&rows).Error; err != nil {
		return nil, err
	}
	titles := make([]Title, len(codes))
	for i, code := range codes {
		titles[i] = Title{string(code), string(code)}
		for _, row := range rows {
			if row.Code == string(code) {
				titles[i] = Title{row.TitleIt, row.TitleEn}
			}
		}
	}
	return titles, nil
}
