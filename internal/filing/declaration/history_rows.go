package declaration

import (
	"context"
	"slices"

	"github.com/google/uuid"
)

// records returns the latest that the trail has of a declaration, the earliest first. Changes of a
// draft are left out.
func (r *repository) records(ctx context.Context, id uuid.UUID, most int) ([]record, error) {
	var rows []record
	err := r.db.From(ctx).Raw(`SELECT a.at, a.operation, a.person_id, a.acting_as, a.detail, COALESCE(p.given_name, '') AS given_name,
		COALESCE(p.family_name, '') AS family_name, COALESCE(y.client_id, '') AS client_id
		FROM audit_records a LEFT JOIN people p ON p.id = a.person_id LEFT JOIN applications y ON y.id = a.application_id
		WHERE a.subject_id = ? AND a.subject_kind = ? AND a.operation <> 'changeDeclaration' ORDER BY a.at DESC, a.id DESC LIMIT ?`,
		id.String(), Kind, most).Scan(&rows).Error
	slices.Reverse(rows)
	return rows, err
}

// stateAtFiling returns the state in which a declaration was filed, and "" for a draft.
func (r *repository) stateAtFiling(ctx context.Context, id uuid.UUID) (State, error) {
	var states []State
	err := r.db.From(ctx).Raw("SELECT filed_state FROM protocol_entries WHERE subject_id = ? AND jws IS NOT NULL", id).Scan(&states).Error
	if err != nil || len(states) == 0 {
		return "", err
	}
	return states[0], nil
}

// confirmationOf returns the confirmation of a reservation that counts, if there is one.
func (r *repository) confirmationOf(ctx context.Context, id uuid.UUID) (*uuid.UUID, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw("SELECT id FROM declarations WHERE reservation_id = ? AND "+
		"state NOT IN ('draft', 'withdrawn', 'lapsed', 'not_accepted', 'superseded') ORDER BY submitted_at DESC LIMIT 1",
		id).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return &ids[0], nil
}
