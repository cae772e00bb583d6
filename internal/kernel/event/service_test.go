package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/event"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// desk is an App with a feed, whose time-outs come when the test says so.
type desk struct {
	*world.App
	t     *testing.T
	feed  *event.Feed
	shown *event.Service
	// over ends the waits that begin after it was set.
	over chan time.Time
}

func newDesk(t *testing.T, d *db.DB, change func(*event.ServiceDeps)) *desk {
	t.Helper()
	k := &desk{App: world.New(t, d), t: t, over: make(chan time.Time)}
	k.feed = event.NewFeed(event.Deps{DB: d, Clock: k.Clock, Log: slog.New(slog.DiscardHandler)})
	deps := event.ServiceDeps{
		Feed: k.feed, Rights: k.Rights, Log: slog.New(slog.DiscardHandler),
		After: func(time.Duration) <-chan time.Time { return k.over },
	}
	if change != nil {
		change(&deps)
	}
	k.shown = event.NewService(deps)
	return k
}

// run has the service tell those who wait.
func (k *desk) run() {
	k.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.shown.Run(ctx)
	}()
	k.t.Cleanup(func() {
		stop()
		<-done
	})
}

// submit files a declaration and appends its event, whose subject it returns.
func (k *desk) submit(by access.Actor, c world.Company) string {
	k.t.Helper()
	id := k.Submit(k.t, by, c).ID
	appendAll(k.t, k.feed)
	return id.String()
}

func (k *desk) list(by access.Actor, q event.Query) event.Page {
	k.t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	found, err := k.shown.List(context.Background(), by, q)
	if err != nil {
		k.t.Fatal(err)
	}
	return found
}

func (k *desk) open(by access.Actor, after string) *event.Stream {
	k.t.Helper()
	s, err := k.shown.Open(context.Background(), by, event.Query{After: after, Parameter: "after"})
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(s.Close)
	return s
}

func (k *desk) next(s *event.Stream) ([]event.Event, event.Reason) {
	k.t.Helper()
	events, reason, err := s.Next(context.Background())
	if err != nil {
		k.t.Fatal(err)
	}
	return events, reason
}

func subjects(events []event.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, e.SubjectID)
	}
	return list
}

// A program that goes on from its cursor reads each event once, whatever the size of its pages, and
// nothing of others.
func TestEvents_AreReadOnceEach(t *testing.T) {
	for name, stride := range map[string]access.Stride{"few rights": {}, "many rights": {Many: 1, Rows: 3}} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				k := newDesk(t, d, func(d *event.ServiceDeps) { d.Stride = stride })
				c, rep := k.Employer(t)
				other, stranger := k.Employer(t)
				var wanted []string
				for i := range 12 {
					if i%4 == 0 {
						wanted = append(wanted, k.submit(rep, c))
					} else {
						k.submit(stranger, other)
					}
				}
				var got []string
				after := ""
				for range 40 {
					page := k.list(rep, event.Query{After: after, Limit: 1})
					got = append(got, subjects(page.Items)...)
					after = page.Next
				}
				if !slices.Equal(got, wanted) {
					t.Errorf("read %v, want %v", got, wanted)
				}
				if page := k.list(rep, event.Query{After: after}); len(page.Items) != 0 || page.Next != after {
					t.Errorf("at the end: %v", page)
				}
				// What it is narrowed down to.
				none := k.list(rep, event.Query{ContributorID: &other.ID})
				some := k.list(rep, event.Query{ContributorID: &c.ID, Types: []event.Type{event.DeclarationSubmitted}})
				if len(none.Items) != 0 || !slices.Equal(subjects(some.Items), wanted) {
					t.Errorf("of another %v, of its own %v", subjects(none.Items), subjects(some.Items))
				}
				if page := k.list(rep, event.Query{Types: []event.Type{event.DelegationEnded}}); len(page.Items) != 0 {
					t.Errorf("of another type: %v", page)
				}
			})
		})
	}
}

