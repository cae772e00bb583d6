package person_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

const day = 24 * time.Hour

// fixture is Mario, who has a verified mobile and e-mail, and his address book.
type fixture struct {
	db     *db.DB
	clock  *clock.Manual
	people *person.Service
	book   *person.AddressBook
	outbox *outbox.Outbox
	keys   *keyring.DataKeys
	by     access.Actor
}

func open(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	keys, err := keyring.ParseDataKeys("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		t.Fatal(err)
	}
	c := clock.NewManual(start)
	w := &fixture{db: d, clock: c, outbox: outbox.New(d), keys: keys}
	run := &operation.Runner{DB: d, Clock: c, Keys: idempotency.NewStore(d, c, nil), Trail: audit.NewTrail(d), Recheck: recheck.New(d, c)}
	w.people = person.NewService(person.Deps{Runner: run})
	limiter := throttle.NewLimiter(d, c, keys, w.outbox)
	w.book = person.NewAddressBook(person.Deps{
		Runner: run, Outbox: w.outbox, Keys: keys, Codes: otp.New(d, c, keys, limiter, throttle.NewAddressLimit(d, c, false), rand.Reader),
	})
	mario, err := w.people.Create(context.Background(), mario(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.by = access.Actor{PersonID: mario.ID, TaxCode: mario.TaxCode, SessionID: (&world.App{DB: d, Clock: c}).Session(t, mario.ID, nil)}
	return w
}

func (w *fixture) add(t *testing.T, kind person.ContactKind, value string) person.Contact {
	t.Helper()
	c, err := w.book.Add(context.Background(), w.by, person.NewContact{Kind: kind, Value: value})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *fixture) show(t *testing.T, id uuid.UUID) person.Contact {
	t.Helper()
	c, err := w.book.Show(context.Background(), w.by, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// messages are those of a kind, the oldest first.
func (w *fixture) messages(t *testing.T, kind string) []outbox.Message {
	t.Helper()
	queued, err := w.outbox.Queued(context.Background(), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(queued, func(m outbox.Message) bool { return m.Kind != kind })
}

// code is the one that was sent to the address last.
func (w *fixture) code(t *testing.T, to string) secret.Text {
	t.Helper()
	var code secret.Text
	for _, m := range w.messages(t, person.ContactCode.Name) {
		if *m.Recipient != to {
			continue
		}
		secrets, err := m.Open(w.keys)
		if err != nil {
			t.Fatal(err)
		}
		code = secrets["code"]
	}
	if code == "" {
		t.Fatal("no code was sent")
	}
	return code
}

func (w *fixture) contact(t *testing.T, kind person.ContactKind) person.Contact {
	t.Helper()
	all, err := w.people.Contacts(context.Background(), w.by.PersonID)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(c person.Contact) bool { return c.Kind == kind })
	if i < 0 {
		t.Fatalf("no %s", kind)
	}
	return all[i]
}

// recovering are the contacts of somebody that count for recovering a PIN.
func (w *fixture) recovering(t *testing.T, id uuid.UUID) []person.Contact {
	t.Helper()
	all, err := w.people.Contacts(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(c person.Contact) bool { return !c.Recovers(w.clock.Now()) })
}

func (w *fixture) recovery(t *testing.T) []person.ContactKind {
	t.Helper()
	var kinds []person.ContactKind
	for _, c := range w.recovering(t, w.by.PersonID) {
		kinds = append(kinds, c.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func (w *fixture) must(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	if err := w.db.InTx(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// refused fails the test unless err is a fault of the kind with the reason.
func refused(t *testing.T, err error, code fault.Code, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code || f.Reason != reason {
		t.Errorf("got %v, want %s %s", err, code, reason)
	}
}

func TestAddressBook_AContactCountsOnceItIsVerified(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), audit.WithOrigin(context.Background(), audit.Origin{Operation: "op", RequestID: "r"})
		records := rows(t, d, "audit_records")
		c := w.add(t, person.PEC, "rossi@PEC.example")
		if c.State() != person.Unverified || c.Value != "rossi@pec.example" || c.VerifiedAt != nil || c.RecoveryFrom != nil {
			t.Errorf("added %+v", c)
		}
		codes := w.messages(t, person.ContactCode.Name)
		if len(codes) != 1 || *codes[0].Recipient != c.Value || *codes[0].Channel != outbox.PEC ||
			!codes[0].DeadlineAt.Equal(start.Add(day)) || codes[0].Data != `{"expires_at":"2026-03-03T09:00:00Z","kind":"pec"}` {
			t.Errorf("code messages %+v", codes)
		}
		told := w.messages(t, person.ContactAdded.Name)
		if len(told) != 1 || told[0].Recipient != nil || *told[0].PersonID != w.by.PersonID ||
			told[0].Data != `{"contact":"r***@pec.example","kind":"pec"}` {
			t.Errorf("told %+v", told)
		}
		if _, err := w.book.Verify(ctx, w.by, c.ID, "22222222"); !fault.Is(err, fault.CodeInvalid) {
			t.Errorf("wrong code: %v", err)
		}
		if n := rows(t, d, "audit_records") - records; n != 1 {
			t.Errorf("%d audit records before the verification", n)
		}
		w.clock.Advance(time.Hour)
		code := w.code(t, c.Value)
		verified, err := w.book.Verify(ctx, w.by, c.ID, secret.Text(code.Reveal()[:4]+"-"+code.Reveal()[4:]))
		if err != nil {
			t.Fatal(err)
		}
		at := start.Add(time.Hour)
		if verified.State() != person.Verified || !verified.VerifiedAt.Equal(at) || !verified.RecoveryFrom.Equal(at.Add(day)) {
			t.Errorf("verified %+v", verified)
		}
		if shown := w.show(t, c.ID); !shown.VerifiedAt.Equal(at) || !shown.RecoveryFrom.Equal(at.Add(day)) {
			t.Errorf("shown %+v", shown)
		}
		if n := rows(t, d, "audit_records") - records; n != 2 {
			t.Errorf("%d audit records, want one for each operation", n)
		}
		_, err = w.book.Verify(ctx, w.by, c.ID, code)
		refused(t, err, fault.Conflict, "contact-verified")
		_, err = w.book.Resend(ctx, w.by, c.ID)
		refused(t, err, fault.Conflict, "contact-verified")
		w.clock.Advance(day - time.Microsecond)
		if got := w.recovery(t); !slices.Equal(got, []person.ContactKind{person.Email, person.Mobile}) {
			t.Errorf("before 24 hours %v count for recovery", got)
		}
		w.clock.Advance(time.Microsecond)
		if got := w.recovery(t); !slices.Equal(got, []person.ContactKind{person.Email, person.Mobile, person.PEC}) {
			t.Errorf("after 24 hours %v count for recovery", got)
		}
	})
}

func TestAddressBook_WhatCannotBeAdded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		before := rows(t, d, "outbox")
		for _, again := range []person.NewContact{
			{Kind: person.Mobile, Value: "333 1234567"},
			{Kind: person.Email, Value: "mario.rossi@EXAMPLE.it"},
			{Kind: person.Email, Value: "Mario.Rossi@example.it"},
			// One mailbox is not two kinds of contact.
			{Kind: person.PEC, Value: "mario.rossi@example.it"},
		} {
			_, err := w.book.Add(ctx, w.by, again)
			refused(t, err, fault.Conflict, "contact-exists")
		}
		var f *fault.Fault
		if _, err := w.book.Add(ctx, w.by, person.NewContact{Kind: person.Mobile, Value: "06 12345678"}); !errors.As(err, &f) ||
			f.Code != fault.Invalid || f.Fields[0].Pointer != "/value" {
			t.Errorf("a landline: %v", err)
		}
		for i := range person.MaxContacts - 2 {
			w.add(t, person.Email, "m"+strconv.Itoa(i)+"@example.it")
		}
		_, err := w.book.Add(ctx, w.by, person.NewContact{Kind: person.Email, Value: "one.more@example.it"})
		refused(t, err, fault.Conflict, "too-many-contacts")
		if n := rows(t, d, "outbox") - before; n != 2*(person.MaxContacts-2) {
			t.Errorf("%d messages", n)
		}
	})
}

// TestAddressBook_ManyAddAtOnce: the bounds hold, and the same contact is added once.
func TestAddressBook_ManyAddAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		var all sync.WaitGroup
		var added atomic.Int32
		for i := range 30 {
			all.Go(func() {
				_, err := w.book.Add(context.Background(), w.by, person.NewContact{
					Kind: person.Email, Value: "m" + strconv.Itoa(i%12) + "@example.it",
				})
				if err == nil {
					added.Add(1)
				} else if !fault.Is(err, fault.Conflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if has, err := w.people.Contacts(context.Background(), w.by.PersonID); err != nil || len(has) != person.MaxContacts ||
			added.Load() != person.MaxContacts-2 {
			t.Errorf("%d contacts after %d additions, %v", len(has), added.Load(), err)
		}
	})
}

func TestAddressBook_CodesAreFew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		c := w.add(t, person.Email, "new@example.it")
		old := w.code(t, c.Value)
		w.clock.Advance(time.Hour)
		if _, err := w.book.Resend(ctx, w.by, c.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.book.Verify(ctx, w.by, c.ID, old); !fault.Is(err, fault.CodeInvalid) {
			t.Errorf("a new code did not end the old one: %v", err)
		}
		if _, err := w.book.Resend(ctx, w.by, c.ID); err != nil {
			t.Fatal(err)
		}
		var f *fault.Fault
		if _, err := w.book.Resend(ctx, w.by, c.ID); !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != 23*time.Hour {
			t.Errorf("the fourth code: %v", err)
		}
		// To remove the contact and add it again does not help, nor to write it otherwise.
		if err := w.book.Remove(ctx, w.by, c.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.book.Add(ctx, w.by, person.NewContact{Kind: person.Email, Value: c.Value}); !fault.Is(err, fault.RateLimited) {
			t.Errorf("added again: %v", err)
		}
		if _, err := w.book.Add(ctx, w.by, person.NewContact{
			Kind: person.Email, Value: "NEW@example.it",
		}); !fault.Is(err, fault.RateLimited) {
			t.Errorf("added in capital letters: %v", err)
		}
		w.clock.Advance(23 * time.Hour)
		c = w.add(t, person.Email, c.Value)
		if _, err := w.book.Verify(ctx, w.by, c.ID, w.code(t, c.Value)); err != nil {
			t.Error(err)
		}
	})
}

func TestAddressBook_NobodyIsFloodedByContactsThatComeAndGo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		for i := range 3 * person.MaxContacts {
			if err := w.book.Remove(ctx, w.by, w.add(t, person.Email, "m"+strconv.Itoa(i)+"@example.it").ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.book.Add(ctx, w.by, person.NewContact{
			Kind: person.Email, Value: "more@example.it",
		}); !fault.Is(err, fault.RateLimited) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAddressBook_ALetterTakesItsTime(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		c := w.add(t, person.Postal, "Mario Rossi\nVia Roma 1\n00100 Roma RM")
		m := w.messages(t, person.ContactCode.Name)[0]
		if *m.Channel != outbox.Letter || !m.DeadlineAt.Equal(start.Add(30*day)) {
			t.Errorf("by %s until %v", *m.Channel, m.DeadlineAt)
		}
		w.clock.Advance(30*day - time.Second)
		if _, err := w.book.Verify(context.Background(), w.by, c.ID, w.code(t, c.Value)); err != nil {
			t.Error(err)
		}
	})
}

func TestAddressBook_Removal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		unverified := w.add(t, person.PEC, "rossi@pec.example")
		code := w.code(t, unverified.Value)
		if err := w.book.Remove(ctx, w.by, unverified.ID); err != nil {
			t.Fatal(err)
		}
		if told := w.messages(t, person.ContactRemoved.Name); len(told) != 1 || told[0].Recipient != nil {
			t.Errorf("of an address that was never verified: %+v", told)
		}
		if _, err := w.book.Verify(ctx, w.by, unverified.ID, code); !fault.Is(err, fault.NotFound) {
			t.Errorf("verified after its removal: %v", err)
		}
		mobile, email := w.contact(t, person.Mobile), w.contact(t, person.Email)
		if err := w.book.Remove(ctx, w.by, mobile.ID); err != nil {
			t.Fatal(err)
		}
		var removed, others int
		for _, m := range w.messages(t, person.ContactRemoved.Name)[1:] {
			switch {
			case m.Recipient == nil:
				others++
			case *m.Recipient == mobile.Value && *m.Channel == outbox.SMS:
				removed++
			}
		}
		if removed != 1 || others != 1 {
			t.Errorf("%d messages to the removed contact, %d to the others", removed, others)
		}
		refused(t, w.book.Remove(ctx, w.by, email.ID), fault.Conflict, "last-contact")
		// Neither an unverified contact nor one that bounced can take its place.
		pec := w.add(t, person.PEC, "m.rossi@pec.example")
		refused(t, w.book.Remove(ctx, w.by, email.ID), fault.Conflict, "last-contact")
		if _, err := w.book.Verify(ctx, w.by, pec.ID, w.code(t, pec.Value)); err != nil {
			t.Fatal(err)
		}
		w.must(t, func(ctx context.Context) error {
			_, err := w.people.Bounce(ctx, w.by.PersonID, outbox.PEC, pec.Value)
			return err
		})
		refused(t, w.book.Remove(ctx, w.by, email.ID), fault.Conflict, "last-contact")
		if err := w.book.Remove(ctx, w.by, pec.ID); err != nil {
			t.Errorf("a contact that bounced: %v", err)
		}
		refused(t, w.book.Remove(ctx, w.by, pec.ID), fault.NotFound, "")
	})
}

