package person

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
)

// The kinds of message about contacts. ContactCode has {"kind", "expires_at"} as data and {"code"}
// as its secret, the others have {"kind", "contact"}, masked.
var (
	ContactCode    = outbox.Declare(outbox.Kind{Name: "contact.code"})
	ContactAdded   = outbox.Declare(outbox.Kind{Name: "contact.added", Audience: outbox.EveryContact})
	ContactRemoved = outbox.Declare(outbox.Kind{Name: "contact.removed", Audience: outbox.EveryContact})
)

// contactSubject is how the audit trail names a contact.
const contactSubject = "contact"

// AddressBook is what people do with their own contacts. Every change is told to the contacts that
// were there before, so that whoever got hold of a session cannot turn them round unseen. Adding
// and removing need a PIN that was entered lately; the guard sees to that.
type AddressBook struct {
	run    *operation.Runner
	repo   repository
	codes  *otp.Codes
	outbox *outbox.Outbox
	keys   *keyring.DataKeys
}

// NewAddressBook returns the address book of everybody.
func NewAddressBook(d Deps) *AddressBook {
	return &AddressBook{run: d.Runner, repo: repository{d.Runner.DB}, codes: d.Codes, outbox: d.Outbox, keys: d.Keys}
}

// List returns the contacts of the actor, oldest first.
func (b *AddressBook) List(ctx context.Context, by access.Actor, request page.Request) (page.Page[Contact], error) {
	all, err := b.repo.contacts(ctx, by.PersonID)
	if err != nil {
		return page.Page[Contact]{}, err
	}
	return page.Slice(all, request, func(c Contact) page.Key { return page.Key{ID: c.ID} })
}

// Show returns a contact of the actor; another's is fault.NotFound.
func (b *AddressBook) Show(ctx context.Context, by access.Actor, id uuid.UUID) (Contact, error) {
	return b.repo.contact(ctx, by.PersonID, id)
}

// Add gives the actor a contact, sends a code to it and tells the others. It returns these faults:
//   - fault.Invalid at /value: the value cannot be a contact of its kind;
//   - fault.Conflict: it is one contact too many, or it is there already;
//   - fault.RateLimited: too many codes were sent lately.
func (b *AddressBook) Add(ctx context.Context, by access.Actor, in NewContact) (Contact, error) {
	normal, ok := in.Normalise()
	if !ok {
		return Contact{}, fault.InvalidFields(fault.Field{Pointer: "/value", Code: fault.FieldFormat})
	}
	id := uuid.Must(uuid.NewV7())
	return operation.Do(ctx, b.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Contact, error) {
		trace.SubjectKind = contactSubject
		c := Contact{ID: id, PersonID: by.PersonID, Kind: normal.Kind, Value: normal.Value, CreatedAt: b.run.Clock.Now()}
		return c, b.add(ctx, c)
	}, b.replay(by))
}

func (b *AddressBook) add(ctx context.Context, c Contact) error {
	has, err := b.locked(ctx, c.PersonID)
	if err != nil {
		return err
	}
	if err := mayAdd(has, NewContact{Kind: c.Kind, Value: c.Value}); err != nil {
		return err
	}
	added, err := b.repo.addContact(ctx, c)
	if err != nil {
		return err
	}
	if !added {
		return fault.Because(fault.Conflict, "contact-exists")
	}
	if err := b.sendCode(ctx, c); err != nil {
		return err
	}
	return b.notify(ctx, ContactAdded, c, c.CreatedAt)
}

// locked returns the contacts of a person. The person's other operations on contacts wait until the
// context's transaction ends.
func (b *AddressBook) locked(ctx context.Context, personID uuid.UUID) ([]Contact, error) {
	if _, err := b.repo.lock(ctx, personID); err != nil {
		return nil, err
	}
	return b.repo.contacts(ctx, personID)
}

// sendCode makes a code for a contact, which ends the one before, and promises to send it there.
func (b *AddressBook) sendCode(ctx context.Context, c Contact) error {
	now := b.run.Clock.Now()
	sent, err := b.outbox.Promised(ctx, ContactCode, c.PersonID, now.Add(-fault.Day))
	if err != nil {
		return err
	}
	if err := maySend(sent, c.Value, now); err != nil {
		return err
	}
	purpose := c.Kind.code()
	expires := now.Add(purpose.Life)
	code, err := b.codes.Make(ctx, otp.Issue{Purpose: purpose, SubjectID: c.ID})
	if err != nil {
		return err
	}
	message, err := outbox.NewMessage(ContactCode, c.PersonID, map[string]string{
		"kind": string(c.Kind), "expires_at": expires.Format(time.RFC3339Nano),
	}, now)
	if err != nil {
		return err
	}
	message, err = message.To(c.Kind.Channel(), c.Value).Until(expires).Seal(b.keys, map[string]secret.Text{"code": code})
	if err != nil {
		return err
	}
	return b.outbox.Add(ctx, message)
}

// notify promises a message about a contact to every verified one of the person.
func (b *AddressBook) notify(ctx context.Context, kind outbox.Kind, c Contact, now time.Time) error {
	message, err := about(kind, c, now)
	if err != nil {
		return err
	}
	return b.outbox.Add(ctx, message)
}

