package residents

import (
	"context"

	"gorm.io/gorm/clause"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/taxcode"
)

// Register is the register of persons of a database.
type Register struct {
	db    *db.DB
	clock clock.Clock
}

// New returns the register of a database.
func New(d *db.DB, c clock.Clock) *Register { return &Register{db: d, clock: c} }

// Find returns the entry with exactly this tax code, and false when there is none.
func (r *Register) Find(ctx context.Context, code taxcode.Code) (Entry, bool, error) {
	var found []Entry
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Entry]("")+" FROM register_people WHERE tax_code = ?", code).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return Entry{}, false, err
	}
	return found[0], true, nil
}

// atATime is how many entries travel with one statement.
const atATime = 500

// Put adds entries, each tax code once, and replaces those that are there, inside the caller's
// transaction. The time of the change is set to now.
func (r *Register) Put(ctx context.Context, entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	now := r.clock.Now()
	rows := make([]Entry, len(entries))
	for i, e := range entries {
		e.UpdatedAt = now
		rows[i] = e
	}
	return r.db.From(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{
		{Name: "tax_code"},
	}, DoUpdates: clause.AssignmentColumns([]string{
		"given_name", "family_name", "birth_date", "birth_place", "street", "postal_code", "town", "province", "office_code", "updated_at",
	})}).CreateInBatches(rows, atATime).Error
}
