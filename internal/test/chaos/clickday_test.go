package chaos

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/db"
	"diresco/internal/platform/money"
)

const (
	// clickDayVariable is how many people file on the click day; without it they are few.
	clickDayVariable = "DIRESCO_CLICK_DAY"
	shortClickDay    = 120
	// loginsAtOnce is how many log in at the same time: more would be told to come again.
	loginsAtOnce = 16
)

// clickDay is a day on which many file for the money of few.
type clickDay struct {
	people, places int
	// span is the time in which they file.
	span time.Duration
}

func clickDayWanted(t *testing.T) clickDay {
	t.Helper()
	text := os.Getenv(clickDayVariable)
	if text == "" {
		return clickDay{people: shortClickDay, places: 2 * shortClickDay / 5, span: 2 * time.Second}
	}
	people, err := strconv.Atoi(text)
	if err != nil || people < 10 {
		t.Fatalf("%s must be a number of people", clickDayVariable)
	}
	return clickDay{people: people, places: 2 * people / 5, span: time.Minute}
}

// TestClickDay_TheLowestRanksHaveTheMoney: many file for a fund through two processes, every third
// one twice, and one process is killed in the middle. The money goes to those who came first,
// nobody is filed twice, and nobody is lost.
func TestClickDay_TheLowestRanksHaveTheMoney(t *testing.T) {
	day := clickDayWanted(t)
	_, database := postgres(t)
	h := newHouse(t, database)
	a, b := h.server(), h.server()
	a.start()
	b.start()
	administrator := h.administrator(a.site, b.site)
	filers := h.seed.filers(day.people)
	logIn(t, filers, a.site, b.site)
	for _, run := range []struct {
		name, kind, fund string
		offices          int
	}{{"one office", "151-2015", "151-2015", 1}, {"five offices", "IO-LAVORO", "IO-LAVORO-15", len(offices)}} {
		t.Run(run.name, func(t *testing.T) {
			shown := decode[client.DeclarationType](t, b.site.get(t, "/v1/declaration-types/"+run.kind, "").want(t, http.StatusOK, ""))
			day.fund(t, b.site, administrator, run.fund, shown.ContentExample)
			acknowledged := day.file(t, filers, run.kind, run.offices, shown.ContentExample, a, b)
			day.check(t, h.seed.db, run.fund, acknowledged, run.offices == 1)
		})
	}
	a.terminate()
	b.terminate()
}

