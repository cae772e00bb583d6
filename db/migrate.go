package db

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

func (d *DB) provider() (*goose.Provider, error) {
	pool, err := d.Writer()
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations/"+string(d.dialect))
	if err != nil {
		return nil, err
	}
	dialect := goose.DialectPostgres
	if d.dialect == SQLite {
		dialect = goose.DialectSQLite3
	}
	return goose.NewProvider(dialect, pool, files)
}

// SchemaDigest names the schema that a dialect's migrations make: it changes with the text of any
// of them.
func SchemaDigest(dialect Dialect) (string, error) {
	dir := "migrations/" + string(dialect)
	entries, err := migrations.ReadDir(dir)
	if err != nil {
		return "", err
	}
	digest := sha256.New()
	for _, entry := range entries {
		content, err := migrations.ReadFile(dir + "/" + entry.Name())
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(digest, "%s %d\n%s", entry.Name(), len(content), content)
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// Migrate brings the schema up to this binary's version. Migrations go forwards only. On PostgreSQL
// the roles that the service uses get their rights on what is new.
func (d *DB) Migrate(ctx context.Context) error {
	provider, err := d.provider()
	if err != nil {
		return err
	}
	if _, err = provider.Up(ctx); err != nil {
		return err
	}
	return d.grantAgain(ctx)
}

// CheckSchema fails when the schema is not at this binary's version.
func (d *DB) CheckSchema(ctx context.Context) error {
	provider, err := d.provider()
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current != target {
		return fmt.Errorf("the database schema is at version %d and this program needs %d: run `diresco migrate`", current, target)
	}
	return nil
}
