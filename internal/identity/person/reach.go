package person

import (
	"context"

	"github.com/google/uuid"
)

// ContactsOf returns the contacts of many people, by person, each list the oldest first.
func (s *Service) ContactsOf(ctx context.Context, personIDs []uuid.UUID) (map[uuid.UUID][]Contact, error) {
	var contacts []Contact
	if err := s.repo.ofPeople(ctx, personIDs, "created_at, id", &contacts); err != nil {
		return nil, err
	}
	byPerson := make(map[uuid.UUID][]Contact, len(personIDs))
	for _, c := range contacts {
		byPerson[c.PersonID] = append(byPerson[c.PersonID], c)
	}
	return byPerson, nil
}

// PreferencesOf returns how many people want to be told, by person; who never chose is not among
// them.
func (s *Service) PreferencesOf(ctx context.Context, personIDs []uuid.UUID) (map[uuid.UUID]Preferences, error) {
	var found []Preferences
	if err := s.repo.ofPeople(ctx, personIDs, "person_id", &found); err != nil {
		return nil, err
	}
	byPerson := make(map[uuid.UUID]Preferences, len(found))
	for _, p := range found {
		byPerson[p.PersonID] = p
	}
	return byPerson, nil
}

// ofPeople reads the rows of many people. On PostgreSQL the statement is the same however many
// there are.
func (r repository) ofPeople(ctx context.Context, personIDs []uuid.UUID, order string, into any) error {
	if len(personIDs) == 0 {
		return nil
	}
	return r.db.From(ctx).Where(r.db.Among("person_id"), r.db.IDs(personIDs)).Order(order).Find(into).Error
}
