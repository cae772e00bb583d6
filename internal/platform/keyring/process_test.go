package keyring_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// site is what the processes of a test share.
type site struct {
	t *testing.T
	d *db.DB
	// time is the database's.
	time *clock.Manual
}

func newSite(t *testing.T, d *db.DB) *site {
	t.Helper()
	return &site{t, d, clock.NewManual(start)}
}

// dataKeys returns data keys with these ids; one id is one key.
func dataKeys(t *testing.T, ids ...string) *keyring.DataKeys {
	t.Helper()
	var texts []string
	for _, id := range ids {
		texts = append(texts, id+":"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat(id[len(id)-1:], 32))))
	}
	d, err := keyring.ParseDataKeys(secret.Text(strings.Join(texts, ",")))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *site) settings() keyring.Settings {
	return keyring.Settings{Clock: s.time, Database: s.time, Name: "test", Log: slog.New(slog.DiscardHandler)}
}

// enter starts a process.
func (s *site) enter(set *keyring.Private, ids ...string) *keyring.Process {
	s.t.Helper()
	p, err := keyring.Enter(context.Background(), s.d, s.settings(), set, dataKeys(s.t, ids...))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// refused tries to start a process that must not, and returns why.
func (s *site) refused(set *keyring.Private, ids ...string) error {
	s.t.Helper()
	_, err := keyring.Enter(context.Background(), s.d, s.settings(), set, dataKeys(s.t, ids...))
	if !errors.Is(err, keyring.ErrKeyMissing) || strings.Contains(err.Error(), "\n") {
		s.t.Errorf("data keys %v: %v", ids, err)
	}
	return err
}

// beat lets time pass until the processes have heard of each other.
func (s *site) beat(processes ...*keyring.Process) {
	s.t.Helper()
	for range 2 {
		s.time.Advance(keyring.BeatEvery)
		for _, p := range processes {
			if err := p.Beat(context.Background()); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// leave ends a process in order.
func (s *site) leave(p *keyring.Process) {
	s.t.Helper()
	if err := p.Leave(); err != nil {
		s.t.Fatal(err)
	}
}

// current returns the id of the data key that writes.
func current(p *keyring.Process) string {
	id, _ := p.Data.MAC("test")
	return id
}

// rotated returns two files of signing keys: one as it was, and one with new keys before the old.
func rotated(t *testing.T) (before, after *keyring.Private) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	before, err := keyring.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.AddFirst(path); err != nil {
		t.Fatal(err)
	}
	if after, err = keyring.Load(path); err != nil {
		t.Fatal(err)
	}
	return before, after
}

func TestProcess_WithoutTheKeysOfTheDatabaseIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := newSite(t, d)
		set := generate(t)
		s.leave(s.enter(set, "k1"))
		if err := s.refused(generate(t), "k1"); err == nil || !strings.Contains(err.Error(), "session-") {
			t.Errorf("with strange signing keys: %v", err)
		}
		if err := s.refused(set, "k2"); err == nil || !strings.Contains(err.Error(), "data key k1") {
			t.Errorf("with a strange data key: %v", err)
		}
		other, err := keyring.ParseDataKeys(secret.Text("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Enter(context.Background(), d, s.settings(), set, other); !errors.Is(err, keyring.ErrKeyMissing) {
			t.Errorf("with another key of the same id: %v", err)
		}
		s.leave(s.enter(set, "k2", "k1"))
	})
}

// A database that kept no list of its keys, as an earlier release left it.
func TestProcess_AnOlderDatabaseIsAdoptedByWhoHasItsKeys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := newSite(t, d)
		set := generate(t)
		open(t, d, s.time, set)
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			return d.From(ctx).Exec("INSERT INTO idempotency_keys (scope, key, operation, request_mac, resource_id, created_at) VALUES "+
				"('s', 'k', 'o', 'k1:mac', 'r', ?)", start).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.refused(set, "k2"); err == nil || !strings.Contains(err.Error(), "data key k1") {
			t.Errorf("without the data key of its rows: %v", err)
		}
		_ = s.refused(generate(t), "k1")
		sealed := dataKeys(t, "k1").Seal("test", []byte("secret"), []byte("part"))
		settings := s.settings()
		settings.Samples = func(context.Context) ([]keyring.Sample, error) {
			return []keyring.Sample{{Purpose: "test", Sealed: sealed, Parts: [][]byte{[]byte("another part")}}}, nil
		}
		if _, err := keyring.Enter(context.Background(), d, settings, set, dataKeys(t, "k1")); !errors.Is(err, keyring.ErrKeyMissing) {
			t.Errorf("with a key that does not open what was sealed: %v", err)
		}
		settings.Samples = func(context.Context) ([]keyring.Sample, error) {
			return []keyring.Sample{{Purpose: "test", Sealed: sealed, Parts: [][]byte{[]byte("part")}}}, nil
		}
		p, err := keyring.Enter(context.Background(), d, settings, set, dataKeys(t, "k2", "k1"))
		if err != nil {
			t.Fatal(err)
		}
		if id := current(p); id != "k2" {
			t.Errorf("%s is current, as the first one always was", id)
		}
		s.leave(p)
		_ = s.refused(set, "k2")
	})
}

