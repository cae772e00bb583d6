package witness_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/internal/platform/witness"
	"diresco/internal/platform/witness/witnesstest"
)

const origin = "diresco.example/audit/log"

// trial is a log that signs, and its trees.
type trial struct {
	t      *testing.T
	signer note.Signer
	keys   []note.Verifier
	hashes []tlog.Hash
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	l := &trial{t: t}
	if l.signer, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	l.keys = []note.Verifier{verifier}
	return l
}

// ReadHashes implements tlog.HashReader.
func (l *trial) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, n := range indexes {
		found[i] = l.hashes[n]
	}
	return found, nil
}

// grow adds leaves up to a size, and returns the checkpoint.
func (l *trial) grow(from, size int64) string {
	l.t.Helper()
	for n := from; n < size; n++ {
		made, err := tlog.StoredHashes(n, []byte{byte(n)}, l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes = append(l.hashes, made...)
	}
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		l.t.Fatal(err)
	}
	c := log.Checkpoint{Origin: origin, Size: uint64(size), Hash: root[:]}
	signed, err := note.Sign(&note.Note{Text: string(c.Marshal())}, l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(signed)
}

func TestWitness_CosignsALogThatGrows(t *testing.T) {
	l := newTrial(t)
	server := witnesstest.New(t, "witness.example/w1", origin, l.keys)
	w := server.Witness(t)
	if w.Name() != "witness.example/w1" {
		t.Errorf("its name is %s", w.Name())
	}
	first := l.grow(0, 3)
	line, err := w.Cosign(context.Background(), first, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _ := strings.Cut(server.Address, " ")
	verifier, err := formats.NewVerifierForCosignatureV1(key)
	if err != nil {
		t.Fatal(err)
	}
	if signed, err := note.Open([]byte(first+line), note.VerifierList(verifier)); err != nil || len(signed.Sigs) != 1 {
		t.Errorf("its line is %q, %v", line, err)
	}
	second := l.grow(3, 7)
	var behind *witness.Conflict
	if _, err := w.Cosign(context.Background(), second, 0, nil); !errors.As(err, &behind) || behind.Size != 3 {
		t.Errorf("told another size, it says %v", err)
	}
	if _, err := w.Cosign(context.Background(), second, 3, tlog.TreeProof{{}}); err == nil || !strings.Contains(err.Error(), "other leaves") {
		t.Errorf("without a proof it says %v", err)
	}
	proof, err := tlog.ProveTree(7, 3, l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Cosign(context.Background(), second, 3, proof); err != nil {
		t.Error(err)
	}
}

// What is no answer of the witness is an error, and so is a witness that refuses.
func TestWitness_AnswersThatAreNone(t *testing.T) {
	l := newTrial(t)
	checkpoint := l.grow(0, 3)
	server := witnesstest.New(t, "witness.example/w1", origin, l.keys)
	stranger := witnesstest.New(t, "witness.example/w1", origin, l.keys)
	ofStranger, err := stranger.Witness(t).Cosign(context.Background(), checkpoint, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _ := strings.Cut(server.Address, " ")
	for _, c := range []struct {
		status      int
		media, said string
	}{
		{http.StatusOK, "", ""},
		{http.StatusOK, "", "\n"},
		{http.StatusOK, "", "yes"},
		{http.StatusOK, "", ofStranger},
		{http.StatusOK, "", strings.Repeat(ofStranger, 200)},
		{http.StatusConflict, "text/plain", "3\n"},
		{http.StatusConflict, "text/x.tlog.size", "-3\n"},
		{http.StatusConflict, "text/x.tlog.size", "three\n"},
		{http.StatusNotFound, "", ""},
		{http.StatusFound, "", ""},
	} {
		answering := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.media)
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.said)
		}))
		address, err := witness.Parse(key + " " + answering.URL)
		if err != nil {
			t.Fatal(err)
		}
		line, err := witness.New(address, nil).Cosign(context.Background(), checkpoint, 0, nil)
		answering.Close()
		var behind *witness.Conflict
		if err == nil || errors.As(err, &behind) {
			t.Errorf("%d %q %.40q: %q, %v", c.status, c.media, c.said, line, err)
		}
	}
}

func TestWitness_AddressesThatAreNone(t *testing.T) {
	key, _, _ := strings.Cut(witnesstest.New(t, "w", origin, nil).Address, " ")
	for _, raw := range []string{
		"", key, "https://w.example", "x https://w.example", key + " http://w.example", key + " ftp://w.example", key + " https://u:p@w.example",
		key + " https://w.example more", key[:len(key)-4] + " https://w.example",
	} {
		if _, err := witness.Parse(raw); err == nil {
			t.Errorf("%q is taken", raw)
		}
	}
	if a, err := witness.Parse(key + "  https://w.example/prefix/"); err != nil || a.Name() != "w" {
		t.Errorf("%s, %v", a.Name(), err)
	}
}
