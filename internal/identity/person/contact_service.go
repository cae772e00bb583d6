package person

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
)

// Contacts returns the contacts of a person, oldest first, verified or not.
func (s *Service) Contacts(ctx context.Context, personID uuid.UUID) ([]Contact, error) {
	return s.repo.contacts(ctx, personID)
}

// AddVerified gives a person contacts that count as verified, at once and for recovery too. It runs
// inside the caller's transaction and operation. A contact that the person has already becomes
// verified. It returns fault.Invalid for values that cannot be a contact of their kind.
func (s *Service) AddVerified(ctx context.Context, personID uuid.UUID, contacts ...NewContact) error {
	normal, wrong := NormaliseContacts(contacts)
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return s.addVerified(ctx, personID, normal)
}

func (s *Service) addVerified(ctx context.Context, personID uuid.UUID, contacts []NewContact) error {
	now := s.run.Clock.Now()
	rows := newContacts(personID, contacts, now)
	for i := range rows {
		rows[i] = rows[i].verified(now, now)
	}
	return s.repo.addContacts(ctx, rows)
}

// AddUnverified gives a person contacts that count for nothing until they are verified. A code
// verifies them, or the first login with a PIN of which they received half
// (AddressBook.FirstAccess). It runs inside the caller's transaction and operation. A contact that
// the person has already stays as it is. Errors are those of AddVerified.
func (s *Service) AddUnverified(ctx context.Context, personID uuid.UUID, contacts ...NewContact) error {
	normal, wrong := NormaliseContacts(contacts)
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return s.repo.addContacts(ctx, newContacts(personID, normal, s.run.Clock.Now()))
}

func newContacts(personID uuid.UUID, contacts []NewContact, now time.Time) []Contact {
	rows := make([]Contact, 0, len(contacts))
	for _, c := range contacts {
		rows = append(rows, Contact{ID: uuid.Must(uuid.NewV7()), PersonID: personID, Kind: c.Kind, Value: c.Value, CreatedAt: now})
	}
	return rows
}

// Bounce notes that a message to a contact of a person came back for good. From now on the contact
// counts for nothing until it is verified anew. It runs inside the caller's transaction. It reports
// false when the person has no such contact or it is known already.
func (s *Service) Bounce(ctx context.Context, personID uuid.UUID, channel outbox.Channel, recipient string) (bool, error) {
	return s.repo.bounce(ctx, personID, NewContact{Kind: KindOf(channel), Value: recipient}, s.run.Clock.Now())
}

// Uncertified makes a PEC contact of a person an e-mail contact: its mailbox is no certified one.
// It runs inside the caller's transaction. It reports false when the person has no such contact.
func (s *Service) Uncertified(ctx context.Context, personID uuid.UUID, address string) (bool, error) {
	return s.repo.uncertify(ctx, personID, address)
}

// Bounces are the contacts that bounced from an instant on and before another.
type Bounces struct {
	From, Until time.Time
	// Kind narrows them down to one kind; empty stands for all.
	Kind ContactKind
}

// UndoBounces makes contacts count again that were marked for no fault of theirs: a relay that knew
// nobody. Each is an operation of its own. It returns how many there were.
func (s *Service) UndoBounces(ctx context.Context, which Bounces) (int, error) {
	ids, err := s.repo.bounced(ctx, which)
	if err != nil {
		return 0, err
	}
	undone := 0
	for _, id := range ids {
		nobody := access.Actor{}
		again, err := operation.Do(ctx, s.run, nobody, id.String(), func(ctx context.Context, trace *operation.Trace) (bool, error) {
			trace.SubjectKind = contactSubject
			return s.repo.undoBounce(ctx, id, which)
		}, nil)
		if err != nil {
			return undone, err
		}
		if again {
			undone++
		}
	}
	return undone, nil
}
