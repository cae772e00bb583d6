package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/platform/clock"
)

// filer is somebody who declares for a contributor with positions at several offices.
type filer struct {
	taxCode, pin string
	contributor  string
	positions    []string

	mu      sync.Mutex
	session client.Session
}

func (f *filer) token() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session.AccessToken
}

func (f *filer) hold(s client.Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session = s
}

func (f *filer) path() string { return "/v1/contributors/" + f.contributor + "/declarations" }

// filing is a submission that was acknowledged.
type filing struct {
	by *filer
	// request is what was answered with the receipt.
	request request
	first   client.Declaration
	// tries is how often the request was sent until it was answered, and took how long that was.
	tries int
	took  time.Duration
	// sent and acknowledged are places in the order of everything that the clients did.
	sent, acknowledged int64
	// round is how many crashes came before.
	round int
}

// try is one request of the load and what came of it.
type try struct {
	// begun and ended are the phase of the test when it was sent and when it was answered.
	begun, ended int32
	request      request
	answer       answer
	err          error
}

// load is what many clients do at once, each one thing after the other. They file declarations, at
// once or by a draft that is submitted. Each filing has a key of its own, and comes again with the
// same key until there is an answer.
type load struct {
	t       *testing.T
	sites   []site
	example json.RawMessage
	filers  []*filer
	// watch, where it is set, sees every request and its answer.
	watch func(try)

	// stale tells that who led may still answer questions, and not know what its successor was told.
	stale atomic.Bool

	phase  atomic.Int32
	round  atomic.Int32
	events atomic.Int64
	// broken counts the requests that had no answer.
	broken atomic.Int64

	stop chan struct{}
	all  sync.WaitGroup
	mu   sync.Mutex
	done []filing
	// open are the filings that are sent and not acknowledged, by when each began.
	open map[int64]struct{}
}

// newLoad returns clients of the sites, for people who are known there. They are logged in at the
// first one.
func newLoad(t *testing.T, filers []*filer, sites ...site) *load {
	t.Helper()
	l := &load{t: t, sites: sites, filers: filers, stop: make(chan struct{}), open: map[int64]struct{}{}}
	shown := decode[client.DeclarationType](t, sites[0].get(t, "/v1/declaration-types/RIOC", "").want(t, http.StatusOK, ""))
	l.example = shown.ContentExample
	for _, f := range filers {
		f.hold(sites[0].login(t, f.taxCode, f.pin))
	}
	return l
}

// begin starts the clients.
func (l *load) begin(clients int) {
	for i := range clients {
		f, at := l.filers[i%len(l.filers)], l.sites[i%len(l.sites)]
		l.all.Go(func() {
			for n := i; l.goesOn() && l.file(f, at, n); n++ {
				// Everybody goes to every server.
				at = l.sites[n%len(l.sites)]
			}
		})
	}
}

func (l *load) goesOn() bool {
	select {
	case <-l.stop:
		return false
	default:
		return true
	}
}

// end lets every client finish what it has begun.
func (l *load) end() []filing {
	l.t.Helper()
	close(l.stop)
	l.all.Wait()
	if l.t.Failed() {
		l.t.FailNow()
	}
	return l.done
}

// filed is how many submissions were acknowledged so far.
func (l *load) filed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.done)
}

// advance returns once so many more submissions were acknowledged.
func (l *load) advance(by int) {
	l.t.Helper()
	goal := l.filed() + by
	eventually(l.t, patience, "submissions are acknowledged", func() bool {
		if l.t.Failed() {
			l.t.FailNow()
		}
		return l.filed() >= goal
	})
}

// settle returns once all is answered that was sent before. On a slow machine a client may insist
// for as long as many others file.
func (l *load) settle() {
	l.t.Helper()
	now := l.events.Add(1)
	eventually(l.t, patience, "what was sent is answered", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for sent := range l.open {
			if sent < now {
				return false
			}
		}
		return true
	})
}

