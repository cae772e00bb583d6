package chaos

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// The phases of an outage.
const (
	before int32 = iota
	down
	after
)

// outage counts what is answered while the database is down.
type outage struct {
	t       *testing.T
	mu      sync.Mutex
	refused map[string]int
}

// see holds one answer against the promise. The server itself is always there; without its database
// it does nothing and says so.
func (o *outage) see(seen try) {
	o.mu.Lock()
	defer o.mu.Unlock()
	what := seen.request.method + " " + seen.request.path
	switch {
	case seen.err != nil:
		o.t.Errorf("%s had no answer: %v", what, seen.err)
	case seen.answer.status >= http.StatusInternalServerError && !seen.answer.mayBeRepeated():
		o.t.Errorf("%s answered %d: %s", what, seen.answer.status, seen.answer.body)
	case seen.begun == down && seen.ended == down && seen.answer.status != http.StatusServiceUnavailable:
		o.t.Errorf("without a database %s answered %d: %s", what, seen.answer.status, seen.answer.body)
	case seen.begun == down && seen.ended == down:
		o.refused[kindOf(seen.request)]++
	}
}

func kindOf(r request) string {
	switch r.path {
	case "/v1/sessions", "/v1/me", "/v1/status":
		return r.path
	}
	return "/v1/…/declarations"
}

// TestOutage_DatabaseGoesAway: without its database the service does nothing, says so, and goes on
// by itself once it is back.
func TestOutage_DatabaseGoesAway(t *testing.T) {
	database, url := postgres(t)
	h := newHouse(t, url)
	s := h.server()
	s.start()
	l := newLoad(t, h.seed.filers(4), s.site)
	_, taxCode := h.seed.person()
	reader := s.site.login(t, taxCode, h.seed.pin).AccessToken
	o := &outage{t: t, refused: map[string]int{}}
	l.watch = o.see

	stop := make(chan struct{})
	var others sync.WaitGroup
	for _, r := range []request{
		{method: http.MethodPost, path: "/v1/sessions", body: credentials(taxCode, h.seed.pin)},
		{method: http.MethodGet, path: "/v1/me", token: reader},
		{method: http.MethodGet, path: "/v1/status"},
	} {
		others.Go(func() { l.keepAsking(r, s.site, stop) })
	}
	l.begin(8)
	l.advance(50)

	if err := database.StopAtOnce(); err != nil {
		t.Fatal(err)
	}
	l.phase.Store(down)
	pause(t.Context(), 3*time.Second)
	eventually(t, patience, "everything was refused", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.refused) == 4
	})
	if !s.runs() {
		t.Fatal("the server ended without its database")
	}
	l.phase.Store(after)
	if err := database.Start(); err != nil {
		t.Fatal(err)
	}
	s.ready(5 * time.Second)
	s.site.get(t, "/v1/me", s.site.login(t, taxCode, h.seed.pin).AccessToken).want(t, http.StatusOK, "")
	l.advance(50)
	close(stop)
	others.Wait()
	acknowledged := l.end()
	t.Logf("refused during the outage: %v", o.refused)
	s.terminate()
	checkRegister(t, h.seed.db, acknowledged)
}

// keepAsking sends the request again and again until it is told to stop.
func (l *load) keepAsking(r request, at site, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		seen := try{request: r, begun: l.phase.Load()}
		seen.answer, seen.err = at.send(l.t.Context(), r)
		seen.ended = l.phase.Load()
		if l.t.Context().Err() != nil {
			return
		}
		l.watch(seen)
		pause(l.t.Context(), retryAfter)
	}
}
