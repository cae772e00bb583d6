package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/kernel/access"
)

// stream is an open stream of events.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	end   context.CancelFunc
	// header is that of the answer.
	header http.Header
}

// sentEvent is one event of a stream.
type sentEvent struct {
	id, event string
	data      client.Event
	reason    string
}

func (w *fixture) stream(token, query string, headers ...header) *stream {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/v1/events/stream"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for _, h := range headers {
		request.Header.Set(h.name, h.value)
	}
	// Without an end it is none of the answers that are held against the contract.
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("answered %d %s", response.StatusCode, response.Header)
	}
	return &stream{w.t, bufio.NewScanner(response.Body), cancel, response.Header}
}

// next reads the next event.
func (s *stream) next() sentEvent {
	s.t.Helper()
	var e sentEvent
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.event = value
		case "data":
			var end struct{ Reason string }
			into := any(&e.data)
			if e.event == "end" {
				into = &end
			}
			if err := json.Unmarshal([]byte(value), into); err != nil {
				s.t.Fatal(err)
			}
			e.reason = end.Reason
		case "":
			if s.lines.Text() == "" && e.event != "" {
				return e
			}
		}
	}
	s.t.Fatalf("the stream ended: %v", s.lines.Err())
	return e
}

func (w *fixture) events(token, query string) client.EventPage {
	w.t.Helper()
	var page client.EventPage
	w.do(http.MethodGet, "/v1/events"+query, token, nil).want(w.t, http.StatusOK, "").decode(w.t, &page)
	return page
}

func (w *fixture) fileOne(f filer) string {
	w.t.Helper()
	filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(w.t, http.StatusCreated, "")
	id, _ := filed.field("declaration_id").(string)
	return id
}

// A program reads what happened, goes on from its cursor, waits, and is streamed the rest; another
// person sees nothing of it.
func TestEvents_AProgramFollowsWhatHappens(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		latest := w.events(f.token, "?after=latest").NextCursor
		first := w.fileOne(f)
		page := w.events(f.token, "?after="+latest)
		if len(page.Items) != 1 || page.Items[0].Subject.Id.String() != first || page.Items[0].Type != "declaration.submitted" ||
			page.Items[0].ContributorId == nil || *page.Items[0].ContributorId != f.contributor {
			t.Fatalf("%+v", page)
		}
		w.do(http.MethodGet, page.Items[0].Links.Subject.Href, f.token, nil).want(t, http.StatusOK, "")
		if again := w.events(f.token, strings.TrimPrefix(page.Links.Next.Href, "/v1/events")); len(again.Items) != 0 {
			t.Errorf("behind the last: %+v", again)
		}
		waited := make(chan client.EventPage)
		go func() { waited <- w.events(f.token, "?wait=30&after="+page.NextCursor) }()
		s := w.stream(f.token, "", header{"Last-Event-ID", latest}, header{"Origin", "http://localhost:5173"})
		if got := s.next(); got.id == "" || got.event != "declaration.submitted" || got.data.Subject.Id.String() != first {
			t.Errorf("streamed %+v", got)
		}
		for name, want := range map[string]string{
			"X-Accel-Buffering": "no", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "http://localhost:5173", "Content-Encoding": "",
		} {
			if s.header.Get(name) != want {
				t.Errorf("%s: %q", name, s.header.Get(name))
			}
		}
		second := w.fileOne(f)
		if got := s.next(); got.data.Subject.Id.String() != second {
			t.Errorf("streamed %+v, not %s", got, second)
		}
		if got := <-waited; len(got.Items) != 1 || got.Items[0].Subject.Id.String() != second {
			t.Errorf("waited for %+v, not %s", got, second)
		}
		withdrawn := w.do(http.MethodPost, "/v1/declarations/"+second+"/withdrawal", f.token, nil, key())
		if withdrawn.status == http.StatusOK {
			if got := s.next(); got.event != "declaration.withdrawn" || got.data.Subject.Id.String() != second {
				t.Errorf("streamed %+v", got)
			}
		}
		stranger := w.person(func(p client.SandboxPerson) bool {
			return p.UserClass == client.UserClassCitizen && p.PersonId != f.person.PersonId &&
				!slices.ContainsFunc(p.Roles, func(r client.SandboxRole) bool { return r.ContributorId == f.contributor })
		})
		token := w.loginAs(stranger).AccessToken
		for _, e := range w.events(token, "").Items {
			if e.ContributorId != nil && *e.ContributorId == f.contributor {
				t.Errorf("a stranger sees %+v", e)
			}
		}
		operator := w.loginAs(w.person(operatorOf("1400"))).AccessToken
		w.do(http.MethodGet, "/v1/events", operator, nil).want(t, http.StatusForbidden, "forbidden")
		w.do(http.MethodGet, "/v1/events/stream", operator, nil).want(t, http.StatusForbidden, "forbidden")
	})
}

