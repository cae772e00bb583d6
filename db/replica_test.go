package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

// pair is a leader with a standby that follows it.
type pair struct {
	t               *testing.T
	leader, standby *dbtest.Server
	d               *db.DB
	// atStandby is a connection to the standby past the service's.
	atStandby *db.DB
}

func newPair(t *testing.T) *pair {
	t.Helper()
	leader, err := dbtest.NewServer(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leader.Close)
	standby, err := leader.NewStandby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Close)
	p := &pair{t: t, leader: leader, standby: standby, d: dbtest.Open(t, leader.URL()), atStandby: dbtest.Open(t, standby.URL())}
	p.do(p.d, "CREATE TABLE seen (n integer)", "INSERT INTO seen VALUES (0)")
	if err := p.d.AddReplica(standby.URL()); err != nil {
		t.Fatal(err)
	}
	p.eventually("the replica is fit", func() bool { return p.d.LookAtReplica(context.Background()) == nil })
	return p
}

func (p *pair) do(d *db.DB, statements ...string) {
	p.t.Helper()
	for _, statement := range statements {
		if err := d.From(context.Background()).Exec(statement).Error; err != nil {
			p.t.Fatal(err)
		}
	}
}

// eventually waits for something that another process does.
func (p *pair) eventually(what string, holds func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("never: %s", what)
		}
	}
}

// where is what a read saw: the last number, and whether a standby answered.
type where struct {
	N       int
	Standby bool
}

const selectSeen = "SELECT max(n) AS n, pg_is_in_recovery() AS standby FROM seen"