func about(kind outbox.Kind, c Contact, now time.Time) (outbox.Message, error) {
	return outbox.NewMessage(kind, c.PersonID, map[string]string{"kind": string(c.Kind), "contact": c.Masked()}, now)
}

// Resend sends a new code to a contact of the actor that is unverified or has bounced. The code
// before ends. It returns fault.Conflict for a verified contact and fault.RateLimited for the
// fourth code in 24 hours.
func (b *AddressBook) Resend(ctx context.Context, by access.Actor, id uuid.UUID) (Contact, error) {
	return operation.Do(ctx, b.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Contact, error) {
		trace.SubjectKind = contactSubject
		if _, err := b.repo.lock(ctx, by.PersonID); err != nil {
			return Contact{}, err
		}
		c, err := b.toVerify(ctx, by, id)
		if err != nil {
			return Contact{}, err
		}
		return c, b.sendCode(ctx, c)
	}, b.replay(by))
}

// toVerify returns a contact of the actor that can be verified.
func (b *AddressBook) toVerify(ctx context.Context, by access.Actor, id uuid.UUID) (Contact, error) {
	c, err := b.repo.contact(ctx, by.PersonID, id)
	if err == nil && c.State() == Verified {
		err = fault.Because(fault.Conflict, "contact-verified")
	}
	return c, err
}

// Verify makes a contact of the actor count when the code that was sent to it is right. Otherwise
// it returns fault.CodeInvalid, and fault.RateLimited while too many were wrong: tries are counted
// for the person, whichever of their contacts they are at. It must not be called inside a
// transaction.
func (b *AddressBook) Verify(ctx context.Context, by access.Actor, id uuid.UUID, code secret.Text) (Contact, error) {
	// A repeat asks for the request's key first. The code is used up before that key could be
	// claimed.
	claim := idempotency.ClaimOf(ctx)
	if again := b.run.Keys.ReplayOf(ctx, claim); again != nil {
		return operation.Replay(ctx, again, b.replay(by))
	}
	c, err := b.verify(ctx, by, id, code)
	if err != nil {
		// A concurrent duplicate of this request may have used the code meanwhile.
		if again := b.run.Keys.ReplayOf(ctx, claim); again != nil {
			return operation.Replay(ctx, again, b.replay(by))
		}
	}
	return c, err
}

func (b *AddressBook) verify(ctx context.Context, by access.Actor, id uuid.UUID, code secret.Text) (Contact, error) {
	c, err := b.toVerify(ctx, by, id)
	if err != nil {
		return Contact{}, err
	}
	return c, b.codes.Redeem(ctx, otp.Redemption{
		Purpose: c.Kind.code(), Name: secret.Text(by.TaxCode.Clear()), PersonID: by.PersonID, SubjectID: id, Code: code,
		Address: audit.OriginOf(ctx).Address,
	}, func(ctx context.Context) error {
		_, err := operation.Do(ctx, b.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
			trace.SubjectKind = contactSubject
			now := b.run.Clock.Now()
			c = c.verified(now, now.Add(recoveryDelay))
			return struct{}{}, b.repo.saveVerified(ctx, c)
		}, nil)
		return err
	})
}

// replay renders what an earlier, equal request made.
func (b *AddressBook) replay(by access.Actor) func(context.Context, string) (Contact, error) {
	return operation.ByID(func(ctx context.Context, id uuid.UUID) (Contact, error) { return b.Show(ctx, by, id) })
}

// Remove takes a contact of the actor away and tells it, if it was verified, and the others. Its
// code ends. It returns fault.Conflict for the last verified one.
func (b *AddressBook) Remove(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := operation.Do(ctx, b.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.SubjectKind = contactSubject
		return struct{}{}, b.remove(ctx, by.PersonID, id)
	}, nil)
	return err
}

func (b *AddressBook) remove(ctx context.Context, personID, id uuid.UUID) error {
	has, err := b.locked(ctx, personID)
	if err != nil {
		return err
	}
	c, err := mayRemove(has, id)
	if err != nil {
		return err
	}
	// Before the contact: whoever verifies it at this moment holds the code first, too.
	if err := b.codes.End(ctx, c.Kind.code(), id); err != nil {
		return err
	}
	if err := b.repo.removeContact(ctx, id); err != nil {
		return err
	}
	now := b.run.Clock.Now()
	if c.VerifiedAt != nil {
		message, err := about(ContactRemoved, c, now)
		if err != nil {
			return err
		}
		// It is no contact any more when the message is sent, so the message names it.
		if err := b.outbox.Add(ctx, message.To(c.Kind.Channel(), c.Value)); err != nil {
			return err
		}
	}
	return b.notify(ctx, ContactRemoved, c, now)
}

// FirstAccess makes the contacts count that received part of the PIN of a first login. They count
// for recovery too. They are found by the messages of the kind that were promised since the instant
// at which the PIN was given. It runs inside the caller's transaction and operation.
func (b *AddressBook) FirstAccess(ctx context.Context, personID uuid.UUID, kind outbox.Kind, since time.Time) error {
	reached, err := b.outbox.Reached(ctx, kind, personID, since)
	if err != nil {
		return err
	}
	now := b.run.Clock.Now()
	for _, to := range reached {
		if err := b.repo.verifyNew(ctx, personID, NewContact{Kind: KindOf(to.Channel), Value: to.Recipient}, now); err != nil {
			return err
		}
	}
	return nil
}