// What cannot be gone on from, or is no type, is refused with its place.
func TestEvents_WhatIsWrongIsNamed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		for query, want := range map[string][2]string{
			"?after=e999999": {"after", "cursor-gone"}, "?after=x": {"after", "cursor"}, "?types=a.b": {"types", "enum"}, "?wait=31": {"wait", "maximum"},
			"?limit=101": {"limit", "maximum"},
		} {
			refused := w.do(http.MethodGet, "/v1/events"+query, f.token, nil).want(t, http.StatusBadRequest, "malformed-request")
			errors, _ := refused.field("errors").([]any)
			first, _ := errors[0].(map[string]any)
			if first["parameter"] != want[0] || first["code"] != want[1] {
				t.Errorf("%s: %s", query, refused.body)
			}
		}
		refused := w.do(http.MethodGet, "/v1/events/stream", f.token, nil, header{"Last-Event-ID", "e999999"}).want(
			t, http.StatusBadRequest, "malformed-request",
		)
		if !strings.Contains(string(refused.body), `"header":"Last-Event-ID"`) {
			t.Errorf("%s", refused.body)
		}
		for path, want := range map[string]string{"/v1/events/stream": "text/event-stream", "/v1/events": "application/json"} {
			request, err := http.NewRequestWithContext(context.Background(), http.MethodHead, w.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+f.token)
			head, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			if err := head.Body.Close(); err != nil || head.StatusCode != http.StatusOK || head.Header.Get("Content-Type") != want {
				t.Errorf("HEAD %s: %d %s %v", path, head.StatusCode, head.Header, err)
			}
		}
	})
}

// Reading events and being streamed them keeps no session alive, and a stream ends with it.
func TestEvents_AreNoActivityOfTheSession(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		s := w.stream(f.token, "")
		w.clock.Advance(20 * time.Minute)
		token := w.forged(f.token, map[string]any{"exp": w.clock.Now().Add(10 * time.Minute).Unix()})
		w.events(token, "?after=latest")
		w.clock.Advance(9*time.Minute + 59*time.Second)
		if got := s.next(); got.event != "end" || got.reason != "session-ended" {
			t.Errorf("streamed %+v", got)
		}
		w.clock.Advance(time.Second)
		token = w.forged(f.token, map[string]any{"exp": w.clock.Now().Add(10 * time.Minute).Unix()})
		w.do(http.MethodGet, "/v1/events", token, nil).want(t, http.StatusUnauthorized, "session-ended")
	})
}

// An application sees what its person does, as far as scope and consent go; a stream of its ends
// when the consent does.
func TestEvents_OfAnApplication(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		s := w.software(f.person.PersonId, nil)
		all := w.token(f.token, s, "events declarations.read")
		for scope, problem := range map[string]string{
			"declarations.read": "forbidden", "events": "", "events declarations.read": "", "events declarations": "", "events delegations.read": "",
		} {
			status := http.StatusOK
			if problem != "" {
				status = http.StatusForbidden
			}
			w.do(http.MethodGet, "/v1/events", w.token(f.token, s, scope), nil).want(t, status, problem)
		}
		filed := w.fileOne(f)
		sees := func(token string) bool {
			return slices.ContainsFunc(w.events(token, "").Items, func(e client.Event) bool { return e.Subject.Id.String() == filed })
		}
		if !sees(all) || sees(w.token(f.token, s, "events")) || sees(w.token(f.token, s, "events delegations.read")) {
			t.Error("what is seen does not go by the scopes")
		}
		elsewhere := w.software(f.person.PersonId, func(g *given) { g.contributors = []uuid.UUID{w.otherContributor(f)} })
		if sees(w.token(f.token, elsewhere, "events declarations.read")) {
			t.Error("seen with a consent for another contributor")
		}
		other := w.software(f.person.PersonId, func(g *given) { g.services = `["` + string(access.ViewPayments) + `"]` })
		if sees(w.token(f.token, other, "events declarations.read")) {
			t.Error("seen with a consent for another service")
		}
		open := w.stream(all, "")
		w.do(http.MethodDelete, "/v1/me/consents/"+s.consent.String(), f.token, nil).want(t, http.StatusNoContent, "")
		if got := open.next(); got.event != "end" || got.reason != "session-ended" {
			t.Errorf("streamed %+v", got)
		}
		w.do(http.MethodGet, "/v1/events", all, nil).want(t, http.StatusUnauthorized, "session-ended")
		// Its person hears of it.
		if got := w.events(f.token, "?types=consent.ended").Items; len(got) != 1 || got[0].Subject.Id != s.consent {
			t.Errorf("the person sees %+v", got)
		}
	})
}

// The sixth stream of a session is refused; what is open ends with the process.
func TestEvents_StreamsAreFewAndEndWithTheProcess(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		var open []*stream
		for range 5 {
			open = append(open, w.stream(f.token, "?after=latest"))
		}
		refused := w.do(http.MethodGet, "/v1/events/stream", f.token, nil).want(t, http.StatusTooManyRequests, "rate-limited")
		if refused.header.Get("Retry-After") == "" {
			t.Errorf("%s", refused.header)
		}
		w.app.EndStreams()
		for _, s := range open {
			if got := s.next(); got.event != "end" || got.reason != "server-stopping" {
				t.Errorf("streamed %+v", got)
			}
		}
		w.do(http.MethodGet, "/v1/events/stream", f.token, nil).want(t, http.StatusServiceUnavailable, "unavailable")
	})
}
