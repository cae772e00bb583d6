package chaos

import (
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"diresco/api/client"
	"diresco/internal/test/dbtest"
)

const (
	clients = 16
	// shortKills is how often each kind of database is killed in a normal run; DIRESCO_CHAOS_KILLS
	// asks for more.
	shortKills    = 3
	killsVariable = "DIRESCO_CHAOS_KILLS"
	// postgresKilled is after how many kills of the server PostgreSQL is killed with it.
	postgresKilled = 3
)

func killsWanted(t *testing.T) int {
	t.Helper()
	text := os.Getenv(killsVariable)
	if text == "" {
		return shortKills
	}
	kills, err := strconv.Atoi(text)
	if err != nil || kills < 1 {
		t.Fatalf("%s must be a number of kills", killsVariable)
	}
	return kills
}

// TestKill_KilledUnderLoad: what was acknowledged survives SIGKILL of the server, and of
// PostgreSQL, and nothing is done twice.
func TestKill_KilledUnderLoad(t *testing.T) {
	kills := killsWanted(t)
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		killUnderLoad(t, kills, variables{"DATA_DIR": dir}, "sqlite:"+dir+"/diresco.db", nil)
	})
	t.Run("postgres", func(t *testing.T) {
		database, url := postgres(t)
		killUnderLoad(t, kills, variables{"DATA_DIR": t.TempDir(), "DATABASE_URL": url}, url, database)
	})
}

func killUnderLoad(t *testing.T, kills int, v variables, url string, database *dbtest.Server) {
	s := newServer(t, "sandbox", v)
	// Setting up can be cut short like everything else.
	s.launch()
	pause(t.Context(), upTo(500*time.Millisecond))
	s.kill()
	s.start()
	keys := s.site.get(t, "/.well-known/jwks.json", "").want(t, http.StatusOK, "")

	l := newLoad(t, sandboxFilers(t, s.site), s.site)
	l.begin(clients)
	for kill := 1; kill <= kills; kill++ {
		l.advance(3 * clients)
		pause(t.Context(), upTo(300*time.Millisecond))
		if database != nil && kill%postgresKilled == 0 {
			if err := database.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		s.kill()
		l.round.Add(1)
		if database != nil {
			if err := database.Start(); err != nil {
				t.Fatal(err)
			}
		}
		if kill%4 == 0 {
			s.launch()
			pause(t.Context(), upTo(500*time.Millisecond))
			s.kill()
		}
		s.start()
		l.renew(s.site)
	}
	l.advance(3 * clients)
	acknowledged := l.end()
	t.Logf("%d kills, %d submissions acknowledged, %d requests without an answer", kills, len(acknowledged), l.broken.Load())
	if l.broken.Load() == 0 {
		t.Error("no request was under way when the server was killed")
	}
	if now := s.site.get(t, "/.well-known/jwks.json", ""); string(now.body) != string(keys.body) {
		t.Errorf("the keys of receipts changed from %s to %s", keys.body, now.body)
	}
	l.askAgain(s.site, acknowledged)
	s.terminate()
	checkRegister(t, open(t, url), acknowledged)
}

// askAgain repeats the last submissions before each crash and those that a crash broke off, and
// reads their receipts.
func (l *load) askAgain(at site, acknowledged []filing) {
	l.t.Helper()
	const last = 2 * clients
	ofRound := map[int]int{}
	for _, f := range acknowledged {
		ofRound[f.round]++
	}
	var asked []filing
	for _, f := range acknowledged {
		if f.tries > 1 || ofRound[f.round] <= last {
			asked = append(asked, f)
		}
		ofRound[f.round]--
	}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for n := i; n < len(asked); n += clients {
				f := asked[n]
				if !l.repeat(at, f) {
					return
				}
				a, err := at.send(l.t.Context(), request{
					method: http.MethodGet, path: "/v1/declarations/" + f.first.DeclarationId.String() + "/receipt", token: f.by.token(),
					accept: "application/jose",
				})
				if err != nil || a.status != http.StatusOK || string(a.body) != f.first.Receipt.Jws {
					l.t.Errorf("the receipt of %s is %d %s, %v", *f.first.ProtocolNumber, a.status, a.body, err)
					return
				}
			}
		})
	}
	all.Wait()
	if l.t.Failed() {
		l.t.FailNow()
	}
}

// sandboxFilers makes people in a sandbox, each the legal representative of a company with
// positions at three offices.
func sandboxFilers(t *testing.T, at site) []*filer {
	t.Helper()
	filers := make([]*filer, clients/2)
	for i := range filers {
		p := decode[client.SandboxPerson](t, at.post(t, "/v1/sandbox/people", "", map[string]string{}).want(t, http.StatusCreated, ""))
		made := at.post(t, "/v1/sandbox/contributors", "", map[string]any{
			"legal_representative_tax_code": p.TaxCode,
			"positions":                     []map[string]string{{"office_code": "7000"}, {"office_code": "4900"}, {"office_code": "5100"}},
		})
		c := decode[client.SandboxContributor](t, made.want(t, http.StatusCreated, ""))
		filers[i] = &filer{taxCode: p.TaxCode, pin: p.Pin, contributor: c.ContributorId.String(), positions: ids(c.Positions)}
	}
	return filers
}

func ids(positions []client.Position) []string {
	all := make([]string, len(positions))
	for i, p := range positions {
		all[i] = p.PositionId.String()
	}
	return all
}
