package staff_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/identity/staff"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/scan"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// counter is a world in which an operator has issued a PIN to Mario, who has one verified contact.
type counter struct {
	fixture
	mario  person.Person
	issued staff.Issued
	from   due.Cursor
}

func newCounter(t *testing.T, d *db.DB) *counter {
	t.Helper()
	w := &counter{fixture: newWorld(t, d)}
	w.mario, _ = w.Person(t, pintest.Mario, access.Citizen, false)
	w.from = due.Through(w.Clock.Now())
	w.issue(t)
	return w
}

func (w *counter) issue(t *testing.T) {
	t.Helper()
	var err error
	w.issued, err = w.service.IssuePIN(ctx, w.operator, w.mario.ID)
	want(t, err, "", "")
}

// code is the one that the holder got last.
func (w *counter) code(t *testing.T) secret.Text {
	t.Helper()
	m := w.Message(t, "kind = ?", staff.CounterPINCode.Name)
	secrets, err := m.Open(w.DataKeys)
	want(t, err, "", "")
	return secrets["code"]
}

// pass lets time pass, and does what is due by then.
func (w *counter) pass(t *testing.T, by time.Duration) {
	t.Helper()
	w.Clock.Advance(by)
	w.Must(t, func(ctx context.Context) (err error) {
		w.from, err = w.service.Ripens().Do(ctx, w.from, w.Clock.Now())
		return err
	})
}

func (w *counter) is(t *testing.T, level access.CredentialLevel) {
	t.Helper()
	r, err := w.service.Show(ctx, w.mario.ID)
	want(t, err, "", "")
	if r.CredentialLevel != level {
		t.Fatalf("%s credentials, want %s", r.CredentialLevel, level)
	}
}

// TestStaff_ACounterPINIsOrdinaryForADay, whatever the credentials were before; then it becomes
// dispositive by itself, and what waited is completed.
func TestStaff_ACounterPINIsOrdinaryForADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		if !w.issued.DispositiveAt.Equal(w.Clock.Now().Add(24 * time.Hour)) {
			t.Errorf("dispositive at %v", w.issued.DispositiveAt)
		}
		w.is(t, access.Ordinary)
		// The first access changes nothing of it.
		s := w.Login(t, pintest.Mario, w.issued.PIN)
		r, err := w.PINs.Rotate(ctx, w.MustActor(t, s))
		want(t, err, "", "")
		s, err = w.PINs.Confirm(ctx, w.MustActor(t, s), r.ID, r.PIN)
		want(t, err, "", "")
		record, err := w.service.Show(ctx, w.mario.ID)
		want(t, err, "", "")
		if c := record.CounterPIN; c == nil || c.IssuedBy != w.operator.PersonID || c.FamilyName != "Neri" || len(c.Attachments) != 0 {
			t.Errorf("shown with %+v", c)
		}
		next, found, err := w.service.Ripens().Next(ctx, w.from, w.issued.DispositiveAt)
		if err != nil || !found || !next.Equal(w.issued.DispositiveAt) {
			t.Errorf("due at %v, %v, %v", next, found, err)
		}
		w.pass(t, 24*time.Hour-time.Microsecond)
		w.is(t, access.Ordinary)
		w.pass(t, time.Microsecond)
		w.is(t, access.Dispositive)
		if !slices.Equal(w.people, []uuid.UUID{w.mario.ID}) || w.told(t, pinupgrade.BecameDispositive.Name, w.mario.ID) != 1 {
			t.Errorf("completed %v", w.people)
		}
		if record, err = w.service.Show(ctx, w.mario.ID); err != nil || record.CounterPIN != nil {
			t.Errorf("still waits: %+v, %v", record.CounterPIN, err)
		}
		_ = s
	})
}

// TestStaff_ASecondOperatorConfirmsACounterPIN, and the one who issued it does not.
func TestStaff_ASecondOperatorConfirmsACounterPIN(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		w.traced(t, 0, func() {
			_, err := w.service.ConfirmPIN(ctx, w.operator, w.mario.ID, "")
			want(t, err, fault.Forbidden, "second-person")
			_, err = w.service.ConfirmPIN(ctx, w.colleague, uuid.New(), "")
			want(t, err, fault.NotFound, "")
		})
		w.is(t, access.Ordinary)
		w.traced(t, 1, func() {
			r, err := w.service.ConfirmPIN(ctx, w.colleague, w.mario.ID, "")
			want(t, err, "", "")
			if r.CredentialLevel != access.Dispositive || r.CounterPIN != nil {
				t.Errorf("confirmed %+v", r)
			}
		})
		if !slices.Equal(w.people, []uuid.UUID{w.mario.ID}) || w.told(t, pinupgrade.BecameDispositive.Name, w.mario.ID) != 1 ||
			w.Count(t, "counter_pins WHERE confirmation = 'second_person' AND confirmed_by = ?", w.colleague.PersonID) != 1 {
			t.Errorf("completed %v", w.people)
		}
		_, err := w.service.ConfirmPIN(ctx, w.colleague, w.mario.ID, "")
		want(t, err, fault.Conflict, "nothing-to-confirm")
		// The code is good for nothing any more.
		_, err = w.service.ConfirmPIN(ctx, w.operator, w.mario.ID, w.code(t))
		want(t, err, fault.Conflict, "nothing-to-confirm")
		w.pass(t, 48*time.Hour)
		if len(w.people) != 1 {
			t.Error("completed once more")
		}
	})
}

