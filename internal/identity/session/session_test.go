package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestSession_Login(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		before := w.Count(t, "audit_records")
		ctx := audit.WithOrigin(ctx, audit.Origin{Operation: "startSession", RequestID: "request-1", Address: "192.0.2.1"})
		s, err := w.Sessions.Start(ctx, "rssmra80a01h501u", pin, "192.0.2.1")
		want(t, err, "")
		if s.ExpiresIn != 15*time.Minute || !s.IdleExpiresAt.Equal(pintest.Start.Add(30*time.Minute)) || !s.ExpiresAt.Equal(
			pintest.Start.Add(12*time.Hour),
		) ||
			s.PINChangeRequired || s.CredentialLevel != access.Dispositive || s.LoginMethod != session.ByPIN {
			t.Errorf("session %+v", s)
		}
		by := w.MustActor(t, s)
		if by.PersonID != p.ID || by.SessionID != s.SessionID || !by.AuthenticatedAt.Equal(pintest.Start) {
			t.Errorf("actor %+v", by)
		}
		if n := w.Count(t, "audit_records") - before; n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
		if n := w.Count(
			t, "audit_records WHERE operation = 'startSession' AND person_id = ? AND session_id = ? AND address = '192.0.2.1'", p.ID,
			s.SessionID,
		); n != 1 {
			t.Error("the audit record does not say who logged in, and from where")
		}
		// Neither token stands in the database.
		if n := w.Count(
			t, "sessions WHERE refresh_hash LIKE ? OR refresh_hash = ?", "%"+s.RefreshToken.Reveal()+"%", s.AccessToken.Reveal(),
		); n != 0 {
			t.Error("a token stands in the table")
		}
	})
}

func TestSession_LoginRefusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		for name, code := range map[string]string{
			"stranger": pintest.Stranger.Clear(), "no tax code": "BLIPTR93MO4A674Q", "empty": "", "NUL": "RSSMRA\x0080A01H501U",
		} {
			if _, err := w.Sessions.Start(ctx, code, pin, ""); !fault.Is(err, fault.InvalidCredentials) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, wrong := range map[string]string{"wrong": "23456789", "empty": "", "longer": pin.Reveal() + "2"} {
			if _, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), secret.Text(wrong), ""); !fault.Is(err, fault.InvalidCredentials) {
				t.Errorf("%s PIN: %v", name, err)
			}
		}
		w.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", w.Clock.Now(), p.ID)
		if _, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), pin, ""); !fault.Is(err, fault.InvalidCredentials) {
			t.Errorf("suspended: %v", err)
		}
		w.Exec(t, "UPDATE people SET suspended_at = NULL WHERE id = ?", p.ID)
		w.Exec(t, "UPDATE pins SET revoked_at = ? WHERE person_id = ?", w.Clock.Now(), p.ID)
		if _, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), pin, ""); !fault.Is(err, fault.InvalidCredentials) {
			t.Errorf("revoked: %v", err)
		}
		if n := w.Count(t, "sessions"); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestSession_ThirtyMinutesOfInactivity(t *testing.T) {
	for name, tt := range map[string]struct {
		idle time.Duration
		want fault.Code
	}{
		"29:59":       {30*time.Minute - time.Second, ""},
		"almost over": {30*time.Minute - time.Microsecond, ""},
		"30:00":       {30 * time.Minute, fault.SessionEnded},
		"much later":  {20 * time.Hour, fault.SessionEnded},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := pintest.New(t, d, pintest.Cheap)
				_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
				s := w.Login(t, pintest.Mario, pin)
				w.Clock.Advance(time.Minute)
				w.MustActor(t, s)
				w.Clock.Advance(tt.idle)
				renewed, err := w.Sessions.Renew(ctx, s.RefreshToken, "")
				want(t, err, tt.want)
				if tt.want == "" {
					if left := 30*time.Minute - tt.idle; renewed.ExpiresIn > left || !renewed.IdleExpiresAt.Equal(w.Clock.Now().Add(left)) {
						t.Errorf("access token for %v, idle until %v: renewal is no activity", renewed.ExpiresIn, renewed.IdleExpiresAt)
					}
				}
			})
		})
	}
}

