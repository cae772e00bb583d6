package sandbox

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

type repository struct{ db *db.DB }

// tables are those with data of the sandbox, each after those that point to it. Those that every
// transaction begins with come first. The installation itself and the published keys stay.
var tables = []string{
	"idempotency_keys", "attempts", "address_failures", "staged_people", "staged_delegates", "staged_contributors", "staged_positions",
	"staged_public_body_data", "register_notices", "register_imports", "dma_submissions", "file_scans",
	"webhook_attempts", "webhook_deliveries", "webhook_replays", "webhook_secrets", "webhooks",
	"federated_logins", "federated_answers", "oauth_assertions", "oauth_flows",
	"dpop_proofs", "page_sessions", "sessions", "consent_exclusions",
	"consent_contributors", "consents", "applications",
	"delegate_registrations", "public_body_data", "delegation_lookups", "delegation_otps", "sub_delegation_items", "sub_delegations",
	"delegation_batch_items", "delegation_batches",
	"delegation_positions", "delegations", "delegate_roles", "delegates", "menus", "service_channels", "services", "enrolments",
	"one_time_codes", "pin_revocations", "counter_pins", "pin_upgrades", "pin_requests", "staff_looks", "due_marks",
	"notification_preferences",
	"pin_rotations", "pins",
	"smart_task_members", "smart_task_access", "smart_tasks", "rectification_contacts",
	"appointments", "appointment_slots", "reply_templates", "ticket_comments", "tickets", "ticket_topics",
	"contributor_roles", "declaration_references", "declaration_batch_items", "declaration_batches", "fund_entries",
	"fund_claims", "funds", "declarations",
	"survey_participations", "surveys", "declaration_types", "protocol_entries", "protocol_reserves", "protocol_counters", "contacts",
	"sandbox_people", "positions",
	"contributors", "people",
	"register_people", "offices",
	"delivery_attempts", "deliveries", "outbox", "sandbox_messages", "audit_records", "access_log", "events",
	"log_erasures", "log_cosignatures", "log_entries", "log_tiles", "log_offices",
}

// clear deletes everything in the context's transaction, and keeps others from writing meanwhile.
func (r repository) clear(ctx context.Context) error {
	if r.db.Dialect() == db.Postgres {
		// As others take them: the feed of events begins with its row, an import with its own, and
		// many with a person.
		inOrder := append([]string{"event_feed", "log_state", "idempotency_keys", "register_imports", "people"}, tables...)
		if err := r.db.From(ctx).Exec("LOCK TABLE " + strings.Join(inOrder, ", ") + " IN EXCLUSIVE MODE").Error; err != nil {
			return err
		}
	}
	for _, table := range tables {
		if err := r.db.From(ctx).Exec("DELETE FROM " + table).Error; err != nil {
			return err
		}
	}
	// A log begins anew: nothing stands any more of what it had.
	if err := r.db.From(ctx).Exec("UPDATE log_state SET revision = revision + 1, size = 0, mark = NULL, behind = NULL, last_row = 0, " +
		"day = '', checkpoint = ''").Error; err != nil {
		return err
	}
	// Positions go on, so that no cursor of before is taken for a place among what comes.
	return r.db.From(ctx).Exec("UPDATE event_feed SET last_row = 0").Error
}

// owners returns the ids of all that files may belong to: declarations, tickets, requests for a
// dispositive PIN.
func (r repository) owners(ctx context.Context) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw(
		"SELECT id FROM declarations UNION ALL SELECT id FROM pin_upgrades UNION ALL SELECT id FROM register_imports " +
			"UNION ALL SELECT id FROM dma_submissions UNION ALL " +
			"SELECT document_id FROM counter_pins WHERE document_id IS NOT NULL UNION ALL " +
			"SELECT id FROM tickets WHERE archive_digest IS NOT NULL",
	).Scan(&ids).Error
	return ids, err
}

type personRow struct {
	person.Person
	Pin         secret.Text
	Description string
	// MadeAt is when the sandbox made the person.
	MadeAt time.Time
}

