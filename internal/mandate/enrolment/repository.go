package enrolment

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes enrolments.
type repository struct{ db *db.DB }

var selectHeld = "SELECT " + db.Columns[Enrolment]("e") + `, p.tax_code, p.given_name, p.family_name, c.tax_code AS contributor_tax_code, c.legal_name,
	c.kind AS contributor_kind
	FROM enrolments e JOIN people p ON p.id = e.person_id JOIN contributors c ON c.id = e.contributor_id WHERE `

// one returns a request, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (Details, error) {
	var h Details
	err := r.db.From(ctx).Raw(selectHeld+"e.id = ?", id).Take(&h).Error
	return h, notFound(err)
}

// lock returns requests by their ids and keeps everybody else from changing them until the
// context's transaction ends.
func (r repository) lock(ctx context.Context, ids ...uuid.UUID) ([]Enrolment, error) {
	var rows []Enrolment
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Enrolment]("")+
		" FROM enrolments WHERE id IN ? ORDER BY id"+r.db.ForUpdate(), ids).Scan(&rows).Error
	return rows, err
}

// open returns the requests of people that wait for their office or for credentials.
func (r repository) open(ctx context.Context, people []uuid.UUID) ([]Enrolment, error) {
	var rows []Enrolment
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Enrolment]("")+
			" FROM enrolments WHERE person_id IN ? AND state IN ('submitted', 'awaiting_credentials') ORDER BY submitted_at, id",
		people,
	).Scan(&rows).Error
	return rows, err
}

// AwaitingOf returns what a person filed that waits for dispositive credentials.
func (r repository) AwaitingOf(ctx context.Context, personID uuid.UUID) ([]Enrolment, error) {
	var rows []Enrolment
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Enrolment]("")+
			" FROM enrolments WHERE state = 'awaiting_credentials' AND person_id = ? ORDER BY submitted_at, id", personID,
	).Scan(&rows).Error
	return rows, err
}

// AwaitingSince returns what waits for dispositive credentials and was filed before the instant, in
// the order of filing.
func (r repository) AwaitingSince(ctx context.Context, before time.Time, limit int) ([]Enrolment, error) {
	var rows []Enrolment
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Enrolment]("")+
			" FROM enrolments WHERE state = 'awaiting_credentials' AND submitted_at < ? ORDER BY submitted_at, id LIMIT ?", before,
		limit,
	).Scan(&rows).Error
	return rows, err
}

func (r repository) create(ctx context.Context, e Enrolment) error {
	return r.db.From(ctx).Create(&e).Error
}

// save writes what changes after filing, over a row that the caller holds locked.
func (r repository) save(ctx context.Context, e Enrolment) error {
	return r.db.From(ctx).Model(&Enrolment{}).Where("id = ?", e.ID).Select(
		"state", "decided_by", "decided_at", "reason", "version",
	).UpdateColumns(&e).Error
}

// ofPerson lists a person's requests, the newest first.
func (r repository) ofPerson(ctx context.Context, personID uuid.UUID, request page.Request) (page.Page[Details], error) {
	return r.list(
		ctx, "e.person_id = ?", []any{personID}, " AND (e.submitted_at, e.id) < (?, ?)", " ORDER BY e.submitted_at DESC, e.id DESC LIMIT ?",
		request,
	)
}

// ofOffice lists the requests at an office as they stand at an instant, the oldest first. An empty
// state stands for all.
func (r repository) ofOffice(
	ctx context.Context, office string, state State, now time.Time, request page.Request,
) (page.Page[Details], error) {
	conditions, args := "e.office_code = ?", []any{office}
	// A lapse counts from its instant on, noted or not.
	switch state {
	case "":
	case AwaitingCredentials:
		conditions, args = conditions+" AND e.state = 'awaiting_credentials' AND e.submitted_at >= ?", append(
			args, protocol.LapsedBefore(now),
		)
	case Lapsed:
		conditions, args = conditions+" AND (e.state = 'lapsed' OR e.state = 'awaiting_credentials' AND e.submitted_at < ?)", append(
			args, protocol.LapsedBefore(now),
		)
	case Submitted, Accepted, NotAccepted:
		conditions, args = conditions+" AND e.state = ?", append(args, state)
	}
	return r.list(ctx, conditions, args, " AND (e.submitted_at, e.id) > (?, ?)", " ORDER BY e.submitted_at, e.id LIMIT ?", request)
}

func (r repository) list(
	ctx context.Context, conditions string, args []any, behind, order string, request page.Request,
) (page.Page[Details], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Details]{}, err
	}
	if after != nil {
		conditions, args = conditions+behind, append(args, after.At.UTC(), after.ID)
	}
	var rows []Details
	if err := r.db.From(ctx).Raw(selectHeld+conditions+order, append(args, request.Size()+1)...).Scan(&rows).Error; err != nil {
		return page.Page[Details]{}, err
	}
	return page.Cut(rows, request.Size(), func(h Details) page.Key { return page.Key{At: h.SubmittedAt, ID: h.ID} }), nil
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}
