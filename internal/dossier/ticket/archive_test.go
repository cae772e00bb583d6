package ticket_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// archiveOf reads the files of a ticket.
func (w *fixture) archiveOf(by access.Actor, t ticket.Ticket) []byte {
	w.t.Helper()
	_, r, err := w.Tickets.Archive(ctx, by, t.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return content
}

// Files are dated when the ticket was opened, by no clock of a place; the same files at the same
// time are the same archive.
func TestTicketArchive_FilesAreDatedAtTheOpening(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		open := func() []byte {
			t.Helper()
			in := about(c)
			in.Files = []*attachment.Upload{w.upload("F24.pdf", pdf), w.upload("foto.png", png), w.upload("quietanza.txt", "Quietanza: 12345\n")}
			return w.archiveOf(by, w.open(by, in))
		}
		at := w.Clock.Now().UTC().Truncate(time.Second)
		first := open()
		if !bytes.Equal(first, open()) {
			t.Error("other bytes")
		}
		archive, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
		if err != nil || len(archive.File) != 3 {
			t.Fatal(err)
		}
		for _, f := range archive.File {
			// What old readers see has two seconds, and no place.
			if old := f.ModTime(); !f.Modified.Equal(at) || !old.Equal(at.Truncate(2*time.Second)) {
				t.Errorf("%s is dated %s, and %s for old readers, want %s", f.Name, f.Modified, old, at)
			}
		}
	})
}

// Whoever breaks off leaves no files without a ticket, and no ticket without its files.
func TestTicketArchive_NothingIsLeftByWhoBreaksOff(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		in := about(c)
		in.Files = []*attachment.Upload{w.upload("F24.pdf", pdf)}
		before, gone := context.WithCancel(ctx)
		gone()
		if _, err := w.Tickets.File(before, by, in, nil); err == nil || len(w.blobs()) != 0 || w.Count(t, "tickets") != 0 {
			t.Errorf("before it was stored: %v, files %q", err, w.blobs())
		}
		for _, refusal := range []error{fault.New(fault.RateLimited), nil} {
			leaving, leave := context.WithCancel(ctx)
			in.Files = []*attachment.Upload{w.upload("F24.pdf", pdf)}
			_, err := w.Tickets.File(leaving, by, in, func(context.Context, ticket.Ticket) error {
				leave()
				return refusal
			})
			want := 1
			if refusal != nil {
				want = 0
			}
			if errors.Is(err, context.Canceled) || len(w.blobs()) != want || w.Count(t, "tickets") != want {
				t.Errorf("while it was filed: %v, %d files, %d tickets, want %d", err, len(w.blobs()), w.Count(t, "tickets"), want)
			}
		}
		if n := w.Count(t, "tickets WHERE office_code = ?", world.Rome); n != 1 {
			t.Errorf("%d tickets", n)
		}
	})
}
