package ticket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/scan"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// scanner finds something in what has a word in it, and nothing while it is down.
type scanner struct {
	down bool
	seen int
}

var errDown = errors.New("the scanner is down")

func (s *scanner) Scan(_ context.Context, content io.Reader) (string, error) {
	if s.down {
		return "", errDown
	}
	s.seen++
	read, err := io.ReadAll(content)
	if bytes.Contains(read, []byte("malicious")) {
		return "Test.Finding", err
	}
	return "", err
}

// scanned is a fixture whose files are scanned.
func scanned(t *testing.T, d *db.DB) (*fixture, *scan.Service, *scanner) {
	t.Helper()
	w, by := newWorld(t, d), &scanner{}
	quiet := slog.New(slog.DiscardHandler)
	scans := scan.NewService(scan.Deps{Runner: w.Runner, Bucket: w.Blobs, Scanner: by, Log: quiet})
	w.Tickets = ticket.NewService(ticket.Deps{
		Runner: w.Runner, Register: w.NewRegister(t), Outbox: w.Outbox, Rights: w.Rights, Contributors: w.Contributors, Topics: w.Topics,
		Blobs: w.Blobs, Log: quiet, Scans: scans,
		Looks: look.NewService(look.Deps{
			DB: d, Clock: w.Clock, Trail: w.Runner.Trail, Staff: person.NewService(person.Deps{Runner: w.Runner}), Outbox: w.Outbox,
		}),
	})
	return w, scans, by
}

// handedOut opens the files of a ticket, or ends the test unless the reason is the one wanted.
func (w *fixture) handedOut(by access.Actor, t ticket.Ticket, state scan.State, reason string) {
	w.t.Helper()
	shown, err := w.Tickets.Show(ctx, by, t.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if shown.Scan != state || shown.HandsFilesOut() != (reason == "") {
		w.t.Errorf("shown as %q", shown.Scan)
	}
	_, archive, err := w.Tickets.Archive(ctx, by, t.ID)
	if reason == "" {
		if err != nil {
			w.t.Fatal(err)
		}
		_ = archive.Close()
		return
	}
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != reason {
		w.t.Errorf("%v, want %s", err, reason)
	}
}

// Files are handed out once nothing was found in them. While the scanner is down they wait, however
// long that takes.
func TestTicket_FilesWaitForTheScanner(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, scans, by := scanned(t, d)
		c, opener := w.Employer(t, world.Rome)
		in := about(c)
		in.Files = []*attachment.Upload{w.upload("a.pdf", pdf)}
		by.down = true
		opened, err := w.Tickets.Open(ctx, opener, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if opened.Scan != scan.Waiting {
			t.Errorf("opened as %q", opened.Scan)
		}
		for range 12 {
			if err := scans.Drain(ctx); !errors.Is(err, errDown) {
				t.Fatalf("drained with %v", err)
			}
			w.handedOut(opener, opened.Ticket, scan.Waiting, scan.ReasonWaiting)
			// What failed just now is left alone for a while.
			if err := scans.Drain(ctx); err != nil {
				t.Errorf("tried again at once: %v", err)
			}
			w.Clock.Advance(5 * time.Minute)
		}
		by.down = false
		if err := scans.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		w.handedOut(opener, opened.Ticket, scan.Clean, "")
		if err := scans.Drain(ctx); err != nil || by.seen != 1 {
			t.Errorf("scanned %d times, %v", by.seen, err)
		}
		in.Files = nil
		without, err := w.Tickets.Open(ctx, opener, in, nil)
		if err != nil || without.Scan != "" {
			t.Errorf("without files: %q, %v", without.Scan, err)
		}
	})
}

// Files in which something was found are refused for good. Their opener is told, and it stands in the
// trail.
func TestTicket_MaliciousFilesAreRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, scans, _ := scanned(t, d)
		c, opener := w.Employer(t, world.Rome)
		in := about(c)
		in.Files = []*attachment.Upload{w.upload("a.pdf", pdf), w.upload("b.pdf", pdf+"malicious")}
		opened := w.open(opener, in)
		if err := scans.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		w.handedOut(opener, opened, scan.Refused, scan.ReasonRefused)
		want := "ticket.attachments_refused email studio@example.com"
		if told := w.told(); !slices.Contains(told, want) {
			t.Errorf("told %v", told)
		}
		var traces int
		if err := d.From(ctx).Raw("SELECT COUNT(*) FROM audit_records WHERE operation = 'refuseAttachments' AND subject_id = ? AND contributor_id = ?",
			opened.ID.String(), c.ID).Scan(&traces).Error; err != nil || traces != 1 {
			t.Errorf("%d traces, %v", traces, err)
		}
		// Where nobody scans any more, what was refused stays so.
		w.Tickets = ticket.NewService(ticket.Deps{
			Runner: w.Runner, Register: w.NewRegister(t), Outbox: w.Outbox, Rights: w.Rights, Contributors: w.Contributors, Topics: w.Topics,
			Blobs: w.Blobs, Log: slog.New(slog.DiscardHandler), Scans: scan.NewService(scan.Deps{Runner: w.Runner, Bucket: w.Blobs}),
		})
		w.handedOut(opener, opened, scan.Refused, scan.ReasonRefused)
	})
}
