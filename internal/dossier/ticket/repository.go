package ticket

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/fault"
)

// repository reads and writes tickets.
type repository struct{ db *db.DB }

// titles are what a ticket's topic, office and application are called. Where a list is long,
// PostgreSQL plans each page anew, and each further join doubles the time for that: it came to more
// than the page itself.
const titles = `, (SELECT y.title_it FROM ticket_topics y WHERE y.code = d.topic) AS topic_it,
	(SELECT y.title_en FROM ticket_topics y WHERE y.code = d.topic) AS topic_en,
	(SELECT y.parent_code FROM ticket_topics y WHERE y.code = d.topic) AS parent_topic,
	(SELECT o.title FROM offices o WHERE o.code = d.office_code) AS office_title,
	COALESCE((SELECT a.client_id FROM applications a WHERE a.id = d.application_id), '') AS client_id`

var selectView = "SELECT " + db.Columns[Ticket]("d") + titles + `, p.given_name, p.family_name,
	COALESCE((SELECT f.state FROM file_scans f WHERE f.id = d.id), '') AS scan
	FROM tickets d JOIN people p ON p.id = d.person_id WHERE `

// one returns a ticket as it is shown, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (View, error) {
	var v View
	err := r.db.From(ctx).Raw(selectView+"d.id = ?", id).Take(&v).Error
	return v, notFound(err)
}

// lock returns a ticket and keeps everybody else from changing it until the context's transaction
// ends.
func (r repository) lock(ctx context.Context, id uuid.UUID) (Ticket, error) {
	var t Ticket
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Ticket]("")+" FROM tickets WHERE id = ?"+r.db.ForUpdate(), id).Take(&t).Error
	return t, notFound(err)
}

func (r repository) create(ctx context.Context, t Ticket) error {
	return r.db.From(ctx).Create(&t).Error
}

// save writes what changes after filing, over a row that the caller holds locked.
func (r repository) save(ctx context.Context, t Ticket) error {
	return r.db.From(ctx).Model(&Ticket{}).Where("id = ?", t.ID).Select(
		"office_code", "topic", "state", "routed_at", "reopened_at", "assigned_to", "assigned_at", "outcome", "closing_text", "closed_by",
		"closed_at", "reminded_at", "version", "updated_at",
	).UpdateColumns(&t).Error
}

// open counts the requests of a person for a contributor that are not closed.
func (r repository) open(ctx context.Context, personID, contributorID uuid.UUID) (int, error) {
	var n int
	err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM tickets WHERE person_id = ? AND contributor_id = ? AND state <> 'closed' AND "+
		"kind = 'request'", personID, contributorID).Scan(&n).Error
	return n, err
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}
