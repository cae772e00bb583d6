package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // registers file://

	"diresco/db"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/identity/pin"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/s3bucket"
	"diresco/internal/sandbox/idp"
)

// platform is what services are made of.
type platform struct {
	config  config.Config
	sandbox bool
	log     *slog.Logger
	db      *db.DB
	clock   *clock.Offset
	// databaseClock is nil unless a test brings one.
	databaseClock clock.Clock
	random        io.Reader
	pinCost       pin.HasherOptions
	process       *keyring.Process
	keys          *keyring.Keyring
	dataKeys      *keyring.DataKeys
	bucket        *blob.Bucket
	// logKeys sign the trail's log; nil for a process that has none.
	logKeys *keyring.Log
	// identitySources are where the providers of national identities come from.
	identitySources []federation.Source
	// trial is the sandbox's own identity provider; elsewhere it is nil.
	trial *idp.Provider
	// spid are those of SPID and CIE in SAML; nil where the configuration names none.
	spid *spid.Service
	// openID are those of OpenID Connect; nil where the configuration names none.
	openID *openid.Source
	// beforeShowing does what waits before somebody is shown how it fares: in a sandbox alone,
	// elsewhere it is nil.
	beforeShowing func(ctx context.Context) error
}

// newPlatform claims the database for this kind of installation, and opens the keys and where files
// are kept.
func newPlatform(
	ctx context.Context, c config.Config, o Options, d *db.DB, beforeShowing func(ctx context.Context) error,
) (platform, error) {
	kind := installation.Production
	if o.Sandbox {
		kind = installation.Sandbox
	}
	p := platform{
		config: c, sandbox: o.Sandbox, log: o.Log, db: d, random: o.Random, pinCost: o.PIN, databaseClock: o.DatabaseClock,
		identitySources: o.IdentitySources,
	}
	if o.Sandbox {
		p.beforeShowing = beforeShowing
	}
	err := installation.Refuse(ctx, d, kind)
	if err != nil {
		return p, err
	}
	if o.Sandbox || d.Dialect() == db.SQLite {
		err = d.Migrate(ctx)
	} else {
		err = d.CheckSchema(ctx)
	}
	if err != nil {
		return p, err
	}
	offset, err := installation.Claim(ctx, d, kind, o.Clock.Now())
	if err != nil {
		return p, err
	}
	p.clock = clock.NewOffset(o.Clock)
	p.clock.Set(offset)
	if p.process, err = enter(ctx, c, o, d, p.clock); err != nil {
		return p, err
	}
	p.keys, p.dataKeys = p.process.Ring, p.process.Data
	if p.logKeys, err = loadLogKeys(ctx, c, d, o.Sandbox); err != nil {
		return p, errors.Join(err, p.process.Leave())
	}
	if p.bucket, err = openBucket(ctx, c.BlobURL); err != nil {
		return p, errors.Join(err, p.process.Leave())
	}
	if err = p.addProviders(ctx); err != nil {
		return p, errors.Join(err, p.bucket.Close(), p.process.Leave())
	}
	return p, nil
}

// databaseURL is the database that the configuration names, or the one of the data directory.
func databaseURL(c config.Config) string {
	if named := c.DatabaseURL.Reveal(); named != "" {
		return named
	}
	return "sqlite:" + filepath.Join(c.DataDir, "diresco.db")
}

// openBucket opens a place where files are kept. A local directory gets its temporary files beside the real
// ones, so that a file appears whole or not at all.
func openBucket(ctx context.Context, address string) (*blob.Bucket, error) {
	if strings.HasPrefix(address, "s3:") {
		return s3bucket.Open(address)
	}
	if strings.HasPrefix(address, "file://") && !strings.Contains(address, "?") {
		// What is kept about a file stands in the database: a second file beside each, and an MD5 of
		// all that is written, would be for nobody.
		address += "?create_dir=true&no_tmp_dir=true&metadata=skip"
	}
	return blob.OpenBucket(ctx, address)
}

// spoolDir makes the directory for files that requests bring. It stands within the data directory
// where there is one, since nothing says that the system has one for temporary files.
func spoolDir(c config.Config) (string, error) {
	if c.DataDir == "" {
		return "", nil
	}
	dir := filepath.Join(c.DataDir, "incoming")
	return dir, os.MkdirAll(dir, 0o700)
}
