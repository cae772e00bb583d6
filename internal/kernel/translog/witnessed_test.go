package translog_test

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/db"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/witness/witnesstest"
	"diresco/internal/test/dbtest"
)

func (h *house) newest() translog.Checkpoint {
	h.t.Helper()
	c, err := h.log.Checkpoint(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) cosign(s *witnesstest.Server) error {
	h.t.Helper()
	return h.log.Cosign(context.Background(), s.Witness(h.t))
}

func TestLog_IsCosignedByWitnesses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		one := witnesstest.New(t, "one.example", h.keys.Name(), h.keys.Verifiers())
		two := witnesstest.New(t, "two.example", h.keys.Name(), h.keys.Verifiers())
		if err := h.cosign(one); err != nil || one.Asked > 0 {
			t.Errorf("a log without leaves: %d requests, %v", one.Asked, err)
		}
		h.write(20)
		first := h.seal()
		if first.Cosigned != "" {
			t.Errorf("cosigned by nobody: %q", first.Cosigned)
		}
		for _, s := range []*witnesstest.Server{one, two, one} {
			if err := h.cosign(s); err != nil {
				t.Fatal(err)
			}
		}
		if one.Asked != 1 || two.Size() != first.Size {
			t.Errorf("one was asked %d times, two has seen %d", one.Asked, two.Size())
		}
		c := h.newest()
		for _, s := range []*witnesstest.Server{one, two} {
			if name, _, _ := strings.Cut(s.Address, "+"); !strings.Contains(c.Text, "\n— "+name+" ") {
				t.Errorf("%s is missing in %q", name, c.Text)
			}
		}
		if c.Cosigned != c.Text || !strings.HasPrefix(c.Text, first.Text) {
			t.Errorf("cosigned is %q", c.Cosigned)
		}
		if signed, err := note.Open([]byte(c.Text), note.VerifierList(h.keys.Verifiers()...)); err != nil || len(signed.UnverifiedSigs) != 2 {
			t.Errorf("as the log's it is %+v, %v", signed, err)
		}
		// The next ones come with proofs; a witness that does not answer holds nobody up.
		h.write(600)
		h.seal()
		two.Down = true
		if err := h.cosign(one); err != nil {
			t.Error(err)
		}
		if err := h.cosign(two); err == nil {
			t.Error("a witness that is down cosigns")
		}
		if c = h.newest(); !strings.Contains(c.Cosigned, "one.example") || strings.Contains(c.Text, "two.example") {
			t.Errorf("cosigned is %q", c.Cosigned)
		}
		h.write(2)
		if h.seal(); h.newest().Cosigned != c.Cosigned {
			t.Error("what was cosigned last is gone")
		}
		two.Down = false
		if err := h.cosign(two); err != nil {
			t.Error(err)
		}
		if c = h.newest(); !strings.Contains(c.Cosigned, "two.example") || strings.Contains(c.Cosigned, "one.example") {
			t.Errorf("cosigned is %q", c.Cosigned)
		}
		if report := h.verify(c.Text); report.Found > 0 || report.Kept != c.Size {
			t.Errorf("the report is %+v", report)
		}
	})
}

// A witness knows better than the database what it has seen: after a restored backup, or where
// another process had the answer.
func TestLog_BelievesAWitnessWhatItHasSeen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		s := witnesstest.New(t, "one.example", h.keys.Name(), h.keys.Verifiers())
		h.write(20)
		first := h.seal()
		s.See(tlog.Tree{N: first.Size, Hash: first.Root})
		h.write(20)
		second := h.seal()
		if err := h.cosign(s); err != nil || s.Size() != second.Size {
			t.Errorf("it has seen %d, %v", s.Size(), err)
		}
		h.write(2)
		third := h.seal()
		s.See(tlog.Tree{N: third.Size + 5, Hash: third.Root})
		if err := h.cosign(s); err == nil || !strings.Contains(err.Error(), "is gone") {
			t.Errorf("it has seen more than there is: %v", err)
		}
		s.See(tlog.Tree{N: third.Size, Hash: first.Root})
		if err := h.cosign(s); err == nil || !strings.Contains(err.Error(), "another tree") {
			t.Errorf("it has seen another tree of that size: %v", err)
		}
		s.See(tlog.Tree{N: first.Size, Hash: second.Root})
		if err := h.cosign(s); err == nil {
			t.Error("another tree is cosigned")
		}
	})
}
