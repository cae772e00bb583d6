package person

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/kernel/outbox"
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

// Reach is how somebody is told of something: as they prefer, by the contacts that are good for it.
// Who never chose has the zero value of preferences.
type Reach struct {
	Preferences Preferences
	Contacts    []Contact
}

// reachRow is a contact of somebody with what they prefer; either may be missing.
type reachRow struct {
	PersonID         uuid.UUID
	Language         *string
	PreferredChannel *string
	Muted            *string
	Kind             *string
	Value            *string
	VerifiedAt       *time.Time
}

const (
	selectReach = `SELECT p.id AS person_id, n.language, n.preferred_channel, n.muted, c.kind, c.value, c.verified_at FROM people p
		LEFT JOIN notification_preferences n ON n.person_id = p.id
		LEFT JOIN contacts c ON c.person_id = p.id AND c.verified_at IS NOT NULL AND c.bounced_at IS NULL WHERE p.id `
	reachOrder = " ORDER BY p.id, c.created_at, c.id"
)

// ReachOf returns how people are told of something.
func (s *Service) ReachOf(ctx context.Context, personIDs []uuid.UUID) (map[uuid.UUID]Reach, error) {
	if len(personIDs) == 0 {
		return nil, nil
	}
	var rows []reachRow
	if err := s.repo.db.From(ctx).Raw(selectReach+"IN ?"+reachOrder, personIDs).Scan(&rows).Error; err != nil {
		return nil, err
	}
	return reachOf(rows)
}

// ReachIn is ReachOf when the batch is sent, on PostgreSQL. It returns what tells the result then.
func (s *Service) ReachIn(b *direct.Batch, personIDs []uuid.UUID) (found func() (map[uuid.UUID]Reach, error)) {
	var rows []reachRow
	direct.Ask(b, &rows, readReach, selectReach+"= ANY ((SELECT $1::uuid[])::uuid[])"+reachOrder, db.UUIDs(personIDs))
	return func() (map[uuid.UUID]Reach, error) { return reachOf(rows) }
}

func readReach(r *direct.Row) reachRow {
	return reachRow{
		PersonID: r.UUID(), Language: r.TextOrNil(), PreferredChannel: r.TextOrNil(), Muted: r.TextOrNil(), Kind: r.TextOrNil(),
		Value: r.TextOrNil(), VerifiedAt: r.TimeOrNil(),
	}
}

// reachOf gathers the rows of each person.
func reachOf(rows []reachRow) (map[uuid.UUID]Reach, error) {
	byPerson := map[uuid.UUID]Reach{}
	for _, row := range rows {
		reach, begun := byPerson[row.PersonID]
		if !begun && row.Language != nil {
			reach.Preferences = Preferences{
				PersonID: row.PersonID, Language: *row.Language, PreferredChannel: (*outbox.Channel)(row.PreferredChannel),
			}
			if err := json.Unmarshal([]byte(*row.Muted), &reach.Preferences.Muted); err != nil {
				return nil, err
			}
		}
		if row.Kind != nil {
			reach.Contacts = append(reach.Contacts, Contact{
				PersonID: row.PersonID, Kind: ContactKind(*row.Kind), Value: *row.Value, VerifiedAt: row.VerifiedAt,
			})
		}
		byPerson[row.PersonID] = reach
	}
	return byPerson, nil
}
