package ticket

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/fault"
)

// repository reads and writes tickets.
type repository struct{ db *db.DB }

var selectView = "SELECT " + db.Columns[Ticket]("d") + `, y.title_it AS topic_it, y.title_en AS topic_en, y.parent_code AS parent_topic,
	o.title AS office_title, p.given_name, p.family_name, COALESCE(a.client_id, '') AS client_id
	FROM tickets d JOIN ticket_topics y ON y.code = d.topic JOIN offices o ON o.code = d.office_code JOIN people p ON p.id = d.person_id
	LEFT JOIN applications a ON a.id = d.application_id WHERE `

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
