package chaos

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
)

// house is a database that was made ready for the service, with what its processes need.
type house struct {
	t      *testing.T
	common variables
	seed   *seeder
}

// newHouse prepares an empty PostgreSQL database with the commands that an operator of the service
// uses.
func newHouse(t *testing.T, database string) *house {
	t.Helper()
	dir := t.TempDir()
	keys, blobs, log := filepath.Join(dir, "signing-keys.json"), filepath.Join(dir, "blobs"), filepath.Join(dir, "audit-keys")
	v := variables{
		"DATABASE_URL": database, "SIGNING_KEYS": keys, "BLOB_URL": (&url.URL{Scheme: "file", Path: blobs}).String(), "ADMIN_ADDR": "",
		// Behind a balancer every process has the same one.
		"PUBLIC_URL": "https://diresco.example.org", "RATE_PERSON": "1000000", "RATE_ADDRESS": "1000000",
		"AUDIT_KEYS": log,
	}
	succeed(t, nil, "keys", "signing", keys)
	succeed(t, nil, "keys", "log", "--name", "diresco.example.org/audit/log", log)
	v["DATA_KEYS"] = strings.TrimSpace(succeed(t, nil, "keys", "data"))
	if line := refuse(t, v.with(variables{"ADDR": freeAddress(t)}), "serve"); !strings.Contains(line, "diresco migrate") {
		t.Errorf("on an empty database serve says %q", line)
	}
	succeed(t, v, "migrate")
	return &house{t: t, common: v, seed: newSeeder(t, database)}
}

// server returns one more process of the service, which does not run yet.
func (h *house) server() *server { return newServer(h.t, "serve", h.common) }

// TestProcesses_TwoProcessesShareEverything: sessions, attempt limits, idempotency and the register
// are the database's, so that any number of processes is one service.
func TestProcesses_TwoProcessesShareEverything(t *testing.T) {
	_, database := postgres(t)
	h := newHouse(t, database)
	a, b := h.server(), h.server()
	// Both find a database that nobody served yet.
	a.launch()
	b.launch()
	a.ready(patience)
	b.ready(patience)
	filers := h.seed.filers(8)

	h.sessions(a.site, b.site)
	h.limits(a.site, b.site)
	h.administrator(a.site, b.site)

	l := newLoad(t, filers, a.site, b.site)
	once := h.oneKey(filers[0], l.example, a.site, b.site)
	h.receipts(once, a.site, b.site)
	l.begin(32)
	l.advance(5 * 32)
	// One is replaced while both are at work.
	first := a.process
	a.terminate()
	a.start()
	l.advance(5 * 32)
	acknowledged := append(l.end(), once)
	h.sealed(len(acknowledged))
	a.terminate()
	b.terminate()
	checkRegister(t, h.seed.db, acknowledged)
	for _, log := range []string{first.stderr.String(), a.stderr.String(), b.stderr.String()} {
		for _, f := range filers {
			if strings.Contains(log, f.taxCode) || strings.Contains(log, f.pin) || strings.Contains(log, f.token()) {
				t.Error("a log holds a tax code, a PIN or a token")
			}
		}
	}
	if line := refuse(t, variables{
		"DATABASE_URL": database, "ADDR": "127.0.0.1:0", "DATA_DIR": t.TempDir(),
	}, "sandbox"); !strings.Contains(line, "real data") {
		t.Errorf("on a service's database the sandbox says %q", line)
	}
}

// sealed: both processes seal one trail, in which nothing is missing and every receipt is genuine.
func (h *house) sealed(receipts int) {
	t := h.t
	var said string
	eventually(t, patience, "all of the trail is sealed", func() bool {
		said = succeed(t, h.common, "audit", "verify")
		return strings.Contains(said, "not sealed yet: 0 rows")
	})
	if !strings.Contains(said, fmt.Sprintf("receipts: %d signatures, ", receipts)) {
		t.Errorf("%d receipts were given, and the trail says %s", receipts, said)
	}
}

// sessions: a login at one process is one at the other, and so are its end and its renewal.
func (h *house) sessions(a, b site) {
	t := h.t
	_, taxCode := h.seed.person()
	s := a.login(t, taxCode, h.seed.pin)
	for _, at := range []site{b, a} {
		at.get(t, "/v1/me", s.AccessToken).want(t, http.StatusOK, "")
	}
	renew := func(at site, token string) answer {
		return at.do(t, request{
			method: http.MethodPost, path: "/v1/sessions/current/tokens", body: map[string]string{"refresh_token": token},
		})
	}
	renewed := decode[client.Session](t, renew(b, s.RefreshToken).want(t, http.StatusOK, ""))
	a.get(t, "/v1/me", renewed.AccessToken).want(t, http.StatusOK, "")
	a.do(t, request{method: http.MethodDelete, path: "/v1/sessions/current", token: s.AccessToken}).want(t, http.StatusNoContent, "")
	for _, token := range []string{s.AccessToken, renewed.AccessToken} {
		b.get(t, "/v1/me", token).want(t, http.StatusUnauthorized, "session-ended")
	}

	// A refresh token that was used at one and is used again at the other was copied.
	s = b.login(t, taxCode, h.seed.pin)
	renewed = decode[client.Session](t, renew(a, s.RefreshToken).want(t, http.StatusOK, ""))
	renew(b, s.RefreshToken).want(t, http.StatusUnauthorized, "session-ended")
	a.get(t, "/v1/me", renewed.AccessToken).want(t, http.StatusUnauthorized, "session-ended")
}

