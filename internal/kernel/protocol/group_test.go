package protocol_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestRegister_OneBadFilingHarmsNoOtherOfItsGroup(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who, ended, withdrawn, suspended := newFiler(t, a), newFiler(t, a), newFiler(t, a), newFiler(t, a)
		a.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", a.Clock.Now(), ended.actor.SessionID)
		a.WithdrawRole(t, withdrawn.right.ID)
		a.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", a.Clock.Now(), suspended.actor.PersonID)
		for _, c := range []struct {
			name string
			// withFailing adds a filing whose storing fails, which makes the register file the
			// group one by one.
			withFailing bool
		}{{"refused in the group", false}, {"filed one by one", true}} {
			t.Run(c.name, func(t *testing.T) {
				gate := world.NewGate()
				r := newLane(a.NewRegister(t), gate)
				before := len(lines(t, a, world.Rome))
				filings := []protocol.Filing[slip]{
					who.claimed(world.Rome, c.name+" good 1", slip{}),
					who.claimed(world.Rome, c.name+" refused", slip{refused: true}),
					ended.claimed(world.Rome, c.name, slip{}),
					withdrawn.claimed(world.Rome, c.name, slip{}),
					suspended.claimed(world.Rome, c.name, slip{}),
					who.claimed(world.Rome, c.name+" failing", slip{failing: c.withFailing}),
					who.claimed(world.Rome, c.name+" good 2", slip{}),
				}
				got := together(t, r, gate, who.filing(world.Rome, slip{}), filings...)
				for i, code := range []fault.Code{"", fault.Conflict, fault.SessionEnded, fault.NotFound, fault.SessionEnded, "", ""} {
					switch {
					case i == 5 && c.withFailing:
						if !errors.Is(got[i].err, errStore) {
							t.Errorf("the failing one gave %v", got[i].err)
						}
					case code == "" && got[i].err != nil, code != "" && !fault.Is(got[i].err, code):
						t.Errorf("filing %d gave %v, want %q", i, got[i].err, code)
					}
				}
				want := []int{0, 6}
				if !c.withFailing {
					want = []int{0, 5, 6}
				}
				all := lines(t, a, world.Rome)
				checkOrder(t, all)
				if len(all) != before+1+len(want) {
					t.Fatalf("%d lines, want %d", len(all), before+1+len(want))
				}
				for n, i := range want {
					if l := all[before+1+n]; l.SubjectID != filings[i].SubjectID || l.Number != got[i].entry.Number.Serial {
						t.Errorf("line %d is not filing %d: arrival order is lost", l.Number, i)
					}
				}
				// A request that was refused, or failed, leaves nothing: its key is free.
				for i, f := range filings {
					filed := slices.Contains(want, i)
					keys := a.Count(
						t, "idempotency_keys WHERE scope = ? AND key = ? AND resource_id = ?", f.Claim.Scope, f.Claim.Key,
						f.SubjectID.String(),
					)
					records := a.Count(t, "audit_records WHERE subject_id = ?", f.SubjectID.String())
					if (keys == 1) != filed || (records == 1) != filed || filed && !f.Claim.Taken() {
						t.Errorf("filing %d (filed: %v) left %d keys and %d audit records", i, filed, keys, records)
					}
				}
			})
		}
		if total := len(lines(t, a, world.Rome)); a.Count(t, "outbox") != total || a.Count(t, "audit_records") != total {
			t.Errorf("%d lines, %d messages, %d audit records", total, a.Count(t, "outbox"), a.Count(t, "audit_records"))
		}
	})
}

func TestRegister_AFilingLeavesItsTrace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		r := newLane(a.NewRegister(t), nil)
		a.Clock.Advance(time.Minute)
		f := who.filing(world.Rome, slip{})
		f.Trace.ContributorID = who.actor.ContributorID
		entry := mustFile(t, r, f)
		type record struct {
			Operation, SubjectKind, SubjectID, ActingAs, Outcome, RequestID, Address string
			PersonID, SessionID, ContributorID, RightID                              uuid.UUID
			At                                                                       time.Time
		}
		var got []record
		if err := d.From(context.Background()).Table("audit_records").Find(&got).Error; err != nil {
			t.Fatal(err)
		}
		want := []record{{
			Operation: "fileSlip", SubjectKind: kind, SubjectID: f.SubjectID.String(), ActingAs: string(access.LegalRepresentative),
			Outcome: "done", RequestID: "request-1", Address: "192.0.2.1",
			PersonID: who.actor.PersonID, SessionID: who.actor.SessionID, ContributorID: who.actor.ContributorID, RightID: who.right.ID,
			At: entry.At,
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRegister_TwinsInOneGroup(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		gate := world.NewGate()
		r := newLane(a.NewRegister(t), gate)
		first, twin := who.claimed(world.Rome, "k", slip{}), who.claimed(world.Rome, "k", slip{})
		other := who.claimed(world.Rome, "k", slip{})
		other.Claim.RequestMAC = "another request"
		refused, after := who.claimed(world.Rome, "r", slip{refused: true}), who.claimed(world.Rome, "r", slip{})
		got := together(t, r, gate, who.filing(world.Rome, slip{}), first, twin, other, refused, after)
		var replay *idempotency.Replay
		if got[0].err != nil || !errors.As(got[1].err, &replay) || replay.ResourceID != first.SubjectID.String() {
			t.Errorf("first: %v, twin: %v (%+v)", got[0].err, got[1].err, replay)
		}
		if !fault.Is(got[2].err, fault.IdempotencyKeyReused) {
			t.Errorf("another request with the key gave %v", got[2].err)
		}
		if !fault.Is(got[3].err, fault.Conflict) || got[4].err != nil {
			t.Errorf("refused: %v; the same key after the refusal: %v", got[3].err, got[4].err)
		}
		if n := len(lines(t, a, world.Rome)); n != 3 {
			t.Errorf("%d lines, want 3", n)
		}
	})
}

