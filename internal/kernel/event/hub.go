package event

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
)

const (
	// heardEvery is how often the hub looks for what another process appended, while somebody waits.
	heardEvery = 50 * time.Millisecond
	// sessionsSoonest is how often it looks whether sessions are over where something was changed in
	// this process. Where nothing was, it does so every so many times.
	sessionsSoonest = 200 * time.Millisecond
	sessionsRarely  = 5
	// toldAtOnce is how many events one look takes.
	toldAtOnce = 500
	// mostUntold is how many events may wait for who does not read them.
	mostUntold = 2_000
	// MostStreams is how many streams a session or grant has open at once, for each process.
	MostStreams = 5
)

// hub tells those who wait in this process what comes. It asks one question for all of them.
type hub struct {
	feed   *Feed
	rights *access.Repository
	log    *slog.Logger

	mu sync.Mutex
	// position is up to where those who have joined are told; who joins finds the rest in the feed.
	position int64
	waiting  map[*waiting]bool
	streams  map[uuid.UUID]int
	stopped  bool
	// joined wakes the hub when somebody waits again.
	joined chan struct{}
}

func newHub(f *Feed, r *access.Repository, log *slog.Logger) *hub {
	return &hub{feed: f, rights: r, log: log, waiting: map[*waiting]bool{}, streams: map[uuid.UUID]int{}, joined: make(chan struct{}, 1)}
}

// errStopped is for who comes when the process is about to stop.
var errStopped = fault.New(fault.Unavailable)

// Reason says why a stream ended.
type Reason string

// The reasons why streams end before who reads them goes away.
const (
	SessionEnded   Reason = "session-ended"
	ServerStopping Reason = "server-stopping"
	TooSlow        Reason = "too-slow"
)

// waiting is one who waits for events behind a position.
type waiting struct {
	hub    *hub
	by     access.Actor
	query  Query
	stream bool
	// from is up to where it finds events in the feed; those behind it is told.
	from int64
	// signal gets a value when there is something to take, or it ended.
	signal chan struct{}

	mu sync.Mutex
	// told is up to where it was told, whatever it sees of that.
	told   int64
	events []Event
	ended  Reason
}

// join has somebody told what comes from now on, behind a position up to which they know all. It
// returns fault.RateLimited for one stream more than a session may have open.
func (h *hub) join(ctx context.Context, by access.Actor, q Query, after int64, stream bool) (*waiting, error) {
	newest, err := h.feed.Newest(ctx)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return nil, errStopped
	}
	if stream && h.streams[by.SessionID] >= MostStreams {
		return nil, &fault.Fault{Code: fault.RateLimited, Reason: "too-many-streams", RetryAfter: time.Minute}
	}
	if len(h.waiting) == 0 {
		h.position = newest
	}
	// The hub may not have come as far as they have.
	from := max(h.position, after)
	w := &waiting{hub: h, by: by, query: q, stream: stream, from: from, told: from, signal: make(chan struct{}, 1)}
	h.waiting[w] = true
	if stream {
		h.streams[by.SessionID]++
	}
	select {
	case h.joined <- struct{}{}:
	default:
	}
	return w, nil
}

// leave ends the waiting.
func (w *waiting) leave() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if !w.hub.waiting[w] {
		return
	}
	delete(w.hub.waiting, w)
	if w.stream {
		if w.hub.streams[w.by.SessionID]--; w.hub.streams[w.by.SessionID] == 0 {
			delete(w.hub.streams, w.by.SessionID)
		}
	}
}

// tell gives it events that it sees, of those up to a position. One that ended is told no more.
func (w *waiting) tell(events []Event, through int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != "" {
		return
	}
	// It finds those before in the feed.
	events = slices.DeleteFunc(events, func(e Event) bool { return e.Position <= w.from })
	w.events = append(w.events, events...)
	if len(w.events) > mostUntold {
		w.drop()
		w.ended = TooSlow
		w.wake()
		return
	}
	w.told = max(w.told, through)
	if len(events) > 0 {
		w.wake()
	}
}

// drop forgets what was not taken, which whoever comes again finds in the feed.
func (w *waiting) drop() {
	if len(w.events) > 0 {
		w.events, w.told = nil, w.events[0].Position-1
	}
}

// close ends it for a reason. What it was told before is still to be taken, unless its session is
// over.
func (w *waiting) close(reason Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != "" {
		return
	}
	if reason == SessionEnded {
		w.drop()
	}
	w.ended = reason
	w.wake()
}

func (w *waiting) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// take returns up to limit events that it was told, and the position behind them.
func (w *waiting) take(limit int) ([]Event, int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) > limit {
		taken := w.events[:limit]
		w.events = w.events[limit:]
		w.wake()
		return taken, taken[limit-1].Position
	}
	taken := w.events
	w.events = nil
	return taken, w.told
}

