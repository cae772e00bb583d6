package pinupgrade_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/kernel/scan"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestPINUpgrade_ARequestIsProtocolled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by := w.citizen()
		in := w.input()
		got, err := w.service.Request(asked("requestPinUpgrade"), by, in)
		if err != nil {
			t.Fatal(err)
		}
		want := pinupgrade.Upgrade{
			ID: got.ID, PersonID: by.PersonID, OfficeCode: world.Rome, ProtocolNumber: "INPS.7000.16/03/2026.0000001", Digest: got.Digest,
			DocumentKind: pinupgrade.IdentityCard, DocumentNumber: "CA12345AB", IssuedBy: "Comune di Forlì", IssuedOn: "2021-05-10",
			ExpiresOn: "2031-05-10",
			Attachments: []attachment.File{
				{Number: 1, Name: "fronte.png", MediaType: attachment.PNG, Size: in.Files[0].Size(), Digest: in.Files[0].Digest()},
				{Number: 2, Name: "retro.jpg", MediaType: attachment.JPEG, Size: in.Files[1].Size(), Digest: in.Files[1].Digest()},
			},
			State: pinupgrade.Submitted, SubmittedAt: w.Clock.Now(), Version: 1,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		shown, err := w.service.Show(ctx, by, got.ID)
		if diff := cmp.Diff(got, shown); diff != "" || err != nil {
			t.Errorf("as it is stored: %v\n%s", err, diff)
		}
		var line struct{ Kind, Digest, SubjectID string }
		if err := d.From(ctx).Raw("SELECT kind, digest, subject_id FROM protocol_entries").Scan(&line).Error; err != nil {
			t.Fatal(err)
		}
		if line.Kind != "pin_upgrade" || line.Digest != got.Digest || line.SubjectID != got.ID.String() ||
			!strings.HasPrefix(got.Digest, "sha-256:") {
			t.Errorf("the register says %+v", line)
		}
		if n := w.Count(
			t, "audit_records WHERE operation = 'requestPinUpgrade' AND subject_id = ? AND person_id = ? AND request_id = 'request-1'",
			got.ID.String(), by.PersonID,
		); n != 1 || w.Count(t, "audit_records") != 1 {
			t.Errorf("%d audit records", n)
		}
		if diff := cmp.Diff([]string{pinupgrade.Received.Name}, w.messages(by.PersonID)); diff != "" {
			t.Error(diff)
		}
		// Our own ids, and nothing that the sender called a file.
		if diff := cmp.Diff([]string{
			"pin-upgrades/" + got.ID.String() + "/1", "pin-upgrades/" + got.ID.String() + "/2",
		}, w.blobs()); diff != "" {
			t.Error(diff)
		}
		other := w.citizen()
		if second := w.request(other); second.ProtocolNumber != "INPS.7000.16/03/2026.0000002" || second.Digest == got.Digest {
			t.Errorf("the next one is %s with digest %s", second.ProtocolNumber, second.Digest)
		}
		if _, err := w.service.Show(ctx, other, got.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another's request: %v", err)
		}
		if _, err := w.service.Show(ctx, by, uuid.Must(uuid.NewV7())); !fault.Is(err, fault.NotFound) {
			t.Errorf("no request: %v", err)
		}
	})
}

