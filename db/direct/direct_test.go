package direct_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/test/dbtest"
)

// modes open a database as its URL may ask for: with statements that have names, and without.
func modes(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, mode := range []string{"cache_statement", "cache_describe"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			test(t, dbtest.Open(t, inMode(t, dbtest.Postgres(t), mode)))
		})
	}
}

func inMode(t *testing.T, rawURL, mode string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("default_query_exec_mode", mode)
	u.RawQuery = query.Encode()
	return u.String()
}

// everything is a row with each kind of column.
type everything struct {
	ID                  uuid.UUID
	OtherID, NoID       *uuid.UUID
	Name                string
	OtherName, NoName   *string
	At                  time.Time
	OtherAt, NoAt       *time.Time
	Small, Usual, Large int
	OtherNumber, None   *int
	Yes, No             bool
}

func readEverything(r *direct.Row) everything {
	return everything{
		ID: r.UUID(), OtherID: r.UUIDOrNil(), NoID: r.UUIDOrNil(), Name: r.Text(), OtherName: r.TextOrNil(), NoName: r.TextOrNil(),
		At: r.Time(), OtherAt: r.TimeOrNil(), NoAt: r.TimeOrNil(), Small: r.Int(), Usual: r.Int(), Large: r.Int(),
		OtherNumber: r.IntOrNil(), None: r.IntOrNil(), Yes: r.Bool(), No: r.Bool(),
	}
}

