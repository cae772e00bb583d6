package chaos

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diresco/api/client"
	"diresco/internal/test/dbtest"
)

const restorePage = "docs/restore.md"

// TestRestore_NumbersThatWereLostAreNotGivenAgain: a copy, filings after it, and the procedure of
// the page. What was filed after the copy is told apart from what the register has.
func TestRestore_NumbersThatWereLostAreNotGivenAgain(t *testing.T) {
	_, database := postgres(t)
	_, restored := postgres(t)
	h := newHouse(t, database)
	h.common["MIGRATION_DATABASE_URL"] = database
	blocks := restoreBlocks(t)
	a := h.server()
	a.start()
	l := newLoad(t, h.seed.filers(4), a.site)
	filed := func() []filing {
		l.stop, l.done = make(chan struct{}), nil
		l.begin(4)
		l.advance(8)
		return l.end()
	}
	kept := filed()
	dir := t.TempDir()
	h.shellIn(dir, blocks.dump)
	lost := filed()
	a.terminate()

	h.common["RESTORED"] = restored
	h.shellIn(dir, "RESTORED_DATABASE_URL=$DIRESCO_RESTORED\nunset DIRESCO_RESTORED\n"+blocks.load, "DATABASE_URL", "MIGRATION_DATABASE_URL")
	delete(h.common, "RESTORED")
	if h.common["DATABASE_URL"] != restored {
		t.Fatal("the page exports no other database")
	}
	if out := h.shellIn(dir, blocks.reserve); strings.Count(out, " to ") != len(offices) {
		t.Errorf("it reserved:\n%s", out)
	}
	a = h.server()
	a.start()
	l.sites = []site{a.site}
	for _, f := range l.filers {
		f.hold(a.site.login(t, f.taxCode, f.pin))
	}
	anew := filed()

	numbers := map[string]bool{}
	verdict := func(f filing) client.ReceiptVerification {
		return decode[client.ReceiptVerification](
			t, a.site.post(t, "/v1/receipt-verifications", "", map[string]string{"jws": f.first.Receipt.Jws}).want(t, http.StatusOK, ""),
		)
	}
	for _, f := range append(append(kept, lost...), anew...) {
		if numbers[*f.first.ProtocolNumber] {
			t.Errorf("number %s was given twice", *f.first.ProtocolNumber)
		}
		numbers[*f.first.ProtocolNumber] = true
	}
	for _, f := range append(kept, anew...) {
		if v := verdict(f); !v.Valid || v.Finding != client.ReceiptVerificationFindingGenuine {
			t.Errorf("what the register has is verified as %+v", v)
		}
	}
	for _, f := range lost {
		if v := verdict(f); v.Valid || v.Finding != client.ReceiptVerificationFindingNotRegistered {
			t.Errorf("what was lost is verified as %+v", v)
		}
	}
	a.terminate()
}

// blocks are what the page has one do, in its order.
type blocks struct{ dump, base, recover, load, reserve string }

func restoreBlocks(t *testing.T) blocks {
	t.Helper()
	found := shellBlocks(t, restorePage)
	if len(found) != 5 {
		t.Fatalf("%d shell blocks", len(found))
	}
	return blocks{found[0], found[1], found[2], found[3], found[4]}
}

// TestRestore_FromTheLogNothingIsLost: a base copy, filings after it, and the server's machine is lost
// with power and disk. What reached the archive comes back, by the page.
func TestRestore_FromTheLogNothingIsLost(t *testing.T) {
	server, err := dbtest.NewServer(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	archive, err := server.Directory("archive")
	if err != nil {
		t.Fatal(err)
	}
	owner := open(t, server.URL())
	for _, setting := range []string{
		"archive_mode = 'on'", "archive_command = 'test ! -f " + archive + "/%f && cp %p " + archive + "/%f'",
	} {
		if err := owner.From(t.Context()).Exec("ALTER SYSTEM SET " + setting).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(server.StopAtOnce(), server.Start()); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, server.URL())
	h.common["COPY_URL"] = server.URL()
	page := restoreBlocks(t)
	a := h.server()
	delete(a.given, "COPY_URL")
	a.start()
	l := newLoad(t, h.seed.filers(4), a.site)
	l.begin(4)
	l.advance(8)
	dir := t.TempDir()
	h.shellIn(dir, "COPY_URL=$DIRESCO_COPY_URL\n"+page.base)
	l.advance(8)
	acknowledged := l.end()
	var segment string
	if err := owner.From(t.Context()).Raw("SELECT pg_walfile_name(pg_switch_wal())").Scan(&segment).Error; err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "the log is in the archive", func() bool {
		_, err := os.Stat(filepath.Join(archive, segment))
		return err == nil
	})
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	a.kill()

	restored, err := server.Successor(func(data string) error {
		h.common["NEW"], h.common["ARCHIVE"] = data, archive
		h.shellIn(dir, "NEW_DATA=$DIRESCO_NEW\nLOG_ARCHIVE=$DIRESCO_ARCHIVE\n"+page.recover)
		delete(h.common, "NEW")
		delete(h.common, "ARCHIVE")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(restored.Close)
	delete(h.common, "COPY_URL")
	h.common["DATABASE_URL"], h.common["MIGRATION_DATABASE_URL"] = restored.URL(), restored.URL()
	d := open(t, restored.URL())
	eventually(t, patience, "the log is applied", func() bool { return !rows[bool](t, d, "SELECT pg_is_in_recovery()")[0] })
	h.shellIn(dir, page.reserve)
	b := h.server()
	b.start()
	l.askAgain(b.site, acknowledged)
	b.terminate()
	stored := storedDeclarations(t, d)
	for _, f := range acknowledged {
		if s := stored[f.first.DeclarationId]; s.JWS != f.first.Receipt.Jws {
			t.Errorf("%s was acknowledged, and did not come back", *f.first.ProtocolNumber)
		}
	}
	t.Logf("%d acknowledged before and after the base copy, all back", len(acknowledged))
}