var selectPeople = "SELECT " + db.Columns[person.Person]("p") + `, s.pin, s.description, s.created_at AS made_at FROM sandbox_people s JOIN people p ON p.id = s.person_id`

// people lists the test people in the order in which they were made.
func (r repository) people(ctx context.Context, request page.Request) (page.Page[Person], error) {
	var none page.Page[Person]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	where, args := "", []any{}
	if after != nil {
		where, args = " WHERE (s.created_at, s.person_id) > (?, ?)", append(args, after.At, after.ID)
	}
	var rows []personRow
	if err := r.db.From(ctx).Raw(
		selectPeople+where+" ORDER BY s.created_at, s.person_id LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error; err != nil {
		return none, err
	}
	cut := page.Cut(rows, request.Size(), func(row personRow) page.Key { return page.Key{At: row.MadeAt, ID: row.ID} })
	people, err := r.complete(ctx, cut.Items)
	return page.Page[Person]{Items: people, Next: cut.Next}, err
}

// person returns one test person, or fault.NotFound.
func (r repository) person(ctx context.Context, id uuid.UUID) (Person, error) {
	var rows []personRow
	if err := r.db.From(ctx).Raw(selectPeople+" WHERE s.person_id = ?", id).Scan(&rows).Error; err != nil {
		return Person{}, err
	}
	if len(rows) == 0 {
		return Person{}, fault.New(fault.NotFound)
	}
	people, err := r.complete(ctx, rows)
	if err != nil {
		return Person{}, err
	}
	return people[0], nil
}

// complete reads roles and contacts of many people at once.
func (r repository) complete(ctx context.Context, rows []personRow) ([]Person, error) {
	people := make([]Person, len(rows))
	if len(rows) == 0 {
		return people, nil
	}
	ids := make([]uuid.UUID, len(rows))
	at := make(map[uuid.UUID]*Person, len(rows))
	for i, row := range rows {
		people[i] = Person{
			Person: row.Person, Key: keyOf(row.Person), PIN: row.Pin, Description: row.Description, Roles: []Role{},
			IntermediaryRoles: []IntermediaryRole{},
			Contacts:          []person.NewContact{},
		}
		ids[i], at[row.ID] = row.ID, &people[i]
	}
	var roles []contributor.Role
	if err := r.db.From(ctx).Where("person_id IN ? AND "+access.LiveRole(""), ids).Order("granted_at, id").Find(&roles).Error; err != nil {
		return nil, err
	}
	for _, role := range roles {
		p := at[role.PersonID]
		p.Roles = append(p.Roles, Role{ContributorID: role.ContributorID, Role: role.Role, Services: role.Services})
	}
	if err := r.completeSeats(ctx, ids, at); err != nil {
		return nil, err
	}
	var contacts []person.Contact
	if err := r.db.From(ctx).Where(
		"person_id IN ? AND verified_at IS NOT NULL", ids,
	).Order("created_at, id").Find(&contacts).Error; err != nil {
		return nil, err
	}
	for _, c := range contacts {
		p := at[c.PersonID]
		p.Contacts = append(p.Contacts, person.NewContact{Kind: c.Kind, Value: c.Value})
	}
	return people, nil
}

// completeSeats reads the roles of many people at intermediaries.
func (r repository) completeSeats(ctx context.Context, ids []uuid.UUID, at map[uuid.UUID]*Person) error {
	var rows []struct {
		PersonID, DelegateID uuid.UUID
		Role                 access.ActingAs
		Services             access.ServiceSet
	}
	err := r.db.From(ctx).Raw(
		"SELECT person_id, delegate_id, role, services FROM delegate_roles WHERE person_id IN ? AND "+access.LiveRole("")+
			" ORDER BY granted_at, id",
		ids,
	).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, row := range rows {
		p := at[row.PersonID]
		p.IntermediaryRoles = append(p.IntermediaryRoles, IntermediaryRole{
			DelegateID: row.DelegateID, Role: row.Role, Services: row.Services,
		})
	}
	return nil
}

// seeded reports whether there are test people already.
func (r repository) seeded(ctx context.Context) (bool, error) {
	return r.exists(ctx, "SELECT 1 FROM sandbox_people LIMIT 1")
}

