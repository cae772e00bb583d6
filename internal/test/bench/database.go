package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"diresco/internal/test/dbtest"
)

// database is the throwaway PostgreSQL cluster.
type database struct {
	url        string
	stop       func()
	conn       *pgx.Conn
	version    string
	postmaster process
}

// startDatabase starts a cluster and makes sure that it is durable: speed without fsync would be no
// figure.
func startDatabase(ctx context.Context) (*database, error) {
	rawURL, stop, err := dbtest.Cluster(true)
	if err != nil {
		return nil, err
	}
	d := &database{url: rawURL, stop: stop}
	if err := d.look(ctx); err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	return d, nil
}

func (d *database) look(ctx context.Context) error {
	var err error
	if d.conn, err = pgx.Connect(ctx, d.url); err != nil {
		return err
	}
	var fsync, commit string
	var backend int
	err = d.conn.QueryRow(
		ctx, "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'), pg_backend_pid()",
	).
		Scan(&d.version, &fsync, &commit, &backend)
	if err != nil {
		return err
	}
	if fsync != "on" || commit != "on" {
		return fmt.Errorf("the cluster is not durable: fsync=%s synchronous_commit=%s", fsync, commit)
	}
	own, err := process(backend).stat()
	d.postmaster = own.parent
	return err
}

// close ends the cluster and deletes its data.
func (d *database) close(ctx context.Context) error {
	var err error
	if d.conn != nil {
		err = d.conn.Close(context.WithoutCancel(ctx))
	}
	d.stop()
	return err
}

// quiet lets every work begin alike: nothing of the work before it is left to be written.
func (d *database) quiet(ctx context.Context) error {
	if d == nil {
		return nil // SQLite
	}
	_, err := d.conn.Exec(ctx, "CHECKPOINT")
	return err
}

// walBytes is how many bytes the write-ahead log has had so far.
func (d *database) walBytes(ctx context.Context) (bytes int64, err error) {
	if d == nil {
		return 0, nil // SQLite
	}
	return bytes, d.conn.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").Scan(&bytes)
}

// another makes a database of the same cluster.
func (d *database) another(ctx context.Context, name string) (*database, error) {
	databaseURL, err := d.create(ctx, name)
	if err != nil {
		return nil, err
	}
	other := &database{url: databaseURL, stop: func() {}}
	return other, other.look(ctx)
}

// create makes a database of the same cluster and returns its address.
func (d *database) create(ctx context.Context, name string) (string, error) {
	if _, err := d.conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u, err := url.Parse(d.url)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// analyse gives the planner the statistics that a database in use has.
func (d *database) analyse(ctx context.Context) error {
	_, err := d.conn.Exec(ctx, "VACUUM ANALYZE")
	return err
}

// multiply makes copies of submitted declarations by number, each a second older than the one
// before. It makes what lists read and nothing else: no lines in the register, no receipts.
func (d *database) multiply(ctx context.Context, ids []string, from, to int) error {
	_, err := d.conn.Exec(ctx, `INSERT INTO declarations SELECT copy.* FROM declarations d, generate_series($2::integer, $3::integer) n
		CROSS
		JOIN LATERAL jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'protocol_number', d.protocol_number || '-' || n,
			'created_at', d.created_at - n * interval '1 second', 'updated_at', d.updated_at - n * interval '1 second',
			'listed_at', d.listed_at - n * interval '1 second', 'submitted_at', d.submitted_at - n * interval '1 second')) copy
		WHERE d.id = ANY ($1::uuid[]) ORDER BY n DESC`, ids, from, to)
	return err
}

// latest is when the first of so many latest declarations of a contributor was filed.
func (d *database) latest(ctx context.Context, contributorID string, n int) (at time.Time, err error) {
	return at, d.conn.QueryRow(ctx, "SELECT submitted_at FROM declarations WHERE contributor_id = $1 AND state <> 'draft' "+
		"ORDER BY listed_at DESC, id DESC OFFSET $2 LIMIT 1", contributorID, n-1).Scan(&at)
}

// declarations lists ids of declarations that were submitted for the contributor at the office, the
// oldest first.
func (d *database) declarations(ctx context.Context, contributorID, office string, limit int) ([]string, error) {
	rows, err := d.conn.Query(ctx, "SELECT id::text FROM declarations WHERE contributor_id = $1 AND office_code = $2 AND state <> "+
		"'draft' ORDER BY listed_at LIMIT $3",
		contributorID, office, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