func (p *pair) read() where {
	p.t.Helper()
	seen, err := db.FromReplica(context.Background(), p.d, func(ctx context.Context) (seen where, err error) {
		err = p.d.From(ctx).Raw(selectSeen).Scan(&seen).Error
		return seen, err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return seen
}

// TestReplica_IsNeverOlderThanWhatWasCommitted: each read comes right after a write, of another
// connection, and sees it.
func TestReplica_IsNeverOlderThanWhatWasCommitted(t *testing.T) {
	p := newPair(t)
	other := dbtest.Open(t, p.leader.URL())
	standby := 0
	for n := 1; n <= 200; n++ {
		if err := other.From(t.Context()).Exec("INSERT INTO seen VALUES ( ?)", n).Error; err != nil {
			t.Fatal(err)
		}
		seen := p.read()
		if seen.N != n {
			t.Fatalf("%d was committed and %d is seen", n, seen.N)
		}
		if seen.Standby {
			standby++
		} else if err := p.d.LookAtReplica(t.Context()); err != nil {
			t.Log(err)
		}
	}
	state, some := p.d.Replica()
	if standby == 0 || !some || state.Answered != int64(standby) || state.Answered+state.Passed != 200 {
		t.Errorf("%d reads by the standby, %+v", standby, state)
	}
}

// TestReplica_IsLeftOutWhileItLags: the leader answers, with what is new, and the replica does again
// once it has caught up.
func TestReplica_IsLeftOutWhileItLags(t *testing.T) {
	p := newPair(t)
	if seen := p.read(); !seen.Standby {
		t.Fatal("the leader answered")
	}
	p.do(p.atStandby, "SELECT pg_wal_replay_pause()")
	p.eventually("it stands still", func() bool {
		var state string
		err := p.atStandby.From(t.Context()).Raw("SELECT pg_get_wal_replay_pause_state()").Scan(&state).Error
		return err == nil && state == "paused"
	})
	p.do(p.d, "INSERT INTO seen VALUES (1)")
	if seen := p.read(); seen != (where{1, false}) {
		t.Errorf("a reader saw %+v", seen)
	}
	state, _ := p.d.Replica()
	if state.Fit || state.Lag == 0 || state.Reason == nil || !strings.Contains(state.Reason.Error(), "lags") {
		t.Errorf("it fares %+v", state)
	}
	if err := p.d.LookAtReplica(t.Context()); err == nil || !strings.Contains(err.Error(), "lags") {
		t.Errorf("looked at, it is %v", err)
	}
	p.do(p.atStandby, "SELECT pg_wal_replay_resume()")
	p.eventually("it is fit again", func() bool { return p.d.LookAtReplica(t.Context()) == nil })
	if seen := p.read(); seen != (where{1, true}) {
		t.Errorf("a reader saw %+v", seen)
	}
}

// TestReplica_IsDoneWithoutWhileItIsAway: killed between two reads and in the middle of one, it costs
// nobody an answer.
func TestReplica_IsDoneWithoutWhileItIsAway(t *testing.T) {
	p := newPair(t)
	times := 0
	seen, err := db.FromReplica(t.Context(), p.d, func(ctx context.Context) (seen where, err error) {
		times++
		if err := p.standby.Kill(); err != nil {
			t.Error(err)
		}
		err = p.d.From(ctx).Raw(selectSeen).Scan(&seen).Error
		return seen, err
	})
	if err != nil || seen.Standby || times != 2 {
		t.Errorf("%+v after %d times, %v", seen, times, err)
	}
	if err := p.d.LookAtReplica(t.Context()); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("away, it is %v", err)
	}
	if seen := p.read(); seen.Standby {
		t.Error("who is away answered")
	}
	if err := p.standby.Start(); err != nil {
		t.Fatal(err)
	}
	p.eventually("it is fit again", func() bool { return p.d.LookAtReplica(t.Context()) == nil })
	if seen := p.read(); !seen.Standby {
		t.Error("the leader answered")
	}
}

// TestReplica_MustFollowThisLeader: one that leads itself, or that belongs to another cluster, is
// never asked, however far its log is.
func TestReplica_MustFollowThisLeader(t *testing.T) {
	p := newPair(t)
	p.do(p.atStandby, "SELECT pg_promote()")
	p.do(p.atStandby, "INSERT INTO seen VALUES (100)")
	if seen := p.read(); seen != (where{0, false}) {
		t.Errorf("a reader saw %+v", seen)
	}
	if err := p.d.LookAtReplica(t.Context()); err == nil {
		t.Error("a leader is taken for a replica")
	}
	stranger := newPair(t)
	d := dbtest.Open(t, p.leader.URL())
	if err := d.AddReplica(stranger.standby.URL()); err != nil {
		t.Fatal(err)
	}
	if err := d.LookAtReplica(t.Context()); err == nil || !strings.Contains(err.Error(), "no standby of this leader") {
		t.Errorf("another cluster's standby is %v", err)
	}
}

// TestReplica_SaysWhatTheReadSays: an error of the read itself is that of the leader, and leaves the
// replica in.
func TestReplica_SaysWhatTheReadSays(t *testing.T) {
	p := newPair(t)
	wrong := errors.New("wrong")
	_, err := db.FromReplica(t.Context(), p.d, func(context.Context) (int, error) { return 0, wrong })
	if state, _ := p.d.Replica(); !errors.Is(err, wrong) || !state.Fit {
		t.Errorf("%v, %+v", err, state)
	}
	// What writes there is done by the leader.
	_, err = db.FromReplica(t.Context(), p.d, func(ctx context.Context) (int, error) {
		return 0, p.d.From(ctx).Exec("INSERT INTO seen VALUES (7)").Error
	})
	if err != nil {
		t.Error(err)
	}
	p.eventually("it is fit again", func() bool { return p.d.LookAtReplica(t.Context()) == nil })
	rows := 0
	if _, err := db.FromReplica(t.Context(), p.d, func(ctx context.Context) (standby bool, err error) {
		rows = 0
		err = p.d.EachRow(ctx, func(g *gorm.DB) *gorm.DB {
			return g.Raw("SELECT n, pg_is_in_recovery() FROM seen ORDER BY n").Find(&[]map[string]any{})
		}, func(values [][]byte) error {
			rows++
			standby = values[1][0] == 1
			return nil
		})
		if !standby {
			t.Error("the leader answered")
		}
		return standby, err
	}); err != nil || rows != 2 {
		t.Errorf("%d rows, %v", rows, err)
	}
	// In a transaction nobody leaves it.
	if err := p.d.InTx(t.Context(), func(ctx context.Context) error {
		_, err := db.FromReplica(ctx, p.d, func(ctx context.Context) (int, error) {
			return 0, p.d.From(ctx).Exec("INSERT INTO seen VALUES (8)").Error
		})
		return err
	}); err != nil {
		t.Error(err)
	}
}

// TestReplica_IsForPostgreSQL: and its URL is that of a standby.
func TestReplica_IsForPostgreSQL(t *testing.T) {
	lite := dbtest.Open(t, "sqlite:"+t.TempDir()+"/d.db")
	if err := lite.AddReplica("postgres://u:hunter2@127.0.0.1:1/x"); err == nil {
		t.Error("SQLite has a replica")
	}
	d := dbtest.Open(t, dbtest.Postgres(t))
	for _, url := range []string{"postgres://u:hunter2@127.0.0.1:one/x", "postgres://u:hunter2@127.0.0.1:1/x?default_query_exec_mode=exec"} {
		if err := d.AddReplica(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q is %v", url, err)
		}
	}
	if err := d.AddReplica("postgres://u:hunter2@127.0.0.1:1/x"); err != nil {
		t.Fatal(err)
	}
	err := d.LookAtReplica(t.Context())
	if err == nil || !strings.Contains(err.Error(), "cannot be reached") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it says %v", err)
	}
}
