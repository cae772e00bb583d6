package person

import (
	"context"

	"diresco/db"
	"diresco/internal/fault"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"
)

type repository struct{ db *db.DB }

// one returns the person for which the column has the value, or fault.NotFound.
func (r repository) one(ctx context.Context, column string, value any) (Person, error) {
	var p Person
	err := r.db.From(ctx).Where(clause.Eq{Column: clause.Column{Name: column}, Value: value}).Take(&p).Error
	if db.IsNotFound(err) {
		return Person{}, fault.New(fault.NotFound)
	}
	return p, err
}

// add inserts the person and reports false when the tax code is taken.
func (r repository) add(ctx context.Context, p Person) (bool, error) {
	result := r.db.From(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "tax_code"}}, DoNothing: true}).Create(&p)
	return result.RowsAffected == 1, result.Error
}

// addContacts inserts contacts; one that is there already becomes verified when the new one is.
func (r repository) addContacts(ctx context.Context, contacts []Contact) error {
	if len(contacts) == 0 {
		return nil
	}
	return r.db.From(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "person_id"}, {Name: "kind"}, {Name: "value"}},
		DoUpdates: clause.Assignments(map[string]any{"verified_at": clause.Expr{SQL: "coalesce(contacts.verified_at, excluded.verified_at)"}}),
	}).Create(&contacts).Error
}

func (r repository) contacts(ctx context.Context, personID uuid.UUID) ([]Contact, error) {
	var contacts []Contact
	err := r.db.From(ctx).Where("person_id = ?", personID).Order("created_at, id").Find(&contacts).Error
	return contacts, err
}
