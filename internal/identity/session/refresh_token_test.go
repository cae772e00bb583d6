package session_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestRefreshToken_RenewalRotates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, pin)
		before := w.Count(t, "audit_records")
		next := renew(t, w, s.RefreshToken, "")
		if next.SessionID != s.SessionID || next.RefreshToken == s.RefreshToken || !next.ExpiresAt.Equal(s.ExpiresAt) ||
			next.CredentialLevel != access.Dispositive {
			t.Errorf("session %+v", next)
		}
		if n := w.Count(t, "audit_records") - before; n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
		w.MustActor(t, next)
		// The same token again, without a key: somebody has a copy.
		_, err := w.Sessions.Renew(ctx, s.RefreshToken, "")
		want(t, err, fault.SessionEnded)
		_, err = w.Sessions.Renew(ctx, next.RefreshToken, "")
		want(t, err, fault.SessionEnded)
		_, err = w.Actor(t, next)
		want(t, err, fault.SessionEnded)
		if n := w.Count(t, "sessions WHERE end_reason = 'refresh-reuse'"); n != 1 {
			t.Error("the reason is not kept")
		}
		if n := w.Count(t, "audit_records WHERE outcome = 'refresh-reuse'"); n != 1 {
			t.Errorf("%d audit records of the reuse, want 1", n)
		}
	})
}

func TestRefreshToken_RepeatedRenewal(t *testing.T) {
	const key = "0b1c2d3e-key"
	type use struct {
		old   bool // the token from before the first renewal, else its successor
		key   string
		after time.Duration
	}
	tests := map[string]struct {
		first string
		uses  []use
		want  fault.Code
	}{
		"same key at once":                 {key, []use{{true, key, 0}}, ""},
		"same key, often":                  {key, []use{{true, key, 0}, {true, key, 30 * time.Second}, {true, key, 29 * time.Second}}, ""},
		"same key after a minute":          {key, []use{{true, key, time.Minute}}, fault.SessionEnded},
		"another key":                      {key, []use{{true, "another-key", 0}}, fault.SessionEnded},
		"no key any more":                  {key, []use{{true, "", 0}}, fault.SessionEnded},
		"a key only now":                   {"", []use{{true, key, 0}}, fault.SessionEnded},
		"never a key":                      {"", []use{{true, "", 0}}, fault.SessionEnded},
		"same key after the next renewal":  {key, []use{{false, "next-key", 0}, {true, key, 0}}, fault.SessionEnded},
		"successor used, with the old key": {key, []use{{false, key, 0}}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := pintest.New(t, d, pintest.Cheap)
				_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
				s := w.Login(t, pintest.Mario, pin)
				next := renew(t, w, s.RefreshToken, tt.first)
				var got session.Session
				var err error
				for _, u := range tt.uses {
					w.Clock.Advance(u.after)
					token := next.RefreshToken
					if u.old {
						token = s.RefreshToken
					}
					got, err = w.Sessions.Renew(ctx, token, u.key)
					if u.old && err == nil && got.RefreshToken != next.RefreshToken {
						t.Error("a repeat gives another successor")
					}
				}
				want(t, err, tt.want)
				if err == nil {
					w.MustActor(t, got)
				}
			})
		})
	}
}

func TestRefreshToken_ParallelRenewals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		other := w.Twin(t)
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		run := func(token secret.Text, key string) (successes, ended int64, successors map[secret.Text]bool) {
			var ok, dead atomic.Int64
			var mu sync.Mutex
			successors = map[secret.Text]bool{}
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					at := w
					if i%2 == 1 {
						at = other
					}
					s, err := at.Sessions.Renew(ctx, token, key)
					switch {
					case err == nil:
						ok.Add(1)
						mu.Lock()
						defer mu.Unlock()
						successors[s.RefreshToken] = true
					case fault.Is(err, fault.SessionEnded):
						dead.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			return ok.Load(), dead.Load(), successors
		}

		s := w.Login(t, pintest.Mario, pin)
		if ok, dead, _ := run(s.RefreshToken, ""); ok > 1 || ok+dead != 20 {
			t.Errorf("without a key: %d succeed, %d find the session ended", ok, dead)
		}
		_, err := w.Actor(t, s)
		want(t, err, fault.SessionEnded)

		s = w.Login(t, pintest.Mario, pin)
		before := w.Count(t, "audit_records")
		ok, _, successors := run(s.RefreshToken, "the-same-key")
		if ok != 20 || len(successors) != 1 {
			t.Errorf("with one key: %d succeed with %d different successors", ok, len(successors))
		}
		if n := w.Count(t, "audit_records") - before; n != 1 {
			t.Errorf("%d audit records of one renewal and its repeats", n)
		}
		for next := range successors {
			renew(t, w, next, "")
		}
	})
}

func TestRefreshToken_ForgedRefreshTokensTouchNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, pin)
		genuine := s.RefreshToken.Reveal()
		decoded, err := base64.RawURLEncoding.DecodeString(genuine)
		if err != nil {
			t.Fatal(err)
		}
		changed := func(i int) string {
			b := append([]byte(nil), decoded...)
			b[i] ^= 1
			return base64.RawURLEncoding.EncodeToString(b)
		}
		statements := world.Statements(t, d)
		for name, token := range map[string]string{
			"empty": "", "cut": genuine[:len(genuine)-1], "longer": genuine + "A", "padded": genuine + "=",
			"line break": genuine[:10] + "\n" + genuine[11:],
			"version":    changed(0), "session": changed(3), "generation": changed(20), "random part": changed(25),
			"digest": changed(len(decoded) - 1),
			"zeros":  strings.Repeat("A", len(genuine)), "access token": s.AccessToken.Reveal(), "huge": strings.Repeat("A", 1<<20),
		} {
			// The words are about refresh tokens: an access token was not asked for.
			var f *fault.Fault
			if _, err := w.Sessions.Renew(ctx, secret.Text(token), ""); !errors.As(err, &f) || f.Code != fault.Unauthenticated ||
				f.Reason != "refresh-token" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := statements(); n != 0 {
			t.Errorf("%d statements for forged tokens", n)
		}
		renew(t, w, s.RefreshToken, "")
	})
}

func TestRefreshToken_SurvivesRotationOfDataKeys(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	w := pintest.New(t, d, pintest.Cheap)
	_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	s := w.Login(t, pintest.Mario, pin)
	next := renew(t, w, s.RefreshToken, "the-same-key")
	rotated := w.Twin(t, "new", "test")
	if again := renew(t, rotated, s.RefreshToken, "the-same-key"); again.RefreshToken != next.RefreshToken {
		t.Error("a repeat gives another successor after the rotation of the data keys")
	}
	renew(t, rotated, next.RefreshToken, "")
}