// Every way of having to do with somebody shows the same through a list as Watching says, from
// random rights.
func TestEvents_AListShowsWhatWatchingSays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for seed := range 4 {
			many := access.Stride{Many: 1 + seed%2*1000, Rows: 5}
			k := newDesk(t, d, func(d *event.ServiceDeps) { d.Stride = many })
			var companies []world.Company
			for range 4 {
				c, rep := k.Employer(t, world.Rome, world.Milan)
				companies = append(companies, c)
				k.submit(rep, c)
			}
			dice := uint32(seed)*2654435761 + 1
			by := k.RandomRights(t, companies, func(most int) int {
				dice = dice*1664525 + 1013904223
				return int(dice>>16) % most
			})
			by.SessionID = k.Session(t, by.PersonID, nil)
			newest, err := k.feed.Newest(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			events, err := k.feed.Between(context.Background(), 0, newest, 10_000)
			if err != nil {
				t.Fatal(err)
			}
			about := make([]access.About, len(events))
			for i, e := range events {
				about[i] = e.About()
			}
			seen, err := k.Rights.Watching(context.Background(), []uuid.UUID{by.SessionID}, about)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, i := range seen[by.SessionID] {
				want = append(want, events[i].SubjectID)
			}
			var got []string
			after := ""
			for range 50 {
				page := k.list(by, event.Query{After: after, Limit: 2})
				got, after = append(got, subjects(page.Items)...), page.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("seed %d: %v, want %v", seed, got, want)
			}
		}
	})
}

// A cursor of before what is kept, or of what a restored backup does not know, is refused; staff is.
func TestEvents_RefusesWhatItCannotGoOnFrom(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		c, rep := k.Employer(t)
		for range 3 {
			k.submit(rep, c)
		}
		k.Exec(t, "DELETE FROM events WHERE position < 3")
		for cursor, want := range map[string]string{
			event.Cursor(1): fault.FieldCursorGone, event.Cursor(4): fault.FieldCursorGone, "e": fault.FieldCursor, "x1": fault.FieldCursor,
			"e01": fault.FieldCursor, event.Cursor(2): "", event.Cursor(3): "", "": "", event.Latest: "",
		} {
			_, err := k.shown.List(context.Background(), rep, event.Query{After: cursor, In: fault.InParameter, Parameter: "after"})
			if got := fieldOf(err); got != want {
				t.Errorf("%q: %q, want %q (%v)", cursor, got, want, err)
			}
		}
		operator := access.Actor{PersonID: uuid.New(), UserClass: access.Operator}
		if _, err := k.shown.List(context.Background(), operator, event.Query{}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an operator lists: %v", err)
		}
		if _, err := k.shown.Open(context.Background(), operator, event.Query{}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an operator streams: %v", err)
		}
	})
}

func fieldOf(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) && len(f.Fields) == 1 {
		return f.Fields[0].Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// Who waits is answered when something comes that they see, and when the time is over.
func TestEvents_AreWaitedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		k.run()
		c, rep := k.Employer(t)
		other, stranger := k.Employer(t)
		answered := make(chan event.Page)
		wait := func(after string) {
			go func() {
				page, err := k.shown.List(context.Background(), rep, event.Query{After: after, Limit: 10, Wait: event.MaxWait})
				if err != nil {
					t.Error(err)
				}
				answered <- page
			}()
		}
		wait("")
		foreign := k.submit(stranger, other)
		own := k.submit(rep, c)
		page := <-answered
		if !slices.Equal(subjects(page.Items), []string{own}) {
			t.Errorf("answered with %v, not %s (and %s is another's)", subjects(page.Items), own, foreign)
		}
		wait(page.Next)
		k.over <- k.Clock.Now()
		if page = <-answered; len(page.Items) != 0 {
			t.Errorf("after the time: %v", page)
		}
		wait(page.Next)
		k.shown.End()
		if page = <-answered; len(page.Items) != 0 {
			t.Errorf("after the end: %v", page)
		}
	})
}

