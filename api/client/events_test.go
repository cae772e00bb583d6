package client_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"diresco/api/client"
)

const event = `{"event_id":"018f3b35-6f70-7182-9394-abbccddeeff0","type":"declaration.submitted","at":"2026-03-16T08:15:04Z",` +
	`"subject":{"kind":"declaration","id":"018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c"},"_links":{"subject":{"href":"/v1/declarations/1"}}}`

// newest is the answer to where the feed is.
func newest(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"items":[],"next_cursor":"c0","_links":{"self":{"href":"/v1/events"},"next":{"href":"/v1/events"}}}`)
}

// streamed is a stream with this text, which then ends, or breaks.
func streamed(text string, broken bool) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		if broken {
			panic(http.ErrAbortHandler)
		}
	}
}

func happened(id string) string {
	return ": hb\nid: " + id + "\nevent: declaration.submitted\ndata: " + event + "\n\n"
}

func ending(reason string) string { return "event: end\ndata: {\"reason\":\"" + reason + "\"}\n\n" }

func TestEvents_AreFollowedThroughEveryBreak(t *testing.T) {
	api, service, _ := called(
		t, client.Options{}, newest, streamed("", true), streamed(happened("c1")+happened("c2")+"id: c3\ndata: {", true),
		streamed(ending("too-slow"), false), streamed(happened("c3"), false), problem(503, "unavailable", ""),
		streamed(ending("server-stopping"), false), streamed(happened("c4")+ending("session-ended"), false),
	)
	var cursors []string
	var ended *client.StreamEndedError
	for e, err := range api.FollowEvents(t.Context(), client.EventOptions{Types: []client.EventType{client.EventTypeDeclarationSubmitted, "new.type"}}) {
		if err != nil {
			if !errors.As(err, &ended) || ended.Reason != "session-ended" || ended.Cursor != "c4" {
				t.Error(err)
			}
			continue
		}
		if e.Type != client.EventTypeDeclarationSubmitted || e.Subject.Kind != client.EventSubjectKindDeclaration {
			t.Errorf("%+v", e)
		}
		cursors = append(cursors, e.Cursor)
	}
	if ended == nil || !slices.Equal(cursors, []string{"c1", "c2", "c3", "c4"}) {
		t.Errorf("got %v", cursors)
	}
	var from []string
	for _, r := range service.seen[1:] {
		from = append(from, r.Header.Get("Last-Event-ID"))
		if r.URL.Query().Get("types") != "declaration.submitted,new.type" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
	}
	if !slices.Equal(from, []string{"c0", "c0", "c2", "c2", "c3", "c3", "c3"}) {
		t.Errorf("went on from %v", from)
	}
}

func TestEvents_EndWithTheLoopOrARefusal(t *testing.T) {
	turns := 0
	api, service, _ := called(t, client.Options{}, streamed(happened("c1")+happened("c2"), false))
	for _, err := range api.FollowEvents(t.Context(), client.EventOptions{After: "c0"}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if len(service.seen) != 1 {
		t.Errorf("%d requests", len(service.seen))
	}
	api, _, _ = called(t, client.Options{}, problem(400, "malformed-request", ""))
	for _, err := range api.FollowEvents(t.Context(), client.EventOptions{After: "gone"}) {
		turns++
		var p *client.Problem
		if !errors.As(err, &p) || p.Code != client.ProblemCodeMalformedRequest {
			t.Errorf("got %v", err)
		}
	}
	if turns != 1 {
		t.Errorf("%d turns with a refusal", turns)
	}
}

// The service says where a stream stands though the caller may see nothing of it.
func TestEvents_GoOnFromAnIDWithoutData(t *testing.T) {
	api, service, _ := called(t, client.Options{},
		streamed("id: c1\n\n", true), streamed("id: c2\n\nid: c3\n", true), streamed(happened("c4")+"id: c5\nevent: declaration.decided\n\n", true),
		streamed(ending("session-ended"), false))
	var cursors []string
	var ended *client.StreamEndedError
	for e, err := range api.FollowEvents(t.Context(), client.EventOptions{After: "c0"}) {
		if err == nil {
			cursors = append(cursors, e.Cursor)
		} else if !errors.As(err, &ended) || ended.Cursor != "c5" {
			t.Error(err)
		}
	}
	var from []string
	for _, r := range service.seen {
		from = append(from, r.Header.Get("Last-Event-ID"))
	}
	if !slices.Equal(from, []string{"c0", "c1", "c2", "c5"}) || !slices.Equal(cursors, []string{"c4"}) || ended == nil {
		t.Errorf("went on from %v with %v, %v", from, cursors, ended)
	}
}

// A stream is read as browsers read one.
func TestEvents_AreReadAsTheStandardSays(t *testing.T) {
	half := strings.Index(event, `,"subject"`) + 1
	for name, text := range map[string]string{
		"line ends of another system": strings.ReplaceAll(happened("c1"), "\n", "\r\n"),
		"data on two lines":           "id: c1\ndata: " + event[:half] + "\ndata: " + event[half:] + "\n\n",
		"without spaces":              "id:c1\ndata:" + event + "\n\n",
		"fields that are unknown":     "retry: 10\nwhatever\nid: c1\ndata: " + event + "\n\n",
		"a kind without data":         "event: end\n\nid: c1\ndata: " + event + "\n\n",
	} {
		api, _, _ := called(t, client.Options{}, streamed(text+ending("session-ended"), false))
		turns := 0
		for e, err := range api.FollowEvents(t.Context(), client.EventOptions{After: "c0"}) {
			turns++
			var ended *client.StreamEndedError
			if turns == 1 && (err != nil || e.Cursor != "c1" || e.Subject.Kind != client.EventSubjectKindDeclaration) ||
				turns == 2 && (!errors.As(err, &ended) || ended.Cursor != "c1") {
				t.Errorf("%s: %+v, %v", name, e, err)
			}
		}
		if turns != 2 {
			t.Errorf("%s: %d turns", name, turns)
		}
	}
}

// streams is a service without a network. It answers what is opened in turn.
type streams struct {
	given []func(*http.Request) (*http.Response, error)
	seen  int
}

// RoundTrip implements http.RoundTripper.
func (s *streams) RoundTrip(r *http.Request) (*http.Response, error) {
	next := s.given[min(s.seen, len(s.given)-1)]
	s.seen++
	return next(r)
}

// A stream that is silent is opened again, whether its headers came or not.
func TestEvents_DoNotWaitForASilentService(t *testing.T) {
	silentBody := func(text string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			from, to := io.Pipe()
			go func() {
				_, _ = io.WriteString(to, text)
				<-r.Context().Done()
				_ = to.CloseWithError(r.Context().Err())
			}()
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: from, Request: r}, nil
		}
	}
	for name, c := range map[string]struct {
		given []func(*http.Request) (*http.Response, error)
		seen  int
		fails bool
	}{
		"before the headers": {[]func(*http.Request) (*http.Response, error){unanswered, silentBody(happened("c1") + ending("session-ended"))}, 2, false},
		"after the headers":  {[]func(*http.Request) (*http.Response, error){silentBody(": hb\n"), silentBody(happened("c1") + ending("session-ended"))}, 2, false},
		"for ever":           {[]func(*http.Request) (*http.Response, error){unanswered}, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &streams{given: c.given}
				api := must(client.New(testIssuer+"/v1", client.Options{HTTP: &http.Client{Transport: service}, Tries: 3}))
				var heard []string
				var last error
				for e, err := range api.FollowEvents(t.Context(), client.EventOptions{After: "c0"}) {
					if last = err; err == nil {
						heard = append(heard, e.Cursor)
					}
				}
				var ended *client.StreamEndedError
				if errors.As(last, &ended) == c.fails || last == nil || service.seen != c.seen || !c.fails && !slices.Equal(heard, []string{"c1"}) {
					t.Errorf("heard %v, then %v, after %d requests", heard, last, service.seen)
				}
			})
		})
	}
}
