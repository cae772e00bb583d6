package app

import (
	"context"
	"os"

	"diresco/db"
	"diresco/internal/platform/config"
	"diresco/internal/sandbox"
)

// keepSandboxKeys puts the keys of the sandbox that the database belongs to into the temporary
// directory. Of a new database it makes them, and keeps them there. A database that knows keys
// which it does not keep belongs to a sandbox with a directory of its own: nothing is done.
func keepSandboxKeys(ctx context.Context, c config.Config, d *db.DB, recorded bool) error {
	kept, found, err := sandbox.KeptKeys(ctx, d)
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
		if err := sandbox.KeepKeys(ctx, d, sandbox.Keys{SigningKeys: string(signing), DataKeys: string(data)}); err != nil {
			return err
		}
		// Both processes of two that begin together use those that were kept.
		if kept, _, err = sandbox.KeptKeys(ctx, d); err != nil {
			return err
		}
	}
	if err := os.WriteFile(c.SigningKeys, []byte(kept.SigningKeys), 0o600); err != nil {
		return err
	}
	return os.WriteFile(c.DataKeysPath(), []byte(kept.DataKeys), 0o600)
}