func TestSession_RenewalIsNoActivity(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, pin)
		for range 5 {
			w.Clock.Advance(5 * time.Minute)
			s = renew(t, w, s.RefreshToken, "")
			if !s.IdleExpiresAt.Equal(pintest.Start.Add(30 * time.Minute)) {
				t.Fatalf("idle until %v", s.IdleExpiresAt)
			}
		}
		if s.ExpiresIn != 5*time.Minute {
			t.Errorf("an access token for %v outlives the session's idle limit", s.ExpiresIn)
		}
		w.Clock.Advance(5 * time.Minute)
		_, err := w.Sessions.Renew(ctx, s.RefreshToken, "")
		want(t, err, fault.SessionEnded)
		// The access token has run out with the session, so it is not even asked about.
		_, err = w.Actor(t, s)
		want(t, err, fault.Unauthenticated)
	})
}

func TestSession_TwelveHours(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, pin)
		for w.Clock.Now().Before(pintest.Start.Add(12*time.Hour - 10*time.Minute)) {
			w.Clock.Advance(10 * time.Minute)
			s = renew(t, w, s.RefreshToken, "")
			w.MustActor(t, s)
		}
		if s.ExpiresIn != 10*time.Minute || !s.IdleExpiresAt.Equal(s.ExpiresAt) {
			t.Errorf("token for %v, idle until %v, session until %v", s.ExpiresIn, s.IdleExpiresAt, s.ExpiresAt)
		}
		w.Clock.Advance(10 * time.Minute)
		_, err := w.Sessions.Renew(ctx, s.RefreshToken, "")
		want(t, err, fault.SessionEnded)
	})
}

func TestSession_ActivityOverTwoProcesses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		other := w.Twin(t)
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, pin)
		// Requests every second, for a minute, on one process.
		for range 60 {
			w.Clock.Advance(time.Second)
			w.MustActor(t, s)
		}
		w.Sessions.Flush(ctx)
		last := w.Clock.Now()
		seen := func(o *pintest.World) time.Time {
			t.Helper()
			info, err := o.Sessions.Show(ctx, access.Actor{PersonID: w.MustActor(t, s).PersonID}, s.SessionID)
			want(t, err, "")
			return info.LastSeenAt
		}
		if got := seen(w); !got.Equal(last) {
			t.Errorf("the process that saw it says %v, want %v", got, last)
		}
		if got := seen(other); got.After(last) || last.Sub(got) > 5*time.Second {
			t.Errorf("the other process says %v, want at most 5 seconds before %v", got, last)
		}
		s = renew(t, other, s.RefreshToken, "")
		// The other process has another key: the first one finds it in the database.
		w.Clock.Advance(10 * time.Second)
		w.MustActor(t, s)
	})
}

func TestSession_Endings(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		first, second, third := w.Login(t, pintest.Mario, pin), w.Login(t, pintest.Mario, pin), w.Login(t, pintest.Mario, pin)
		_, foreignPIN := w.Person(t, pintest.Giulia, access.Citizen, false)
		foreign := w.Login(t, pintest.Giulia, foreignPIN)
		by := w.MustActor(t, first)

		before := w.Count(t, "audit_records")
		want(t, w.Sessions.End(ctx, by, foreign.SessionID), fault.NotFound)
		want(t, w.Sessions.End(ctx, by, uuid.New()), fault.NotFound)
		_, err := w.Sessions.Show(ctx, by, foreign.SessionID)
		want(t, err, fault.NotFound)
		if n := w.Count(t, "audit_records") - before; n != 0 {
			t.Errorf("%d audit records of refusals", n)
		}

		infos, err := w.Sessions.List(ctx, by)
		want(t, err, "")
		if len(infos) != 3 || infos[0].Current || !infos[2].Current || infos[2].SessionID != first.SessionID {
			t.Errorf("sessions %+v", infos)
		}
		want(t, w.Sessions.End(ctx, by, second.SessionID), "")
		if n := w.Count(t, "audit_records") - before; n != 1 {
			t.Errorf("%d audit records of one ending", n)
		}
		_, err = w.Actor(t, second)
		want(t, err, fault.SessionEnded)
		_, err = w.Sessions.Renew(ctx, second.RefreshToken, "")
		want(t, err, fault.SessionEnded)
		want(t, w.Sessions.End(ctx, by, second.SessionID), fault.NotFound)

		want(t, w.Sessions.End(ctx, by, first.SessionID), "")
		_, err = w.Actor(t, first)
		want(t, err, fault.SessionEnded)

		w.MustActor(t, third)
		w.Must(t, func(tx context.Context) error { return w.Sessions.EndAllOf(tx, p.ID, "suspended") })
		_, err = w.Actor(t, third)
		want(t, err, fault.SessionEnded)
		w.MustActor(t, foreign)
	})
}

