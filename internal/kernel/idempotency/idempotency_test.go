package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"diresco/db"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func newAnswers(t *testing.T, d *db.DB) *idempotency.Answers {
	t.Helper()
	answers := idempotency.NewAnswers(d, slog.New(slog.DiscardHandler))
	t.Cleanup(answers.Close)
	return answers
}

func claim(key, mac string) *idempotency.Claim {
	return &idempotency.Claim{Scope: "person:1", Key: key, Operation: "op", RequestMAC: mac}
}

// take claims a key in a transaction of its own.
func take(d *db.DB, s *idempotency.Store, c *idempotency.Claim, resource string) error {
	return d.InTx(context.Background(), func(ctx context.Context) error {
		return s.Take(ctx, idempotency.Want{Claim: c, ResourceID: resource})
	})
}

func isReplayOf(err error, resource string) bool {
	var replay *idempotency.Replay
	return errors.As(err, &replay) && replay.ResourceID == resource && replay.Answer == nil
}

func TestIdempotency_AKeyIsTakenOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := idempotency.NewStore(d, clock.NewManual(world.Start), nil)
		if err := take(d, s, claim("k", "mac"), "r1"); err != nil {
			t.Fatal(err)
		}
		if err := take(d, s, claim("k", "mac"), "r2"); !isReplayOf(err, "r1") {
			t.Errorf("the same request: %v", err)
		}
		if err := take(d, s, claim("k", "other"), "r2"); !fault.Is(err, fault.IdempotencyKeyReused) {
			t.Errorf("another request: %v", err)
		}
		anothers := claim("k", "mac")
		anothers.Scope = "person:2"
		if err := take(d, s, anothers, "r3"); err != nil {
			t.Errorf("another person's key: %v", err)
		}
		for range 2 {
			if err := take(d, s, nil, "r4"); err != nil {
				t.Errorf("without a key: %v", err)
			}
		}
	})
}

// A first try whose digest was made under another data key is the same request.
func TestIdempotency_ARepeatAcrossARotationIsOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := idempotency.NewStore(d, clock.NewManual(world.Start), nil)
		if err := take(d, s, claim("k", "k1:mac"), "r1"); err != nil {
			t.Fatal(err)
		}
		again := claim("k", "k2:mac")
		again.OtherMACs = []string{"k1:mac"}
		if err := take(d, s, again, "r2"); !isReplayOf(err, "r1") {
			t.Errorf("the same request: %v", err)
		}
		again.OtherMACs = []string{"k1:another"}
		if err := take(d, s, again, "r2"); !fault.Is(err, fault.IdempotencyKeyReused) {
			t.Errorf("another request: %v", err)
		}
	})
}

func TestIdempotency_AKeyIsForgottenAfterADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := clock.NewManual(world.Start)
		s := idempotency.NewStore(d, c, nil)
		if err := take(d, s, claim("k", "mac"), "r1"); err != nil {
			t.Fatal(err)
		}
		answers := newAnswers(t, d)
		answers.Remember(claim("k", "mac"), idempotency.Answer{Status: 201})
		answers.Flush(context.Background())
		c.Advance(idempotency.Lifetime - time.Microsecond)
		if err := take(d, s, claim("k", "other"), "r2"); !fault.Is(err, fault.IdempotencyKeyReused) {
			t.Errorf("a microsecond before its end: %v", err)
		}
		c.Advance(time.Microsecond)
		if err := take(d, s, claim("k", "other"), "r2"); err != nil {
			t.Errorf("after 24 hours: %v", err)
		}
		// The new holder's row says nothing of the old one's answer.
		if err := take(d, s, claim("k", "other"), "r3"); !isReplayOf(err, "r2") {
			t.Errorf("a repeat of the new request: %v", err)
		}
	})
}

func TestIdempotency_PurgeDropsWhatIsForgotten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := clock.NewManual(world.Start)
		s := idempotency.NewStore(d, c, nil)
		for _, key := range []string{"old", "young"} {
			if err := take(d, s, claim(key, "mac"), "r"); err != nil {
				t.Fatal(err)
			}
			c.Advance(time.Hour)
		}
		c.Advance(idempotency.Lifetime - 2*time.Hour)
		if err := s.Purge(context.Background()); err != nil {
			t.Fatal(err)
		}
		var left []string
		if err := d.From(context.Background()).Raw("SELECT key FROM idempotency_keys").Scan(&left).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"young"}, left); diff != "" {
			t.Error(diff)
		}
	})
}

func TestIdempotency_AFailedEffectLeavesNoKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := idempotency.NewStore(d, clock.NewManual(world.Start), nil)
		boom := errors.New("boom")
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			if err := s.Take(ctx, idempotency.Want{Claim: claim("k", "mac"), ResourceID: "r1"}); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		if err := take(d, s, claim("k", "other"), "r2"); err != nil {
			t.Errorf("the key after a failure: %v", err)
		}
	})
}

func TestIdempotency_AReleasedKeyIsFree(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := idempotency.NewStore(d, clock.NewManual(world.Start), nil)
		held := claim("held", "mac")
		if err := take(d, s, held, "r1"); err != nil {
			t.Fatal(err)
		}
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			mine, late := claim("mine", "mac"), claim("held", "mac")
			outcomes := s.TakeAll(ctx, []idempotency.Want{{Claim: mine, ResourceID: "r2"}, {}, {Claim: late, ResourceID: "r3"}})
			if outcomes[0] != nil || outcomes[1] != nil || !isReplayOf(outcomes[2], "r1") {
				t.Errorf("outcomes %v", outcomes)
			}
			// Only who took a key can give it back.
			err := s.Release(ctx, mine, nil, late)
			if mine.Taken() {
				t.Error("a released key counts as taken")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := take(d, s, claim("mine", "other"), "r4"); err != nil {
			t.Errorf("the released key: %v", err)
		}
		if err := take(d, s, claim("held", "mac"), "r5"); !isReplayOf(err, "r1") {
			t.Errorf("the key that another holds: %v", err)
		}
	})
}