// Who waits while the session ends, or asks when it has, is told so, and has no cursor to go on from.
func TestEvents_ASessionThatIsOverGetsNoCursor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		k.run()
		c, rep := k.Employer(t)
		colleague := k.Colleague(t, c.ID, access.Employer, access.Dispositive)
		answered := make(chan error)
		witness := k.open(colleague, "")
		go func() {
			_, err := k.shown.List(context.Background(), rep, event.Query{Limit: 10, Wait: event.MaxWait})
			answered <- err
		}()
		k.Exec(t, "UPDATE sessions SET ended_at = ?, end_reason = 'ended-by-holder' WHERE id = ?", k.Clock.Now(), rep.SessionID)
		k.submit(colleague, c)
		if events, reason := k.next(witness); len(events) != 1 {
			t.Errorf("another is told %v %q", events, reason)
		}
		select {
		case k.over <- k.Clock.Now():
			if err := <-answered; !fault.Is(err, fault.SessionEnded) {
				t.Errorf("who waited: %v", err)
			}
		case err := <-answered:
			if !fault.Is(err, fault.SessionEnded) {
				t.Errorf("who waited: %v", err)
			}
		}
		if page, err := k.shown.List(context.Background(), rep, event.Query{Limit: 10}); !fault.Is(err, fault.SessionEnded) {
			t.Errorf("who asks: %v, %v", page, err)
		}
		s, err := k.shown.Open(context.Background(), rep, event.Query{After: event.Cursor(0), Parameter: "after"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		go func() {
			select {
			case k.over <- k.Clock.Now():
			case <-t.Context().Done():
			}
		}()
		if events, reason := k.next(s); len(events) != 0 || reason != event.SessionEnded {
			t.Errorf("who goes on: %v, %q", events, reason)
		}
	})
}

// A stream has what happens, each once and in order, from where its reader left off; and with its
// rights of the moment.
func TestStream_GoesOnWhereItsReaderLeftOff(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		k.run()
		c, rep := k.Employer(t)
		pro, delegate := k.Professional(t)
		reader := access.Actor{SessionID: k.Session(t, pro.ID, nil), PersonID: pro.ID, TaxCode: pro.TaxCode, UserClass: pro.UserClass}
		missed := k.submit(rep, c)
		witness := k.open(rep, "")
		// told files one that everybody has been told of who may see it.
		told := func() string {
			id := k.submit(rep, c)
			for {
				events, reason := k.next(witness)
				if reason != "" {
					t.Fatal(reason)
				}
				if slices.Contains(subjects(events), id) {
					return id
				}
			}
		}
		s := k.open(reader, "")
		told()
		delegation := k.Delegation(t, delegate, c, nil)
		first, second := k.submit(rep, c), k.submit(rep, c)
		var got []event.Event
		for len(got) < 2 {
			events, reason := k.next(s)
			if reason != "" {
				t.Fatal(reason)
			}
			got = append(got, events...)
		}
		if !slices.Equal(subjects(got), []string{first, second}) {
			t.Errorf("streamed %v, want %v", subjects(got), []string{first, second})
		}
		s.Close()
		third := k.submit(rep, c)
		// It goes on behind the first; the rest was there before it came, or comes later.
		s = k.open(reader, got[0].Cursor())
		fourth := told()
		got = nil
		for len(got) < 3 {
			events, _ := k.next(s)
			got = append(got, events...)
		}
		if !slices.Equal(subjects(got), []string{second, third, fourth}) {
			t.Errorf("gone on with %v, want %v", subjects(got), []string{second, third, fourth})
		}
		k.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE id = ?", k.Clock.Now(), delegation)
		told()
		go func() { k.over <- k.Clock.Now() }()
		if events, reason := k.next(s); len(events) != 0 || reason != "" {
			t.Errorf("after the delegation: %v %s (%s was missed)", subjects(events), reason, missed)
		}
	})
}

