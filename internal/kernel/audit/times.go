package audit

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Times returns when a person did one of the operations after the instant, the earliest first.
func (t *Trail) Times(ctx context.Context, personID uuid.UUID, operations []string, after time.Time) ([]time.Time, error) {
	var at []time.Time
	err := t.db.From(ctx).Raw(
		"SELECT at FROM audit_records WHERE person_id = ? AND at > ? AND operation IN ? ORDER BY at", personID, after, operations,
	).Scan(&at).Error
	return at, err
}
