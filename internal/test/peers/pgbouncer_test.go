//go:build peers

package peers

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"diresco/db/direct"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// bounce starts PgBouncer in transaction mode, with few connections, in front of a database. It
// returns the database's address there.
func bounce(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	server, serverPort := u.Query().Get("host"), u.Query().Get("port")
	if server == "" {
		server, serverPort = u.Hostname(), u.Port()
	}
	if serverPort == "" {
		serverPort = "5432"
	}
	port := freePort(t)
	dir := t.TempDir()
	// As it ships: nothing is ignored of what a client asks for at its start.
	configuration := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
logfile = %s
pidfile = %s
`, server, serverPort, u.User.Username(), port, filepath.Join(dir, "log"), filepath.Join(dir, "pid"))
	_, file := place(t, configuration)
	command := exec.CommandContext(context.WithoutCancel(t.Context()), peer(t, "pgbouncer"), file)
	unprivileged(t, command, filepath.Dir(file))
	unprivileged(t, command, dir)
	run(t, command).listens(port)
	bounced := &url.URL{Scheme: "postgres", User: u.User, Host: "127.0.0.1:" + port, Path: u.Path, RawQuery: url.Values{
		"sslmode": {"disable"}, "default_query_exec_mode": {"cache_describe"},
	}.Encode()}
	return bounced.String()
}

// TestPgBouncer_ServesTheMainStory: many clients of the program share four connections, each
// transaction with another.
func TestPgBouncer_ServesTheMainStory(t *testing.T) {
	database := dbtest.Postgres(t)
	s := start(t, bounce(t, database))
	s.site().story(48)
	if log := s.log.String(); strings.Contains(log, "SQLSTATE") {
		t.Errorf("the log has %s", log)
	}
}

// TestPgBouncer_LocksEnd: what the program sets for its transactions reaches the server, and stays
// with nobody else.
func TestPgBouncer_LocksEnd(t *testing.T) {
	d := dbtest.Open(t, bounce(t, dbtest.Postgres(t)))
	ctx := t.Context()
	setting := func(ctx context.Context) (value string) {
		t.Helper()
		if err := d.From(ctx).Raw("SELECT current_setting('lock_timeout')").Scan(&value).Error; err != nil {
			t.Error(err)
		}
		return value
	}
	for range 8 {
		if err := d.InTx(ctx, func(ctx context.Context) error {
			if got := setting(ctx); got != "10s" {
				t.Errorf("in a transaction lock_timeout is %s", got)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if got := setting(ctx); got != "0" {
			t.Errorf("outside of one lock_timeout is %s", got)
		}
	}
}

// TestPgBouncer_DirectStatementsFindTheirAnswers: many ask at once over four connections, in
// transactions and outside, and each is answered what they asked.
func TestPgBouncer_DirectStatementsFindTheirAnswers(t *testing.T) {
	d := dbtest.Open(t, bounce(t, dbtest.Postgres(t)))
	number := func(r *direct.Row) int { return r.Int() }
	world.Parallel(16, func(i int) {
		for n := range 40 {
			want := 100*i + n
			// Each has statements of its own, so that connections meet what they have not seen.
			statement := fmt.Sprintf("SELECT $1::integer + %d", n%10)
			ask := func(ctx context.Context) error {
				got, err := direct.All(ctx, d, number, statement, want-n%10)
				if err == nil && (len(got) != 1 || got[0] != want) {
					err = fmt.Errorf("%v for %d", got, want)
				}
				return err
			}
			if err := ask(t.Context()); err != nil {
				t.Error(err)
			}
			err := d.InTx(t.Context(), func(ctx context.Context) error {
				var b direct.Batch
				var first, second []int
				direct.Ask(&b, &first, number, statement, want)
				direct.Ask(&b, &second, number, "SELECT $1::integer * 2", want)
				if err := b.Send(ctx, d); err != nil {
					return err
				}
				if first[0] != want+n%10 || second[0] != 2*want {
					t.Errorf("%v and %v for %d", first, second, want)
				}
				return ask(ctx)
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}