func (r repository) exists(ctx context.Context, query string, args ...any) (bool, error) {
	var found []int
	err := r.db.From(ctx).Raw(query, args...).Scan(&found).Error
	return len(found) > 0, err
}

func (r repository) officeExists(ctx context.Context, code string) (bool, error) {
	return r.exists(ctx, "SELECT 1 FROM offices WHERE code = ?", code)
}

func (r repository) contributorExists(ctx context.Context, id uuid.UUID) (bool, error) {
	return r.exists(ctx, "SELECT 1 FROM contributors WHERE id = ?", id)
}

func (r repository) organisationExists(ctx context.Context, id uuid.UUID) (bool, error) {
	return r.exists(ctx, "SELECT 1 FROM delegates WHERE id = ? AND kind <> ?", id, intermediary.Professional)
}

func (r repository) contributorTaxCodeExists(ctx context.Context, code taxcode.Code) (bool, error) {
	return r.exists(ctx, "SELECT 1 FROM contributors WHERE tax_code = ?", code)
}

func (r repository) numberExists(ctx context.Context, number string) (bool, error) {
	return r.exists(ctx, "SELECT 1 FROM positions WHERE number = ?", number)
}

// contributor returns a contributor with its positions, or fault.NotFound.
func (r repository) contributor(ctx context.Context, id uuid.UUID) (Contributor, error) {
	var c Contributor
	err := r.db.From(ctx).Where("id = ?", id).Take(&c.Contributor).Error
	if db.IsNotFound(err) {
		return c, fault.New(fault.NotFound)
	}
	if err != nil {
		return c, err
	}
	err = r.db.From(ctx).Where("contributor_id = ?", id).Order("number").Find(&c.Positions).Error
	return c, err
}

// keepPIN notes a person's PIN in clear. A person whom nobody described keeps the description that
// is given here.
func (r repository) keepPIN(ctx context.Context, personID uuid.UUID, pin secret.Text, description string, at time.Time) error {
	return r.db.From(ctx).Exec(`INSERT INTO sandbox_people (person_id, pin, description, created_at) VALUES ( ?, ?, ?, ?)
		ON CONFLICT (person_id) DO UPDATE SET pin = excluded.pin`, personID, pin.Reveal(), description, at).Error
}

// keepMessage adds a message that was handed over, with its letter if it is one. One that is there
// already stays as it is.
func (r repository) keepMessage(ctx context.Context, m Message, letter []byte) error {
	return r.db.From(ctx).Exec("INSERT INTO sandbox_messages (id, channel, recipient, subject, body, sent_at, letter) VALUES ( ?, ?, ?, "+
		"?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
		m.ID, m.Channel, m.To, m.Subject, m.Text, m.SentAt, letter).Error
}

// letter returns the letter of a message, or fault.NotFound.
func (r repository) letter(ctx context.Context, id uuid.UUID) ([]byte, error) {
	var found []struct{ Letter []byte }
	err := r.db.From(ctx).Raw("SELECT letter FROM sandbox_messages WHERE id = ? AND letter IS NOT NULL", id).Scan(&found).Error
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	return found[0].Letter, nil
}

// messages lists the messages that were handed over, the newest first.
func (r repository) messages(ctx context.Context, f MessageFilter, request page.Request) (page.Page[Message], error) {
	var none page.Page[Message]
	query := r.db.From(ctx).Select(
		"id", "channel", "recipient", "subject", "body", "sent_at",
	).Order("sent_at DESC, id DESC").Limit(request.Size() + 1)
	if f.To != "" {
		query = query.Where("recipient = ?", f.To)
	}
	if f.Channel != "" {
		query = query.Where("channel = ?", f.Channel)
	}
	after, err := request.After()
	if err != nil {
		return none, err
	}
	if after != nil {
		query = query.Where("(sent_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []Message
	if err := query.Find(&rows).Error; err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), func(m Message) page.Key { return page.Key{At: m.SentAt, ID: m.ID} }), nil
}
