package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"diresco/db"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// watch reads the register again and again until stop is closed. One statement sees one instant: if
// then as many entries exist as the highest number says, none is missing, and none can appear later
// below a number that was seen. It closes looking once it has begun.
func watch(t *testing.T, d *db.DB, office string, looking chan<- struct{}, stop <-chan struct{}) {
	begun := sync.OnceFunc(func() { close(looking) })
	defer begun()
	var last struct {
		Highest, Entries int
		Latest           time.Time
	}
	for {
		now := last
		// Each column by itself: SQLite gives MAX of a time back as text.
		err := d.From(context.Background()).Raw(`SELECT e.number AS highest, e.at AS latest, (SELECT COUNT(*) FROM protocol_entries x
			WHERE x.office_code = e.office_code) AS entries
			FROM protocol_entries e WHERE e.office_code = ? ORDER BY e.year DESC, e.number DESC LIMIT 1`, office).Scan(&now).Error
		if err != nil {
			t.Error(err)
			return
		}
		if now.Entries != now.Highest {
			t.Errorf("office %s: %d entries while the highest number is %d", office, now.Entries, now.Highest)
		}
		if now.Highest < last.Highest || now.Highest > last.Highest && !now.Latest.After(last.Latest) {
			t.Errorf("office %s: from %d at %v to %d at %v", office, last.Highest, last.Latest, now.Highest, now.Latest)
		}
		last = now
		begun()
		select {
		case <-stop:
			return
		default:
		}
	}
}

// checkOrder checks that an office's lines are 1, 2, 3 … with strictly rising times.
func checkOrder(t *testing.T, all []line) {
	t.Helper()
	for i, l := range all {
		if l.Number != i+1 {
			t.Fatalf("line %d of office %s has number %d", i+1, l.OfficeCode, l.Number)
		}
		if i > 0 && !l.At.After(all[i-1].At) {
			t.Fatalf("number %d of office %s is not later than the one before: %v, %v", l.Number, l.OfficeCode, l.At, all[i-1].At)
		}
	}
}

// storm files from many writers at once, one in a hundred failing late. It returns how many were
// acknowledged at each office.
func storm(t *testing.T, registers []lane, who filer, offices []string, writers, each int) map[string]int {
	t.Helper()
	var mu sync.Mutex
	acknowledged := map[string]int{}
	world.Parallel(writers, func(w int) {
		last := map[string]int{}
		for i := range each {
			office := offices[(w+i)%len(offices)]
			n := w*each + i
			entry, err := registers[w%len(registers)].File(context.Background(), who.filing(office, slip{failing: n%100 == 50}))
			if n%100 == 50 {
				if !errors.Is(err, errStore) {
					t.Errorf("a filing that fails late gave %v", err)
				}
				continue
			}
			if err != nil {
				t.Errorf("writer %d: %v", w, err)
				return
			}
			if entry.Number.Serial <= last[office] {
				t.Errorf("writer %d got %d after %d", w, entry.Number.Serial, last[office])
			}
			last[office] = entry.Number.Serial
			mu.Lock()
			acknowledged[office]++
			mu.Unlock()
		}
	})
	return acknowledged
}

func TestRegister_NumbersHaveNoGapsAndFollowTime(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const writers, each = 32, 50
		a := world.New(t, d)
		who := newFiler(t, a)
		r := newLane(a.NewRegisterAt(t, clock.System{}), nil)
		looking, stop, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			watch(t, d, world.Rome, looking, stop)
		}()
		<-looking
		acknowledged := storm(t, []lane{r}, who, []string{world.Rome}, writers, each)
		close(stop)
		<-stopped
		all := lines(t, a, world.Rome)
		checkOrder(t, all)
		if len(all) != acknowledged[world.Rome] || len(all) != writers*each*99/100 {
			t.Errorf("%d lines, %d acknowledged", len(all), acknowledged[world.Rome])
		}
		if records, messages := a.Count(t, "audit_records"), a.Count(t, "outbox"); records != len(all) || messages != len(all) {
			t.Errorf("%d lines, %d audit records, %d messages", len(all), records, messages)
		}
	})
}

