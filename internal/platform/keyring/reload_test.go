package keyring_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/platform/keyring"
	"diresco/internal/test/dbtest"
)

// TestReload_TakesWhatTheFilesHave: both rounds of a rotation without a restart, two processes one
// after the other. What one writes the other reads throughout.
func TestReload_TakesWhatTheFilesHave(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		s := newSite(t, d)
		before, after := rotated(t)
		a, b := s.enter(before, "k1"), s.enter(before, "k1")
		kid, _ := signing(t, a.Ring, keyring.ForSessions)
		lasting := a.Data.Lasting("test")[0]
		across := func() {
			t.Helper()
			for _, pair := range [][2]*keyring.Process{{a, b}, {b, a}} {
				id, mac := pair[0].Data.MAC("test", []byte("x"))
				if !pair[1].Data.CheckMAC(id, mac, "test", []byte("x")) {
					t.Errorf("what was written with %s is refused elsewhere", id)
				}
				now, _ := signing(t, pair[0].Ring, keyring.ForSessions)
				if _, err := pair[1].Ring.Verifying(ctx, keyring.ForSessions, now); err != nil {
					t.Errorf("what %s signed is refused elsewhere: %v", now, err)
				}
			}
		}
		for _, p := range []*keyring.Process{a, b} {
			if err := p.Reload(ctx, after, dataKeys(t, "k2", "k1")); err != nil {
				t.Fatal(err)
			}
			across()
			s.beat(a, b)
			across()
		}
		s.beat(a, b)
		if now, _ := signing(t, a.Ring, keyring.ForSessions); now == kid || current(a) != "k2" || current(b) != "k2" {
			t.Errorf("%s signs, %s and %s write", now, current(a), current(b))
		}
		if a.Data.Lasting("test")[0] != lasting {
			t.Error("what is found again by its digest changed")
		}
		// Too early: the first key still makes what is looked for.
		if err := a.Reload(ctx, after, dataKeys(t, "k2")); !errors.Is(err, keyring.ErrKeyMissing) {
			t.Errorf("without a key that is in use: %v", err)
		}
		s.time.Advance(72 * time.Hour)
		if err := d.InTx(ctx, func(ctx context.Context) error {
			return keyring.NewManager(d).Retire(ctx, "k1", false, s.time.Now())
		}); err != nil {
			t.Fatal(err)
		}
		if err := a.Reload(ctx, after, dataKeys(t, "k2")); err == nil {
			t.Error("a key was taken from a process that still uses it")
		}
		s.beat(a, b)
		for _, p := range []*keyring.Process{a, b} {
			if err := p.Reload(ctx, after, dataKeys(t, "k2")); err != nil {
				t.Error(err)
			}
			across()
		}
	})
}

// TestReload_WhatCannotBeUsedChangesNothing: the old keys stay in force.
func TestReload_WhatCannotBeUsedChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		s := newSite(t, d)
		set := generate(t)
		a, b := s.enter(set, "k1"), s.enter(set, "k1")
		s.beat(a, b)
		kid, _ := signing(t, a.Ring, keyring.ForSessions)
		published := func() int {
			t.Helper()
			keys, err := a.Ring.PublicSet(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return len(keys.Keys)
		}
		before := published()
		for name, wrong := range map[string]struct {
			set  *keyring.Private
			data *keyring.DataKeys
			want error
		}{
			"without the data key":     {set, dataKeys(t, "k9"), keyring.ErrKeyMissing},
			"strange signing keys":     {generate(t), dataKeys(t, "k1"), keyring.ErrNoSigningKey},
			"strange and without both": {generate(t), dataKeys(t, "k9"), keyring.ErrKeyMissing},
		} {
			if err := a.Reload(ctx, wrong.set, wrong.data); !errors.Is(err, wrong.want) {
				t.Errorf("%s: %v", name, err)
			}
			if now, _ := signing(t, a.Ring, keyring.ForSessions); now != kid || current(a) != "k1" || a.Ready() != nil {
				t.Errorf("%s: %s signs, %s writes, %v", name, now, current(a), a.Ready())
			}
			if n := published(); n != before {
				t.Errorf("%s: %d keys are believed, and %d were", name, n, before)
			}
		}
		s.beat(a, b)
		if now, _ := signing(t, a.Ring, keyring.ForSessions); now != kid {
			t.Errorf("%s signs", now)
		}
	})
}