// limits: ten wrong PINs, wherever they are entered, begin the wait everywhere.
func (h *house) limits(a, b site) {
	t := h.t
	_, taxCode := h.seed.person()
	const wrong = "00000000" // no PIN has a zero
	try := func(at site, pin string) answer {
		return at.do(t, request{method: http.MethodPost, path: "/v1/sessions", body: credentials(taxCode, pin)})
	}
	for i := range 10 {
		try([]site{a, b}[i%2], wrong).want(t, http.StatusUnauthorized, "invalid-credentials")
	}
	for _, at := range []site{a, b} {
		for _, pin := range []string{wrong, h.seed.pin} {
			locked := try(at, pin).want(t, http.StatusTooManyRequests, "pin-locked")
			if seconds, err := strconv.Atoi(locked.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 300 {
				t.Errorf("Retry-After is %q", locked.header.Get("Retry-After"))
			}
		}
	}
}

// administrator: the command prints a PIN that is good for one thing, and prints it once. It returns
// a token of the administrator.
func (h *house) administrator(a, b site) (token string) {
	t := h.t
	const taxCode = "RSSMRA80A01H501U"
	create := []string{"admin", "create", "--tax-code", taxCode, "--office", "7000"}
	printed := strings.Fields(succeed(t, h.common, create...))
	pin := printed[len(printed)-1]
	if len(pin) != 16 {
		t.Fatalf("the initial PIN has %d characters", len(pin))
	}
	s := a.login(t, taxCode, pin)
	if !s.PinChangeRequired {
		t.Error("the initial PIN needs no change")
	}
	b.get(t, "/v1/me", s.AccessToken).want(t, http.StatusForbidden, "pin-change-required")
	if line := refuse(t, h.common, create...); strings.Contains(line, taxCode) ||
		!strings.Contains(line, "registered with this tax code already") {
		t.Errorf("for somebody who is there it says %q", line)
	}
	rotation := decode[client.PinRotation](t, b.post(t, "/v1/me/pin/rotations", s.AccessToken, nil).want(t, http.StatusCreated, ""))
	confirmed := a.post(
		t, "/v1/me/pin/rotations/"+rotation.RotationId.String()+"/confirmation", s.AccessToken, map[string]string{"pin": rotation.Pin},
	)
	token = decode[client.Session](t, confirmed.want(t, http.StatusOK, "")).AccessToken
	me := decode[client.Me](t, b.get(t, "/v1/me", token).want(t, http.StatusOK, ""))
	if me.UserClass != client.UserClassAdministrator {
		t.Errorf("the administrator is a %s", me.UserClass)
	}
	return token
}

// oneKey sends a request to both processes at once, again and again. The request has its
// effect once and everywhere the same answer.
func (h *house) oneKey(f *filer, example any, a, b site) filing {
	t := h.t
	r := request{
		method: http.MethodPost, path: f.path(), token: f.token(), key: uuid.NewString(),
		body: map[string]any{"type": "RIOC", "position_id": f.positions[0], "content": example, "submit": true},
	}
	answers := make([]answer, 2*20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			var err error
			if answers[i], err = []site{a, b}[i%2].send(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first := answers[0].want(t, http.StatusCreated, "")
	for _, other := range answers {
		other.want(t, http.StatusCreated, "")
		if !bytes.Equal(other.body, first.body) {
			t.Fatalf("two answers to one key:\n%s\n%s", first.body, other.body)
		}
		for _, name := range []string{"ETag", "Location", "Content-Type"} {
			if other.header.Get(name) != first.header.Get(name) {
				t.Errorf("two answers to one key have %s %q and %q", name, first.header.Get(name), other.header.Get(name))
			}
		}
	}
	listed := decode[client.DeclarationList](t, b.get(t, f.path(), f.token()).want(t, http.StatusOK, ""))
	if len(listed.Items) != 1 {
		t.Fatalf("one key filed %d declarations", len(listed.Items))
	}
	return filing{by: f, request: r, first: decode[client.Declaration](t, first)}
}

// receipts: what one process signed and printed the other verifies and prints, to the byte.
func (h *house) receipts(f filing, a, b site) {
	t := h.t
	path := "/v1/declarations/" + f.first.DeclarationId.String() + "/receipt"
	var printed [][]byte
	for _, at := range []site{a, b} {
		verified := decode[client.ReceiptVerification](
			t, at.post(t, "/v1/receipt-verifications", "", map[string]string{"jws": f.first.Receipt.Jws}).want(t, http.StatusOK, ""),
		)
		if !verified.Valid || *verified.ProtocolNumber != *f.first.ProtocolNumber {
			t.Errorf("the receipt of %s is verified as %+v", *f.first.ProtocolNumber, verified)
		}
		printed = append(
			printed,
			at.do(t, request{
				method: http.MethodGet, path: path, token: f.by.token(), accept: "application/pdf",
			}).want(t, http.StatusOK, "").body,
		)
	}
	if !bytes.HasPrefix(printed[0], []byte("%PDF-")) || !bytes.Equal(printed[0], printed[1]) {
		t.Error("the two processes print two receipts")
	}
}
