package event

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// Latest is the cursor that stands for what comes from now on.
const Latest = "latest"

const (
	// MaxLimit is how many events one answer has at most.
	MaxLimit = 100
	// MaxWait is how long somebody waits for an event at most.
	MaxWait = 30 * time.Second
	// mostRounds is how often a list looks for more where those that it found were not to be seen.
	mostRounds = 4
	// round is how many events it looks at each time.
	round = 200
)

// Query says which events somebody wants.
type Query struct {
	// After is a cursor or Latest; empty is the oldest that is kept.
	After string
	// In and Parameter are where the cursor stood.
	In        fault.Place
	Parameter string
	// Types narrows it down; empty stands for all.
	Types         []Type
	ContributorID *uuid.UUID
	// Limit is how many events to return; at most MaxLimit.
	Limit int
	// Wait is how long to wait where there is none; at most MaxWait.
	Wait time.Duration
}

// ParseTypes reads types with commas between them. It returns fault.Malformed for one that there is
// not.
func ParseTypes(text, parameter string) ([]Type, error) {
	if text == "" {
		return nil, nil
	}
	var types []Type
	for name := range strings.SplitSeq(text, ",") {
		if !slices.Contains(Types(), Type(name)) {
			var allowed []string
			for _, t := range Types() {
				allowed = append(allowed, string(t))
			}
			return nil, &fault.Fault{Code: fault.Malformed, Fields: []fault.Field{{
				In: fault.InParameter, Pointer: parameter, Code: fault.FieldEnum, Right: &fault.Right{Allowed: allowed},
			}}}
		}
		types = append(types, Type(name))
	}
	return types, nil
}

// Page is a part of the feed.
type Page struct {
	Items []Event
	// Next is the cursor behind all that was looked at.
	Next string
}

// ServiceDeps are what the service works with.
type ServiceDeps struct {
	Feed   *Feed
	Rights *access.Repository
	Log    *slog.Logger
	// After is time.After unless a test brings its own.
	After func(d time.Duration) <-chan time.Time
	// BeforeReading, where it is set, is called before the feed is read: in a sandbox it appends.
	BeforeReading func(ctx context.Context) error
	// Stride is access.DefaultStride unless a test brings its own.
	Stride access.Stride
}

// Service shows events to those who may see them.
type Service struct {
	feed          *Feed
	rights        *access.Repository
	after         func(d time.Duration) <-chan time.Time
	beforeReading func(ctx context.Context) error
	stride        access.Stride
	hub           *hub
}

// NewService returns the service. Nothing is told to who waits before Run.
func NewService(d ServiceDeps) *Service {
	if d.After == nil {
		d.After = time.After
	}
	if d.BeforeReading == nil {
		d.BeforeReading = func(context.Context) error { return nil }
	}
	if d.Stride == (access.Stride{}) {
		d.Stride = access.DefaultStride()
	}
	return &Service{
		feed: d.Feed, rights: d.Rights, after: d.After, beforeReading: d.BeforeReading, stride: d.Stride,
		hub: newHub(d.Feed, d.Rights, d.Log),
	}
}

// Run tells those who wait what comes, until the context ends.
func (s *Service) Run(ctx context.Context) { s.hub.run(ctx) }

// End ends all streams and all waiting: the process is about to stop.
func (s *Service) End() { s.hub.end() }