// TestAddressBook_TheLastTwoAreNotRemovedTogether: each is the other's reason to be removable.
func TestAddressBook_TheLastTwoAreNotRemovedTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		var all sync.WaitGroup
		var removed atomic.Int32
		for _, c := range []person.Contact{w.contact(t, person.Mobile), w.contact(t, person.Email)} {
			all.Go(func() {
				if w.book.Remove(context.Background(), w.by, c.ID) == nil {
					removed.Add(1)
				}
			})
		}
		all.Wait()
		if removed.Load() != 1 {
			t.Errorf("%d removed", removed.Load())
		}
	})
}

func TestAddressBook_AContactThatBouncedIsVerifiedAnew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		email := w.contact(t, person.Email)
		w.must(t, func(ctx context.Context) error {
			for i, want := range []bool{true, false} {
				if got, err := w.people.Bounce(ctx, w.by.PersonID, outbox.Email, email.Value); err != nil || got != want {
					t.Errorf("bounce %d: %v, %v", i, got, err)
				}
			}
			return nil
		})
		if w.show(t, email.ID).State() != person.Bounced || !slices.Equal(w.recovery(t), []person.ContactKind{person.Mobile}) {
			t.Error("a contact that bounced still counts")
		}
		w.must(t, func(ctx context.Context) error {
			return w.people.AddUnverified(ctx, w.by.PersonID, person.NewContact{Kind: person.Email, Value: email.Value})
		})
		if w.show(t, email.ID).State() != person.Bounced {
			t.Error("a contact that bounced was made good by being named")
		}
		if _, err := w.book.Resend(ctx, w.by, email.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.book.Verify(ctx, w.by, email.ID, w.code(t, email.Value)); err != nil {
			t.Fatal(err)
		}
		if c := w.show(t, email.ID); c.State() != person.Verified || c.Recovers(w.clock.Now()) || !c.Recovers(w.clock.Now().Add(day)) {
			t.Errorf("verified anew: %+v", c)
		}
		w.must(t, func(ctx context.Context) error {
			if _, err := w.people.Bounce(ctx, w.by.PersonID, outbox.Email, email.Value); err != nil {
				return err
			}
			return w.people.AddVerified(ctx, w.by.PersonID, person.NewContact{Kind: person.Email, Value: email.Value})
		})
		if w.show(t, email.ID).State() != person.Verified {
			t.Error("an operator verified it in vain")
		}
	})
}

