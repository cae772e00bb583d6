package keyring

import (
	"context"
	"time"

	"gorm.io/gorm/clause"

	"diresco/db"
)

// signingKey is one row of the table of published keys.
type signingKey struct {
	Kid       string `gorm:"primaryKey"`
	Purpose   string
	JWK       string `gorm:"column:jwk"`
	CreatedAt time.Time
}

// TableName tells GORM the table.
func (signingKey) TableName() string { return "signing_keys" }

type repository struct{ db *db.DB }

// record adds the keys that are not there yet and changes none.
func (r repository) record(ctx context.Context, keys []signingKey) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&keys).Error
	})
}

func (r repository) all(ctx context.Context) ([]signingKey, error) {
	var keys []signingKey
	err := r.db.From(ctx).Order("created_at, kid").Find(&keys).Error
	return keys, err
}