func TestRegister_EveryOfficeCountsByItself(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		r := newLane(a.NewRegisterAt(t, clock.System{}), nil)
		offices := []string{world.Rome, world.Milan}
		acknowledged := storm(t, []lane{r}, who, offices, 8, 40)
		for _, office := range offices {
			all := lines(t, a, office)
			checkOrder(t, all)
			if len(all) != acknowledged[office] || len(all) == 0 {
				t.Errorf("office %s: %d lines, %d acknowledged", office, len(all), acknowledged[office])
			}
		}
	})
}

func TestRegister_TwoProcessesShareOneOrder(t *testing.T) {
	rawURL := dbtest.Postgres(t)
	first, second := dbtest.Open(t, rawURL), dbtest.Open(t, rawURL)
	a := world.New(t, first)
	who := newFiler(t, a)
	b := a.Twin(t, second)
	// The second machine's clock is behind: order must not suffer.
	behind := clock.NewOffset(clock.System{})
	behind.Set(-3 * time.Second)
	registers := []lane{newLane(a.NewRegisterAt(t, clock.System{}), nil), newLane(b.NewRegisterAt(t, behind), nil)}
	offices := []string{world.Milan, world.Rome}
	var wait sync.WaitGroup
	stop := make(chan struct{})
	for _, office := range offices {
		looking := make(chan struct{})
		wait.Go(func() { watch(t, second, office, looking, stop) })
		<-looking
	}
	acknowledged := storm(t, registers, who, offices, 16, 40)
	close(stop)
	wait.Wait()
	for _, office := range offices {
		all := lines(t, a, office)
		checkOrder(t, all)
		if len(all) != acknowledged[office] || len(all) == 0 {
			t.Errorf("office %s: %d lines, %d acknowledged", office, len(all), acknowledged[office])
		}
	}
}

func TestRegister_TheYearBeginsAtMidnightInRome(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		r := newLane(a.NewRegister(t), nil)
		// 23:59:59 in Rome on 31 December.
		a.Clock.Advance(time.Date(2026, 12, 31, 22, 59, 59, 0, time.UTC).Sub(world.Start))
		who := newFiler(t, a)
		numbers := func(office string) string { return mustFile(t, r, who.filing(office, slip{})).Number.String() }
		steps := []struct {
			advance time.Duration
			office  string
			want    string
		}{
			{0, world.Rome, "INPS.7000.31/12/2026.0000001"},
			{0, world.Rome, "INPS.7000.31/12/2026.0000002"},
			{time.Second - time.Microsecond, world.Rome, "INPS.7000.31/12/2026.0000003"},
			{time.Microsecond, world.Rome, "INPS.7000.01/01/2027.0000001"},
			{0, world.Milan, "INPS.4900.01/01/2027.0000001"},
			{time.Hour, world.Rome, "INPS.7000.01/01/2027.0000002"},
		}
		for _, s := range steps {
			a.Clock.Advance(s.advance)
			if got := numbers(s.office); got != s.want {
				t.Errorf("at %v: %s, not %s", a.Clock.Now(), got, s.want)
			}
		}
	})
}

