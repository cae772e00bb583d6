package audit

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/platform/page"
)

// OfPerson returns what was done under a person's login, the latest first, behind a place in that
// order.
func (t *Trail) OfPerson(ctx context.Context, personID uuid.UUID, limit int, after *page.Key) ([]Record, error) {
	query := t.db.From(ctx).Where("person_id = ?", personID).Order("at DESC, id DESC").Limit(limit)
	if after != nil {
		query = query.Where("(at, id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var rows []Record
	return rows, query.Find(&rows).Error
}
