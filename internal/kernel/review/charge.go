package review

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/calendar"
)

// Assignment says who has a case in charge, seen from an operator.
type Assignment string

// The assignments that a list is narrowed down to.
const (
	// AssignedToMe is what the operator has in charge.
	AssignedToMe Assignment = "me"
	// AssignedToNobody is what waits at the office and nobody has in charge.
	AssignedToNobody Assignment = "nobody"
)

// heldFor is for how many working days an operator keeps from colleagues what they took in charge.
const heldFor = 5

// IsKept reports whether who took a case in charge keeps it from colleagues: they work at its office
// and have had it for less than five working days.
func IsKept(worksHere bool, since, now time.Time) bool {
	return worksHere && now.Before(calendar.DeadlineWorkingDays(since, heldFor))
}

// WorksAt reports whether somebody is an operator of an office now.
func WorksAt(ctx context.Context, d *db.DB, personID uuid.UUID, office string) (bool, error) {
	var n int
	const count = "SELECT COUNT(*) FROM people WHERE id = ? AND office_code = ? AND user_class = 'operator' AND suspended_at IS NULL"
	err := d.From(ctx).Raw(count, personID, office).Scan(&n).Error
	return n > 0, err
}

// Colleague is who has to do with a case, by name.
type Colleague struct {
	ID         uuid.UUID
	GivenName  string
	FamilyName string
}

// Colleagues returns what people are called, with one statement for all. Who has no id is nobody.
func Colleagues(ctx context.Context, d *db.DB, of ...*uuid.UUID) (map[uuid.UUID]*Colleague, error) {
	var ids []uuid.UUID
	for _, id := range of {
		if id != nil {
			ids = append(ids, *id)
		}
	}
	named := make(map[uuid.UUID]*Colleague, len(ids))
	if len(ids) == 0 {
		return named, nil
	}
	var rows []Colleague
	err := d.From(ctx).Raw("SELECT id, given_name, family_name FROM people WHERE "+d.Among("id"), d.IDs(ids)).Scan(&rows).Error
	for i := range rows {
		named[rows[i].ID] = &rows[i]
	}
	return named, err
}
