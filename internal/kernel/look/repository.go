package look

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/page"
)

// repository holds the queries on looks.
type repository struct{ db *db.DB }

func (r repository) add(ctx context.Context, l Look) error { return r.db.From(ctx).Create(&l).Error }

// looks are the last looks of one member of staff at each person but one. The earliest comes first;
// beside them stands whether they looked at that one too.
type looks struct {
	times []time.Time
	this  bool
}

// others returns the looks of one member of staff after an instant at everybody but a person.
func (r repository) others(ctx context.Context, staffID, personID uuid.UUID, after time.Time) (looks, error) {
	var rows []Look
	err := r.db.From(ctx).Select("person_id", "at").Where("staff_id = ? AND at > ?", staffID, after).Order("at DESC, id DESC").
		Find(&rows).Error
	var found looks
	seen := make(map[uuid.UUID]bool, len(rows))
	for _, l := range rows {
		switch {
		case l.PersonID == personID:
			found.this = true
		case !seen[l.PersonID]:
			found.times = append(found.times, l.At)
			seen[l.PersonID] = true
		}
	}
	slices.Reverse(found.times)
	return found, err
}

// of returns who looked at a person's data, the latest first, behind a place in that order.
func (r repository) of(ctx context.Context, personID uuid.UUID, limit int, after *page.Key) ([]Look, error) {
	query := r.db.From(ctx).Where("person_id = ?", personID).Order("at DESC, id DESC").Limit(limit)
	if after != nil {
		query = query.Where("(at, id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var found []Look
	return found, query.Find(&found).Error
}

// knows reports whether there is such a person.
func (r repository) knows(ctx context.Context, personID uuid.UUID) (bool, error) {
	var found int64
	err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM people WHERE id = ?", personID).Scan(&found).Error
	return found > 0, err
}

// OpErase is what the trail calls a deletion of looks.
const OpErase = "eraseLooks"

// Erase deletes looks and returns how many. The service's role may not.
func Erase(ctx context.Context, d *db.DB, e audit.Erasure) (int64, error) {
	statement, args := "DELETE FROM staff_looks WHERE at < ?", []any{e.Before.UTC()}
	if e.PersonID != nil {
		statement, args = statement+" AND (person_id = ? OR staff_id = ?)", append(args, *e.PersonID, *e.PersonID)
	}
	return e.Delete(ctx, d, OpErase, "staff_looks", statement, args...)
}
