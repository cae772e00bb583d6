package declaration

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/review"
)

// saveAtOffice writes what an operator changes, over a row that the caller holds locked.
func (r *repository) saveAtOffice(ctx context.Context, d Declaration) error {
	return r.db.From(ctx).Model(&Declaration{}).Where("id = ?", d.ID).Select(
		"state", "version", "updated_at", "assigned_to", "assigned_at", "amount", "reasons", "decided_at", "decided_by",
	).UpdateColumns(&d).Error
}

// nameAssignees adds to declarations who has them in charge.
func (r *repository) nameAssignees(ctx context.Context, all []View) error {
	ids := make([]*uuid.UUID, len(all))
	for i, d := range all {
		ids[i] = d.AssignedTo
	}
	named, err := review.Colleagues(ctx, r.db, ids...)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].AssignedTo != nil {
			all[i].Assignee = named[*all[i].AssignedTo]
		}
	}
	return nil
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
