package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"diresco/db"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/keyring"
)

// enter lets this process work on the database with the keys that the configuration names. Only for
// a database that knows none it makes new ones.
func enter(ctx context.Context, c config.Config, o Options, d *db.DB, now clock.Clock) (*keyring.Process, error) {
	recorded, err := keyring.Recorded(ctx, d)
	if err != nil {
		return nil, err
	}
	if o.Sandbox && c.Temporary() {
		if err := keepSandboxKeys(ctx, c, d, recorded); err != nil {
			return nil, err
		}
	}
	signing, data, err := loadKeys(c, !recorded)
	if errors.Is(err, os.ErrNotExist) && recorded {
		return nil, keyring.Missing(ctx, d, err.Error())
	}
	if err != nil {
		return nil, err
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unnamed"
	}
	return keyring.Enter(ctx, d, keyring.Settings{
		Clock: now, Database: o.DatabaseClock, Name: fmt.Sprintf("%s %d", name, os.Getpid()), Log: o.Log,
		Samples: func(ctx context.Context) ([]keyring.Sample, error) { return outbox.Samples(ctx, d) },
	}, signing, data)
}

// missingFile says which keys are not where the configuration says.
type missingFile struct{ what, path string }

// Error implements error.
func (m missingFile) Error() string { return m.what + " in " + m.path }

// Is makes it an os.ErrNotExist.
func (missingFile) Is(target error) bool { return target == os.ErrNotExist }

// loadKeys reads the keys that the configuration names, or makes those of a new data directory
// where it may.
func loadKeys(c config.Config, mayMake bool) (*keyring.Private, *keyring.DataKeys, error) {
	path := c.SigningKeys
	if path == "" {
		path = filepath.Join(c.DataDir, "signing-keys.json")
	}
	loadSigning, loadData := keyring.Load, keyring.LoadDataKeys
	if mayMake {
		loadData = keyring.LoadOrCreateDataKeys
		// A configured file that is missing is a mistake: new keys would make every other process
		// refuse our tokens.
		if c.DataDir != "" && strings.HasPrefix(path, c.DataDir) {
			loadSigning = keyring.LoadOrCreate
		}
	}
	signing, err := loadSigning(path)
	if err != nil {
		return nil, nil, ifMissing(err, "signing keys", path)
	}
	if c.DataKeys != "" {
		data, err := keyring.ParseDataKeys(c.DataKeys)
		return signing, data, err
	}
	data, err := loadData(c.DataKeysPath())
	return signing, data, ifMissing(err, "data keys", c.DataKeysPath())
}

func ifMissing(err error, what, path string) error {
	if errors.Is(err, os.ErrNotExist) {
		return missingFile{what, path}
	}
	return err
}

// KeyManager does what an operator does with keys, from the command line.
type KeyManager struct {
	db      *db.DB
	config  config.Config
	manager keyring.Manager
}

// OpenKeys opens the database as its owner. Close it.
func OpenKeys(ctx context.Context, c config.Config) (*KeyManager, error) {
	d, err := openAsOwner(ctx, c)
	if err != nil {
		return nil, err
	}
	return &KeyManager{db: d, config: c, manager: keyring.NewManager(d)}, nil
}

// Close closes the database.
func (k *KeyManager) Close() error { return k.db.Close() }

// List returns the keys that the database knows.
func (k *KeyManager) List(ctx context.Context) ([]keyring.Listed, error) { return k.manager.List(ctx) }

// Accept lets the database know the keys that the configuration names, and returns those that it
// did not know.
func (k *KeyManager) Accept(ctx context.Context) (fresh []string, err error) {
	signing, data, err := loadKeys(k.config, false)
	if err != nil {
		return nil, err
	}
	err = k.traced(ctx, "acceptKeys", func(ctx context.Context) (subject string, err error) {
		fresh, err = k.manager.Accept(ctx, signing, data, clock.System{}.Now())
		return strings.Join(fresh, " "), err
	})
	return fresh, err
}

// Retire lets processes do without a data key; see keyring.Manager.
func (k *KeyManager) Retire(ctx context.Context, id string, lost bool) error {
	return k.traced(ctx, "retireDataKey", func(ctx context.Context) (string, error) {
		now, err := k.db.Now(ctx)
		if err != nil {
			return "", err
		}
		return id, k.manager.Retire(ctx, id, lost, now)
	})
}

// Revoke lets a signing key be believed no more; see keyring.Manager. The instant zero is now.
func (k *KeyManager) Revoke(ctx context.Context, v keyring.Revocation, forced bool) error {
	return k.traced(ctx, "revokeSigningKey", func(ctx context.Context) (string, error) {
		now, err := k.db.Now(ctx)
		if err != nil {
			return "", err
		}
		if v.From.IsZero() {
			v.From = now
		}
		return v.Kid, k.manager.Revoke(ctx, v, forced, now)
	})
}

func (k *KeyManager) traced(ctx context.Context, operation string, do func(ctx context.Context) (subject string, err error)) error {
	return traced(ctx, k.db, operation, "key", do)
}
