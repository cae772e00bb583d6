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
	"diresco/internal/sandbox"
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
	kept, err := sandbox.KeepLogKeys(ctx, d, string(content))
	if err != nil || kept == "" {
		return fresh, err
	}
	return keyring.ParseLog([]byte(kept))
}

// reloadLogKeys reads the keys of the trail's log again, and has it sign with them. A process that
// had none, and still has none, goes on without.
func (a *App) reloadLogKeys(ctx context.Context) error {
	if a.config.Temporary() {
		return nil // those of a sandbox stand in its database
	}
	keys, err := keyring.LoadLog(a.config.AuditKeysPath())
	if errors.Is(err, os.ErrNotExist) && !a.sealed.Seals() {
		return nil
	}
	if err != nil {
		return err
	}
	return a.sealed.UseKeys(ctx, keys)
}

// logKeys reads the keys of the trail's log and compares them with who signed it.
func (k *checker) logKeys(ctx context.Context, d *db.DB) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	const what = "log keys"
	signed := false
	if d != nil {
		var err error
		if signed, err = translog.Signed(ctx, d); err != nil {
			k.say(what, err, "")
			return
		}
	}
	path := k.config.AuditKeysPath()
	keys, err := keyring.LoadLog(path)
	switch {
	case path == "" || errors.Is(err, os.ErrNotExist) && signed && k.config.AuditKeys == "":
		k.add(Noted, what, "there are none: this process would leave it to others to seal the trail")
	case errors.Is(err, os.ErrNotExist) && !signed:
		k.add(Noted, what, "there are none in %s: the first start makes them, and names the log %s for ever", path, logName(k.config))
	case err != nil:
		k.say(what, ifMissing(err, "keys of the log", path), "")
	case signed:
		k.say(what, translog.CheckKeys(ctx, d, keys), "are those that sign the trail")
	default:
		k.add(Passed, what, "can be read; no trail is signed yet")
	}
}
