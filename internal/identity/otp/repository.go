package otp

import (
	"context"
	"time"

	"diresco/db"
	"diresco/internal/identity/throttle"

	"github.com/google/uuid"
)

type repository struct{ db *db.DB }

// row is a code as it is kept.
type row struct {
	ID        uuid.UUID
	Purpose   string
	SubjectID uuid.UUID
	MACKey    string `gorm:"column:mac_key"`
	MAC       string `gorm:"column:mac"`
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
	EndedAt   *time.Time
}

// TableName tells GORM the table.
func (row) TableName() string { return "one_time_codes" }

func (r repository) add(ctx context.Context, code row) error {
	return r.db.From(ctx).Create(&code).Error
}

// live returns the live code, or a row without id.
func (r repository) live(ctx context.Context, purpose throttle.Kind, subjectID uuid.UUID) (row, error) {
	var code row
	err := r.db.From(ctx).Raw("SELECT * FROM one_time_codes WHERE purpose = ? AND subject_id = ? AND used_at IS NULL AND ended_at IS NULL", purpose, subjectID).Scan(&code).Error
	return code, err
}

func (r repository) end(ctx context.Context, purpose throttle.Kind, subjectID uuid.UUID, now time.Time) error {
	return r.db.From(ctx).Exec("UPDATE one_time_codes SET ended_at = ? WHERE purpose = ? AND subject_id = ? AND used_at IS NULL AND ended_at IS NULL", now, purpose, subjectID).Error
}

// use marks a live code as used and reports false when another was quicker, or it expired meanwhile.
func (r repository) use(ctx context.Context, id uuid.UUID, now time.Time) (bool, error) {
	result := r.db.From(ctx).Exec("UPDATE one_time_codes SET used_at = ? WHERE id = ? AND used_at IS NULL AND ended_at IS NULL AND expires_at > ?", now, id, now)
	return result.RowsAffected == 1, result.Error
}

func (r repository) made(ctx context.Context, purpose throttle.Kind, subjectID uuid.UUID, after time.Time) (int, error) {
	var n int
	err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM one_time_codes WHERE purpose = ? AND subject_id = ? AND created_at > ?", purpose, subjectID, after).Scan(&n).Error
	return n, err
}

func (r repository) forget(ctx context.Context, until time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("DELETE FROM one_time_codes WHERE expires_at < ?", until).Error
	})
}