func TestPINUpgrade_WhatIsWrongInARequestIsNamed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by := w.citizen()
		for name, c := range map[string]struct {
			change func(in *pinupgrade.Input)
			fields []string
		}{
			"expired yesterday": {func(in *pinupgrade.Input) {
				in.ExpiresOn = "2026-03-15"
			}, []string{"/expires_on", "document-expired"}},
			"issued tomorrow": {func(in *pinupgrade.Input) { in.IssuedOn = "2026-03-17" }, []string{"/issued_on", "in-future"}},
			"expires before issue": {func(in *pinupgrade.Input) {
				in.IssuedOn, in.ExpiresOn = "2026-03-17", "2026-03-16"
			}, []string{"/issued_on", "in-future", "/expires_on", "before-issue"}},
			"no date": {func(in *pinupgrade.Input) { in.IssuedOn = "2021-02-30" }, []string{"/issued_on", "format"}},
			"no dates": {func(in *pinupgrade.Input) {
				in.IssuedOn, in.ExpiresOn = "", "never"
			}, []string{"/issued_on", "format", "/expires_on", "format"}},
			"another document": {func(in *pinupgrade.Input) { in.DocumentKind = "library_card" }, []string{"/document_kind", "enum"}},
			"no number":        {func(in *pinupgrade.Input) { in.DocumentNumber = " " }, []string{"/document_number", "pattern"}},
			"a line break":     {func(in *pinupgrade.Input) { in.IssuedBy = "a\nb" }, []string{"/issued_by", "pattern"}},
			"a long issuer": {func(in *pinupgrade.Input) {
				in.IssuedBy = strings.Repeat("è", 121)
			}, []string{"/issued_by", "pattern"}},
			"no file": {func(in *pinupgrade.Input) { in.Files = nil }, []string{"/files", "required"}},
			"a fifth file": {func(in *pinupgrade.Input) {
				in.Files = append(in.Files, in.Files[0], in.Files[0], in.Files[0])
			}, []string{"/files", "too-many"}},
			"a text": {func(in *pinupgrade.Input) {
				in.Files[1] = w.upload("a.png", "no picture")
			}, []string{"/files/1", "file-type"}},
			"nothing in it": {func(in *pinupgrade.Input) {
				in.Files[0] = w.upload("a.png", "")
			}, []string{"/files/0", "file-empty"}},
			"an office that is none": {func(in *pinupgrade.Input) { in.OfficeCode = "0001" }, []string{"/office_code", "unknown-office"}},
			"no competent office":    {func(in *pinupgrade.Input) { in.OfficeCode = "" }, []string{"/office_code", "office-needed"}},
		} {
			in := w.input()
			c.change(&in)
			_, err := w.service.Request(ctx, by, in)
			refused(t, name, err, fault.Invalid, c.fields...)
		}
		if left := w.blobs(); len(left) > 0 || w.Count(t, "protocol_entries") > 0 || w.Count(t, "pin_upgrades") > 0 {
			t.Errorf("refused requests left %v", left)
		}
	})
}

func TestPINUpgrade_ADocumentIsGoodOnItsLastDayInRome(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		// It is the 16th of March, 9:15 in Rome.
		in := w.input()
		in.IssuedOn, in.ExpiresOn = "2026-03-16", "2026-03-17"
		if _, err := w.service.Request(ctx, w.citizen(), in); err != nil {
			t.Errorf("on the day of its issue: %v", err)
		}
		w.Clock.Advance(14*time.Hour + 45*time.Minute - time.Microsecond)
		in.IssuedOn = "2026-03-17"
		_, err := w.service.Request(ctx, w.citizen(), in)
		refused(t, "a microsecond before its day", err, fault.Invalid, "/issued_on", "in-future")
		w.Clock.Advance(time.Microsecond)
		if _, err := w.service.Request(ctx, w.citizen(), in); err != nil {
			t.Errorf("when its one day begins: %v", err)
		}
		w.Clock.Advance(24*time.Hour - time.Microsecond)
		if _, err := w.service.Request(ctx, w.citizen(), in); err != nil {
			t.Errorf("when its one day ends: %v", err)
		}
		w.Clock.Advance(time.Microsecond)
		_, err = w.service.Request(ctx, w.citizen(), in)
		refused(t, "at midnight", err, fault.Invalid, "/expires_on", "document-expired")
	})
}