func TestAddressBook_AnothersContactIsNotThere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		in := mario()
		in.TaxCode, in.Contacts = taxcode.MustParse("MKJRLA80A01L407X"), nil
		other, err := w.people.Create(ctx, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := w.add(t, person.PEC, "rossi@pec.example")
		stranger := access.Actor{PersonID: other.ID, TaxCode: other.TaxCode}
		_, showErr := w.book.Show(ctx, stranger, c.ID)
		_, verifyErr := w.book.Verify(ctx, stranger, c.ID, w.code(t, c.Value))
		_, resendErr := w.book.Resend(ctx, stranger, c.ID)
		for _, err := range []error{showErr, verifyErr, resendErr, w.book.Remove(ctx, stranger, c.ID)} {
			refused(t, err, fault.NotFound, "")
		}
		if listed, err := w.book.List(ctx, stranger, page.Request{}); err != nil || len(listed.Items) != 0 {
			t.Errorf("%d contacts listed, %v", len(listed.Items), err)
		}
		mine, err := w.book.List(ctx, w.by, page.Request{Limit: 2})
		if err != nil || len(mine.Items) != 2 || mine.Next == "" {
			t.Fatalf("%+v, %v", mine, err)
		}
		if rest, err := w.book.List(ctx, w.by, page.Request{Limit: 2, Cursor: mine.Next}); err != nil || len(rest.Items) != 1 ||
			rest.Items[0].ID != c.ID || rest.Next != "" {
			t.Errorf("%+v, %v", rest, err)
		}
	})
}