// A stream ends with its session, before it sees anything more; with the process; and when its
// reader does not keep up.
func TestStream_Ends(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		k.run()
		c, rep := k.Employer(t)
		_, other := k.Employer(t)
		s, still := k.open(rep, ""), k.open(other, "")
		slow := k.open(k.Colleague(t, c.ID, access.Employer, access.Dispositive), "")
		quick, err := k.shown.Open(
			context.Background(), k.Colleague(t, c.ID, access.Employer, access.Dispositive), event.Query{Types: []event.Type{event.DeclarationLapsed}},
		)
		if err != nil {
			t.Fatal(err)
		}
		defer quick.Close()
		k.must(audit.Written, "UPDATE sessions SET ended_at = ?, end_reason = 'ended-by-holder' WHERE id = ?", k.Clock.Now(), rep.SessionID)
		records := make([]audit.Record, 2600)
		filed := k.Submit(t, k.Colleague(t, c.ID, access.Employer, access.Dispositive), c)
		for i := range records {
			kind, subject, detail := "declaration", filed.ID.String(), `{"state":"withdrawn"}`
			records[i] = audit.Record{
				ID: uuid.Must(uuid.NewV7()), At: k.Clock.Now(), Operation: "withdrawDeclaration", ContributorID: &c.ID, SubjectKind: &kind,
				SubjectID: &subject, Outcome: "done", Detail: &detail,
			}
		}
		// By the last one all others were told.
		lapsed := `{"state":"lapsed"}`
		records[len(records)-1].Detail = &lapsed
		write(t, d, records...)
		appendAll(t, k.feed)
		if events, reason := k.next(s); len(events) != 0 || reason != event.SessionEnded {
			t.Errorf("of the session that ended: %v, %q", subjects(events), reason)
		}
		if events, reason := k.next(quick); len(events) != 1 || events[0].ID != records[len(records)-1].ID {
			t.Errorf("who keeps up: %v, %q", subjects(events), reason)
		}
		if events, reason := k.next(slow); len(events) != 0 || reason != event.TooSlow {
			t.Errorf("who does not: %v, %q", subjects(events), reason)
		}
		k.shown.End()
		if events, reason := k.next(still); len(events) != 0 || reason != event.ServerStopping {
			t.Errorf("at the end: %v, %q", subjects(events), reason)
		}
		if _, err := k.shown.Open(context.Background(), other, event.Query{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("opened after the end: %v", err)
		}
	})
}

// Who connects again while others are yet to be told is not told what it has had.
func TestStream_WhoComesBackHasNothingTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		c, rep := k.Employer(t)
		k.open(rep, "")
		k.submit(rep, c)
		newest, err := k.feed.Newest(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		back := k.open(rep, event.Cursor(newest))
		want := k.submit(rep, c)
		k.run()
		if events, reason := k.next(back); !slices.Equal(subjects(events), []string{want}) {
			t.Errorf("streamed %v %q, want %s", subjects(events), reason, want)
		}
	})
}

// A database that was restored under a living process has less than its streams were told. They end,
// and whoever comes again is told what comes from there.
func TestStream_EndsWhereTheFeedWentBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		c, rep := k.Employer(t)
		for range 3 {
			k.submit(rep, c)
		}
		stream := k.open(rep, "")
		k.must(event.Appended, "DELETE FROM events WHERE position > 1")
		k.must(event.Appended, "UPDATE event_feed SET position = 1")
		k.run()
		if events, reason := k.next(stream); len(events) > 0 || reason != event.ServerStopping {
			t.Fatalf("streamed %v, %q", subjects(events), reason)
		}
		stream.Close()
		again := k.open(rep, "")
		want := k.submit(rep, c)
		if events, reason := k.next(again); !slices.Equal(subjects(events), []string{want}) {
			t.Errorf("streamed %v %q, want %s", subjects(events), reason, want)
		}
	})
}

