package chaos

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"diresco/api/client"
	"diresco/internal/test/dbtest"
)

// leftOut is what the log says of a replica that answers no reads.
const leftOut = "the database's replica is left out"

// TestReplica_ListsHaveWhatWasAcknowledged: what one process acknowledged is in the list and in the
// export that the other one gives right after it. That holds while the replica follows, stands
// still, is away, and is back again.
func TestReplica_ListsHaveWhatWasAcknowledged(t *testing.T) {
	leader, err := dbtest.NewServer(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leader.Close)
	h := newHouse(t, leader.URL())
	standby, err := leader.NewStandby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Close)
	var admins [2]site
	var servers [2]*server
	for i := range servers {
		address := freeAddress(t)
		admins[i] = newSite(t, "http://"+address)
		servers[i] = newServer(t, "serve", h.common.with(variables{
			"DATABASE_REPLICA_URL": standby.URL(), "ADMIN_ADDR": address, "LOG_LEVEL": "info",
		}))
		servers[i].start()
	}
	l := newLoad(t, h.seed.filers(4), servers[0].site, servers[1].site)
	// answered is how many reads were answered, by whom, at both processes.
	answered := func(by string) int {
		count := 0
		for _, admin := range admins {
			count += sumOf(t, admin, `database_replica_reads_total{by="`+by+`"`)
		}
		return count
	}
	follows := func(fit int) func() bool {
		return func() bool {
			return sumOf(t, admins[0], "database_replica_fit") == fit && sumOf(t, admins[1], "database_replica_fit") == fit
		}
	}
	paused := open(t, standby.URL())
	n := 0
	for _, phase := range []struct {
		name    string
		change  func() error
		follows int
	}{
		{"it follows", func() error { return nil }, 1},
		{"it stands still", func() error { return paused.From(t.Context()).Exec("SELECT pg_wal_replay_pause()").Error }, 0},
		{"it goes on", func() error { return paused.From(t.Context()).Exec("SELECT pg_wal_replay_resume()").Error }, 1},
		{"it is away", standby.Kill, 0},
		{"it is back", standby.Start, 1},
	} {
		if err := phase.change(); err != nil {
			t.Fatal(err)
		}
		if phase.follows == 1 {
			eventually(t, patience, "the replica is fit", follows(1))
		}
		replica, leader := answered("replica"), answered("leader")
		for range 40 {
			f, filing, asked := l.filers[n%len(l.filers)], l.sites[n%2], l.sites[(n+1)%2]
			if !l.file(f, filing, n) {
				t.FailNow()
			}
			n++
			last := l.done[len(l.done)-1].first
			listed := decode[client.DeclarationList](t, asked.get(t, f.path()+"?limit=1", f.token()).want(t, http.StatusOK, ""))
			if len(listed.Items) != 1 || listed.Items[0].DeclarationId != last.DeclarationId {
				t.Fatalf("%s: %s was acknowledged, and the list begins with %+v", phase.name, last.DeclarationId, listed.Items)
			}
			if n%10 == 0 {
				export := f.path() + "/export"
				if all := asked.get(t, export, f.token()).want(t, http.StatusOK, ""); !strings.Contains(string(all.body), last.DeclarationId.String()) {
					t.Fatalf("%s: %s was acknowledged, and is in no export", phase.name, last.DeclarationId)
				}
			}
		}
		replica, leader = answered("replica")-replica, answered("leader")-leader
		t.Logf("%s: %d reads by the replica, %d by the leader", phase.name, replica, leader)
		if (phase.follows == 1) != (replica > 0) || phase.follows == 0 && leader == 0 {
			t.Errorf("%s: the replica answered %d, the leader %d", phase.name, replica, leader)
		}
		if phase.follows == 0 {
			eventually(t, patience, "the replica is left out", follows(0))
			// What a read has found out is told when the replica is looked at next.
			eventually(t, patience, "the logs say that it is", func() bool {
				return !slices.ContainsFunc(servers[:], func(s *server) bool { return !strings.Contains(s.stderr.String(), leftOut) })
			})
		}
	}
	acknowledged := l.end()
	for _, s := range servers {
		s.terminate()
		for _, said := range []string{"the database's replica answers reads", leftOut} {
			if !strings.Contains(s.stderr.String(), said) {
				t.Errorf("the log does not say that %s", said)
			}
		}
	}
	checkRegister(t, h.seed.db, acknowledged)
}

// sumOf reads the sum of the values of a metric whose lines begin so.
func sumOf(t *testing.T, admin site, begins string) int {
	t.Helper()
	text := string(admin.get(t, "/metrics", "").body)
	sum := 0.0
	for _, found := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(begins)+`.* ([0-9.e+]+)$`).FindAllStringSubmatch(text, -1) {
		value, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return int(sum)
}
