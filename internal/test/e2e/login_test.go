package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"diresco/api/client"
	"diresco/internal/identity/pin"
	"diresco/internal/test/dbtest"
)

func (w *fixture) tryLogin(taxCode, pin string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/v1/sessions", "", map[string]any{"tax_code": taxCode, "pin": pin})
}

// wrongPIN is no PIN of the generated alphabet.
const wrongPIN = "00000000"

// TestLogin_TenWrongPINs is the wait of 5 minutes, for a registered person and for nobody at all.
func TestLogin_TenWrongPINs(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		known := w.createPerson(map[string]any{})
		for _, taxCode := range []string{known.TaxCode, "MKJRLA80A01L407X", "not a tax code"} {
			for range 10 {
				w.tryLogin(taxCode, wrongPIN).want(t, http.StatusUnauthorized, "invalid-credentials")
			}
			locked := w.tryLogin(taxCode, wrongPIN).want(t, http.StatusTooManyRequests, "pin-locked")
			if seconds, err := strconv.Atoi(locked.header.Get("Retry-After")); err != nil || seconds != 300 {
				t.Errorf("%s: Retry-After is %q", taxCode, locked.header.Get("Retry-After"))
			}
			w.clock.Advance(5*time.Minute - time.Second)
			w.tryLogin(taxCode, wrongPIN).want(t, http.StatusTooManyRequests, "pin-locked")
			w.clock.Advance(time.Second)
			w.tryLogin(taxCode, wrongPIN).want(t, http.StatusUnauthorized, "invalid-credentials")
			w.tryLogin(taxCode, wrongPIN).want(t, http.StatusTooManyRequests, "pin-locked")
			w.clock.Advance(5 * time.Minute)
		}
		w.tryLogin(known.TaxCode, known.Pin).want(t, http.StatusCreated, "")
		w.tryLogin(known.TaxCode, wrongPIN).want(t, http.StatusUnauthorized, "invalid-credentials")
		w.tryLogin(known.TaxCode, known.Pin).want(t, http.StatusCreated, "")
	})
}

// TestLogin_ATaxCodeWithSpaces: phones add one behind it and people write it in groups, wherever a
// tax code is typed. They count for the same person's tries.
func TestLogin_ATaxCodeWithSpaces(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{})
		grouped := " " + p.TaxCode[:6] + " " + strings.ToLower(p.TaxCode[6:11]) + "\u00a0" + p.TaxCode[11:] + " "
		w.tryLogin(grouped, p.Pin+" ").want(t, http.StatusCreated, "")
		w.requestPIN(elenaWith(map[string]any{"tax_code": "BNC LNE 85M41 H501P "})).want(t, http.StatusAccepted, "")
		for range 5 {
			w.tryLogin(grouped, wrongPIN).want(t, http.StatusUnauthorized, "invalid-credentials")
			w.tryLogin(p.TaxCode, wrongPIN).want(t, http.StatusUnauthorized, "invalid-credentials")
		}
		w.tryLogin(grouped, p.Pin).want(t, http.StatusTooManyRequests, "pin-locked")
	})
}

// TestLogin_SessionsEnd by inactivity, by age, by logout and by a new PIN.
func TestLogin_SessionsEnd(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{})
		renew := func(s client.Session) answer {
			return w.do(http.MethodPost, "/v1/sessions/current/tokens", "", map[string]any{"refresh_token": s.RefreshToken})
		}
		s := w.loginAs(p)
		w.clock.Advance(29*time.Minute + 59*time.Second)
		renew(s).want(t, http.StatusOK, "")
		s = w.loginAs(p)
		w.clock.Advance(30 * time.Minute)
		renew(s).want(t, http.StatusUnauthorized, "session-ended")
		w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusUnauthorized, "")

		s = w.loginAs(p)
		w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusOK, "")
		w.do(http.MethodDelete, "/v1/sessions/current", s.AccessToken, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusUnauthorized, "session-ended")
		renew(s).want(t, http.StatusUnauthorized, "session-ended")

		// A session that is used every quarter of an hour ends after twelve hours all the same.
		s = w.loginAs(p)
		for i := 1; ; i++ {
			w.clock.Advance(14 * time.Minute)
			next := renew(s)
			if next.status != http.StatusOK {
				next.want(t, http.StatusUnauthorized, "session-ended")
				if age := time.Duration(i) * 14 * time.Minute; age < 12*time.Hour || age > 12*time.Hour+14*time.Minute {
					t.Errorf("the session ended after %v", age)
				}
				break
			}
			next.decode(t, &s)
			if a := w.do(http.MethodGet, "/v1/me", s.AccessToken, nil); a.status != http.StatusOK {
				t.Fatalf("after %v: %s", time.Duration(i)*14*time.Minute, a.body)
			}
		}
	})
}