// TestStaff_TheHoldersCodeConfirmsACounterPIN at once, entered by whoever issued it.
func TestStaff_TheHoldersCodeConfirmsACounterPIN(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		if w.issued.CodeTo == "" || strings.Contains(w.issued.CodeTo, "mario.rossi") {
			t.Errorf("the code went to %q", w.issued.CodeTo)
		}
		w.traced(t, 0, func() {
			_, err := w.service.ConfirmPIN(ctx, w.operator, w.mario.ID, "00000000")
			want(t, err, fault.CodeInvalid, "")
		})
		w.is(t, access.Ordinary)
		w.traced(t, 1, func() {
			_, err := w.service.ConfirmPIN(ctx, w.operator, w.mario.ID, w.code(t))
			want(t, err, "", "")
		})
		w.is(t, access.Dispositive)
		if w.Count(t, "counter_pins WHERE confirmation = 'code' AND confirmed_by = ?", w.operator.PersonID) != 1 {
			t.Error("it is not kept how it was confirmed")
		}
	})
}

// TestStaff_GuessesAtTheHoldersCode: however many PINs are issued, ten wrong codes in a row are looked
// at and then one every five minutes.
func TestStaff_GuessesAtTheHoldersCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		try := func(code secret.Text) error {
			_, err := w.service.ConfirmPIN(ctx, w.operator, w.mario.ID, code)
			return err
		}
		for range 10 {
			want(t, try("00000000"), fault.CodeInvalid, "")
		}
		if err := try(w.code(t)); !fault.Is(err, fault.RateLimited) {
			t.Errorf("the right code during the wait: %v", err)
		}
		w.Exec(t, "DELETE FROM outbox")
		w.issue(t)
		if err := try(w.code(t)); !fault.Is(err, fault.RateLimited) {
			t.Errorf("another PIN set the counter back: %v", err)
		}
		w.is(t, access.Ordinary)
		w.Clock.Advance(throttle.Lockout)
		want(t, try(w.code(t)), "", "")
		w.is(t, access.Dispositive)
	})
}

// TestStaff_ANewContactGetsNoCode: whoever holds the PIN cannot add a contact and confirm by it.
func TestStaff_ANewContactGetsNoCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		w.Exec(t, "DELETE FROM outbox")
		w.Exec(t, "UPDATE contacts SET recovery_from = ?", w.Clock.Now().Add(24*time.Hour))
		w.issue(t)
		if w.issued.CodeTo != "" || w.Count(t, "outbox WHERE kind = ?", staff.CounterPINCode.Name) != 0 {
			t.Errorf("a code went to %s", w.issued.CodeTo)
		}
		_, err := w.service.ConfirmPIN(ctx, w.operator, w.mario.ID, "00000000")
		want(t, err, fault.CodeInvalid, "")
		w.is(t, access.Ordinary)
	})
}

// TestStaff_ACounterPINThatEndedNeverRipens: revoked, replaced by another, or of somebody who is
// suspended.
func TestStaff_ACounterPINThatEndedNeverRipens(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *counter){
		"revoked by its holder": func(t *testing.T, w *counter) {
			want(t, w.PINs.Revoke(ctx, w.MustActor(t, w.Login(t, pintest.Mario, w.issued.PIN))), "", "")
		},
		"revoked by staff": func(t *testing.T, w *counter) {
			want(t, w.service.RevokePIN(ctx, w.contactCentre, w.mario.ID, staff.WrongPerson), "", "")
		},
		"replaced by halves": func(t *testing.T, w *counter) {
			initial, err := w.PINs.NewInitial(ctx)
			want(t, err, "", "")
			w.Must(t, func(ctx context.Context) error {
				_, _, err := w.PINs.GiveInHalves(
					ctx, w.mario.ID, initial, pin.Half{Channel: "sms", To: "+393331112233"}, pin.Half{Channel: "letter", To: "Via Roma 1"},
				)
				return err
			})
		},
		"suspended": func(t *testing.T, w *counter) {
			_, err := w.service.Suspend(ctx, w.admin, w.mario.ID, "prova")
			want(t, err, "", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := newCounter(t, d)
				end(t, w)
				_, err := w.service.ConfirmPIN(ctx, w.colleague, w.mario.ID, "")
				if !fault.Is(err, fault.Conflict) {
					t.Errorf("confirmed: %v", err)
				}
				w.pass(t, 48*time.Hour)
				w.is(t, access.Ordinary)
				if len(w.people) != 0 {
					t.Errorf("completed %v", w.people)
				}
				if name != "suspended" {
					return
				}
				// Readmitted, it waits anew.
				want(t, w.service.Readmit(ctx, w.admin, w.mario.ID), "", "")
				w.pass(t, 24*time.Hour-time.Microsecond)
				w.is(t, access.Ordinary)
				w.pass(t, time.Microsecond)
				w.is(t, access.Dispositive)
			})
		})
	}
}