func TestRegister_CloseFilesWhatWaits(t *testing.T) {
	dbtest.EachAlone(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		before := goleak.IgnoreCurrent()
		gate := world.NewGate()
		r := newLane(a.NewRegister(t), gate)
		results := []<-chan outcome{later(r, who.filing(world.Rome, slip{}))}
		gate.Reached()
		for i := range 300 {
			results = append(results, later(r, who.filing(world.Rome, slip{})))
			world.Eventually(t, "the filing waits", func() bool { return r.register.Waiting() == i+1 })
		}
		closed := make(chan struct{})
		go func() {
			r.register.Close()
			close(closed)
		}()
		// From the moment on that Close was called, nothing new is taken.
		world.Eventually(t, "the register takes nothing any more", func() bool {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, err := r.File(ctx, who.filing(world.Rome, slip{}))
			return fault.Is(err, fault.Unavailable)
		})
		gate.Open()
		<-closed
		for i, result := range results {
			if got := <-result; got.err != nil || got.entry.Number.Serial != i+1 {
				t.Fatalf("filing %d: %v, %v", i, got.entry.Number, got.err)
			}
		}
		r.register.Close()
		if _, err := r.File(context.Background(), who.filing(world.Rome, slip{})); !fault.Is(err, fault.Unavailable) {
			t.Errorf("after Close: %v", err)
		}
		if n := len(lines(t, a, world.Rome)); n != 301 {
			t.Errorf("%d lines", n)
		}
		goleak.VerifyNone(t, before)
	})
}

func TestRegister_WhoGaveUpBeforeTheirTurnIsNotFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		gate := world.NewGate()
		r := newLane(a.NewRegister(t), gate)
		first := later(r, who.filing(world.Rome, slip{}))
		gate.Reached()
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error, 1)
		go func() {
			_, err := r.File(ctx, who.claimed(world.Rome, "gone", slip{}))
			result <- err
		}()
		world.Eventually(t, "the filing waits", func() bool { return r.register.Waiting() == 1 })
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		gate.Open()
		<-first
		mustFile(t, r, who.filing(world.Rome, slip{}))
		if n := len(lines(t, a, world.Rome)); n != 2 || a.Count(t, "idempotency_keys") != 0 {
			t.Errorf("%d lines, %d keys", n, a.Count(t, "idempotency_keys"))
		}
	})
}

func TestRegister_AFullRegisterSaysSo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		gate := world.NewGate()
		r := newLane(a.NewRegister(t), gate)
		first := later(r, who.filing(world.Rome, slip{}))
		gate.Reached()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var wait sync.WaitGroup
		for range protocol.QueueSize {
			wait.Go(func() { _, _ = r.File(ctx, who.filing(world.Rome, slip{})) })
		}
		world.Eventually(t, "the queue is full", func() bool { return r.register.Waiting() == protocol.QueueSize })
		_, err := r.File(context.Background(), who.filing(world.Rome, slip{}))
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Busy || f.RetryAfter <= 0 {
			t.Errorf("a full register gave %v", err)
		}
		cancel()
		wait.Wait()
		gate.Open()
		if got := <-first; got.err != nil {
			t.Error(got.err)
		}
		world.Eventually(t, "the queue is empty", func() bool { return r.register.Waiting() == 0 })
		mustFile(t, r, who.filing(world.Rome, slip{}))
		if n := len(lines(t, a, world.Rome)); n != 2 {
			t.Errorf("%d lines, want those two that somebody still waited for", n)
		}
	})
}

