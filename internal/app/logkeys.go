package app

import (
	"context"
	"errors"
	"net/url"
	"os"

	"diresco/db"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/config"
	"diresco/internal/platform/keyring"
)

// loadLogKeys reads the keys of the trail's log, or makes them for a log that nobody has signed yet.
// Where it has neither a file nor a place for one, the process does not seal.
func loadLogKeys(ctx context.Context, c config.Config, d *db.DB, sandbox bool) (*keyring.Log, error) {
	if sandbox && c.Temporary() {
		return sandboxLogKeys(ctx, c, d)
	}
	path := c.AuditKeysPath()
	if path == "" {
		return nil, nil //nolint:nilnil // without keys, others seal
	}
	signed, err := translog.Signed(ctx, d)
	if err != nil {
		return nil, err
	}
	if !signed {
		return keyring.LoadOrCreateLog(path, logName(c))
	}
	keys, err := keyring.LoadLog(path)
	if errors.Is(err, os.ErrNotExist) && c.AuditKeys == "" {
		return nil, nil //nolint:nilnil // another process signed the log, and seals on
	}
	return keys, ifMissing(err, "keys of the log", path)
}

// logName names the log of an installation by its address.
func logName(c config.Config) string {
	host := "localhost"
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		host = u.Host
	}
	return host + "/audit/log"
}

// sandboxLogKeys keeps the keys of a sandbox's log in its database, which outlives its directory.
// Nothing is secret in a sandbox.
func sandboxLogKeys(ctx context.Context, c config.Config, d *db.DB) (*keyring.Log, error) {
	fresh, err := keyring.LoadOrCreateLog(c.AuditKeysPath(), logName(c))
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(c.AuditKeysPath())
	if err != nil {
		return nil, err
	}
	if err := d.InTx(ctx, func(ctx context.Context) error {
		return d.From(ctx).Exec("UPDATE sandbox_keys SET audit_keys = ? WHERE id = 1 AND audit_keys IS NULL", string(content)).Error
	}); err != nil {
		return nil, err
	}
	var kept []string
	err = d.From(ctx).Raw("SELECT audit_keys FROM sandbox_keys WHERE id = 1 AND audit_keys IS NOT NULL").Scan(&kept).Error
	if err != nil || len(kept) == 0 {
		return fresh, err
	}
	return keyring.ParseLog([]byte(kept[0]))
}
