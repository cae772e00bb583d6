package person

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

// Admit lets a person in whom a national identity proved to be there, inside the caller's
// transaction, which holds the person's row from then on. It returns fault.InvalidCredentials for
// who is suspended, as a wrong PIN does.
func (s *Service) Admit(ctx context.Context, id uuid.UUID) error {
	p, err := s.repo.lock(ctx, id)
	switch {
	case err != nil:
		return err
	case p.SuspendedAt != nil:
		return fault.New(fault.InvalidCredentials)
	case p.DigitalIdentityAt != nil:
		return nil
	}
	now := s.run.Clock.Now()
	p.DigitalIdentityAt = &now
	_, err = s.repo.save(ctx, p)
	return err
}

// Welcome gives a person who was just added contacts that others told of, and sends each a code by
// which it is verified. It runs inside the caller's transaction. What cannot be a contact, and what
// is one too many, is left out.
func (b *AddressBook) Welcome(ctx context.Context, personID uuid.UUID, contacts ...NewContact) error {
	for _, told := range contacts {
		normal, ok := told.Normalise()
		if !ok {
			continue
		}
		c := newContacts(personID, []NewContact{normal}, b.run.Clock.Now())[0]
		added, err := b.repo.addContact(ctx, c)
		if err != nil {
			return err
		}
		if !added {
			continue
		}
		if err := b.sendCode(ctx, c); err != nil {
			return err
		}
	}
	return nil
}
