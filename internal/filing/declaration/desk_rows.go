package declaration

import (
	"context"

	"github.com/google/uuid"
)

// saveAtOffice writes what an operator changes, over a row that the caller holds locked.
func (r *repository) saveAtOffice(ctx context.Context, d Declaration) error {
	return r.db.From(ctx).Model(&Declaration{}).Where("id = ?", d.ID).Select(
		"state", "version", "updated_at", "assigned_to", "assigned_at", "amount", "reasons", "decided_at", "decided_by",
	).UpdateColumns(&d).Error
}

// nameAssignees adds to declarations who has them in charge, with one statement for all.
func (r *repository) nameAssignees(ctx context.Context, all []View) error {
	var ids []uuid.UUID
	for _, d := range all {
		if d.AssignedTo != nil {
			ids = append(ids, *d.AssignedTo)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []Assignee
	err := r.db.From(ctx).Raw("SELECT id, given_name, family_name FROM people WHERE id IN ?", ids).Scan(&rows).Error
	if err != nil {
		return err
	}
	named := make(map[uuid.UUID]*Assignee, len(rows))
	for i := range rows {
		named[rows[i].ID] = &rows[i]
	}
	for i := range all {
		if all[i].AssignedTo != nil {
			all[i].Assignee = named[*all[i].AssignedTo]
		}
	}
	return nil
}

// worksAt reports whether somebody is an operator of an office now.
func (r *repository) worksAt(ctx context.Context, personID uuid.UUID, office string) (bool, error) {
	var n int
	const count = "SELECT COUNT(*) FROM people WHERE id = ? AND office_code = ? AND user_class = 'operator' AND suspended_at IS NULL"
	err := r.db.From(ctx).Raw(count, personID, office).Scan(&n).Error
	return n > 0, err
}

// contributorNamed finds a contributor by its tax code.
func (r *repository) contributorNamed(ctx context.Context, code string) (uuid.UUID, bool, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw("SELECT id FROM contributors WHERE tax_code = ?", code).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return uuid.Nil, false, err
	}
	return ids[0], true, nil
}