// logIn logs everybody in, some at a time.
func logIn(t *testing.T, filers []*filer, sites ...site) {
	t.Helper()
	var all sync.WaitGroup
	for i := range loginsAtOnce {
		all.Go(func() {
			for n := i; n < len(filers); n += loginsAtOnce {
				f := filers[n]
				made, err := sites[n%len(sites)].send(t.Context(), request{
					method: http.MethodPost, path: "/v1/sessions", key: uuid.NewString(), body: credentials(f.taxCode, f.pin),
				})
				var s client.Session
				if err != nil || made.status != http.StatusCreated || json.Unmarshal(made.body, &s) != nil {
					t.Errorf("a login is answered %d, %v", made.status, err)
					return
				}
				f.hold(s)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// fund sets a budget for as many as there are places.
func (d clickDay) fund(t *testing.T, at site, token, code string, example json.RawMessage) {
	t.Helper()
	var asked struct{ Amount string }
	if err := json.Unmarshal(example, &asked); err != nil {
		t.Fatal(err)
	}
	amount, err := money.Parse(asked.Amount)
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/backoffice/funds/" + code
	shown := at.get(t, path, token).want(t, http.StatusOK, "")
	budget := amount * money.Cents(d.places)
	at.do(t, request{
		method: http.MethodPut, path: path, token: token, ifMatch: shown.header.Get("ETag"),
		body: map[string]string{"budget": budget.String(), "currency": money.Currency},
	}).want(t, http.StatusOK, "")
}

// file lets everybody file once, spread over the time of the day. The first process is killed once
// half are acknowledged, and started again.
func (d clickDay) file(
	t *testing.T, filers []*filer, kind string, places int, example json.RawMessage, killed, other *server,
) []filing {
	t.Helper()
	l := &load{t: t, sites: []site{killed.site, other.site}, filers: filers}
	acknowledged := make([]filing, len(filers))
	var all sync.WaitGroup
	for i, f := range filers {
		after := time.Duration(i) * d.span / time.Duration(len(filers))
		all.Go(func() {
			pause(t.Context(), after+upTo(d.span/20))
			r := request{method: http.MethodPost, path: f.path(), key: uuid.NewString(), body: map[string]any{
				"type": kind, "position_id": f.positions[i%places], "content": example, "submit": true,
			}}
			// Every third client sends its request again before it has an answer, to the other
			// process.
			var twin sync.WaitGroup
			if i%3 == 0 {
				twin.Go(func() {
					again, _, ok := l.insist(f, l.sites[(i+1)%2], r)
					var second client.Declaration
					if ok && json.Unmarshal(again.answer.body, &second) == nil {
						l.mu.Lock()
						l.done = append(l.done, filing{by: f, first: second})
						l.mu.Unlock()
					}
				})
			}
			last, tries, ok := l.insist(f, l.sites[i%2], r)
			twin.Wait()
			if !ok {
				return
			}
			made := filing{by: f, request: last.request, tries: tries}
			if err := json.Unmarshal(last.answer.body, &made.first); err != nil || made.first.Receipt == nil {
				t.Errorf("filed %s: %v", last.answer.body, err)
				return
			}
			l.mu.Lock()
			acknowledged[i] = made
			l.mu.Unlock()
			l.events.Add(1)
		})
	}
	eventually(t, d.span+2*patience, "half of them are acknowledged", func() bool {
		return t.Failed() || int(l.events.Load()) >= len(filers)/2
	})
	killed.kill()
	killed.start()
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, second := range l.done {
		i := slices.IndexFunc(acknowledged, func(f filing) bool { return f.by == second.by })
		if first := acknowledged[i].first; second.first.DeclarationId != first.DeclarationId || second.first.Receipt.Jws != first.Receipt.Jws {
			t.Errorf("one key was answered with %s and %s", *first.ProtocolNumber, *second.first.ProtocolNumber)
		}
	}
	t.Logf("%d people, %d requests sent twice, %d requests without an answer", len(filers), len(l.done), l.broken.Load())
	return acknowledged
}

// claimed is a claim on the fund, with the declaration that makes it.
type claimed struct {
	Rank           int
	ID             uuid.UUID
	Claim          string
	State          string
	ContributorID  uuid.UUID
	ProtocolNumber string
	JWS            string `gorm:"column:jws"`
}

// check compares what was acknowledged with what the fund has. Within one office ranks rise with
// protocol numbers.
func (d clickDay) check(t *testing.T, base *db.DB, fund string, acknowledged []filing, oneOffice bool) {
	t.Helper()
	claims := rows[claimed](t, base, `SELECT c.rank, d.id, c.state AS claim, d.state, d.contributor_id, d.protocol_number, r.jws
		FROM fund_claims c JOIN declarations d ON d.id = c.subject_id JOIN protocol_entries r ON r.subject_id = d.id
		WHERE c.fund_code = '`+fund+`' ORDER BY c.rank`)
	if len(claims) != d.people {
		t.Errorf("%d people filed, and the fund has %d claims", d.people, len(claims))
	}
	byID := map[uuid.UUID]claimed{}
	contributors := map[uuid.UUID]bool{}
	accepted := 0
	for i, c := range claims {
		wantClaim, wantState := "reserved", "accepted"
		if i >= d.places {
			wantClaim, wantState = "waiting", "provisionally_not_accepted"
		}
		if c.Rank != i+1 || c.Claim != wantClaim || c.State != wantState {
			t.Errorf("the claim in place %d has rank %d and is %s, its declaration %s", i+1, c.Rank, c.Claim, c.State)
		}
		if contributors[c.ContributorID] {
			t.Errorf("%s is the second of one contributor", c.ProtocolNumber)
		}
		if oneOffice && i > 0 && c.ProtocolNumber[strings.LastIndex(c.ProtocolNumber, ".")+1:] <=
			claims[i-1].ProtocolNumber[strings.LastIndex(claims[i-1].ProtocolNumber, ".")+1:] {
			t.Errorf("rank %d has the number %s, the one before %s", c.Rank, c.ProtocolNumber, claims[i-1].ProtocolNumber)
		}
		contributors[c.ContributorID], byID[c.ID] = true, c
		if c.State == "accepted" {
			accepted++
		}
	}
	for _, f := range acknowledged {
		c, found := byID[f.first.DeclarationId]
		if !found || c.ProtocolNumber != *f.first.ProtocolNumber || c.JWS != f.first.Receipt.Jws || c.State != string(f.first.State) {
			t.Errorf("%s was acknowledged as %s and is stored as %+v", *f.first.ProtocolNumber, f.first.State, c)
		}
	}
	if n := rows[int64](t, base, "SELECT count(*) FROM fund_entries WHERE fund_code = '"+fund+"' AND reserved + spent > budget")[0]; n != 0 {
		t.Errorf("the fund is overspent in %d entries", n)
	}
	t.Logf("%d claims, %d accepted: those of rank 1 to %d", len(claims), accepted, d.places)
}
