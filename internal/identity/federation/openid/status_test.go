package openid_test

import (
	"net/http"
	"testing"
	"time"

	"diresco/internal/identity/federation"
)

const statusPlace = anchorID + "/status"

// tells has the anchor tell of its trust marks.
func (r *realm) tells(answer http.HandlerFunc) {
	r.anchor.own = with(map[string]any{"metadata": map[string]any{"federation_entity": map[string]any{
		"federation_fetch_endpoint": anchorID + "/fetch", "federation_trust_mark_status_endpoint": statusPlace,
	}}})
	r.anchor.next = answer
}

// status is a signed answer about the mark of a request, which change lets differ from a good one.
func (r *realm) status(w http.ResponseWriter, request *http.Request, change func(map[string]any)) {
	claims := map[string]any{
		"iss": anchorID, "iat": r.clock.Now().Unix(), "trust_mark": request.FormValue("trust_mark"), "status": "active",
	}
	if change != nil {
		change(claims)
	}
	_, _ = w.Write([]byte(r.anchor.key.sign(r.t, claims, "trust-mark-status-response+jwt")))
}

func TestFederation_ATrustMarkIsAskedAbout(t *testing.T) {
	const bad = "a required trust mark is missing or not valid"
	for name, c := range map[string]struct {
		answer  func(r *realm, w http.ResponseWriter, q *http.Request)
		outcome federation.Outcome
	}{
		"active":       {func(r *realm, w http.ResponseWriter, q *http.Request) { r.status(w, q, nil) }, ""},
		"of drafts":    {func(_ *realm, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"active": true}`)) }, ""},
		"by GET alone": {byGetAlone, ""},
		"revoked": {func(r *realm, w http.ResponseWriter, q *http.Request) {
			r.status(w, q, with(map[string]any{"status": "revoked"}))
		}, federation.Invalid},
		"revoked, of drafts": {func(_ *realm, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"active": false}`))
		}, federation.Invalid},
		"unknown": {func(_ *realm, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, federation.Invalid},
		"about another": {func(r *realm, w http.ResponseWriter, q *http.Request) {
			r.status(w, q, with(map[string]any{"trust_mark": r.mark(with(map[string]any{"sub": middleID}))}))
		}, federation.Invalid},
		"by another": {func(r *realm, w http.ResponseWriter, q *http.Request) {
			r.status(w, q, with(map[string]any{"iss": middleID}))
		}, federation.Invalid},
		"of yesterday": {func(r *realm, w http.ResponseWriter, q *http.Request) {
			r.status(w, q, with(map[string]any{"iat": r.clock.Now().Add(-24 * time.Hour).Unix()}))
		}, federation.Invalid},
		"by another key": {func(r *realm, w http.ResponseWriter, q *http.Request) {
			_, _ = w.Write([]byte(newKey(r.t, r.anchor.key.kid).sign(r.t, map[string]any{
				"iss": anchorID, "iat": r.clock.Now().Unix(), "trust_mark": q.FormValue("trust_mark"), "status": "active",
			}, "trust-mark-status-response+jwt")))
		}, federation.Invalid},
		"down": {func(_ *realm, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, federation.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealm(t, "cie")
			r.tells(func(w http.ResponseWriter, q *http.Request) { c.answer(r, w, q) })
			_, err := r.provider.Begin(t.Context(), attempt(2))
			switch c.outcome {
			case "":
				if err != nil {
					t.Error(err)
				}
			case federation.Invalid:
				refused(t, err, federation.Invalid, "trust chain: "+bad)
			default:
				refused(t, err, c.outcome, "trust chain: a statement cannot be had")
			}
			if r.network.count("anchor.example/status") == 0 {
				t.Error("nobody was asked")
			}
		})
	}
}

func byGetAlone(r *realm, w http.ResponseWriter, q *http.Request) {
	if q.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	r.status(w, q, nil)
}

// An answer counts for an hour: one that is not active after that refuses, although the chain would
// count for longer; while nobody answers what was said stays good until the chain ends.
func TestFederation_ATrustMarkIsAskedAboutAgain(t *testing.T) {
	r := newRealm(t, "cie")
	long := with(map[string]any{"exp": start.Add(6 * time.Hour).Unix()})
	r.op.own, r.middle.own, r.middle.about, r.anchor.about = after(r.op.own, long), after(r.middle.own, long), long, long
	r.marks(long)
	status := http.StatusOK
	r.tells(func(w http.ResponseWriter, q *http.Request) {
		if status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		r.status(w, q, nil)
	})
	r.anchor.own = after(r.anchor.own, long)
	begin := func() error {
		_, err := r.provider.Begin(t.Context(), attempt(2))
		return err
	}
	for range 2 {
		if err := begin(); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.network.count("anchor.example/status"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	status = http.StatusBadGateway
	r.clock.Advance(61 * time.Minute)
	if err := begin(); err != nil {
		t.Errorf("while nobody answers: %v", err)
	}
	if n := r.network.count("anchor.example/status"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	status = http.StatusNotFound
	r.clock.Advance(time.Minute)
	refused(t, begin(), federation.Invalid, "trust chain: a required trust mark is missing or not valid")
	// What was taken back does not come back because nobody answers.
	status = http.StatusBadGateway
	r.clock.Advance(time.Minute)
	refused(t, begin(), federation.Unavailable, "trust chain: a statement cannot be had")
}
