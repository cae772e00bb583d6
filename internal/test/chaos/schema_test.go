package chaos

import (
	"context"
	"net/http"
	"sync"
	"testing"
)

// TestSchema_ColumnsAreAddedUnderLoad: a migration that adds columns, as every migration may, is
// noticed by nobody who reads or writes meanwhile.
func TestSchema_ColumnsAreAddedUnderLoad(t *testing.T) {
	_, url := postgres(t)
	h := newHouse(t, url)
	s := h.server()
	s.start()
	l := newLoad(t, h.seed.filers(4), s.site)
	l.watch = func(seen try) {
		if seen.err != nil || seen.answer.status >= http.StatusInternalServerError {
			t.Errorf("%s %s: %d %s, %v", seen.request.method, seen.request.path, seen.answer.status, seen.answer.body, seen.err)
		}
	}
	_, taxCode := h.seed.person()
	reader := l.filers[0]
	stop := make(chan struct{})
	var others sync.WaitGroup
	for _, r := range []request{
		{method: http.MethodPost, path: "/v1/sessions", body: credentials(taxCode, h.seed.pin)},
		{method: http.MethodGet, path: "/v1/me", token: reader.token()},
		{method: http.MethodGet, path: "/v1/me/contacts", token: reader.token()},
		{method: http.MethodGet, path: "/v1/me/sessions", token: reader.token()},
		{method: http.MethodGet, path: "/v1/contributors", token: reader.token()},
		{method: http.MethodGet, path: "/v1/delegations", token: reader.token()},
		{method: http.MethodGet, path: "/v1/declarations", token: reader.token()},
		{method: http.MethodGet, path: reader.path(), token: reader.token()},
	} {
		others.Go(func() { l.keepAsking(r, s.site, stop) })
	}
	l.begin(8)
	l.advance(100)
	var tables []string
	ctx := context.Background()
	if err := h.seed.db.From(ctx).Raw("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename").
		Scan(&tables).Error; err != nil || len(tables) < 40 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		if err := h.seed.db.From(ctx).Exec("ALTER TABLE " + table + " ADD COLUMN added_later text").Error; err != nil {
			t.Fatal(err)
		}
	}
	l.advance(100)
	close(stop)
	others.Wait()
	acknowledged := l.end()
	s.terminate()
	checkRegister(t, h.seed.db, acknowledged)
}

// TestReadOnly_NothingIsDoneAndTheStatusSaysSo: a leader that became a standby answers and takes
// nothing; the service says so and goes on by itself.
func TestReadOnly_NothingIsDoneAndTheStatusSaysSo(t *testing.T) {
	_, url := postgres(t)
	h := newHouse(t, url)
	s := h.server()
	s.start()
	_, taxCode := h.seed.person()
	ctx := context.Background()
	var name string
	if err := h.seed.db.From(ctx).Raw("SELECT current_database()").Scan(&name).Error; err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{
		"ALTER DATABASE " + name + " SET default_transaction_read_only = on",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
	} {
		if err := h.seed.db.From(ctx).Exec(change).Error; err != nil {
			t.Fatal(err)
		}
	}
	status := request{method: http.MethodGet, path: "/v1/status"}
	eventually(t, patience, "the status says that nothing can be written", func() bool {
		return s.site.do(t, status).status == http.StatusServiceUnavailable
	})
	refused := s.site.post(t, "/v1/sessions", "", credentials(taxCode, h.seed.pin)).want(t, http.StatusServiceUnavailable, "unavailable")
	if !refused.mayBeRepeated() {
		t.Error("nothing says when to come again")
	}
	if err := h.seed.db.From(ctx).Exec("ALTER DATABASE " + name + " RESET default_transaction_read_only").Error; err != nil {
		t.Fatal(err)
	}
	s.ready(patience)
	s.site.get(t, "/v1/me", s.site.login(t, taxCode, h.seed.pin).AccessToken).want(t, http.StatusOK, "")
	s.terminate()
}
