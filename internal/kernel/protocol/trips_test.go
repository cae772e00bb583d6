package protocol_test

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"diresco/internal/kernel/protocol"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// counting stands before a PostgreSQL server and counts round trips: how often a client says
// something after it was answered, but for looking whether a connection that was idle is alive.
type counting struct{ trips atomic.Int64 }

// relay returns the address by which the database is reached through the counting.
func (c *counting) relay(t *testing.T, rawURL string) string {
	t.Helper()
	config, err := pgx.ParseConfig(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			network, address := pgconn.NetworkAddress(config.Host, config.Port)
			server, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			var mu sync.Mutex
			answered := true
			go c.pass(server, client, func(said []byte) {
				mu.Lock()
				defer mu.Unlock()
				if answered && !bytes.Contains(said, []byte("-- ping")) {
					c.trips.Add(1)
				}
				answered = false
			})
			go c.pass(client, server, func([]byte) {
				mu.Lock()
				defer mu.Unlock()
				answered = true
			})
		}
	}()
	through, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	through.Host = listener.Addr().String()
	query := through.Query()
	query.Del("host")
	query.Set("sslmode", "disable")
	through.RawQuery = query.Encode()
	return through.String()
}

// pass hands on what comes from one side to the other, until that ends.
func (*counting) pass(to, from net.Conn, heard func(said []byte)) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			heard(buffer[:n])
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// A group makes five round trips, however many filings and offices it has: begin, keys with rights,
// counters, all that is written, commit.
func TestRegister_AGroupMakesFiveRoundTrips(t *testing.T) {
	t.Parallel()
	var c counting
	a := world.New(t, dbtest.Open(t, c.relay(t, dbtest.Postgres(t))))
	people := []filer{newFiler(t, a), newFiler(t, a), newFiler(t, a)}
	a.Exec(t, "INSERT INTO offices (code, title) VALUES ('7777', 'Another'), ('7778', 'One more')")
	offices := []string{world.Rome, "7777", "7778"}
	fewest := int64(1000)
	// Statements are prepared the first time.
	for round := range 3 {
		gate := world.NewGate()
		r := newLane(a.NewRegister(t), gate)
		filings := make([]protocol.Filing[slip], 12)
		for i := range filings {
			filings[i] = people[i%3].claimed(offices[i%2+i%3/2], fmt.Sprint(round, i), slip{})
		}
		before := c.trips.Load()
		for i, o := range together(t, r, gate, people[0].claimed(world.Rome, fmt.Sprint(round), slip{}), filings...) {
			if o.err != nil {
				t.Errorf("round %d, %d: %v", round, i, o.err)
			}
		}
		fewest = min(fewest, c.trips.Load()-before)
	}
	if fewest != 2*5 {
		t.Errorf("two groups made %d round trips, want 10", fewest)
	}
}

// Whatever a group has, PostgreSQL plans its statements once and not for each group.
func TestRegister_GroupsAreNotPlannedAnew(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	a := world.New(t, d)
	p := newFiler(t, a)
	a.Exec(t, "INSERT INTO offices (code, title) VALUES ('7777', 'Another')")
	for i := range 60 {
		gate := world.NewGate()
		first, second := p.claimed(world.Rome, fmt.Sprint(i), slip{}), p.claimed([]string{world.Rome, "7777"}[i%2], fmt.Sprint(i, "b"), slip{})
		for _, o := range together(t, newLane(a.NewRegister(t), gate), gate, first, second) {
			if o.err != nil {
				t.Error(o.err)
			}
		}
	}
	if again := dbtest.PlannedAnew(t, d); len(again) != 0 {
		t.Errorf("planned anew: %q", again)
	}
}