// TestAddressBook_GuessesAtContactCodes: however many contacts, codes and sessions, no more than
// ten are looked at.
func TestAddressBook_GuessesAtContactCodes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		var contacts []person.Contact
		for i := range person.MaxContacts - 2 {
			contacts = append(contacts, w.add(t, person.Email, "m"+strconv.Itoa(i)+"@example.it"))
		}
		var evaluated, locked atomic.Int32
		var all sync.WaitGroup
		for flow := range 100 {
			by := w.by
			by.SessionID = uuid.Must(uuid.NewV7())
			c := contacts[flow%len(contacts)]
			for range 5 {
				all.Go(func() {
					switch _, err := w.book.Verify(ctx, by, c.ID, "22222222"); {
					case fault.Is(err, fault.CodeInvalid):
						evaluated.Add(1)
					case fault.Is(err, fault.RateLimited), fault.Is(err, fault.Busy):
						locked.Add(1)
					default:
						t.Errorf("got %v", err)
					}
				})
			}
		}
		all.Wait()
		if evaluated.Load() > 10 || evaluated.Load()+locked.Load() != 500 {
			t.Errorf("%d guesses evaluated, %d refused", evaluated.Load(), locked.Load())
		}
		c := contacts[0]
		if _, err := w.book.Verify(ctx, w.by, c.ID, w.code(t, c.Value)); !fault.Is(err, fault.RateLimited) {
			t.Errorf("the right code during the wait: %v", err)
		}
		if _, err := w.book.Resend(ctx, w.by, c.ID); err != nil {
			t.Errorf("a new code: %v", err)
		}
		if _, err := w.book.Verify(ctx, w.by, c.ID, w.code(t, c.Value)); !fault.Is(err, fault.RateLimited) {
			t.Errorf("a new code set the counter back: %v", err)
		}
		w.clock.Advance(throttle.Lockout)
		if _, err := w.book.Verify(ctx, w.by, c.ID, w.code(t, c.Value)); err != nil {
			t.Errorf("the right code after the wait: %v", err)
		}
	})
}

