package chaos

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/app"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
)

// TestClock_AProcessWithTheWrongTime: one of two processes is ten minutes off, fast or slow. It says
// that it is not ready, files nothing, and tells everybody to come again; the other goes on. As soon as
// its clock is right it takes part.
func TestClock_AProcessWithTheWrongTime(t *testing.T) {
	_, url := postgres(t)
	h := newHouse(t, url)
	a := h.server()
	a.start()
	l := newLoad(t, h.seed.filers(4), a.site)
	machine := clock.NewOffset(clock.System{})
	machine.Set(10 * time.Minute)
	off := inside(t, h, machine)
	l.begin(clients)
	l.advance(clients)
	f := l.filers[0]
	for _, offset := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		machine.Set(offset)
		eventually(t, patience, "it is not ready", func() bool {
			return off.get(t, "/v1/status", "").status == http.StatusServiceUnavailable
		})
		r := request{method: http.MethodPost, path: f.path(), key: uuid.NewString(), token: f.token(), body: map[string]any{
			"type": "RIOC", "position_id": f.positions[0], "content": l.example, "submit": true,
		}}
		before := l.filed()
		if refused := off.do(t, r); refused.status < http.StatusBadRequest {
			t.Fatalf("%v off it answered %d %s", offset, refused.status, refused.body)
		}
		l.advance(clients)
		t.Logf("%v off: refused by the one, %d acknowledged by the other meanwhile", offset, l.filed()-before)
	}
	// What falls due is not done before its time, nor passed over later.
	if ahead := rows[string](t, h.seed.db, "SELECT source FROM due_marks WHERE done_until > clock_timestamp()"); len(ahead) > 0 {
		t.Errorf("%q is done ahead of time", ahead)
	}
	machine.Set(0)
	eventually(t, patience, "it is ready", func() bool { return off.get(t, "/v1/status", "").status == http.StatusOK })
	if !l.file(f, off, 1) {
		t.Fatal("it files nothing")
	}
	acknowledged := l.end()
	l.askAgain(off, acknowledged)
	a.terminate()
	checkRegister(t, h.seed.db, acknowledged)
}

// inside is a process of the service within the test's, by another clock than the machine's. The
// database's is not touched.
func inside(t *testing.T, h *house, machine clock.Clock) site {
	t.Helper()
	c, err := config.Read(h.common.environment())
	if err == nil {
		err = c.Serve()
	}
	if err != nil {
		t.Fatal(err)
	}
	service, err := app.Open(t.Context(), c, app.Options{
		Version: "test", Log: slog.New(slog.DiscardHandler), Clock: machine, DatabaseClock: clock.System{},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(service.Handler())
	t.Cleanup(func() {
		server.Close()
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	return newSite(t, server.URL)
}