func TestDirect_ReadsEachKindOfColumn(t *testing.T) {
	modes(t, func(t *testing.T, d *db.DB) {
		id, text := uuid.New(), "è «così» 𝄞"
		at, number := time.Date(1965, 3, 16, 8, 15, 4, 218301000, time.UTC), -7
		want := everything{
			ID: id, OtherID: &id, Name: text, OtherName: &text, At: at, OtherAt: &at, Small: -2, Usual: -70_000, Large: -7_000_000_000,
			OtherNumber: &number, Yes: true,
		}
		for range 3 {
			got, err := direct.All(t.Context(), d, readEverything, `SELECT $1::uuid, $1::uuid, NULL::uuid, $2::text, $2::varchar, NULL::text,
				$3::timestamptz, $3::timestamptz, NULL::timestamptz, (-2)::smallint, (-70000)::integer, (-7000000000)::bigint,
				$4::integer, NULL::integer, true, false FROM generate_series(1, 2)`, id, text, at, number)
			if diff := cmp.Diff([]everything{want, want}, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		}
	})
}

func readText(r *direct.Row) string { return r.Text() }

func TestDirect_RefusesAnotherRowThanItExpects(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	for statement, wrong := range map[string]string{
		"SELECT NULL::text":                "NULL",
		"SELECT 1":                         "type",
		"SELECT 'a'::text, 'b'::text":      "more columns than are read",
		"SELECT FROM generate_series(1,1)": "no more columns",
	} {
		if _, err := direct.All(t.Context(), d, readText, statement); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	instant := func(r *direct.Row) time.Time { return r.Time() }
	if _, err := direct.All(t.Context(), d, instant, "SELECT 'infinity'::timestamptz"); err == nil {
		t.Error("an instant without an end was read")
	}
	// The connection is as good as before.
	if got, err := direct.All(t.Context(), d, readText, "SELECT 'a'::text"); err != nil || got[0] != "a" {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

func TestDirect_ListsTravelWhole(t *testing.T) {
	modes(t, func(t *testing.T, d *db.DB) {
		ids := db.UUIDs{uuid.New(), uuid.New(), uuid.New()}
		for _, sent := range []db.UUIDs{ids, ids[:1], {}, nil} {
			const statement = "SELECT v.id FROM unnest((SELECT $1::uuid[])) WITH ORDINALITY AS v (id, n) ORDER BY v.n"
			got, err := direct.All(t.Context(), d, func(r *direct.Row) uuid.UUID { return r.UUID() }, statement, sent)
			if diff := cmp.Diff([]uuid.UUID(sent), got); err != nil || len(sent)+len(got) > 0 && diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		}
	})
}

func titles(ctx context.Context, d *db.DB) ([]string, error) {
	return direct.All(ctx, d, readText, "SELECT o.title FROM offices o ORDER BY o.code")
}

// TestDirect_IsInTheTransaction: it sees what was written there, and nothing stays of what fails.
func TestDirect_IsInTheTransaction(t *testing.T) {
	modes(t, func(t *testing.T, d *db.DB) {
		ctx, undone := t.Context(), errors.New("undone")
		insert := func(ctx context.Context, code string) error {
			return d.From(ctx).Exec("INSERT INTO offices (code, title) VALUES (?, ?)", code, "Office "+code).Error
		}
		err := d.InTx(ctx, func(ctx context.Context) error {
			if err := insert(ctx, "7000"); err != nil {
				return err
			}
			if got, err := titles(ctx, d); err != nil || len(got) != 1 {
				t.Errorf("within: %v, %v", got, err)
			}
			err := d.InTx(ctx, func(ctx context.Context) error {
				if got, err := titles(ctx, d); err != nil || len(got) != 1 {
					t.Errorf("behind a savepoint: %v, %v", got, err)
				}
				_, err := direct.All(ctx, d, readText, "SELECT 1 / 0")
				return err
			})
			if err == nil || db.IsUnavailable(err) {
				t.Errorf("a statement that fails: %v", err)
			}
			var found string
			found, err = one(titles(ctx, d))
			if err != nil || found != "Office 7000" {
				t.Errorf("after the savepoint: %q, %v", found, err)
			}
			return undone
		})
		if got, listErr := titles(ctx, d); !errors.Is(err, undone) || listErr != nil || len(got) != 0 {
			t.Errorf("afterwards: %v, %v, %v", err, got, listErr)
		}
	})
}

func one(all []string, err error) (string, error) {
	if err != nil || len(all) != 1 {
		return "", errors.Join(err, fmt.Errorf("%d rows", len(all)))
	}
	return all[0], nil
}

// TestBatch_IsOneJourneyInOrder: what comes later sees what came before, and rows are read.
func TestBatch_IsOneJourneyInOrder(t *testing.T) {
	modes(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		for _, code := range []string{"7000", "4900"} {
			err := d.InTx(ctx, func(ctx context.Context) error {
				var before, after, returned []string
				var b direct.Batch
				const list = "SELECT o.title FROM offices o WHERE o.code = $1"
				direct.Ask(&b, &before, readText, list, code)
				b.Do("INSERT INTO offices (code, title) VALUES ($1, $2)", code, "Roma")
				direct.Ask(&b, &returned, readText, "UPDATE offices SET title = title || '!' WHERE code = $1 RETURNING title", code)
				direct.Ask(&b, &after, readText, list, code)
				err := b.Send(ctx, d)
				if len(before) != 0 || len(after) != 1 || after[0] != "Roma!" || len(returned) != 1 {
					t.Errorf("%q, %q, %q", before, returned, after)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		if got, err := titles(ctx, d); err != nil || len(got) != 2 {
			t.Errorf("afterwards: %v, %v", got, err)
		}
	})
}

func TestBatch_EndsAtWhatFails(t *testing.T) {
	modes(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		insert := func(b *direct.Batch, code string) {
			b.Do("INSERT INTO offices (code, title) VALUES ($1, 'Roma')", code)
		}
		err := d.InTx(ctx, func(ctx context.Context) error {
			var b direct.Batch
			insert(&b, "7000")
			insert(&b, "7000")
			insert(&b, "7001")
			return b.Send(ctx, d)
		})
		if got, listErr := titles(ctx, d); !db.IsUnique(err) || listErr != nil || len(got) != 0 {
			t.Errorf("%v; %v, %v", err, got, listErr)
		}
		var b direct.Batch
		insert(&b, "7000")
		if err := b.Send(ctx, d); err == nil {
			t.Error("a batch was sent without a transaction")
		}
		if err := d.InTx(ctx, func(ctx context.Context) error { return new(direct.Batch).Send(ctx, d) }); err != nil {
			t.Errorf("an empty batch: %v", err)
		}
	})
}

// TestDirect_ASchemaThatChangesDoesNotShow: the plan that a connection has prepared is refused once
// the type of a column is another one, and made again.
func TestDirect_ASchemaThatChangesDoesNotShow(t *testing.T) {
	modes(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		exec := func(statement string) {
			t.Helper()
			if err := d.InTx(ctx, func(ctx context.Context) error { return d.From(ctx).Exec(statement).Error }); err != nil {
				t.Fatal(err)
			}
		}
		exec("CREATE TABLE changing (n integer NOT NULL)")
		exec("INSERT INTO changing (n) VALUES (7)")
		read := func(ctx context.Context) ([]int, error) {
			return direct.All(ctx, d, func(r *direct.Row) int { return r.Int() }, "SELECT n FROM changing")
		}
		for _, kind := range []string{"integer", "bigint", "smallint"} {
			exec("ALTER TABLE changing ALTER COLUMN n TYPE " + kind)
			for range 2 * len(kind) {
				if got, err := read(ctx); err != nil || len(got) != 1 || got[0] != 7 {
					t.Errorf("as %s: %v, %v", kind, got, err)
				}
			}
		}
		exec("ALTER TABLE changing ADD COLUMN m integer")
		if err := d.InTx(ctx, func(ctx context.Context) error {
			_, err := read(ctx)
			return err
		}); err != nil {
			t.Errorf("in a transaction, a column more: %v", err)
		}
	})
}

// TestDirect_EndsWithItsContext: whoever asked is gone, and the next statement has a connection.
func TestDirect_EndsWithItsContext(t *testing.T) {
	modes(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		asleep := make(chan error, 1)
		go func() {
			_, err := direct.All(ctx, d, readText, "SELECT pg_sleep(600)::text")
			asleep <- err
		}()
		for {
			n, err := direct.All(t.Context(), d, func(r *direct.Row) int { return r.Int() },
				"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()")
			if err != nil {
				t.Fatal(err)
			}
			if n[0] > 0 {
				break
			}
		}
		cancel()
		if err := <-asleep; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if _, err := titles(t.Context(), d); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestDirect_ALostServerIsAnOutage: and once it is back, connections that were lost are replaced
// without anybody noticing.
func TestDirect_ALostServerIsAnOutage(t *testing.T) {
	server, err := dbtest.NewServer(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	d := dbtest.Open(t, server.URL())
	ctx := t.Context()
	ask := func(ctx context.Context) error {
		_, err := direct.All(ctx, d, readText, "SELECT 'a'::text")
		return err
	}
	if err := ask(ctx); err != nil {
		t.Fatal(err)
	}
	err = d.InTx(ctx, func(ctx context.Context) error {
		if err := ask(ctx); err != nil {
			t.Error(err)
		}
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
		return ask(ctx)
	})
	if !db.IsUnavailable(err) {
		t.Errorf("in a transaction: %v", err)
	}
	if err := ask(ctx); !db.IsUnavailable(err) {
		t.Errorf("while it is down: %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := ask(ctx); err != nil {
		t.Errorf("after its return: %v", err)
	}
	// All connections there are die at once.
	if _, err := direct.All(ctx, dbtest.Open(t, server.URL()), func(r *direct.Row) bool { return r.Bool() },
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"); err != nil {
		t.Fatal(err)
	}
	if err := ask(ctx); err != nil {
		t.Errorf("on a connection that was lost: %v", err)
	}
}

// TestDirect_ListsAreNotPlannedAnew: a list of ids is planned once for any, not for each call.
func TestDirect_ListsAreNotPlannedAnew(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	err := d.InTx(t.Context(), func(ctx context.Context) error {
		id := func(r *direct.Row) uuid.UUID { return r.UUID() }
		const asked = "SELECT p.id FROM people p WHERE p.id = ANY ((SELECT $1::uuid[])::uuid[])"
		for range 12 {
			if _, err := direct.All(ctx, d, id, asked, db.UUIDs{uuid.New(), uuid.New()}); err != nil {
				return err
			}
		}
		plans, err := direct.All(ctx, d, func(r *direct.Row) [2]int { return [2]int{r.Int(), r.Int()} },
			"SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1", asked)
		if err != nil || len(plans) != 1 || plans[0] != [2]int{7, 5} {
			t.Errorf("plans for any and for these values: %v, %v", plans, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNamed_NumbersArguments(t *testing.T) {
	t.Parallel()
	args := map[string]any{"person": 1, "now": 2, "now_2": 3, "unused": 4}
	statement, listed := direct.Named("SELECT '@', a@b FROM t WHERE p = @person AND (u > @now OR @now_2 < @now) AND q = @person LIMIT @", args)
	if statement != "SELECT '@', a@b FROM t WHERE p = $1 AND (u > $2 OR $3 < $2) AND q = $1 LIMIT @" {
		t.Error(statement)
	}
	if diff := cmp.Diff([]any{1, 2, 3}, listed); diff != "" {
		t.Error(diff)
	}
}