// reason is why it ended, or "". Call it when there is nothing to take.
func (w *waiting) reason() Reason {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// end ends all who wait, and lets nobody join any more.
func (h *hub) end() {
	h.mu.Lock()
	h.stopped = true
	all := h.everybody()
	h.mu.Unlock()
	for _, w := range all {
		w.close(ServerStopping)
	}
}

// everybody lists who waits, with the lock held.
func (h *hub) everybody() []*waiting {
	all := make([]*waiting, 0, len(h.waiting))
	for w := range h.waiting {
		all = append(all, w)
	}
	return all
}

// run tells those who wait, until the context ends. While nobody waits it asks nothing.
func (h *hub) run(ctx context.Context) {
	defer h.end()
	appended, stopAppended := h.feed.repo.db.Listen(Appended)
	defer stopAppended()
	written, stopWritten := h.feed.repo.db.Listen(audit.Written)
	defer stopWritten()
	heard, over := time.NewTicker(heardEvery), time.NewTicker(sessionsSoonest)
	defer heard.Stop()
	defer over.Stop()
	changed, looks := false, 0
	for {
		if h.idle() {
			select {
			case <-ctx.Done():
				return
			case <-h.joined:
			}
		}
		work := h.look
		select {
		case <-ctx.Done():
			return
		case <-appended:
		case <-heard.C:
		case <-written:
			// It may have ended a session.
			changed = true
			continue
		case <-over.C:
			if looks++; !changed && looks%sessionsRarely != 0 {
				continue
			}
			changed, work = false, h.endOver
		}
		if err := work(ctx); err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "who waits for events was not told", "error", err)
		}
	}
}

func (h *hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waiting) == 0
}

// look tells what was appended since the last look.
func (h *hub) look(ctx context.Context) error {
	newest, err := h.feed.Newest(ctx)
	if err != nil {
		return err
	}
	for {
		h.mu.Lock()
		position := h.position
		h.mu.Unlock()
		if position > newest {
			return h.goBack(ctx, position)
		}
		if position == newest {
			return nil
		}
		events, err := h.feed.Between(ctx, position, newest, toldAtOnce)
		if err != nil {
			return err
		}
		through := newest
		if len(events) == toldAtOnce {
			through = events[toldAtOnce-1].Position
		}
		h.mu.Lock()
		// Who joins from here on finds these in the feed.
		all := h.everybody()
		// Where nobody waited for a moment, who joined may have come further.
		h.position = max(h.position, through)
		h.mu.Unlock()
		if err := h.tell(ctx, all, events, through); err != nil {
			// They go on from where they are, by asking again.
			for _, w := range all {
				w.close(ServerStopping)
			}
			return err
		}
	}
}

// goBack ends all who wait where the feed has less than the position up to which they were told: the
// database was restored to an earlier state. Who comes again goes on from what there is.
func (h *hub) goBack(ctx context.Context, position int64) error {
	// Who joined since the feed was asked may only have come further.
	newest, err := h.feed.Newest(ctx)
	if err != nil || newest >= position {
		return err
	}
	h.mu.Lock()
	all := h.everybody()
	h.position = newest
	h.mu.Unlock()
	for _, w := range all {
		w.close(ServerStopping)
	}
	return nil
}

// tell tells each of those who wait what they see of the events.
func (h *hub) tell(ctx context.Context, all []*waiting, events []Event, through int64) error {
	about := make([]access.About, len(events))
	for i, e := range events {
		about[i] = e.About()
	}
	seen, err := h.rights.Watching(ctx, sessions(all), about)
	if err != nil {
		return err
	}
	for _, w := range all {
		var some []Event
		for _, i := range seen[w.by.SessionID] {
			if w.wants(events[i]) {
				some = append(some, events[i])
			}
		}
		w.tell(some, through)
	}
	return nil
}

// wants reports whether an event that its session sees is one that was asked for.
func (w *waiting) wants(e Event) bool {
	return w.by.Watches(e.SubjectKind) && (len(w.query.Types) == 0 || slices.Contains(w.query.Types, e.Type)) &&
		(w.query.ContributorID == nil || e.ContributorID != nil && *e.ContributorID == *w.query.ContributorID)
}

// endOver ends those whose sessions are over.
func (h *hub) endOver(ctx context.Context) error {
	h.mu.Lock()
	all := h.everybody()
	h.mu.Unlock()
	live, err := h.rights.Live(ctx, sessions(all))
	if err != nil {
		return err
	}
	for _, w := range all {
		if !live[w.by.SessionID] {
			w.close(SessionEnded)
		}
	}
	return nil
}

func sessions(all []*waiting) []uuid.UUID {
	known := map[uuid.UUID]bool{}
	var ids []uuid.UUID
	for _, w := range all {
		if !known[w.by.SessionID] {
			known[w.by.SessionID] = true
			ids = append(ids, w.by.SessionID)
		}
	}
	return ids
}
