package audit

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/page"
)

// Query is what the trail is searched by. What is set must all match.
type Query struct {
	// From is the first instant, To the first that is no more part of it; zero for any.
	From          time.Time
	To            time.Time
	PersonID      *uuid.UUID
	ContributorID *uuid.UUID
	Operation     *string
	Outcome       *string
	SubjectKind   *string
	SubjectID     *string
}

// Search returns records that match, the latest first, behind a place in that order.
func (t *Trail) Search(ctx context.Context, q Query, limit int, after *page.Key) ([]Record, error) {
	query := t.db.From(ctx).Order("at DESC, id DESC").Limit(limit)
	and := func(set bool, condition string, args ...any) {
		if set {
			query = query.Where(condition, args...)
		}
	}
	and(!q.From.IsZero(), "at >= ?", q.From.UTC())
	and(!q.To.IsZero(), "at < ?", q.To.UTC())
	and(q.PersonID != nil, "person_id = ?", q.PersonID)
	and(q.ContributorID != nil, "contributor_id = ?", q.ContributorID)
	and(q.Operation != nil, "operation = ?", q.Operation)
	and(q.Outcome != nil, "outcome = ?", q.Outcome)
	and(q.SubjectKind != nil, "subject_kind = ?", q.SubjectKind)
	and(q.SubjectID != nil, "subject_id = ?", q.SubjectID)
	if after != nil {
		query = query.Where("(at, id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var rows []Record
	return rows, query.Find(&rows).Error
}
