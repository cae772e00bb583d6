package db

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// turnEvery is how often, in seconds, a program asks whether another one migrates no more. It asks
// turns times: some migrations take long.
const turnEvery, turns = 1, 4 * 60 * 60

func (d *DB) provider() (*goose.Provider, error) {
	pool, err := d.Writer()
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations/"+string(d.dialect))
	if err != nil {
		return nil, err
	}
	if d.dialect == SQLite {
		return goose.NewProvider(goose.DialectSQLite3, pool, files)
	}
	// Whoever starts beside another waits until that one has migrated.
	turn, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(turnEvery, turns))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, pool, files, goose.WithSessionLocker(turn))
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
// the roles that the service uses get their rights on what is new. A schema that a newer program
// made is an error: there is nothing that this one can do for it.
func (d *DB) Migrate(ctx context.Context) error { return d.MigrateTelling(ctx, nil) }

// MigrateTelling is Migrate that tells how many of the migrations which are missing are done, before
// each and behind the last. tell may be nil.
func (d *DB) MigrateTelling(ctx context.Context, tell func(done, missing int)) error {
	provider, err := d.provider()
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("the database schema is at version %d, which a newer program made, and this one knows %d: "+
			"run `diresco migrate` of the newer program", current, target)
	}
	if tell == nil {
		_, err = provider.Up(ctx)
	} else {
		err = upTelling(ctx, provider, current, tell)
	}
	if err != nil {
		return err
	}
	return d.grantAgain(ctx)
}

func upTelling(ctx context.Context, provider *goose.Provider, current int64, tell func(done, missing int)) error {
	var missing []int64
	for _, source := range provider.ListSources() {
		if source.Version > current {
			missing = append(missing, source.Version)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	for done, version := range missing {
		tell(done, len(missing))
		if _, err := provider.UpTo(ctx, version); err != nil {
			return err
		}
	}
	tell(len(missing), len(missing))
	return nil
}

// CheckSchema fails when this program cannot run on the schema. It can on one of its own version,
// and on a newer one that says so.
func (d *DB) CheckSchema(ctx context.Context) error {
	provider, err := d.provider()
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case current < target:
		return fmt.Errorf("the database schema is at version %d and this program needs %d: run `diresco migrate`", current, target)
	case current == target:
		return nil
	}
	var oldest int64
	if err := d.From(ctx).Raw("SELECT oldest_program FROM schema_compatibility").Scan(&oldest).Error; err != nil {
		return err
	}
	if oldest == 0 || oldest > target {
		return fmt.Errorf("the database schema is at version %d, which a newer program made, and this one knows %d: "+
			"run the newer program, or go back to a copy of the database", current, target)
	}
	return nil
}
