package staff

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
)

type repository struct{ db *db.DB }

// revocation is the revocation of somebody else's PIN, as it is kept.
type revocation struct {
	ID        uuid.UUID
	PersonID  uuid.UUID
	RevokedBy uuid.UUID
	Reason    RevocationReason
	RevokedAt time.Time
}

// TableName tells GORM the table.
func (revocation) TableName() string { return "pin_revocations" }

func (r repository) addRevocation(ctx context.Context, v revocation) error {
	return r.db.From(ctx).Create(&v).Error
}

// acts returns when the person did it after the instant, the earliest first.
func (r repository) acts(ctx context.Context, a act, personID uuid.UUID, after time.Time) ([]time.Time, error) {
	var times []time.Time
	err := r.db.From(ctx).Table(a.table).Where(a.by+" = ? AND "+a.at+" > ?", personID, after).Order(a.at).Pluck(a.at, &times).Error
	return times, err
}