// TestRegister_TimeIsRightWhateverTheClocksShow: of two processes one is 26 hours ahead. It is the
// hour that exists twice, and the end of a year. What is filed is dated by the register within a
// second, on the day that it is in Rome, in order, and never by the clock that is wrong.
func TestRegister_TimeIsRightWhateverTheClocksShow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		ahead := clock.NewOffset(a.Clock)
		ahead.Set(26 * time.Hour)
		wrong := protocol.NewRegister(
			d, protocol.Time{Process: ahead, Database: a.Clock}, a.Keys, a.Recheck, nil, slog.New(slog.DiscardHandler),
		)
		t.Cleanup(wrong.Close)
		right, astray := newLane(a.NewRegister(t), nil), newLane(wrong, nil)
		last, serial := time.Time{}, 0
		for _, step := range []struct{ at, day string }{
			{"2026-10-24T21:59:59Z", "24/10/2026"},
			{"2026-10-24T22:00:00Z", "25/10/2026"},
			// 02:30 in summer time, then 02:30 in winter time, then 03:00.
			{"2026-10-25T00:30:00Z", "25/10/2026"},
			{"2026-10-25T00:59:59Z", "25/10/2026"},
			{"2026-10-25T01:00:00Z", "25/10/2026"},
			{"2026-10-25T01:30:00Z", "25/10/2026"},
			{"2026-10-25T02:00:00Z", "25/10/2026"},
			{"2026-10-25T22:59:59Z", "25/10/2026"},
			{"2026-10-25T23:00:00Z", "26/10/2026"},
			{"2026-12-31T22:59:59Z", "31/12/2026"},
			{"2026-12-31T23:00:00Z", "01/01/2027"},
			{"2027-03-28T00:59:59Z", "28/03/2027"},
			{"2027-03-28T01:00:00Z", "28/03/2027"},
		} {
			at, err := time.Parse(time.RFC3339, step.at)
			if err != nil {
				t.Fatal(err)
			}
			a.Clock.Advance(at.Sub(a.Clock.Now()))
			who := newFiler(t, a)
			if _, err := astray.File(context.Background(), who.filing(world.Rome, slip{})); !fault.Is(err, fault.Unavailable) {
				t.Errorf("at %s the process that is ahead: %v", step.at, err)
			}
			if step.day == "01/01/2027" {
				serial = 0
			}
			for range 2 {
				filed := mustFile(t, right, who.filing(world.Rome, slip{}))
				serial++
				if gap := filed.At.Sub(at).Abs(); gap > time.Second || !filed.At.After(last) {
					t.Errorf("at %s it is dated %v, after %v", step.at, filed.At, last)
				}
				if want := fmt.Sprintf("INPS.7000.%s.%07d", step.day, serial); filed.Number.String() != want {
					t.Errorf("at %s: %v, want %s", step.at, filed.Number, want)
				}
				last = filed.At
			}
		}
	})
}

// TestRegister_NothingIsDatedAfterItsRightInTheDoubleHour: a right that ends at the first 02:30
// does not live until the second.
func TestRegister_NothingIsDatedAfterItsRightInTheDoubleHour(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		r := newLane(a.NewRegister(t), nil)
		company, _ := a.Employer(t)
		professional, delegate := a.Professional(t)
		end := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
		a.Delegation(t, delegate, company, func(d *world.Delegation) { d.ValidUntil = &end })
		a.Clock.Advance(end.Add(-time.Minute).Sub(a.Clock.Now()))
		by := a.Enter(t, a.Session(t, professional.ID, nil), company.ID)
		who := filer{by, by.Rights[0]}
		if filed := mustFile(t, r, who.filing(world.Rome, slip{})); !filed.At.Before(end) {
			t.Errorf("it is dated %v", filed.At)
		}
		// Both show 02:29 and 02:30 in Rome.
		for _, at := range []time.Time{end, end.Add(59 * time.Minute), end.Add(time.Hour)} {
			a.Clock.Advance(at.Sub(a.Clock.Now()))
			if _, err := r.File(context.Background(), who.filing(world.Rome, slip{})); err == nil {
				t.Errorf("filed at %v", at)
			}
		}
	})
}

func TestRegister_AClockThatGoesBackDoesNotTakeTheOrderWithIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		a.Clock.Advance(time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC).Sub(world.Start))
		who := newFiler(t, a)
		c := clock.NewOffset(a.Clock)
		r := newLane(a.NewRegisterAt(t, c), nil)
		newYear := mustFile(t, r, who.filing(world.Rome, slip{}))
		c.Set(-20 * time.Second)
		back := mustFile(t, r, who.filing(world.Rome, slip{}))
		if want := "INPS.7000.01/01/2027.0000002"; back.Number.String() != want || !back.At.Equal(newYear.At.Add(time.Microsecond)) {
			t.Errorf("with the clock in the old year: %s at %v, want %s a microsecond after %v", back.Number, back.At, want, newYear.At)
		}
		c.Set(time.Second)
		if forth := mustFile(t, r, who.filing(world.Rome, slip{})); !forth.At.Equal(c.Now()) {
			t.Errorf("with the clock right again: %v, not %v", forth.At, c.Now())
		}
	})
}