func TestProcess_UsesAKeyWhenAllKnowIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		s := newSite(t, d)
		before, after := rotated(t)
		a, b := s.enter(before, "k1"), s.enter(before, "k1")
		kid, _ := signing(t, a.Ring, keyring.ForSessions)
		s.beat(a, b)

		// One has the new list, the other has not: what the first writes the second understands.
		s.leave(a)
		a = s.enter(after, "k2", "k1")
		for range 10 {
			if id := current(a); id != "k1" {
				t.Fatalf("%s is used while another process does not know it", id)
			}
			now, _ := signing(t, a.Ring, keyring.ForSessions)
			if _, err := b.Ring.Verifying(ctx, keyring.ForSessions, now); err != nil {
				t.Fatalf("what %s signed is refused elsewhere: %v", now, err)
			}
			s.beat(a, b)
		}
		// Signing keys are told by the database, so no second list is needed.
		if now, _ := signing(t, a.Ring, keyring.ForSessions); now == kid {
			t.Errorf("%s still signs, though all know the new one", now)
		}
		sum := a.Data.Lasting("test")[0]

		s.leave(b)
		b = s.enter(after, "k2", "k1")
		s.beat(a, b)
		if current(a) != "k2" || current(b) != "k2" {
			t.Errorf("%s and %s are used, though all know k2", current(a), current(b))
		}
		if a.Data.Lasting("test")[0] != sum || b.Data.Lasting("test")[0] != sum {
			t.Error("what is found again by its digest changed with the rotation")
		}
		// From now on nobody starts who does not know it.
		_ = s.refused(before, "k1")
		if sums := a.Data.Sums("test"); len(sums) != 2 || !slices.Equal(sums[0], b.Data.Sums("test")[0]) {
			t.Error("two processes put their keys in different orders")
		}
	})
}

func TestProcess_OneThatVanishedIsWaitedFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := newSite(t, d)
		before, after := rotated(t)
		s.enter(before, "k1") // and never heard of again
		s.time.Advance(time.Hour)
		a := s.enter(after, "k2", "k1")
		// It was away for an hour, but nobody looked.
		s.beat(a)
		if id := current(a); id != "k1" {
			t.Errorf("%s is used at once", id)
		}
		for range 4 {
			s.beat(a)
		}
		if id := current(a); id != "k2" {
			t.Errorf("%s is used, though nobody else was heard of for long", id)
		}
	})
}

func TestProcess_OneThatWasCutOffSaysSo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := newSite(t, d)
		_, after := rotated(t)
		a := s.enter(after, "k2", "k1")
		b := s.enter(after, "k3", "k2", "k1")
		// Nothing is heard of the first for a minute.
		for range 6 {
			s.beat(b)
		}
		if id := current(b); id != "k3" {
			t.Fatalf("%s is used", id)
		}
		s.beat(a)
		if err := a.Ready(); !errors.Is(err, keyring.ErrKeyMissing) {
			t.Errorf("it is ready without a key that is used: %v", err)
		}
		if err := b.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestKeys_RetireAndRevoke(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		s := newSite(t, d)
		before, after := rotated(t)
		a := s.enter(before, "k1")
		old, _ := signing(t, a.Ring, keyring.ForSessions)
		oldReceipt, _ := signing(t, a.Ring, keyring.ForReceipts)
		m := keyring.NewManager(d)
		revoke := func(kid string, forced bool) error {
			return d.InTx(ctx, func(ctx context.Context) error {
				return m.Revoke(ctx, keyring.Revocation{Kid: kid, From: s.time.Now(), Reason: "stolen"}, forced, s.time.Now())
			})
		}
		retire := func(id string) error {
			return d.InTx(ctx, func(ctx context.Context) error { return m.Retire(ctx, id, false, s.time.Now()) })
		}
		if err := revoke(old, false); !errors.Is(err, keyring.ErrKeyNeeded) {
			t.Errorf("the only key was revoked: %v", err)
		}
		if err := retire("k1"); !errors.Is(err, keyring.ErrKeyNeeded) {
			t.Errorf("the only data key was retired: %v", err)
		}
		s.leave(a)
		a = s.enter(after, "k2", "k1")
		s.beat(a)
		if err := retire("k1"); !errors.Is(err, keyring.ErrKeyNeeded) {
			t.Errorf("a data key was retired while what it sealed may still be on its way: %v", err)
		}
		jws, err := open(t, d, s.time, before).SignReceipt([]byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, kid := range []string{old, oldReceipt} {
			if err := revoke(kid, false); err != nil {
				t.Fatal(err)
			}
		}
		s.beat(a)
		if _, err := a.Ring.Verifying(ctx, keyring.ForSessions, old); !errors.Is(err, keyring.ErrUnknownKey) {
			t.Errorf("a revoked key's tokens are believed: %v", err)
		}
		if !a.Ring.Revoked(old) {
			t.Error("it is not revoked")
		}
		if _, err := a.Ring.VerifyReceipt(ctx, jws); err != nil {
			t.Errorf("a revoked key's receipt is not looked for in the register: %v", err)
		}
		public, err := a.Ring.PublicSet(ctx)
		if err != nil || len(public.Keys) != 2 {
			t.Errorf("%d keys are published, %v", len(public.Keys), err)
		}
		s.time.Advance(72 * time.Hour)
		if err := retire("k1"); err != nil {
			t.Error(err)
		}
		s.leave(a)
		s.leave(s.enter(after, "k2"))
		if err := d.InTx(ctx, func(ctx context.Context) error {
			return d.From(ctx).Exec("DELETE FROM signing_key_revocations").Error
		}); err == nil {
			t.Error("a revocation could be taken back")
		}
	})
}
