//go:build cluster

package chaos

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"diresco/internal/platform/clock"
)

const (
	clusterVariable = "DIRESCO_CHAOS_CLUSTER"
	clusterClients  = 32
	// killed and switched are how long nobody may be able to file after a leader was lost, and
	// after another was made one on purpose.
	killed   = 30 * time.Second
	switched = 5 * time.Second
	// frozen is how long a leader stands still.
	frozen = time.Minute
	// whole is how long a cluster may take to become whole again.
	whole = 5 * time.Minute
)

// cluster is what tools/cluster.sh has started.
type cluster struct{ t *testing.T }

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t}
	c.do("up")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.do("logs"))
		}
		c.do("down")
	})
	return c
}

// do runs a command of the script and returns what it printed.
func (c *cluster) do(arguments ...string) string {
	c.t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(c.t.Context()), "../../../tools/cluster.sh", arguments...).Output()
	if err != nil {
		var said string
		if failed := new(exec.ExitError); errors.As(err, &failed) {
			said = string(failed.Stderr)
		}
		c.t.Fatalf("cluster.sh %s: %v: %s", strings.Join(arguments, " "), err, said)
	}
	return strings.TrimSpace(string(out))
}

// gap watches how long nobody could file.
type gap struct {
	mu      sync.Mutex
	last    time.Time
	longest time.Duration
}

func (g *gap) see(seen try) {
	if seen.err != nil || seen.request.method != http.MethodPost || seen.answer.status > http.StatusAccepted {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := clock.System{}.Now()
	g.longest = max(g.longest, now.Sub(g.last))
	g.last = now
}

func (g *gap) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last, g.longest = clock.System{}.Now(), 0
}

func (g *gap) end() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.longest, clock.System{}.Now().Sub(g.last))
}

// TestCluster_LosesNothing: a leader that is killed, stands still, is cut off or hands over, and a
// standby that is lost, cost nobody anything that was acknowledged. Both processes go on by
// themselves, one with the addresses of all nodes, one through PgBouncer.
func TestCluster_LosesNothing(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv(clusterVariable))
	if err != nil || rounds < 1 {
		rounds = 1
	}
	c := newCluster(t)
	h := newHouse(t, c.do("url"))
	h.common["DATABASE_REPLICA_URL"] = c.do("standbys")
	a, b := h.server(), newServer(t, "serve", h.common.with(variables{"DATABASE_URL": c.do("pooled")}))
	a.start()
	b.start()
	g := &gap{}
	l := newLoad(t, h.seed.filers(clusterClients/2), a.site, b.site)
	l.watch = g.see
	l.begin(clusterClients)
	for _, event := range []struct {
		name string
		// limit is how long nobody may be able to file; 0 for no promise.
		limit time.Duration
		do    func()
	}{
		{"the leader is killed", killed, func() { c.do("kill", c.do("leader")) }},
		{"the leader hands over", switched, func() { c.do("switchover") }},
		{"the leader stands still for a minute", 0, func() {
			leader := c.do("leader")
			c.do("freeze", leader)
			pause(t.Context(), frozen)
			// Until its Patroni notices, it answers questions by what it knew: only a watchdog hinders that.
			// What it is told it cannot acknowledge.
			l.stale.Store(true)
			c.do("thaw", leader)
		}},
		{"the leader is cut off from etcd", killed, func() {
			leader := c.do("leader")
			c.do("cut", leader)
			eventually(t, whole, "another leads", func() bool {
				out, err := exec.CommandContext(context.WithoutCancel(c.t.Context()), "../../../tools/cluster.sh", "leader").Output()
				return err == nil && strings.TrimSpace(string(out)) != leader
			})
			c.do("heal", leader)
		}},
		{"the synchronous standby is killed", killed, func() { c.do("kill", c.do("sync")) }},
	} {
		for round := range rounds {
			l.advance(2 * clusterClients)
			filed := l.filed()
			g.begin()
			event.do()
			l.advance(2 * clusterClients)
			longest := g.end()
			t.Logf("%s, %d of %d: nobody could file for %.1f s; %d acknowledged meanwhile",
				event.name, round+1, rounds, longest.Seconds(), l.filed()-filed)
			if event.limit != 0 && longest > event.limit {
				t.Errorf("%s: nobody could file for %v, promised are %v", event.name, longest, event.limit)
			}
			c.do("revive")
			l.advance(2 * clusterClients)
			l.settle()
			l.stale.Store(false)
			l.round.Add(1)
			l.renew(a.site)
		}
	}
	acknowledged := l.end()
	t.Logf("%d submissions acknowledged, %d requests without an answer", len(acknowledged), l.broken.Load())
	if !a.runs() || !b.runs() {
		t.Error("a process of the service has ended")
	}
	l.askAgain(b.site, acknowledged)
	a.terminate()
	b.terminate()
	checkRegister(t, h.seed.db, acknowledged)
}
