package sandbox

import (
	"context"

	"diresco/db"
)

// Keys are the keys of a sandbox whose database outlives its directory, as files hold them. Nothing
// is secret in a sandbox.
type Keys struct{ SigningKeys, DataKeys string }

// KeptKeys returns the keys that a database keeps, and reports false where it keeps none.
func KeptKeys(ctx context.Context, d *db.DB) (Keys, bool, error) {
	var rows []Keys
	err := d.From(ctx).Raw("SELECT signing_keys, data_keys FROM sandbox_keys WHERE id = 1").Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return Keys{}, false, err
	}
	return rows[0], true, nil
}

// KeepKeys keeps keys in a database that keeps none yet. Of two processes that begin together, one's
// are kept.
func KeepKeys(ctx context.Context, d *db.DB, k Keys) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		return d.From(ctx).Exec(
			"INSERT INTO sandbox_keys (id, signing_keys, data_keys) VALUES ( 1, ?, ?) ON CONFLICT (id) DO NOTHING",
			k.SigningKeys, k.DataKeys,
		).Error
	})
}

// KeepLogKeys keeps the keys of the trail's log beside the others, where none are kept yet. It
// returns those that are kept, and "" where the database keeps no keys at all.
func KeepLogKeys(ctx context.Context, d *db.DB, content string) (kept string, err error) {
	if err := d.InTx(ctx, func(ctx context.Context) error {
		return d.From(ctx).Exec("UPDATE sandbox_keys SET audit_keys = ? WHERE id = 1 AND audit_keys IS NULL", content).Error
	}); err != nil {
		return "", err
	}
	var rows []string
	err = d.From(ctx).Raw("SELECT audit_keys FROM sandbox_keys WHERE id = 1 AND audit_keys IS NOT NULL").Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0], nil
}