// file makes one declaration and reports whether it could.
func (l *load) file(f *filer, at site, n int) bool {
	body := map[string]any{"type": "RIOC", "position_id": f.positions[n%len(f.positions)], "content": l.example}
	path := f.path()
	// Every third one is drafted first.
	if n%3 == 0 {
		drafted, _, ok := l.insist(f, at, request{method: http.MethodPost, path: path, body: body})
		if !ok {
			return false
		}
		var draft client.Declaration
		if err := json.Unmarshal(drafted.answer.body, &draft); err != nil || draft.State != client.DeclarationStateDraft {
			l.t.Errorf("drafted %s: %v", drafted.answer.body, err)
			return false
		}
		body, path = nil, "/v1/declarations/"+draft.DeclarationId.String()+"/submission"
	} else {
		body["submit"] = true
	}
	r := request{method: http.MethodPost, path: path}
	if body != nil {
		r.body = body
	}
	filed := filing{by: f, sent: l.events.Add(1), round: int(l.round.Load())}
	began := clock.System{}.Now()
	l.mu.Lock()
	l.open[filed.sent] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.open, filed.sent)
		l.mu.Unlock()
	}()
	last, tries, ok := l.insist(f, at, r)
	if !ok {
		return false
	}
	filed.acknowledged, filed.request, filed.tries, filed.took = l.events.Add(1), last.request, tries, clock.System{}.Now().Sub(began)
	if err := json.Unmarshal(
		last.answer.body, &filed.first,
	); err != nil || filed.first.Receipt == nil || filed.first.ProtocolNumber == nil {
		l.t.Errorf("filed %s: %v", last.answer.body, err)
		return false
	}
	l.mu.Lock()
	l.done = append(l.done, filed)
	l.mu.Unlock()
	// A client that missed the answer asks again.
	return n%4 != 0 || l.repeat(at, filed)
}

// repeat sends the request of a filing again and reports whether it gave the same declaration.
func (l *load) repeat(at site, f filing) bool {
	again, _, ok := l.insist(f.by, at, f.request)
	if !ok {
		return false
	}
	if err := f.same(again.answer.body); err != nil {
		l.t.Errorf("%s %s with the same key: %v", f.request.method, f.request.path, err)
		return false
	}
	return true
}

// same returns an error unless the body shows the declaration that was acknowledged.
func (f filing) same(body []byte) error {
	var d client.Declaration
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	if d.Receipt == nil || d.ProtocolNumber == nil || d.SubmittedAt == nil || d.DeclarationId != f.first.DeclarationId ||
		*d.ProtocolNumber != *f.first.ProtocolNumber || *d.Receipt != *f.first.Receipt ||
		!d.SubmittedAt.Equal(*f.first.SubmittedAt) || !bytes.Equal(d.Content, f.first.Content) {
		return fmt.Errorf("%s instead of number %s, declaration %s", body, *f.first.ProtocolNumber, f.first.DeclarationId)
	}
	return nil
}

// insist sends a request, with one key, until it is served. What neither succeeds nor may be tried
// again fails the test.
func (l *load) insist(f *filer, at site, r request) (last try, tries int, ok bool) {
	if r.key == "" {
		r.key = uuid.NewString()
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*patience)
	defer cancel()
	for tries = 1; ; tries++ {
		r.token = f.token()
		last = try{request: r, begun: l.phase.Load()}
		last.answer, last.err = at.send(ctx, r)
		last.ended = l.phase.Load()
		if l.watch != nil {
			l.watch(last)
		}
		switch {
		case l.t.Context().Err() != nil:
			return last, tries, false // the test has ended
		case ctx.Err() != nil:
			l.t.Errorf("%s %s was never served: %d %s, %v", r.method, r.path, last.answer.status, last.answer.body, last.err)
			return last, tries, false
		case last.err != nil:
			l.broken.Add(1)
		case last.answer.status >= http.StatusOK && last.answer.status <= http.StatusAccepted:
			return last, tries, true
		case last.answer.status == http.StatusNotFound && l.stale.Load():
		case !last.answer.mayBeRepeated():
			l.t.Errorf("%s %s answered %d: %s", r.method, r.path, last.answer.status, last.answer.body)
			return last, tries, false
		}
		pause(ctx, retryAfter+upTo(retryAfter))
	}
}

// mayBeRepeated reports whether the server asks its client to come again.
func (a answer) mayBeRepeated() bool {
	if a.header.Get("Retry-After") == "" {
		return false
	}
	switch a.problem() {
	case "unavailable", "busy":
		return a.status == http.StatusServiceUnavailable
	case "request-in-progress":
		return a.status == http.StatusConflict
	}
	return false
}

// renew gets new tokens for everybody's session, which therefore lives.
func (l *load) renew(at site) {
	l.t.Helper()
	for _, f := range l.filers {
		at.get(l.t, "/v1/me", f.token()).want(l.t, http.StatusOK, "")
		renewed := at.post(l.t, "/v1/sessions/current/tokens", "", map[string]string{"refresh_token": f.session.RefreshToken})
		f.hold(decode[client.Session](l.t, renewed.want(l.t, http.StatusOK, "")))
	}
}
