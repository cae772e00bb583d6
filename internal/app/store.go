package app

import (
	"context"
	"path/filepath"
	"strings"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/keyring"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // registers file://
	_ "gocloud.dev/blob/s3blob"   // registers s3://
)

// openKeys reads the keys that the configuration names, or makes those of a new data directory.
func openKeys(ctx context.Context, c config.Config, d *db.DB, now clock.Clock) (*keyring.Keyring, *keyring.DataKeys, error) {
	load := keyring.LoadOrCreate
	path := c.SigningKeys
	if path == "" {
		path = filepath.Join(c.DataDir, "signing-keys.json")
	} else if !strings.HasPrefix(path, c.DataDir) || c.DataDir == "" {
		// A configured file that is missing is a mistake: new keys would make every other process refuse our tokens.
		load = keyring.Load
	}
	private, err := load(path)
	if err != nil {
		return nil, nil, err
	}
	keys, err := keyring.Open(ctx, d, now, private)
	if err != nil {
		return nil, nil, err
	}
	var dataKeys *keyring.DataKeys
	if c.DataKeys != "" {
		dataKeys, err = keyring.ParseDataKeys(c.DataKeys)
	} else {
		dataKeys, err = keyring.LoadOrCreateDataKeys(c.DataKeysPath())
	}
	return keys, dataKeys, err
}

// openBucket opens where files are kept. A local directory gets its temporary files beside the real ones, so that a file
// appears whole or not at all.
func openBucket(ctx context.Context, c config.Config) (*blob.Bucket, error) {
	address := c.BlobURL
	if strings.HasPrefix(address, "file://") && !strings.Contains(address, "?") {
		address += "?create_dir=true&no_tmp_dir=true"
	}
	return blob.OpenBucket(ctx, address)
}
