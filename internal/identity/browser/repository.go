package browser

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
)

type repository struct{ db *db.DB }

func (r repository) replace(ctx context.Context, before string, next row) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		if err := r.drop(ctx, before); err != nil {
			return err
		}
		return r.db.From(ctx).Create(&next).Error
	})
}

func (r repository) find(ctx context.Context, hash string) (uuid.UUID, bool, error) {
	var found []row
	err := r.db.From(ctx).Select(db.Columns[row]("")).Where("secret_hash = ?", hash).Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return uuid.Nil, false, err
	}
	return found[0].SessionID, true, nil
}

func (r repository) drop(ctx context.Context, hash string) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("DELETE FROM page_sessions WHERE secret_hash = ?", hash).Error
	})
}