func TestSession_SuspensionEndsAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, pin)
		w.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", w.Clock.Now(), p.ID)
		_, err := w.Sessions.Renew(ctx, s.RefreshToken, "")
		want(t, err, fault.SessionEnded)
		_, err = w.Actor(t, s)
		want(t, err, fault.SessionEnded)
	})
}

func TestSession_Reauthenticate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, pin)
		w.Clock.Advance(10 * time.Minute)
		by := w.MustActor(t, s)
		_, err := w.Sessions.Reauthenticate(ctx, by, "23456789")
		want(t, err, fault.InvalidCredentials)
		if !w.MustActor(t, s).AuthenticatedAt.Equal(pintest.Start) {
			t.Error("a wrong PIN counts as presence")
		}
		before := w.Count(t, "audit_records")
		again, err := w.Sessions.Reauthenticate(ctx, by, pin)
		want(t, err, "")
		if again.SessionID != s.SessionID || !again.ExpiresAt.Equal(s.ExpiresAt) ||
			!again.IdleExpiresAt.Equal(w.Clock.Now().Add(30*time.Minute)) {
			t.Errorf("session %+v", again)
		}
		if !w.MustActor(t, again).AuthenticatedAt.Equal(w.Clock.Now()) {
			t.Error("presence is not noted")
		}
		if n := w.Count(t, "audit_records") - before; n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
		renewed := renew(t, w, again.RefreshToken, "")
		// The refresh token from before the re-authentication was replaced: its use is a second
		// use.
		_, err = w.Sessions.Renew(ctx, s.RefreshToken, "")
		want(t, err, fault.SessionEnded)
		_, err = w.Actor(t, renewed)
		want(t, err, fault.SessionEnded)
	})
}

// Wrong PINs at login and at re-authentication are counted together.
func TestSession_ReauthenticationSharesTheCounter(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		by := w.MustActor(t, w.Login(t, pintest.Mario, pin))
		for i := range 10 {
			var err error
			if i%2 == 0 {
				_, err = w.Sessions.Reauthenticate(ctx, by, "23456789")
			} else {
				_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), "23456789", "")
			}
			want(t, err, fault.InvalidCredentials)
		}
		_, err := w.Sessions.Reauthenticate(ctx, by, pin)
		want(t, err, fault.PINLocked)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), pin, "")
		want(t, err, fault.PINLocked)
	})
}

// An eleventh login ends the oldest of the sessions that live, and its holder is told.
func TestSession_TenOfOnePersonLiveAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		login := func() session.Session {
			w.Clock.Advance(time.Second)
			return w.Login(t, pintest.Mario, pin)
		}
		messages := func() int { return w.Count(t, "outbox WHERE kind = 'session.displaced' AND person_id = ?", p.ID) }
		idle := login()
		w.Clock.Advance(session.IdleAfter)
		all := make([]session.Session, session.MostAtOnce)
		for i := range all {
			all[i] = login()
		}
		for _, s := range all {
			w.MustActor(t, s)
		}
		if n := messages(); n != 0 {
			t.Errorf("%d messages about ten sessions", n)
		}
		last := login()
		if _, err := w.Actor(t, all[0]); !fault.Is(err, fault.SessionEnded) {
			t.Errorf("the oldest: %v", err)
		}
		for _, s := range append(all[1:], last) {
			w.MustActor(t, s)
		}
		if n := w.Count(t, "sessions WHERE id = ? AND ended_at = ? AND end_reason = 'displaced'", all[0].SessionID, w.Clock.Now()); n != 1 {
			t.Error("the row does not say why it ended")
		}
		if n := w.Count(t, "sessions WHERE id = ? AND ended_at IS NOT NULL", idle.SessionID); n != 0 {
			t.Error("one that had ended by itself was ended again")
		}
		if n := messages(); n != 1 {
			t.Errorf("%d messages, want 1", n)
		}
	})
}

func TestSession_ManyLoginsAtOnceLeaveTen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		world.Parallel(16, func(int) {
			if _, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), pin, ""); err != nil {
				t.Error(err)
			}
		})
		if n := w.Count(t, "sessions WHERE person_id = ? AND ended_at IS NULL", p.ID); n != session.MostAtOnce {
			t.Errorf("%d live, want %d", n, session.MostAtOnce)
		}
	})
}