// TestAddressBook_RepeatedRequests: one key has one effect, although its code is used up.
func TestAddressBook_RepeatedRequests(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		claimed := func(key string) context.Context {
			return idempotency.WithClaim(context.Background(), &idempotency.Claim{Scope: "s", Key: key, Operation: "op", RequestMAC: "m"})
		}
		pec := person.NewContact{Kind: person.PEC, Value: "rossi@pec.example"}
		first, err := w.book.Add(claimed("add"), w.by, pec)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := w.book.Add(claimed("add"), w.by, pec); err != nil || again.ID != first.ID {
			t.Errorf("added again: %+v, %v", again, err)
		}
		code := w.code(t, pec.Value)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if c, err := w.book.Verify(claimed("verify"), w.by, first.ID, code); err != nil || c.State() != person.Verified {
					t.Errorf("%+v, %v", c, err)
				}
			})
		}
		all.Wait()
		if n := rows(t, d, "audit_records"); n != 3 {
			t.Errorf("%d audit records, want those of Mario, the addition and the verification", n)
		}
		other := idempotency.WithClaim(context.Background(), &idempotency.Claim{
			Scope: "s", Key: "verify", Operation: "op", RequestMAC: "another",
		})
		if _, err := w.book.Verify(other, w.by, first.ID, code); !fault.Is(err, fault.IdempotencyKeyReused) {
			t.Errorf("the key for another request: %v", err)
		}
		w.clock.Advance(idempotency.Lifetime)
		_, err = w.book.Verify(claimed("verify"), w.by, first.ID, code)
		refused(t, err, fault.Conflict, "contact-verified")
	})
}
