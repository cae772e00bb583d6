package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/event"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// EventHandlers has the operations of the section Events.
type EventHandlers struct{ Events *event.Service }

const (
	eventsPath = "/events"
	// afterParameter and lastEventHeader are where cursors stand.
	afterParameter  = "after"
	lastEventHeader = "Last-Event-ID"
	// takenWithin is how long one piece of a stream may take to be read.
	takenWithin = 10 * time.Second
)

// eventQuery reads what the operations have in common.
func eventQuery(after, types *string, contributorID *api.Id) (event.Query, error) {
	chosen, err := event.ParseTypes(value(types), "types")
	return event.Query{
		After: value(after), In: fault.InParameter, Parameter: afterParameter, Types: chosen, ContributorID: contributorID,
	}, err
}

// ListEvents implements api.StrictServerInterface.
func (h EventHandlers) ListEvents(ctx context.Context, r api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	p := r.Params
	query, err := eventQuery(p.After, p.Types, p.ContributorId)
	if err != nil {
		return nil, err
	}
	query.Limit = pageRequest(ctx, p.Limit, nil).Size()
	query.Wait = time.Duration(value(p.Wait)) * time.Second
	return eventList{ctx, h.Events, query, p}, nil
}

// eventList is an answer that may be waited for.
type eventList struct {
	ctx    context.Context //nolint:containedctx // the generated code writes an answer without one
	events *event.Service
	query  event.Query
	params api.ListEventsParams
}

// VisitListEventsResponse implements api.ListEventsResponseObject.
func (l eventList) VisitListEventsResponse(w http.ResponseWriter) error {
	if l.query.Wait > 0 {
		// Nothing more is to be read of the request, and that may take longer than a request may.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	found, err := l.events.List(l.ctx, reqctx.ActorOf(l.ctx), l.query)
	if err != nil {
		return err
	}
	number := func(n *int32) *string {
		if n == nil {
			return nil
		}
		return new(strconv.Itoa(int(*n)))
	}
	params := map[string]*string{
		"limit": number(l.params.Limit), "wait": number(l.params.Wait), "types": l.params.Types,
		"contributor_id": idText(l.params.ContributorId), afterParameter: l.params.After,
	}
	self := link(eventsPath, queryOf(params))
	params[afterParameter] = &found.Next
	return api.ListEvents200JSONResponse{
		Items: items(found.Items, viewEvent), NextCursor: found.Next,
		Links: api.EventPageLinks{Self: self, Next: link(eventsPath, queryOf(params))},
	}.VisitListEventsResponse(w)
}

func viewEvent(e event.Event) api.Event {
	kind, path := e.Subject()
	id, err := uuid.Parse(e.SubjectID)
	if err != nil {
		// The subjects of events have such ids.
		panic(err)
	}
	return api.Event{
		EventId: e.ID, Type: api.EventType(e.Type), At: clock.Normal(e.At), ContributorId: e.ContributorID,
		Subject: api.EventSubject{Kind: api.EventSubjectKind(kind), Id: id}, Links: api.EventLinks{Subject: link(path, "")},
	}
}

// StreamEvents implements api.StrictServerInterface.
func (h EventHandlers) StreamEvents(ctx context.Context, r api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	p := r.Params
	query, err := eventQuery(p.After, p.Types, p.ContributorId)
	if err != nil {
		return nil, err
	}
	if last := value(p.LastEventID); last != "" {
		query.After, query.In, query.Parameter = last, fault.InHeader, lastEventHeader
	}
	return eventStream{ctx, h.Events, query}, nil
}

// eventStream is an answer that goes on until its reader, its session or the process ends.
type eventStream struct {
	ctx    context.Context //nolint:containedctx // the generated code writes an answer without one
	events *event.Service
	query  event.Query
}

// VisitStreamEventsResponse implements api.StreamEventsResponseObject.
func (s eventStream) VisitStreamEventsResponse(w http.ResponseWriter) error {
	stream, err := s.events.Open(s.ctx, reqctx.ActorOf(s.ctx), s.query)
	if err != nil {
		return err
	}
	defer stream.Close()
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	// nginx holds even the headers back otherwise.
	header.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if reqctx.AnswerOf(s.ctx).HeadersOnly {
		return nil
	}
	out := sender{w: w, connection: http.NewResponseController(w)}
	_ = out.connection.SetReadDeadline(time.Time{})
	// Whoever loses the connection before the first event goes on from here.
	if !out.place(stream.Cursor()) {
		return nil
	}
	for {
		events, reason, err := stream.Next(s.ctx)
		switch {
		case s.ctx.Err() != nil:
			// Who read it is gone.
			return nil
		case err != nil:
			// It goes on from its last event, by asking again.
			out.end(event.ServerStopping)
			return nil
		case reason != "":
			out.end(reason)
			return nil
		}
		if !out.send(events) || len(events) == 0 && !out.place(stream.Cursor()) {
			return nil
		}
	}
}

// sender writes server-sent events.
type sender struct {
	w          http.ResponseWriter
	connection *http.ResponseController
	piece      bytes.Buffer
	// placed is the last id that was sent.
	placed string
}

// place says where to go on from, where that is elsewhere than before. By itself an id is no event.
func (s *sender) place(cursor string) bool {
	if cursor == s.placed {
		return true
	}
	s.placed = cursor
	fmt.Fprintf(&s.piece, "id: %s\n\n", cursor)
	return s.flush() == nil
}

// send writes events, or a heartbeat where there are none. It reports false where they are not
// taken: who reads too slowly is told so, if that still gets through, and cut off.
func (s *sender) send(events []event.Event) bool {
	if len(events) == 0 {
		// With an empty line behind it some would take it for an event.
		s.piece.WriteString(": hb\n")
	}
	for _, e := range events {
		data, err := json.Marshal(viewEvent(e))
		if err != nil {
			return false
		}
		s.placed = e.Cursor()
		fmt.Fprintf(&s.piece, "id: %s\nevent: %s\ndata: %s\n\n", e.Cursor(), e.Type, data)
	}
	return s.flush() == nil
}

// end says why the stream ends. It has no id, so that who reads it goes on from the last event.
func (s *sender) end(reason event.Reason) {
	fmt.Fprintf(&s.piece, "event: end\ndata: {\"reason\": %q}\n\n", reason)
	_ = s.flush()
}

// flush sends what was written. Who does not take it in time is gone, as far as the connection
// knows.
func (s *sender) flush() error {
	if err := s.connection.SetWriteDeadline(clock.System{}.Now().Add(takenWithin)); err != nil {
		return err
	}
	if _, err := s.w.Write(s.piece.Bytes()); err != nil {
		return err
	}
	s.piece.Reset()
	if err := s.connection.Flush(); err != nil {
		return err
	}
	// In HTTP/2 one that passes ends the stream, whether or not somebody writes.
	return s.connection.SetWriteDeadline(time.Time{})
}