// Two groups that want the same keys the other way round must not wait for each other for ever.
func TestIdempotency_GroupsWithTheSameKeysDoNotBlockEachOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := idempotency.NewStore(d, clock.NewManual(world.Start), nil)
		const groups, rounds, keys = 4, 10, 40
		for round := range rounds {
			taken := make([]int, groups)
			world.Parallel(groups, func(g int) {
				wants := make([]idempotency.Want, keys)
				for i := range wants {
					wants[i] = idempotency.Want{Claim: claim(fmt.Sprintf("%d/%02d", round, i), "mac"), ResourceID: "r"}
				}
				if g%2 == 1 {
					slices.Reverse(wants)
				}
				err := d.InTx(context.Background(), func(ctx context.Context) error {
					for i, err := range s.TakeAll(ctx, wants) {
						switch {
						case err == nil && wants[i].Claim.Taken():
							taken[g]++
						case !isReplayOf(err, "r"):
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			if total := taken[0] + taken[1] + taken[2] + taken[3]; total != keys {
				t.Errorf("%d keys were taken %d times", keys, total)
			}
		}
	})
}

func TestIdempotency_ATwinThatTakesTooLong(t *testing.T) {
	rawURL := dbtest.Postgres(t)
	impatient, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	query := impatient.Query()
	query.Set("lock_timeout", "50ms")
	impatient.RawQuery = query.Encode()
	d, other := dbtest.Open(t, rawURL), dbtest.Open(t, impatient.String())
	a := world.New(t, d)
	b := a.Twin(t, other)
	c, by := a.Employer(t)
	err = d.InTx(context.Background(), func(ctx context.Context) error {
		if err := a.Keys.Take(ctx, idempotency.Want{Claim: world.Claim(by, "k"), ResourceID: "r"}); err != nil {
			return err
		}
		for name, submit := range map[string]bool{"drafted": false, "filed": true} {
			_, err := b.Declarations.Draft(world.WithKey(context.Background(), by, "k"), by, c.ID, c.Input(submit))
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.RequestInProgress || f.RetryAfter <= 0 {
				t.Errorf("%s while the twin runs: %v", name, err)
			}
		}
		if _, err := b.Declarations.Draft(world.WithKey(context.Background(), by, "free"), by, c.ID, c.Input(true)); err != nil {
			t.Errorf("another key meanwhile: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := b.Count(t, "declarations"); n != 1 {
		t.Errorf("%d declarations", n)
	}
}

func TestIdempotency_AnswersAreWrittenAtTheEndToo(t *testing.T) {
	dbtest.EachAlone(t, func(t *testing.T, d *db.DB) {
		s := idempotency.NewStore(d, clock.NewManual(world.Start), nil)
		const keys = 450
		for i := range keys {
			if err := take(d, s, claim(fmt.Sprint(i), "mac"), "r"); err != nil {
				t.Fatal(err)
			}
		}
		before := goleak.IgnoreCurrent()
		answers := idempotency.NewAnswers(d, slog.New(slog.DiscardHandler))
		for i := range keys {
			answers.Remember(claim(fmt.Sprint(i), "mac"), idempotency.Answer{
				Status: 200 + i%2*4, Headers: map[string]string{"N": fmt.Sprint(i)}, Body: []byte(fmt.Sprint(i)),
			})
		}
		// An answer to a key that is gone harms nothing.
		answers.Remember(claim("gone", "mac"), idempotency.Answer{Status: 200})
		answers.Close()
		goleak.VerifyNone(t, before)
		for i := range keys {
			err := take(d, s, claim(fmt.Sprint(i), "mac"), "r")
			var replay *idempotency.Replay
			if !errors.As(err, &replay) || replay.Answer == nil {
				t.Fatalf("key %d: %v", i, err)
			}
			want := idempotency.Answer{Status: 200 + i%2*4, Headers: map[string]string{"N": fmt.Sprint(i)}, Body: []byte(fmt.Sprint(i))}
			if diff := cmp.Diff(want, *replay.Answer); diff != "" {
				t.Fatalf("key %d:\n%s", i, diff)
			}
		}
	})
}

func TestIdempotency_SeenTellsWithoutTaking(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := clock.NewManual(world.Start)
		s, ctx := idempotency.NewStore(d, c, nil), context.Background()
		for range 2 {
			if err := s.ReplayOf(ctx, claim("k", "mac")); err != nil {
				t.Errorf("a key that nobody took: %v", err)
			}
		}
		if err := take(d, s, claim("k", "mac"), "r1"); err != nil {
			t.Fatal(err)
		}
		if err := s.ReplayOf(ctx, claim("k", "mac")); !isReplayOf(err, "r1") {
			t.Errorf("the same request: %v", err)
		}
		if err := s.ReplayOf(ctx, claim("k", "other")); !fault.Is(err, fault.IdempotencyKeyReused) {
			t.Errorf("another request: %v", err)
		}
		if err := s.ReplayOf(ctx, nil); err != nil {
			t.Errorf("no key: %v", err)
		}
		c.Advance(idempotency.Lifetime)
		if err := s.ReplayOf(ctx, claim("k", "other")); err != nil {
			t.Errorf("a key that is forgotten: %v", err)
		}
	})
}
