package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
)

// silence is how long a stream may say nothing: the service sends a comment every 25 seconds.
const silence = time.Minute

// latest is the cursor of what happens from now on.
const latest = "latest"

// EventOptions say which events are followed.
type EventOptions struct {
	// After is the cursor to go on from; empty for what happens from now on. No cursor at all, for all
	// that is kept, is what ListEvents is for.
	After string
	// Types are those wanted; empty for all. Ignore those that you do not know.
	Types []EventType
	// ContributorID limits them to one contributor.
	ContributorID *uuid.UUID
}

// FollowedEvent is an event, and the cursor to go on from once it is dealt with.
type FollowedEvent struct {
	Event
	Cursor string
}

// StreamEndedError is the end of a stream that connecting again does not mend: the session, or the
// grant, has ended.
type StreamEndedError struct {
	// Reason is what the service says, such as "session-ended".
	Reason string
	// Cursor is where to go on.
	Cursor string
}

// Error implements error.
func (e *StreamEndedError) Error() string { return "the stream of events ended: " + e.Reason }

// FollowEvents goes through what happens to what the caller may see, each event once and none
// missed, until the context ends, the loop is left, or an error comes. It connects again by itself
// where the connection breaks, the service restarts or the loop was too slow. The http.Client must
// have no Timeout. It ends with one of these errors:
//   - *StreamEndedError: the session has ended; go on from its Cursor after a login;
//   - ErrLogInAgain, or a *Problem such as an unknown cursor: the stream could not be opened;
//   - any other: the service stayed away for all tries.
func (a *API) FollowEvents(ctx context.Context, o EventOptions) iter.Seq2[FollowedEvent, error] {
	return func(yield func(FollowedEvent, error) bool) {
		f := follower{api: a, options: o, cursor: o.After}
		for try := 1; ; try++ {
			seen, err := f.read(ctx, yield)
			switch {
			case errors.Is(err, errLeft):
				return
			case err != nil:
				yield(FollowedEvent{}, err)
				return
			case seen:
				try = 1
			}
			if err := a.doer.Wait(ctx, pause(0, try)); err != nil {
				yield(FollowedEvent{}, err)
				return
			}
		}
	}
}

// errLeft is that nobody wants more.
var errLeft = errors.New("left")

// follower is one iteration.
type follower struct {
	api     *API
	options EventOptions
	cursor  string
}

// read reads one stream to its end, and reports whether it brought anything. Without an error it is
// to be opened again.
func (f *follower) read(ctx context.Context, yield func(FollowedEvent, error) bool) (seen bool, err error) {
	if f.cursor == "" || f.cursor == latest {
		// A stream that breaks before its first event must not miss what comes meanwhile.
		if err := f.begin(ctx); err != nil {
			return false, err
		}
	}
	streaming, cancel := context.WithCancel(ctx)
	defer cancel()
	answer, err := f.api.StreamEvents(context.WithValue(streaming, headersWithin{}, silence), f.params())
	if err != nil {
		return false, err
	}
	defer func() { _ = answer.Body.Close() }()
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	for message, err := range messages(answer.Body) {
		watchdog.Reset(silence)
		switch {
		case err != nil:
			return seen, ctx.Err() // broken: again, from the cursor
		case message.data == "":
			// What the caller may not see is passed over: from here, after a break.
			if message.id != "" {
				f.cursor = message.id
			}
			continue
		case message.kind == "end":
			return seen, f.ended(message.data)
		}
		seen = true
		one := FollowedEvent{Cursor: message.id}
		if err := json.Unmarshal([]byte(message.data), &one.Event); err != nil {
			return seen, fmt.Errorf("event %s: %w", message.id, err)
		}
		f.cursor = message.id
		if !yield(one, nil) {
			return seen, errLeft
		}
	}
	return seen, ctx.Err()
}

// begin asks where the feed is now.
func (f *follower) begin(ctx context.Context) error {
	after, limit := latest, int32(1)
	answer, err := f.api.ListEventsWithResponse(ctx, &ListEventsParams{After: &after, Limit: &limit})
	if err != nil {
		return err
	}
	if answer.JSON200 == nil {
		return noPage(answer.HTTPResponse)
	}
	f.cursor = answer.JSON200.NextCursor
	return nil
}

func (f *follower) params() *StreamEventsParams {
	p := &StreamEventsParams{LastEventID: &f.cursor, ContributorId: f.options.ContributorID}
	if len(f.options.Types) > 0 {
		types := make([]string, len(f.options.Types))
		for i, one := range f.options.Types {
			types[i] = string(one)
		}
		joined := strings.Join(types, ",")
		p.Types = &joined
	}
	return p
}

// ended reads why the service ended a stream. Some ends are a beginning.
func (f *follower) ended(data string) error {
	var said struct {
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal([]byte(data), &said); err != nil {
		return err
	}
	if said.Reason == "server-stopping" || said.Reason == "too-slow" {
		return nil
	}
	return &StreamEndedError{Reason: said.Reason, Cursor: f.cursor}
}

// message is one event of a stream, as browsers would have it. A comment is one without anything.
type message struct{ id, kind, data string }

// messages reads server-sent events. An error is that of the connection.
func messages(from io.Reader) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		lines := bufio.NewScanner(from)
		lines.Buffer(nil, 1<<20)
		var m message
		var data []string
		for lines.Scan() {
			line := lines.Text()
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case line == "":
				m.data = strings.Join(data, "\n")
				if !yield(m, nil) {
					return
				}
				m.kind, data = "", nil
			case field == "id":
				m.id = value
			case field == "event":
				m.kind = value
			case field == "data":
				data = append(data, value)
			case strings.HasPrefix(line, ":"):
				if !yield(message{}, nil) {
					return
				}
			}
		}
		if err := lines.Err(); err != nil {
			yield(message{}, err)
		}
	}
}
