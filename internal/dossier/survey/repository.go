package survey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes surveys.
type repository struct{ db *db.DB }

var selectSurveys = "SELECT " + db.Columns[Survey]("s") + " FROM surveys s WHERE "

func (r repository) create(ctx context.Context, s Survey) error {
	return r.db.From(ctx).Create(&s).Error
}

func (r repository) found(ctx context.Context, query string, args ...any) (Survey, error) {
	var s Survey
	err := r.db.From(ctx).Raw(query, args...).Take(&s).Error
	if db.IsNotFound(err) {
		err = fault.New(fault.NotFound)
	}
	return s, err
}

// one returns a survey, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (Survey, error) {
	return r.found(ctx, selectSurveys+"s.id = ?", id)
}

// lock is one that nobody else changes until the context's transaction ends.
func (r repository) lock(ctx context.Context, id uuid.UUID) (Survey, error) {
	return r.found(ctx, selectSurveys+"s.id = ?"+r.db.ForUpdate(), id)
}

// open returns the survey that is open at the instant, or fault.NotFound.
func (r repository) open(ctx context.Context, at time.Time) (Survey, error) {
	return r.found(ctx, selectSurveys+"s.opens_at <= ? AND s.closes_at > ? AND s.closed_at IS NULL ORDER BY s.opens_at DESC LIMIT 1", at,
		at)
}

// beside reports whether a survey is open at some time between the instants.
func (r repository) beside(ctx context.Context, from, to time.Time) (bool, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw("SELECT s.id FROM surveys s WHERE s.opens_at < ? AND s.closes_at > ? AND s.closed_at IS NULL LIMIT 1",
		to.UTC(), from.UTC()).Scan(&ids).Error
	return len(ids) > 0, err
}

func (r repository) list(ctx context.Context, request page.Request) (page.Page[Survey], error) {
	var none page.Page[Survey]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	where, args := "1 = 1", []any{}
	if after != nil {
		where, args = "(s.opens_at, s.id) < (?, ?)", []any{after.At.UTC(), after.ID}
	}
	var rows []Survey
	err = r.db.From(ctx).Raw(selectSurveys+where+" ORDER BY s.opens_at DESC, s.id DESC LIMIT ?", append(args, request.Size()+1)...).
		Scan(&rows).Error
	return page.Cut(rows, request.Size(), func(s Survey) page.Key { return page.Key{At: s.OpensAt, ID: s.ID} }), err
}

// count stores what was answered so far.
func (r repository) count(ctx context.Context, s Survey) error {
	return r.db.From(ctx).Model(&Survey{}).Where("id = ?", s.ID).Select("counts", "shown").UpdateColumns(&s).Error
}

func (r repository) close(ctx context.Context, id uuid.UUID, at time.Time) error {
	return r.db.From(ctx).Exec("UPDATE surveys SET closed_at = ? WHERE id = ?", at, id).Error
}

// took reports whether one of the digests is known.
func (r repository) took(ctx context.Context, surveyID uuid.UUID, macs []string) (bool, error) {
	var n int
	err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM survey_participations WHERE survey_id = ? AND mac IN ?", surveyID, macs).Scan(&n).Error
	return n > 0, err
}

func (r repository) take(ctx context.Context, surveyID uuid.UUID, mac string) error {
	return r.db.From(ctx).Exec("INSERT INTO survey_participations (survey_id, mac) VALUES ( ?, ?)", surveyID, mac).Error
}

// forget drops who took part in surveys that are over, and what was answered beside whole groups.
func (r repository) forget(ctx context.Context, now time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		const over = "(closed_at IS NOT NULL OR closes_at <= ?)"
		if err := r.db.From(ctx).Exec("UPDATE surveys SET counts = shown WHERE counts <> shown AND "+over, now).Error; err != nil {
			return err
		}
		return r.db.From(ctx).Exec("DELETE FROM survey_participations WHERE survey_id IN (SELECT id FROM surveys WHERE "+over+")",
			now).Error
	})
}