// TestStaff_ANewerCounterPINWaitsForItself: the time of the one before does not count.
func TestStaff_ANewerCounterPINWaitsForItself(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		w.pass(t, 23*time.Hour)
		w.issue(t)
		w.pass(t, 2*time.Hour)
		w.is(t, access.Ordinary)
		w.pass(t, 22*time.Hour)
		w.is(t, access.Dispositive)
	})
}

// TestStaff_CounterPINsAreTwentyADay for one operator; the administrators are told of the last one.
func TestStaff_CounterPINsAreTwentyADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		for range 19 {
			w.Clock.Advance(time.Minute)
			w.issue(t)
		}
		if w.told(t, look.LimitReached.Name, w.admin.PersonID) != 1 {
			t.Error("the administrator is not told, or more than once")
		}
		w.traced(t, 0, func() {
			_, err := w.service.IssuePIN(ctx, w.operator, w.mario.ID)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != 24*time.Hour-19*time.Minute {
				t.Errorf("the twenty-first: %v", err)
			}
		})
		_, err := w.service.IssuePIN(ctx, w.colleague, w.mario.ID)
		want(t, err, "", "")
	})
}

// TestStaff_TheDocumentIsKept once, from who issued the PIN.
func TestStaff_TheDocumentIsKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		const content = "%PDF-1.7\nCarta d'identità"
		keep := func(by access.Actor, text string) error {
			t.Helper()
			u, err := attachment.Spool(strings.NewReader(text), "carta.pdf", t.TempDir(), attachment.MaxSize)
			want(t, err, "", "")
			defer func() { _ = u.Close() }()
			_, err = w.service.KeepDocument(ctx, by, w.mario.ID, []*attachment.Upload{u})
			return err
		}
		_, _, err := w.service.Document(ctx, w.admin, w.mario.ID, 1)
		want(t, err, fault.NotFound, "")
		w.traced(t, 0, func() {
			wantField(t, keep(w.operator, "no document"), "/files/0", "file-type")
			want(t, keep(w.colleague, content), fault.Forbidden, "issuer-only")
		})
		w.traced(t, 1, func() { want(t, keep(w.operator, content), "", "") })
		want(t, keep(w.operator, content), fault.Conflict, "document-kept")
		record, err := w.service.Show(ctx, w.mario.ID)
		if err != nil || record.CounterPIN == nil || len(record.CounterPIN.Attachments) != 1 {
			t.Fatalf("shown %+v, %v", record.CounterPIN, err)
		}
		_, err = w.service.ConfirmPIN(ctx, w.colleague, w.mario.ID, "")
		want(t, err, "", "")
		_, _, err = w.service.Document(ctx, w.admin, w.mario.ID, 1)
		want(t, err, fault.Conflict, scan.ReasonWaiting)
		want(t, w.scans.Drain(ctx), "", "")
		f, open, err := w.service.Document(ctx, w.admin, w.mario.ID, 1)
		want(t, err, "", "")
		r, err := open()
		want(t, err, "", "")
		defer func() { _ = r.Close() }()
		if read, err := io.ReadAll(r); err != nil || string(read) != content || f.Name != "carta.pdf" {
			t.Errorf("%s holds %q, %v", f.Name, read, err)
		}
		_, _, err = w.service.Document(ctx, w.admin, w.mario.ID, 2)
		want(t, err, fault.NotFound, "")
		want(t, keep(w.operator, content), fault.Conflict, "nothing-to-confirm")
	})
}

// TestStaff_TheDocumentIsReadByWhoMayConfirm: by any operator while the PIN waits, afterwards by
// administrators alone.
func TestStaff_TheDocumentIsReadByWhoMayConfirm(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newCounter(t, d)
		u, err := attachment.Spool(strings.NewReader("%PDF-1.7\n"), "carta.pdf", t.TempDir(), attachment.MaxSize)
		want(t, err, "", "")
		defer func() { _ = u.Close() }()
		_, err = w.service.KeepDocument(ctx, w.operator, w.mario.ID, []*attachment.Upload{u})
		want(t, err, "", "")
		want(t, w.scans.Drain(ctx), "", "")
		read := func(by access.Actor) error {
			_, _, err := w.service.Document(ctx, by, w.mario.ID, 1)
			return err
		}
		for _, by := range []access.Actor{w.operator, w.colleague, w.admin} {
			want(t, read(by), "", "")
		}
		_, err = w.service.ConfirmPIN(ctx, w.colleague, w.mario.ID, "")
		want(t, err, "", "")
		want(t, read(w.operator), fault.NotFound, "")
		want(t, read(w.colleague), fault.NotFound, "")
		want(t, read(w.admin), "", "")
		if n := w.Count(t, "staff_looks WHERE person_id = ?", w.mario.ID); n != 4 {
			t.Errorf("%d looks were kept", n)
		}
	})
}