func TestPINUpgrade_TheCompetentOffice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		milan := world.Milan
		resides := func(by access.Actor) {
			w.Must(t, func(ctx context.Context) error {
				return w.residents.Put(ctx, residents.Entry{TaxCode: by.TaxCode, OfficeCode: &milan, UpdatedAt: w.Clock.Now()})
			})
		}
		ask := func(by access.Actor, named string) string {
			t.Helper()
			in := w.input()
			in.OfficeCode = named
			u, err := w.service.Request(ctx, by, in)
			if err != nil {
				t.Fatal(err)
			}
			return u.OfficeCode
		}
		resident := w.citizen()
		resides(resident)
		if got := ask(resident, ""); got != world.Milan {
			t.Errorf("by residence: %s", got)
		}
		company := w.Company(t, world.Rome, world.Milan)
		employer := w.citizen()
		resides(employer)
		w.Role(t, employer.PersonID, company.ID, access.Employer)
		if got := ask(employer, ""); got != world.Rome {
			t.Errorf("by role: %s", got)
		}
		former := w.citizen()
		resides(former)
		w.WithdrawRole(t, w.Role(t, former.PersonID, company.ID, access.Employer))
		if got := ask(former, ""); got != world.Milan {
			t.Errorf("by a role that was withdrawn: %s", got)
		}
		moved := w.citizen()
		w.Exec(t, "UPDATE positions SET state = 'ceased' WHERE id = ?", company.Positions[0].ID)
		w.Role(t, moved.PersonID, company.ID, access.Employer)
		if got := ask(moved, ""); got != world.Milan {
			t.Errorf("at a position that has ceased: %s", got)
		}
		named := w.citizen()
		resides(named)
		if got := ask(named, world.Rome); got != world.Rome {
			t.Errorf("named: %s", got)
		}
	})
}

func TestPINUpgrade_OneRequestWaitsAtATime(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by, desk := w.citizen(), w.operator(world.Rome)
		first := w.request(by)
		in := w.input()
		in.OfficeCode = world.Milan
		_, err := w.service.Request(ctx, by, in)
		conflict(t, "a second", err, "upgrade-waiting")
		w.decide(desk, first.ID, review.NotAccepted)
		w.Clock.Advance(time.Minute)
		second := w.request(by)
		w.decide(desk, second.ID, review.Accepted)
		for name, now := range map[string]access.Actor{"as before": by, "at the next request": w.again(by)} {
			_, err = w.service.Request(ctx, now, w.input())
			conflict(t, name, err, "already-dispositive")
		}
		if n := len(w.blobs()); n != 4 || w.Count(t, "protocol_entries") != 2 {
			t.Errorf("%d files, %d numbers", n, w.Count(t, "protocol_entries"))
		}
		mine, err := w.service.Mine(ctx, by, page.Request{})
		if err != nil || len(mine.Items) != 2 || mine.Items[0].ID != second.ID || mine.Items[1].ID != first.ID {
			t.Errorf("my requests: %+v, %v", mine, err)
		}
	})
}

func TestPINUpgrade_ManyAtOnceAreOne(t *testing.T) {
	for name, keyed := range map[string]bool{"with one key": true, "with none": false} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := newWorld(t, d)
				// Another process has a register of its own.
				twin := inApp(t, w.App)
				by := w.citizen()
				var filed atomic.Int64
				var first atomic.Pointer[uuid.UUID]
				inputs := make([]pinupgrade.Input, 10)
				for i := range inputs {
					inputs[i] = w.input()
					if !keyed && i%2 == 0 {
						inputs[i].OfficeCode = world.Milan
					}
				}
				world.Parallel(len(inputs), func(i int) {
					process, ctx := w, ctx
					if i%2 == 0 {
						process = twin
					}
					if keyed {
						ctx = world.WithKey(ctx, by, "key-00000001")
					}
					u, err := process.service.Request(ctx, by, inputs[i])
					if err != nil {
						if keyed {
							t.Errorf("a twin: %v", err)
						}
						conflict(t, "another", err, "upgrade-waiting")
						return
					}
					filed.Add(1)
					if !first.CompareAndSwap(nil, &u.ID) && *first.Load() != u.ID {
						t.Errorf("filed %s and %s", *first.Load(), u.ID)
					}
				})
				want := int64(1)
				if keyed {
					want = 10
				}
				if filed.Load() != want || w.Count(t, "pin_upgrades") != 1 || w.Count(t, "protocol_entries") != 1 ||
					w.Count(t, "outbox") != 1 || w.Count(t, "audit_records") != 1 {
					t.Errorf("filed %d times", filed.Load())
				}
				if got := w.blobs(); len(got) != 2 || !strings.Contains(got[0], first.Load().String()) {
					t.Errorf("stored %v", got)
				}
			})
		})
	}
}