// What ends a right to file happens either before a filing, which is then refused, or after it. Who
// takes the right away sees every filing that was made with it.
func TestRegister_AnEndedRightFilesNothingMore(t *testing.T) {
	for _, c := range []struct {
		name, statement string
		subject         func(filer) uuid.UUID
		want            fault.Code
	}{
		{"session ended", "UPDATE sessions SET ended_at = ? WHERE id = ?", func(f filer) uuid.UUID {
			return f.actor.SessionID
		}, fault.SessionEnded},
		{"role withdrawn", "UPDATE contributor_roles SET withdrawn_at = ? WHERE id = ?", func(f filer) uuid.UUID {
			return f.right.ID
		}, fault.NotFound},
		{"person suspended", "UPDATE people SET suspended_at = ? WHERE id = ?", func(f filer) uuid.UUID {
			return f.actor.PersonID
		}, fault.SessionEnded},
	} {
		t.Run(c.name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				a := world.New(t, d)
				r := newLane(a.NewRegister(t), nil)
				for range 10 {
					who := newFiler(t, a)
					made := func(ctx context.Context) int {
						var n int
						if err := d.From(ctx).Raw(
							"SELECT COUNT(*) FROM audit_records WHERE person_id = ?", who.actor.PersonID,
						).Scan(&n).Error; err != nil {
							t.Error(err)
						}
						return n
					}
					seen := 0
					world.Parallel(5, func(i int) {
						if i > 0 {
							for {
								_, err := r.File(context.Background(), who.filing(world.Rome, slip{}))
								if fault.Is(err, c.want) {
									return
								}
								if err != nil {
									t.Errorf("filing gave %v", err)
									return
								}
							}
						}
						world.Eventually(t, "something is filed", func() bool { return made(context.Background()) > 0 })
						a.Must(t, func(ctx context.Context) error {
							if err := d.From(ctx).Exec(c.statement, a.Clock.Now(), c.subject(who)).Error; err != nil {
								return err
							}
							seen = made(ctx)
							return nil
						})
					})
					if total := made(context.Background()); total != seen {
						t.Errorf("%d filings when the right ended, %d in the end", seen, total)
					}
				}
			})
		})
	}
}

// Somebody else holds what one filing needs: that one is told to come again, and the others are
// filed.
func TestRegister_ALockThatIsNotGivenUp(t *testing.T) {
	rawURL := dbtest.Postgres(t)
	impatient, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	query := impatient.Query()
	query.Set("lock_timeout", "50ms")
	impatient.RawQuery = query.Encode()
	d := dbtest.Open(t, rawURL)
	a := world.New(t, d)
	b := a.Twin(t, dbtest.Open(t, impatient.String()))
	held, free := newFiler(t, a), newFiler(t, a)
	gate := world.NewGate()
	r := newLane(b.NewRegister(t), gate)
	err = d.InTx(context.Background(), func(ctx context.Context) error {
		if err := d.From(ctx).Exec(
			"UPDATE sessions SET last_seen_at = ? WHERE id = ?", a.Clock.Now(), held.actor.SessionID,
		).Error; err != nil {
			return err
		}
		got := together(
			t, r, gate, free.filing(world.Rome, slip{}), free.filing(world.Rome, slip{}), held.filing(world.Rome, slip{}),
			free.filing(world.Rome, slip{}),
		)
		var f *fault.Fault
		if got[0].err != nil || got[2].err != nil || !errors.As(got[1].err, &f) || f.Code != fault.Busy || f.RetryAfter <= 0 {
			t.Errorf("got %v, %v, %v", got[0].err, got[1].err, got[2].err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustFile(t, r, held.filing(world.Rome, slip{}))
	checkOrder(t, lines(t, a, world.Rome))
}

// The clock ends a right as anybody does. Nothing filed under a delegation is dated at or after its
// end, however long the register's turn took to come.
func TestRegister_NothingIsDatedAfterItsRightEnded(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	a := world.New(t, d)
	r := newLane(a.NewRegister(t), nil)
	if _, err := r.File(context.Background(), newFiler(t, a).filing(world.Rome, slip{})); err != nil {
		t.Fatal(err)
	}
	company, _ := a.Employer(t)
	professional, delegate := a.Professional(t)
	end := a.Clock.Now().Add(100 * time.Millisecond)
	a.Delegation(t, delegate, company, func(d *world.Delegation) { d.ValidUntil = &end })
	by := a.Enter(t, a.Session(t, professional.ID, nil), company.ID)
	var refused error
	world.EndBeside(t, d, a.Clock, func() error {
		_, refused = r.File(context.Background(), filer{by, by.Rights[0]}.filing(world.Rome, slip{}))
		return nil
	}, "SELECT 1 FROM protocol_counters WHERE office_code = ? FOR UPDATE", world.Rome)
	if !fault.Is(refused, fault.NotFound) {
		t.Errorf("got %v", refused)
	}
	if n := a.Count(t, "protocol_entries"); n != 1 {
		t.Errorf("%d entries", n)
	}
}
