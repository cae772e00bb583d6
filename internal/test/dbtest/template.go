package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"diresco/db"
)

// templateLock orders those who look for the template, in the database that the server's address
// names.
const templateLock = 0x6469726573636f // "diresco"

// fileCopySince is the first version of PostgreSQL where CREATE DATABASE has a choice of
// strategies.
const fileCopySince = 150000

// cloning returns the end of a CREATE DATABASE that clones the migrated template, which is made if
// need be.
//
// The template is named after its migrations, so packages and runs share it on a server that is
// kept. It stays there.
func cloning(server *url.URL) (clause string, err error) {
	digest, err := db.SchemaDigest(db.Postgres)
	if err != nil {
		return "", err
	}
	name := "diresco_template_" + digest[:16]
	ctx := context.Background()
	pool, err := sql.Open("pgx", server.String())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	// The lock belongs to the session and ends with it.
	session, err := pool.Conn(ctx)
	if err != nil {
		return "", fmt.Errorf("test database: %w", err)
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	if _, err := session.ExecContext(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return "", fmt.Errorf("test database: %w", err)
	}
	var version int
	var whole bool
	if err := session.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int,
		EXISTS (SELECT FROM pg_database WHERE datname = $1 AND NOT datallowconn)`, name).Scan(&version, &whole); err != nil {
		return "", fmt.Errorf("test database: %w", err)
	}
	if !whole {
		if err := makeTemplate(server, name); err != nil {
			return "", fmt.Errorf("template of the test databases: %w", err)
		}
	}
	clause = " TEMPLATE " + name
	if version >= fileCopySince {
		// Clones then begin with the template's cache of the catalogue, which copying through the
		// log leaves out.
		clause += " STRATEGY file_copy"
	}
	return clause, nil
}

// makeTemplate makes the template anew. Only a whole one refuses connections, so one that was begun
// is told apart.
func makeTemplate(server *url.URL, name string) error {
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if err := administerErr(server, statement); err != nil {
			return err
		}
	}
	template := withDatabase(server, name)
	if err := migrate(template.String()); err != nil {
		return err
	}
	// The first session after a migration writes a cache of the catalogue, which clones then begin
	// with.
	if err := administerErr(template, "SELECT 1"); err != nil {
		return err
	}
	return administerErr(server, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false")
}
