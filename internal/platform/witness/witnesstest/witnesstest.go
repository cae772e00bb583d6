// Package witnesstest has a witness of logs for tests (c2sp.org/tlog-witness).
package witnesstest

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/formats/log"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/internal/platform/witness"
)

// Server cosigns what a log signs, and nothing that contradicts what it cosigned before.
type Server struct {
	// Address is that of the witness, as a configuration names it.
	Address string
	// Down has it answer nothing but 503.
	Down bool
	// Asked counts requests.
	Asked int

	mu     sync.Mutex
	origin string
	keys   note.Verifiers
	signer note.Signer
	seen   tlog.Tree
}

// New starts a witness of the log that has these keys. It ends with the test.
func New(t testing.TB, name, origin string, keys []note.Verifier) *Server {
	t.Helper()
	private, public, err := note.GenerateKey(nil, name)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{origin: origin, keys: note.VerifierList(keys...)}
	if s.signer, err = formats.NewSignerForCosignatureV1(private); err != nil {
		t.Fatal(err)
	}
	if public, err = formats.VKeyToCosignatureV1(public); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.Address = public + " " + server.URL
	return s
}

// Witness is the client for it.
func (s *Server) Witness(t testing.TB) *witness.Witness {
	t.Helper()
	address, err := witness.Parse(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	return witness.New(address, nil)
}

// Size is how many leaves the log had that it cosigned last.
func (s *Server) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.N
}

// See has it believe that it cosigned this tree last.
func (s *Server) See(tree tlog.Tree) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = tree
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Asked++
	if s.Down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/add-checkpoint" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	status, answer := s.add(r.Body)
	if status == http.StatusConflict {
		w.Header().Set("Content-Type", "text/x.tlog.size")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (s *Server) add(body io.Reader) (status int, answer string) {
	lines := bufio.NewReader(body)
	first, _ := lines.ReadString('\n')
	var old int64
	if n, err := fmt.Sscanf(first, "old %d\n", &old); n != 1 || err != nil {
		return http.StatusBadRequest, ""
	}
	var proof tlog.TreeProof
	for {
		text, err := lines.ReadString('\n')
		if err != nil {
			return http.StatusBadRequest, ""
		}
		if text == "\n" {
			break
		}
		hash, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, "\n"))
		if err != nil || len(hash) != tlog.HashSize {
			return http.StatusBadRequest, ""
		}
		proof = append(proof, tlog.Hash(hash))
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		return http.StatusBadRequest, ""
	}
	signed, err := note.Open(rest, s.keys)
	if err != nil {
		return http.StatusForbidden, ""
	}
	var c log.Checkpoint
	if _, err := c.Unmarshal([]byte(signed.Text)); err != nil || c.Origin != s.origin || len(c.Hash) != tlog.HashSize {
		return http.StatusNotFound, ""
	}
	tree := tlog.Tree{N: int64(c.Size), Hash: tlog.Hash(c.Hash)} //nolint:gosec // of a test
	switch {
	case old > tree.N:
		return http.StatusBadRequest, ""
	case old != s.seen.N:
		return http.StatusConflict, fmt.Sprintf("%d\n", s.seen.N)
	case old == tree.N && (tree.Hash != s.seen.Hash || len(proof) > 0):
		return http.StatusConflict, fmt.Sprintf("%d\n", s.seen.N)
	case old == 0 && len(proof) > 0:
		return http.StatusUnprocessableEntity, ""
	case old > 0 && old < tree.N && tlog.CheckTree(proof, tree.N, tree.Hash, old, s.seen.Hash) != nil:
		return http.StatusUnprocessableEntity, ""
	}
	cosigned, err := note.Sign(&note.Note{Text: signed.Text}, s.signer)
	if err != nil {
		return http.StatusInternalServerError, ""
	}
	s.seen = tree
	_, lineOnly, _ := strings.Cut(string(cosigned), "\n\n")
	return http.StatusOK, lineOnly
}