// TestLogin_FirstAccess: the 16 characters allow nothing but their change to 8.
func TestLogin_FirstAccess(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		fresh := w.person(func(p client.SandboxPerson) bool { return len(p.Pin) == 16 })
		s := w.loginAs(fresh)
		if !s.PinChangeRequired {
			t.Error("the first access does not force the change")
		}
		w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusForbidden, "pin-change-required")
		rotation := w.do(http.MethodPost, "/v1/me/pin/rotations", s.AccessToken, nil, key()).want(t, http.StatusCreated, "")
		pin, _ := rotation.field("pin").(string)
		id, _ := rotation.field("rotation_id").(string)
		if len(pin) != 8 {
			t.Fatalf("the new PIN has %d characters", len(pin))
		}
		w.do(http.MethodPost, "/v1/me/pin/rotations/"+id+"/confirmation", s.AccessToken, map[string]any{"pin": wrongPIN}).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		confirmed := w.do(
			http.MethodPost, "/v1/me/pin/rotations/"+id+"/confirmation", s.AccessToken, map[string]any{"pin": pin},
		).want(t, http.StatusOK, "")
		token, _ := confirmed.field("access_token").(string)
		w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusUnauthorized, "session-ended")
		w.do(http.MethodGet, "/v1/me", token, nil).want(t, http.StatusOK, "")
		w.tryLogin(fresh.TaxCode, fresh.Pin).want(t, http.StatusUnauthorized, "invalid-credentials")
		again := w.tryLogin(fresh.TaxCode, pin[:4]+"-"+pin[4:]).want(t, http.StatusCreated, "")
		if again.field("pin_change_required") != false {
			t.Error("the new PIN must be changed again")
		}
		if listed := w.person(func(p client.SandboxPerson) bool { return p.PersonId == fresh.PersonId }); listed.Pin != pin {
			t.Error("the sandbox does not list the current PIN")
		}
	})
}

// TestLogin_PeriodicChange: citizens after 6 months, intermediaries after 3.
func TestLogin_PeriodicChange(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		citizen := w.createPerson(map[string]any{"user_class": "citizen"})
		intermediary := w.createPerson(map[string]any{"user_class": "institutional_intermediary"})
		forced := func(p client.SandboxPerson) bool { return w.loginAs(p).PinChangeRequired }
		start := w.clock.Now()
		to := func(at time.Time) { w.clock.Advance(at.Sub(w.clock.Now())) }
		// Calendar months on the clock of Rome, which is an hour ahead of UTC in March and two in
		// June.
		to(start.AddDate(0, 3, 0).Add(-time.Hour - time.Second))
		if forced(intermediary) || forced(citizen) {
			t.Error("forced a second before three months")
		}
		to(start.AddDate(0, 3, 0).Add(-time.Hour))
		if !forced(intermediary) || forced(citizen) {
			t.Error("not forced after three months, or forced for the citizen too")
		}
		to(start.AddDate(0, 6, 0).Add(-time.Hour - time.Second))
		if forced(citizen) {
			t.Error("forced a second before six months")
		}
		to(start.AddDate(0, 6, 0).Add(-time.Hour))
		if !forced(citizen) {
			t.Error("not forced after six months")
		}
	})
}

// TestLogin_Reauthentication: more than five minutes after the login a change of the PIN needs the
// PIN again.
func TestLogin_Reauthentication(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{})
		s := w.loginAs(p)
		w.clock.Advance(5*time.Minute + time.Second)
		w.do(http.MethodPost, "/v1/me/pin/rotations", s.AccessToken, nil, key()).want(t, http.StatusForbidden, "reauthentication-required")
		w.do(http.MethodPost, "/v1/sessions/current/authentications", s.AccessToken, map[string]any{"pin": wrongPIN}).want(
			t, http.StatusUnauthorized, "invalid-credentials",
		)
		again := w.do(
			http.MethodPost, "/v1/sessions/current/authentications", s.AccessToken, map[string]any{"pin": p.Pin},
		).want(t, http.StatusOK, "")
		token, _ := again.field("access_token").(string)
		w.do(http.MethodPost, "/v1/me/pin/rotations", token, nil, key()).want(t, http.StatusCreated, "")
	})
}

// TestLogin_Storm: more logins at once than can be hashed. Some are told to come again, which
// counts as no try, and reads go on.
func TestLogin_Storm(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		// One at a time, at the real cost, and hardly anybody may wait.
		w := startWith(t, rawURL, pin.HasherOptions{Slots: 1, Queue: 13, Wait: 10 * time.Second})
		p := w.createPerson(map[string]any{})
		reader := w.loginAs(p)
		answers := make([]answer, 64)
		var storm sync.WaitGroup
		for i := range answers {
			storm.Go(func() { answers[i] = w.tryLogin(p.TaxCode, wrongPIN) })
		}
		for range 20 {
			w.do(http.MethodGet, "/v1/me", reader.AccessToken, nil).want(t, http.StatusOK, "")
		}
		storm.Wait()
		count := map[string]int{}
		for _, a := range answers {
			count[a.problem()]++
			if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		}
		if count["busy"] == 0 || count["invalid-credentials"] > 10 ||
			count["busy"]+count["invalid-credentials"]+count["pin-locked"] != len(answers) {
			t.Errorf("the storm was answered %v", count)
		}
		// What was answered 503 was no try: only what was looked at counts.
		for wrong := count["invalid-credentials"]; wrong < 10; wrong++ {
			w.tryLogin(p.TaxCode, wrongPIN).want(t, http.StatusUnauthorized, "invalid-credentials")
		}
		w.tryLogin(p.TaxCode, p.Pin).want(t, http.StatusTooManyRequests, "pin-locked")
		w.clock.Advance(5 * time.Minute)
		w.tryLogin(p.TaxCode, p.Pin).want(t, http.StatusCreated, "")
	})
}