func TestRegister_TimesRiseWithinAGroupToo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		gate := world.NewGate()
		r := newLane(a.NewRegister(t), gate)
		filings := make([]protocol.Filing[slip], 5)
		for i := range filings {
			filings[i] = who.filing(world.Rome, slip{})
		}
		for i, got := range together(t, r, gate, who.filing(world.Rome, slip{}), filings...) {
			if got.err != nil {
				t.Fatal(got.err)
			}
			if want := world.Start.Add(time.Duration(i+1) * time.Microsecond); got.entry.Number.Serial != i+2 || !got.entry.At.Equal(want) {
				t.Errorf("arrived as %d: number %d at %v, want %v", i+2, got.entry.Number.Serial, got.entry.At, want)
			}
		}
		checkOrder(t, lines(t, a, world.Rome))
	})
}

// A process whose clock is wrong files nothing, and gives nobody a wrong date.
func TestRegister_AProcessWhoseClockIsWrongFilesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		wrong := clock.NewOffset(a.Clock)
		log := &bytes.Buffer{}
		r := protocol.NewRegister(
			d, protocol.Time{Process: wrong, Database: a.Clock}, a.Keys, a.Recheck, nil, slog.New(slog.NewTextHandler(log, nil)),
		)
		t.Cleanup(r.Close)
		reader := sdkmetric.NewManualReader()
		if err := r.Observe(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")); err != nil {
			t.Fatal(err)
		}
		astray := newLane(r, nil)
		for _, offset := range []time.Duration{26 * time.Hour, -26 * time.Hour, 2*time.Second + time.Microsecond, -3 * time.Second} {
			wrong.Set(offset)
			_, err := astray.File(context.Background(), who.claimed(world.Rome, "key", slip{}))
			var refused *fault.Fault
			if !errors.As(err, &refused) || refused.Code != fault.Unavailable || refused.RetryAfter == 0 {
				t.Errorf("%v ahead: %v", offset, err)
			}
		}
		if !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("the log says %q", log)
		}
		if n := counted(t, reader, "protocol.refusals"); n != 4 {
			t.Errorf("%d refusals were counted", n)
		}
		for _, offset := range []time.Duration{2 * time.Second, -2 * time.Second} {
			wrong.Set(offset)
			filed := mustFile(t, astray, who.claimed(world.Rome, "key "+offset.String(), slip{}))
			if gap := filed.At.Sub(a.Clock.Now()); gap < 0 || gap > time.Millisecond {
				t.Errorf("it is dated %v, %v from the database's time", filed.At, gap)
			}
		}
		wrong.Set(0)
		mustFile(t, astray, who.claimed(world.Rome, "key", slip{}))
	})
}

// counted returns the sum of a counter.
func counted(t *testing.T, reader *sdkmetric.ManualReader, name string) (sum int64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			data, found := m.Data.(metricdata.Sum[int64])
			for _, point := range data.DataPoints {
				if found && m.Name == name {
					sum += point.Value
				}
			}
		}
	}
	return sum
}

// An office whose last time lies in the future waits for it, and no other office does.
func TestRegister_ALastTimeAheadIsWaitedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		a.Exec(t, "INSERT INTO protocol_counters (office_code, year, last_number, last_at) VALUES (?, 2026, 7, ?)", world.Rome,
			world.Start.Add(26*time.Hour))
		gate := world.NewGate()
		r := newLane(a.NewRegister(t), gate)
		got := together(t, r, gate, who.filing(world.Milan, slip{}), who.filing(world.Rome, slip{}), who.filing(world.Milan, slip{}))
		if !fault.Is(got[0].err, fault.Unavailable) {
			t.Errorf("at the office that is ahead: %v, %v", got[0].entry.Number, got[0].err)
		}
		if got[1].err != nil || got[1].entry.Number.Serial != 2 {
			t.Errorf("at another office: %v, %v", got[1].entry.Number, got[1].err)
		}
		a.Clock.Advance(26*time.Hour - 30*time.Second)
		if filed := mustFile(t, r, who.filing(world.Rome, slip{})); filed.Number.Serial != 8 {
			t.Errorf("number %v", filed.Number)
		}
	})
}

