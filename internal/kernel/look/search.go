package look

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

const (
	// usualSpan is how far a search goes back that says nothing of time.
	usualSpan = fault.Day
	// longestSpan is of how much time a search is that is not about one person or subject.
	longestSpan = 31 * fault.Day
)

// searched is what the trail says of a search.
type searched struct {
	From          time.Time  `json:"from,omitzero"`
	To            time.Time  `json:"to,omitzero"`
	PersonID      *uuid.UUID `json:"person_id,omitempty"`
	ContributorID *uuid.UUID `json:"contributor_id,omitempty"`
	Operation     *string    `json:"operation,omitempty"`
	Outcome       *string    `json:"outcome,omitempty"`
	SubjectKind   *string    `json:"subject_kind,omitempty"`
	SubjectID     *string    `json:"subject_id,omitempty"`
}

// Search returns records of the trail to an administrator, the latest first. Every search leaves a
// record itself, and a person by whom is searched was looked at. It returns the faults of At, and
// fault.Invalid for a time that ends before it begins or is too long.
func (s *Service) Search(ctx context.Context, by access.Actor, q audit.Query, request page.Request) (page.Page[audit.Record], error) {
	var none page.Page[audit.Record]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	asked := q
	if q, err = bounded(q, s.clock.Now()); err != nil {
		return none, err
	}
	if q.PersonID != nil {
		known, err := s.repo.knows(ctx, *q.PersonID)
		if err == nil && known {
			err = s.At(ctx, by, *q.PersonID)
		}
		if err != nil {
			return none, err
		}
	}
	detail, err := json.Marshal(searched(asked))
	if err != nil {
		return none, err
	}
	record := operation.Trace{SubjectKind: "audit", Detail: string(detail)}.Record(ctx, by, s.clock)
	if err := s.db.InTx(ctx, func(ctx context.Context) error { return s.trail.Write(ctx, record) }); err != nil {
		return none, err
	}
	rows, err := s.trail.Search(ctx, q, request.Size()+1, after)
	return page.Cut(rows, request.Size(), func(r audit.Record) page.Key { return page.Key{At: r.At, ID: r.ID} }), err
}

// bounded gives a query the time that it has where it says nothing else.
func bounded(q audit.Query, now time.Time) (audit.Query, error) {
	end := q.To
	if end.IsZero() {
		end = now
	}
	if !q.From.IsZero() && !q.From.Before(end) {
		return q, fault.InvalidFields(fault.Field{Pointer: "/to", Code: fault.FieldEndsBefore})
	}
	if q.PersonID != nil || q.SubjectID != nil {
		return q, nil
	}
	if q.From.IsZero() {
		q.From = end.Add(-usualSpan)
	}
	if end.Sub(q.From) > longestSpan {
		return q, fault.InvalidFields(fault.Field{Pointer: "/from", Code: fault.FieldSearchTooLong})
	}
	return q, nil
}