// List returns events that the actor may see now, the oldest first. Where there is none it waits
// for one, if asked. It returns these faults:
//   - fault.Forbidden: the actor works here;
//   - fault.Malformed: the cursor is none, or is not kept any more;
//   - fault.SessionEnded: the session is over by now. It saw nothing of what there was, so it gets no
//     cursor.
func (s *Service) List(ctx context.Context, by access.Actor, q Query) (Page, error) {
	if by.Staff() {
		return Page{}, fault.New(fault.Forbidden)
	}
	page, err := s.list(ctx, by, q)
	if err != nil {
		return Page{}, err
	}
	live, err := s.rights.StillLive(ctx, by.SessionID)
	if err == nil && !live {
		err = fault.New(fault.SessionEnded)
	}
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

func (s *Service) list(ctx context.Context, by access.Actor, q Query) (Page, error) {
	if err := s.beforeReading(ctx); err != nil {
		return Page{}, err
	}
	q.Limit = min(max(q.Limit, 1), MaxLimit)
	after, newest, err := s.begin(ctx, q)
	if err != nil {
		return Page{}, err
	}
	found, next, err := s.read(ctx, by, q, after, newest)
	if err != nil || len(found) > 0 || q.Wait <= 0 || next < newest {
		return Page{found, Cursor(next)}, err
	}
	return s.wait(ctx, by, q, next)
}

// wait waits for an event behind the position. What comes meanwhile is not missed.
func (s *Service) wait(ctx context.Context, by access.Actor, q Query, after int64) (Page, error) {
	over := s.after(min(q.Wait, MaxWait))
	waiting, err := s.hub.join(ctx, by, q, after, false)
	if errors.Is(err, errStopped) {
		return Page{Next: Cursor(after)}, nil
	}
	if err != nil {
		return Page{}, err
	}
	defer waiting.leave()
	found, next, err := s.read(ctx, by, q, after, waiting.from)
	if err != nil || len(found) > 0 || next < waiting.from {
		return Page{found, Cursor(next)}, err
	}
	select {
	case <-ctx.Done():
		return Page{}, ctx.Err()
	case <-waiting.signal:
	case <-over:
	}
	if waiting.reason() == SessionEnded {
		return Page{}, fault.New(fault.SessionEnded)
	}
	found, next = waiting.take(q.Limit)
	return Page{found, Cursor(next)}, nil
}

// begin returns the position behind which a query begins, and the newest one.
func (s *Service) begin(ctx context.Context, q Query) (after, newest int64, err error) {
	if newest, err = s.feed.Newest(ctx); err != nil || q.After == "" {
		return 0, newest, err
	}
	if q.After == Latest {
		return newest, newest, nil
	}
	if after, err = ParseCursor(q.After, q.Parameter, q.In); err != nil {
		return 0, 0, err
	}
	oldest, err := s.feed.repo.oldest(ctx)
	if err != nil {
		return 0, 0, err
	}
	// Behind the newest stands what a backup took away that was restored.
	if after > newest || after < oldest-1 {
		return 0, 0, badCursor(q.Parameter, q.In, fault.FieldCursorGone)
	}
	return after, newest, nil
}

// read returns up to the limit of events behind a position, and the position up to which it looked:
// the last where nothing more is to be seen.
func (s *Service) read(ctx context.Context, by access.Actor, q Query, after, through int64) (found []Event, next int64, err error) {
	c := candidates{repo: s.feed.repo, rights: s.rights, stride: s.stride, by: by, query: q}
	for range mostRounds {
		if after >= through {
			return found, max(after, through), nil
		}
		events, reached, err := c.read(ctx, after, through)
		if err != nil {
			return nil, 0, err
		}
		seen, err := s.seenBy(ctx, by, events)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range seen {
			if found = append(found, e); len(found) == q.Limit {
				return found, e.Position, nil
			}
		}
		after = reached
		if len(found) > 0 && reached < through {
			// There is something to show; the rest is for the next answer.
			return found, reached, nil
		}
	}
	return found, after, nil
}

// seenBy keeps those of the events that the actor sees now.
func (s *Service) seenBy(ctx context.Context, by access.Actor, events []Event) ([]Event, error) {
	about := make([]access.About, len(events))
	for i, e := range events {
		about[i] = e.About()
	}
	seen, err := s.rights.Watching(ctx, []uuid.UUID{by.SessionID}, about)
	if err != nil {
		return nil, err
	}
	var kept []Event
	for _, i := range seen[by.SessionID] {
		// The token may be for less than the consent.
		if by.Watches(events[i].SubjectKind) {
			kept = append(kept, events[i])
		}
	}
	return kept, nil
}
