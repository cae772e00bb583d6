package audit

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/platform/page"
)

// OfPerson returns what was done under a person's login, the latest first.
func (t *Trail) OfPerson(ctx context.Context, personID uuid.UUID, request page.Request) (page.Page[Record], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Record]{}, err
	}
	query := t.db.From(ctx).Where("person_id = ?", personID).Order("at DESC, id DESC").Limit(request.Size() + 1)
	if after != nil {
		query = query.Where("(at, id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var rows []Record
	if err := query.Find(&rows).Error; err != nil {
		return page.Page[Record]{}, err
	}
	return page.Cut(rows, request.Size(), func(r Record) page.Key { return page.Key{At: r.At, ID: r.ID} }), nil
}