// must executes a statement in a transaction that announces a topic.
func (k *desk) must(topic, statement string, args ...any) {
	k.t.Helper()
	k.Must(k.t, func(ctx context.Context) error {
		k.DB.Announce(ctx, topic)
		return k.DB.From(ctx).Exec(statement, args...).Error
	})
}

// One session has five streams, and another one its own; one that is closed makes room.
func TestStream_FiveForEachSession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		_, rep := k.Employer(t)
		_, other := k.Employer(t)
		open := make([]*event.Stream, event.MostStreams)
		for i := range open {
			open[i] = k.open(rep, "")
		}
		if _, err := k.shown.Open(context.Background(), rep, event.Query{}); !fault.Is(err, fault.RateLimited) {
			t.Errorf("one more: %v", err)
		}
		k.open(other, "")
		open[0].Close()
		open[0].Close()
		k.open(rep, "")
		if _, err := k.shown.Open(context.Background(), rep, event.Query{}); !fault.Is(err, fault.RateLimited) {
			t.Errorf("one more again: %v", err)
		}
	})
}

// What becomes of a declaration is one event each, and a draft is none.
func TestFeed_TellsWhatBecomesOfADeclaration(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		c, rep := k.Employer(t)
		old := k.Submit(t, rep, c).ID
		draft := k.Draft(t, rep, c, c.Input(false)).ID
		appendAll(t, k.feed)
		in := c.Input(true)
		in.SupersedesID = &old
		next := k.Draft(t, rep, c, in).ID
		if _, err := k.Declarations.Submit(audit.WithOrigin(context.Background(), audit.Origin{Operation: "submitDeclaration"}),
			k.asOf(rep, c), draft); err != nil {
			t.Fatal(err)
		}
		appendAll(t, k.feed)
		var got []string
		for _, e := range k.list(rep, event.Query{}).Items {
			name := map[string]string{old.String(): "old", next.String(): "next", draft.String(): "draft"}[e.SubjectID]
			got = append(got, name+" "+string(e.Type))
		}
		slices.Sort(got)
		want := []string{
			"draft declaration.submitted", "next declaration.submitted", "old declaration.submitted", "old declaration.superseded",
		}
		if !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

// asOf lets the session in to the contributor once more.
func (k *desk) asOf(by access.Actor, c world.Company) access.Actor {
	k.t.Helper()
	return k.Enter(k.t, by.SessionID, c.ID)
}

// A page of a long feed is found for somebody who sees little by indexes alone.
func TestEvents_APageReadsNoFeed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d, nil)
		c, rep := k.Employer(t)
		k.submit(rep, c)
		id, at := "printf('%08x-0000-7000-8000-%012x', i, i)", "'2026-03-16 08:15:00+00:00'"
		if d.Dialect() == db.Postgres {
			id, at = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid", "timestamptz '2026-03-16 08:15:00+00:00'"
		}
		other := strings.ReplaceAll(strings.ReplaceAll(id, "i, i", "i % 5000, i % 5000"), "to_hex(i)", "to_hex(i % 5000)")
		k.Exec(t, fmt.Sprintf(`INSERT INTO events (position, id, type, at, contributor_id, service, subject_kind, subject_id)
			WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
			SELECT i, %s, 'declaration.submitted', %s, %s, 'declarations', 'declaration', '018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c' FROM n`, id, at, other))
		k.Exec(t, "UPDATE event_feed SET position = 50000")
		k.Exec(t, "ANALYZE")
		asked := world.Listen(t, d, "events")
		page := k.list(rep, event.Query{})
		if len(page.Items) != 1 || page.Next != event.Cursor(50000) {
			t.Errorf("%v", page)
		}
		if len(*asked) == 0 {
			t.Fatal("nothing was asked of events")
		}
		for _, q := range *asked {
			for _, plan := range world.Plans(t, d, q) {
				if strings.Contains(plan, "Seq Scan on events") || strings.Contains(plan, "SCAN d") && !strings.Contains(plan, "USING") {
					t.Errorf("%s", plan)
				}
			}
		}
	})
}
