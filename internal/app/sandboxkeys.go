package app

import (
	"context"
	"os"

	"diresco/db"
	"diresco/internal/platform/config"
)

// sandboxKeys are the keys of a sandbox whose database outlives its directory. Nothing is secret in
// a sandbox.
type sandboxKeys struct{ SigningKeys, DataKeys string }

// keepSandboxKeys puts the keys of the sandbox that the database belongs to into the temporary
// directory. Of a new database it makes them, and keeps them there. A database that knows keys
// which it does not keep belongs to a sandbox with a directory of its own: nothing is done.
func keepSandboxKeys(ctx context.Context, c config.Config, d *db.DB, recorded bool) error {
	kept, found, err := readSandboxKeys(ctx, d)
	if err != nil || !found && recorded {
		return err
	}
	if !found {
		if _, _, err := loadKeys(c, true); err != nil {
			return err
		}
		signing, err := os.ReadFile(c.SigningKeys)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(c.DataKeysPath())
		if err != nil {
			return err
		}
		// Of two processes that begin together, one's are kept, and both use them.
		if err := d.InTx(ctx, func(ctx context.Context) error {
			return d.From(ctx).Exec(
				"INSERT INTO sandbox_keys (id, signing_keys, data_keys) VALUES (1, ?, ?) ON CONFLICT (id) DO NOTHING",
				string(signing), string(data),
			).Error
		}); err != nil {
			return err
		}
		if kept, _, err = readSandboxKeys(ctx, d); err != nil {
			return err
		}
	}
	if err := os.WriteFile(c.SigningKeys, []byte(kept.SigningKeys), 0o600); err != nil {
		return err
	}
	return os.WriteFile(c.DataKeysPath(), []byte(kept.DataKeys), 0o600)
}

func readSandboxKeys(ctx context.Context, d *db.DB) (sandboxKeys, bool, error) {
	var rows []sandboxKeys
	err := d.From(ctx).Raw("SELECT signing_keys, data_keys FROM sandbox_keys WHERE id = 1").Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return sandboxKeys{}, false, err
	}
	return rows[0], true, nil
}
