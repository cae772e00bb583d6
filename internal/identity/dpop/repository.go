package dpop

import (
	"context"
	"time"

	"diresco/db"
)

type repository struct{ db *db.DB }

// use notes a proof, and reports false where it was noted before. It is one statement, since every
// request with a bound token waits for it.
func (r repository) use(ctx context.Context, digest string, until time.Time) (first bool, err error) {
	insert := func(ctx context.Context) error {
		result := r.db.From(ctx).Exec(
			"INSERT INTO dpop_proofs (proof_hash, expires_at) VALUES ( ?, ?) ON CONFLICT DO NOTHING", digest, until)
		first = result.RowsAffected == 1
		return result.Error
	}
	if r.db.Dialect() == db.Postgres {
		err = insert(ctx)
	} else {
		err = r.db.InTx(ctx, insert)
	}
	return first, err
}

// purge drops proofs that have expired by now.
func (r repository) purge(ctx context.Context, now time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("DELETE FROM dpop_proofs WHERE expires_at < ?", now).Error
	})
}
