package person

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
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

// lock returns the person and keeps everybody else from changing them until the context's
// transaction ends. Whoever inserts a row that refers to the person (a session at the end of a
// change of PIN) does not wait.
func (r repository) lock(ctx context.Context, id uuid.UUID) (Person, error) {
	var p Person
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Person]("")+" FROM people WHERE id = ?"+r.db.ForNoKeyUpdate(), id).Take(&p).Error
	if db.IsNotFound(err) {
		return Person{}, fault.New(fault.NotFound)
	}
	return p, err
}

// lockWithAdministrators is lock for the person and every administrator beside them. All are locked
// in the order of their ids, so that two who do this never wait for each other.
func (r repository) lockWithAdministrators(ctx context.Context, id uuid.UUID) (one Person, others []Person, err error) {
	var rows []Person
	if err := r.db.From(ctx).Raw("SELECT "+db.Columns[Person]("")+" FROM people WHERE id = ? OR user_class = ? ORDER BY id"+
		r.db.ForNoKeyUpdate(), id, access.Administrator).Scan(&rows).Error; err != nil {
		return Person{}, nil, err
	}
	for _, p := range rows {
		if p.ID == id {
			one = p
		} else {
			others = append(others, p)
		}
	}
	if one.ID != id {
		return Person{}, nil, fault.New(fault.NotFound)
	}
	return one, others, nil
}

// administrators returns the ids of those who administer: confirmed, and not suspended.
func (r repository) administrators(ctx context.Context) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw(
		"SELECT id FROM people WHERE user_class = ? AND suspended_at IS NULL AND post_given_by IS NULL ORDER BY id", access.Administrator,
	).Scan(&ids).Error
	return ids, err
}

// save writes what may change in a person, over a row that the caller holds locked, and counts the
// change.
func (r repository) save(ctx context.Context, p Person) (Person, error) {
	p.Version++
	err := r.db.From(ctx).Model(&Person{}).Where("id = ?", p.ID).
		Select(
			"user_class", "credential_level", "office_code", "post_given_by", "identity_confirmed_at", "digital_identity_at",
			"suspended_at", "suspension_reason",
			"version",
		).UpdateColumns(&p).Error
	return p, err
}

// ofClasses returns a page of the people of some classes, by family name. Each class is a range of
// its own in the index.
func (r repository) ofClasses(ctx context.Context, classes []access.UserClass, request page.Request) (page.Page[Person], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Person]{}, err
	}
	limit := request.Size() + 1
	parts := make([]string, 0, len(classes))
	var args []any
	for _, class := range classes {
		behind := ""
		args = append(args, class)
		if after != nil {
			behind = " AND (family_name, id) > ((SELECT x.family_name FROM people x WHERE x.id = ?), ?)"
			args = append(args, after.ID, after.ID)
		}
		parts = append(
			parts, "SELECT * FROM (SELECT "+db.Columns[Person]("")+
				" FROM people WHERE user_class = ?"+behind+" ORDER BY family_name, id LIMIT ?) AS part",
		)
		args = append(args, limit)
	}
	var rows []Person
	if err := r.db.From(ctx).Raw(
		strings.Join(parts, " UNION ALL ")+" ORDER BY family_name, id LIMIT ?", append(args, limit)...,
	).Scan(&rows).Error; err != nil {
		return page.Page[Person]{}, err
	}
	return page.Cut(rows, request.Size(), func(p Person) page.Key {
		// The id alone: a cursor stands in a URL, where a name has no place.
		return page.Key{ID: p.ID}
	}), nil
}

// add inserts the person and reports false when the tax code is taken.
func (r repository) add(ctx context.Context, p Person) (bool, error) {
	result := r.db.From(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "tax_code"}}, DoNothing: true}).Create(&p)
	return result.RowsAffected == 1, result.Error
}
