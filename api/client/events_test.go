package client_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"

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
		var p *client.Problem
		if !errors.As(err, &p) || p.Code != client.ProblemCodeMalformedRequest {
			t.Errorf("got %v", err)
		}
	}
}
