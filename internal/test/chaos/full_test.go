//go:build long

package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/test/dbtest"
)

// smallDisk is a file system of so many MiB, in memory. It needs root.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	// Other accounts must reach it, which they do not below t.TempDir.
	dir, err := os.MkdirTemp("", "diresco-small-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0777", mib)); err != nil {
		t.Fatalf("a file system is not mounted, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill fills a disk to its last byte, and returns what makes room again.
func fill(t *testing.T, disk string) (empty func()) {
	t.Helper()
	ballast, err := os.Create(filepath.Join(disk, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = ballast.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := errors.Join(ballast.Close(), os.Remove(ballast.Name())); err != nil {
			t.Error(err)
		}
	}
}

// refusals counts what was refused for a while. What is no success must be worth another try.
type refusals struct {
	t    *testing.T
	many atomic.Int64
}

func (r *refusals) see(seen try) {
	switch {
	case seen.err != nil:
		r.t.Errorf("%s %s had no answer: %v", seen.request.method, seen.request.path, seen.err)
	case seen.answer.mayBeRepeated():
		r.many.Add(1)
	}
}

// fullUnderLoad fills the disk, or what else must have room, while clients file. Once there is room
// again, mend does what an operator would.
func fullUnderLoad(t *testing.T, s *server, filers []*filer, disk string, mend func()) []filing {
	t.Helper()
	l, r := newLoad(t, filers, s.site), &refusals{t: t}
	l.watch = r.see
	l.begin(clients)
	l.advance(3 * clients)
	for range 3 {
		empty := fill(t, disk)
		before := r.many.Load()
		eventually(t, patience, "everybody is refused", func() bool { return r.many.Load() >= before+3*clients })
		if !s.runs() {
			t.Fatal("the server ended when the disk was full")
		}
		empty()
		mend()
		l.round.Add(1)
		l.advance(3 * clients)
	}
	acknowledged := l.end()
	t.Logf("%d requests were refused while the disk was full", r.many.Load())
	l.askAgain(s.site, acknowledged)
	s.terminate()
	return acknowledged
}

// TestFull_DatabaseOnAFullDisk: nothing is filed while the database has no room, everybody is told to
// come again, and all goes on by itself once there is room. Nothing that was acknowledged is lost.
func TestFull_DatabaseOnAFullDisk(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		disk := smallDisk(t, 64)
		url := "sqlite:" + filepath.Join(disk, "diresco.db")
		s := newServer(t, "serve", variables{
			"DATA_DIR": t.TempDir(), "DATABASE_URL": url, "ADMIN_ADDR": "", "RATE_PERSON": "1000000", "RATE_ADDRESS": "1000000",
		})
		s.start()
		acknowledged := fullUnderLoad(t, s, newSeeder(t, url).filers(clients/2), disk, func() {})
		checkRegister(t, open(t, url), acknowledged)
	})
	t.Run("postgres", func(t *testing.T) {
		disk := smallDisk(t, 512)
		temporary := os.TempDir()
		t.Setenv("TMPDIR", disk)
		server, err := dbtest.NewServer(true)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		t.Setenv("TMPDIR", temporary)
		h := newHouse(t, server.URL())
		s := h.server()
		s.start()
		acknowledged := fullUnderLoad(t, s, h.seed.filers(clients/2), disk, func() {
			// It ends where there is no room for its log.
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
		})
		checkRegister(t, h.seed.db, acknowledged)
	})
}

// TestFull_FilesOnAFullDisk: a ticket whose files find no room is refused whole and may be sent again,
// with the same key; what needs no file goes on.
func TestFull_FilesOnAFullDisk(t *testing.T) {
	_, database := postgres(t)
	disk := smallDisk(t, 16)
	h := newHouse(t, database)
	h.common["BLOB_URL"] = "file://" + disk + "/blobs"
	s := h.server()
	s.start()
	l := newLoad(t, h.seed.filers(1), s.site)
	f := l.filers[0]
	ticket := func(key string) answer {
		t.Helper()
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for name, value := range map[string]string{
			"topic": "payments-refunds", "position_id": f.positions[0], "section": "payments", "subject": "Rimborso",
			"text": "Si chiede il rimborso.", "email": "studio@example.com",
		} {
			if err := form.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
		file, err := form.CreateFormFile("attachments", "F24.pdf")
		if err == nil {
			_, err = file.Write(append([]byte("%PDF-1.4\n"), bytes.Repeat([]byte("0123456789abcde\n"), 100_000)...))
		}
		if err = errors.Join(err, form.Close()); err != nil {
			t.Fatal(err)
		}
		sent, err := http.NewRequestWithContext(
			t.Context(), http.MethodPost, s.site.url+"/v1/contributors/"+f.contributor+"/tickets", &body,
		)
		if err != nil {
			t.Fatal(err)
		}
		sent.Header.Set("Content-Type", form.FormDataContentType())
		sent.Header.Set("Authorization", "Bearer "+f.token())
		sent.Header.Set("Idempotency-Key", key)
		response, err := s.site.http.Do(sent)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		read, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{status: response.StatusCode, header: response.Header, body: read}
	}
	ticket(uuid.NewString()).want(t, http.StatusCreated, "")
	empty := fill(t, disk)
	key := uuid.NewString()
	for range 3 {
		if refused := ticket(key).want(t, http.StatusServiceUnavailable, "unavailable"); !refused.mayBeRepeated() {
			t.Error("nothing says when to come again")
		}
	}
	if !l.file(f, s.site, 1) {
		t.Fatal("nothing could be filed")
	}
	empty()
	first := ticket(key).want(t, http.StatusCreated, "")
	if again := ticket(key).want(t, http.StatusCreated, ""); !bytes.Equal(again.body, first.body) {
		t.Errorf("sent again, it is %s and was %s", again.body, first.body)
	}
	s.terminate()
	if n := rows[int](t, h.seed.db, "SELECT count(*) FROM tickets")[0]; n != 2 {
		t.Errorf("there are %d tickets", n)
	}
	kept, err := filepath.Glob(filepath.Join(disk, "blobs", "tickets", "*"))
	if err != nil || len(kept) != 2 {
		t.Errorf("%d archives are left: %q, %v", len(kept), kept, err)
	}
}
