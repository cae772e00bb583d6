package publicbody

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes submissions, and reads what the register says of positions.
type repository struct{ db *db.DB }

var selectViews = "SELECT " + db.Columns[Submission]("d") + `, p.given_name, p.family_name, COALESCE(y.client_id, '') AS client_id
	FROM dma_submissions d JOIN people p ON p.id = d.person_id LEFT JOIN applications y ON y.id = d.application_id WHERE `

// one returns a submission, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (View, error) {
	var v View
	err := r.db.From(ctx).Raw(selectViews+"d.id = ?", id).Take(&v).Error
	return v, notFound(err)
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}

// lockBeside returns submissions, those that are live beside them, and those that they name, and
// keeps everybody else from changing any of them until the context's transaction ends.
func (r repository) lockBeside(ctx context.Context, of []Submission) ([]Submission, error) {
	var ids, positions []uuid.UUID
	var periods []string
	for _, s := range of {
		ids, positions, periods = append(ids, s.ID), append(positions, s.PositionID), append(periods, s.Period)
		if s.SupersedesID != nil {
			ids = append(ids, *s.SupersedesID)
		}
	}
	var rows []Submission
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Submission]("")+" FROM dma_submissions WHERE id IN ? OR position_id IN ? AND period IN ? "+
			"AND state IN ('submitted', 'awaiting_credentials') ORDER BY id"+r.db.ForUpdate(),
		ids, positions, periods,
	).Scan(&rows).Error
	return rows, err
}

// AwaitingOf returns what a person filed that waits for dispositive credentials.
func (r repository) AwaitingOf(ctx context.Context, personID uuid.UUID) ([]Submission, error) {
	var rows []Submission
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Submission]("")+
			" FROM dma_submissions WHERE state = 'awaiting_credentials' AND person_id = ? ORDER BY submitted_at, id", personID,
	).Scan(&rows).Error
	return rows, err
}

// AwaitingSince returns what waits for dispositive credentials and was filed before the instant, in
// the order of filing.
func (r repository) AwaitingSince(ctx context.Context, before time.Time, limit int) ([]Submission, error) {
	var rows []Submission
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Submission]("")+
			" FROM dma_submissions WHERE state = 'awaiting_credentials' AND submitted_at < ? ORDER BY submitted_at, id LIMIT ?", before,
		limit,
	).Scan(&rows).Error
	return rows, err
}

func (r repository) create(ctx context.Context, s Submission) error {
	return r.db.From(ctx).Create(&s).Error
}

// save writes what changes after filing, over a row that the caller holds locked.
func (r repository) save(ctx context.Context, s Submission) error {
	return r.db.From(ctx).Model(&Submission{}).Where("id = ?", s.ID).Select("state", "updated_at", "version").UpdateColumns(&s).Error
}

// ofPosition lists the submissions of a position as they stand at an instant, the newest first.
func (r repository) ofPosition(
	ctx context.Context, positionID uuid.UUID, f Filter, now time.Time, request page.Request,
) (page.Page[View], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[View]{}, err
	}
	where, args := []string{"d.position_id = ?"}, []any{positionID}
	also := func(condition string, values ...any) { where, args = append(where, condition), append(args, values...) }
	if f.PeriodFrom != "" {
		also("d.period >= ?", f.PeriodFrom)
	}
	if f.PeriodTo != "" {
		also("d.period <= ?", f.PeriodTo)
	}
	// A lapse counts from its instant on, noted or not.
	switch f.State {
	case "":
	case AwaitingCredentials:
		also("d.state = 'awaiting_credentials' AND d.submitted_at >= ?", protocol.LapsedBefore(now))
	case Lapsed:
		also("(d.state = 'lapsed' OR d.state = 'awaiting_credentials' AND d.submitted_at < ?)", protocol.LapsedBefore(now))
	case Submitted, Superseded:
		also("d.state = ?", f.State)
	}
	if after != nil {
		also("(d.submitted_at, d.id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var rows []View
	query := selectViews + strings.Join(where, " AND ") + " ORDER BY d.submitted_at DESC, d.id DESC LIMIT ?"
	if err := r.db.From(ctx).Raw(query, append(args, request.Size()+1)...).Scan(&rows).Error; err != nil {
		return page.Page[View]{}, err
	}
	return page.Cut(rows, request.Size(), func(v View) page.Key { return page.Key{At: v.SubmittedAt, ID: v.ID} }), nil
}
