package keyring

import (
	"context"

	"diresco/db"
)

// Check reports whether a process with these keys could work on a database. It changes nothing, and
// returns ErrKeyMissing where something was written with a key that is not among them.
func Check(ctx context.Context, d *db.DB, set *Private, data *DataKeys) error {
	r := repository{d}
	published, err := r.published(ctx)
	if err != nil {
		return err
	}
	recorded, err := r.dataKeys(ctx)
	if err != nil {
		return err
	}
	if err := admitSigning(set.keys, published); err != nil {
		return err
	}
	return admitData(data, recorded)
}
