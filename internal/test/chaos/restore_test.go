package chaos

import (
	"net/http"
	"strings"
	"testing"

	"diresco/api/client"
)

const restorePage = "docs/restore.md"

// TestRestore_NumbersThatWereLostAreNotGivenAgain: a copy, filings after it, and the procedure of
// the page. What was filed after the copy is told apart from what the register has.
func TestRestore_NumbersThatWereLostAreNotGivenAgain(t *testing.T) {
	_, database := postgres(t)
	_, restored := postgres(t)
	h := newHouse(t, database)
	h.common["MIGRATION_DATABASE_URL"] = database
	blocks := shellBlocks(t, restorePage)
	if len(blocks) != 3 {
		t.Fatalf("%d shell blocks", len(blocks))
	}
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
	h.shellIn(dir, blocks[0])
	lost := filed()
	a.terminate()

	h.common["RESTORED"] = restored
	h.shellIn(dir, "RESTORED_DATABASE_URL=$DIRESCO_RESTORED\nunset DIRESCO_RESTORED\n"+blocks[1], "DATABASE_URL", "MIGRATION_DATABASE_URL")
	delete(h.common, "RESTORED")
	if h.common["DATABASE_URL"] != restored {
		t.Fatal("the page exports no other database")
	}
	if out := h.shellIn(dir, blocks[2]); strings.Count(out, " to ") != len(offices) {
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