// The time is the database's, read after the counters were locked, and moved as the installation's
// clock is.
func TestRegister_TheTimeIsTheDatabases(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	a := world.New(t, d)
	who := newFiler(t, a)
	ahead := clock.NewOffset(clock.System{})
	ahead.Set(1500 * time.Millisecond)
	r := protocol.NewRegister(d, protocol.Time{Process: ahead}, a.Keys, a.Recheck, nil, slog.New(slog.DiscardHandler))
	t.Cleanup(r.Close)
	locked, release := make(chan struct{}), make(chan struct{})
	mustFile(t, newLane(r, nil), who.filing(world.Rome, slip{}))
	done := make(chan error, 1)
	var released time.Time
	go func() {
		done <- d.InTx(context.Background(), func(ctx context.Context) error {
			if err := d.From(ctx).Exec("SELECT 1 FROM protocol_counters FOR UPDATE").Error; err != nil {
				return err
			}
			close(locked)
			<-release
			var err error
			released, err = d.Now(ctx)
			return err
		})
	}()
	<-locked
	waiting := later(newLane(r, nil), who.filing(world.Rome, slip{}))
	world.Eventually(t, "the register waits for the counter", func() bool {
		var n int
		err := d.From(context.Background()).Raw(
			"SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
		).Scan(&n).Error
		return err == nil && n > 0
	})
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got := <-waiting
	after, err := d.Now(context.Background())
	if err != nil || got.err != nil {
		t.Fatal(err, got.err)
	}
	if got.entry.At.Before(released) || got.entry.At.After(after) {
		t.Errorf("it is dated %v, not between %v and %v", got.entry.At, released, after)
	}
}

func TestRegister_ReserveLeavesNumbersOut(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		a := world.New(t, d)
		who := newFiler(t, a)
		r := newLane(a.NewRegisterAt(t, clock.System{}), nil)
		mustFile(t, r, who.filing(world.Rome, slip{}))
		reserve := func(office string, numbers int) (reserves []protocol.Reserve, err error) {
			err = d.InTx(ctx, func(ctx context.Context) error {
				reserves, err = protocol.ReserveNumbers(ctx, d, office, numbers, "restored")
				return err
			})
			return reserves, err
		}
		all, err := reserve("", 100)
		if err != nil || len(all) != 2 || all[0].FirstNumber != 1 || all[1].FirstNumber != 2 || all[1].LastNumber != 101 {
			t.Errorf("reserved %+v, %v", all, err)
		}
		if filed := mustFile(t, r, who.filing(world.Rome, slip{})); filed.Number.Serial != 102 {
			t.Errorf("the next number is %v", filed.Number)
		}
		if filed := mustFile(t, r, who.filing(world.Milan, slip{})); filed.Number.Serial != 101 {
			t.Errorf("where nothing was filed yet the next number is %v", filed.Number)
		}
		if _, err := reserve("9999", 1); !fault.Is(err, fault.NotFound) {
			t.Errorf("an office that is not there: %v", err)
		}
		if _, err := reserve(world.Rome, 9_999_999); !fault.Is(err, fault.Conflict) {
			t.Errorf("more than there are: %v", err)
		}
	})
}

func TestRegister_TheLastNumberOfAYear(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const highest = 9_999_999
		a := world.New(t, d)
		who := newFiler(t, a)
		a.Exec(
			t, "INSERT INTO protocol_counters (office_code, year, last_number, last_at) VALUES (?, ?, ?, ?)", world.Rome, 2026, highest-2,
			world.Start,
		)
		gate := world.NewGate()
		r := newLane(a.NewRegister(t), gate)
		got := together(t, r, gate, who.filing(world.Rome, slip{}),
			who.filing(world.Rome, slip{}), who.filing(world.Rome, slip{}), who.filing(world.Milan, slip{}), who.filing(world.Rome, slip{}))
		if got[0].err != nil || got[0].entry.Number.String() != "INPS.7000.16/03/2026.9999999" {
			t.Errorf("the last number: %v, %v", got[0].entry.Number, got[0].err)
		}
		if got[1].err == nil || got[3].err == nil {
			t.Errorf("beyond the last number: %v, %v", got[1].err, got[3].err)
		}
		if got[2].err != nil || got[2].entry.Number.Serial != 1 {
			t.Errorf("another office: %v, %v", got[2].entry.Number, got[2].err)
		}
		if n := a.Count(t, "protocol_counters WHERE office_code = ? AND last_number = ?", world.Rome, highest); n != 1 {
			t.Error("the counter left its last number")
		}
		a.Clock.Advance(365 * 24 * time.Hour)
		if next := mustFile(t, r, who.filing(world.Rome, slip{})); next.Number.Serial != 1 {
			t.Errorf("the year after begins with %v", next.Number)
		}
	})
}
