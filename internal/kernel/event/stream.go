package event

import (
	"context"
	"time"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// HeartbeatEvery is how long a stream is silent at most.
const HeartbeatEvery = 25 * time.Second

// Stream is what somebody is sent as it happens. Close it.
type Stream struct {
	service *Service
	waiting *waiting
	// after is up to where it has come in the feed.
	after int64
}

// Open begins a stream for the actor; without a cursor it begins with what comes from now on. It
// returns these faults:
//   - fault.Forbidden: the actor works here;
//   - fault.Malformed: the cursor is none, or is not kept any more;
//   - fault.RateLimited: the session has as many streams open as it may.
func (s *Service) Open(ctx context.Context, by access.Actor, q Query) (*Stream, error) {
	if by.Staff() {
		return nil, fault.New(fault.Forbidden)
	}
	if q.After == "" {
		q.After = Latest
	}
	q.Limit = MaxLimit
	after, _, err := s.begin(ctx, q)
	if err != nil {
		return nil, err
	}
	w, err := s.hub.join(ctx, by, q, after, true)
	if err != nil {
		return nil, err
	}
	return &Stream{service: s, waiting: w, after: after}, nil
}

// Cursor is where to go on from, also where nothing came.
func (s *Stream) Cursor() string { return Cursor(s.after) }

// Close ends the stream.
func (s *Stream) Close() { s.waiting.leave() }

// Next returns the next events, none where a heartbeat is due or much was not to be seen, or the
// reason for which the stream ended. Events come once each, in order.
func (s *Stream) Next(ctx context.Context) ([]Event, Reason, error) {
	w := s.waiting
	for s.after < w.from {
		// What was there before it joined, or was meanwhile.
		if reason := w.reason(); reason != "" && reason != TooSlow {
			return nil, reason, nil
		}
		found, next, err := s.service.read(ctx, w.by, w.query, s.after, w.from)
		if err != nil {
			return nil, "", err
		}
		if s.after = next; len(found) > 0 {
			return found, "", nil
		}
		if s.after < w.from {
			return s.silent(ctx)
		}
	}
	silent := s.service.after(HeartbeatEvery)
	for {
		// It was told before it was ended, and is told no more after.
		reason := w.reason()
		events, through := w.take(MaxLimit)
		if s.after = max(s.after, through); len(events) > 0 {
			return events, "", nil
		}
		if reason != "" {
			return nil, reason, nil
		}
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-w.signal:
		case <-silent:
			return s.silent(ctx)
		}
	}
}

// silent is nothing to be seen so far. A session that is over sees nothing of anything, so it does
// not go on from there.
func (s *Stream) silent(ctx context.Context) ([]Event, Reason, error) {
	live, err := s.service.rights.StillLive(ctx, s.waiting.by.SessionID)
	if err == nil && !live {
		return nil, SessionEnded, nil
	}
	return nil, "", err
}