func TestPINUpgrade_ARepeatIsAnsweredAsTheFirstTime(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by := w.citizen()
		keyed := world.WithKey(ctx, by, "key-00000001")
		first, err := w.service.Request(keyed, by, w.input())
		if err != nil {
			t.Fatal(err)
		}
		w.decide(w.operator(world.Rome), first.ID, review.Accepted)
		again, err := w.service.Request(world.WithKey(ctx, by, "key-00000001"), by, w.input())
		if diff := cmp.Diff(first, again); diff != "" || err != nil {
			t.Errorf("after the decision: %v\n%s", err, diff)
		}
		if n := len(w.blobs()); n != 2 {
			t.Errorf("%d files", n)
		}
	})
}

func TestPINUpgrade_WhatIsRefusedLeavesNoFiles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by := w.citizen()
		w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), by.SessionID)
		if _, err := w.service.Request(ctx, by, w.input()); !fault.Is(err, fault.SessionEnded) {
			t.Errorf("with a session that ended meanwhile: %v", err)
		}
		if left := w.blobs(); len(left) > 0 || w.Count(t, "protocol_entries") > 0 {
			t.Errorf("left %v", left)
		}
	})
}

func TestPINUpgrade_TheOfficeReadsTheFiles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		u := w.request(w.citizen())
		desk := w.operator(world.Rome)
		var waiting *fault.Fault
		if _, err := w.service.File(ctx, desk, u.ID, 1); !errors.As(err, &waiting) || waiting.Reason != scan.ReasonWaiting {
			t.Errorf("before they were scanned: %v", err)
		}
		if err := w.scans.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		for number, want := range map[int]string{1: png + strings.Repeat("x", 50_000), 2: jpeg} {
			f, err := w.service.File(ctx, desk, u.ID, number)
			if err != nil {
				t.Fatal(err)
			}
			content, err := w.service.Content(ctx, u.ID, f)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(content); err != nil || string(got) != want {
				t.Errorf("file %d came back as %d bytes, %v", number, len(got), err)
			}
			if err := content.Close(); err != nil {
				t.Error(err)
			}
		}
		nowhere := desk
		nowhere.OfficeCode = ""
		for name, by := range map[string]access.Actor{"another office": w.operator(world.Milan), "no office": nowhere} {
			if _, err := w.service.File(ctx, by, u.ID, 1); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := w.service.ShowAtOffice(ctx, by, u.ID); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, number := range []int{-1, 0, 3} {
			if _, err := w.service.File(ctx, desk, u.ID, number); !fault.Is(err, fault.NotFound) {
				t.Errorf("file %d: %v", number, err)
			}
		}
	})
}

// The holder hears that nobody can open the files, and the office does not get them.
func TestPINUpgrade_TheHolderHearsOfRefusedFiles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by, in := w.citizen(), w.input()
		in.Files = []*attachment.Upload{w.upload("fronte.png", png+"malicious")}
		u, err := w.service.Request(ctx, by, in)
		if err != nil {
			t.Fatal(err)
		}
		other := w.request(w.citizen())
		if err := w.scans.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		var refused *fault.Fault
		if _, err := w.service.File(ctx, w.operator(world.Rome), u.ID, 1); !errors.As(err, &refused) || refused.Reason != scan.ReasonRefused {
			t.Errorf("the office gets %v", err)
		}
		if got := w.messages(by.PersonID); !slices.Equal(got, []string{pinupgrade.Received.Name, pinupgrade.FilesRefused.Name}) {
			t.Errorf("the holder was told %v", got)
		}
		if got := w.messages(other.PersonID); !slices.Equal(got, []string{pinupgrade.Received.Name}) {
			t.Errorf("somebody else was told %v", got)
		}
	})
}
