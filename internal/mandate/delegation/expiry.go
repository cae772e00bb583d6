package delegation

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/due"
)

// remindBefore are the days before the end of a delegation at which both sides are reminded.
var remindBefore = []int{30, 7}

// Ends are the due events of delegations: 30 and 7 days before their end, and the end. Both sides
// are told of it, from now on, however late it is noted; the delegation itself ends by the clock.
func (s *Service) Ends() []due.Source {
	all := []due.Source{s.endings(expiredKind, 0)}
	for _, days := range remindBefore {
		all = append(all, s.endings(reminderKind, days))
	}
	return all
}

func (s *Service) endings(kind outbox.Kind, days int) due.Source {
	return due.Endings[View]{
		Kind: kind.Name, Days: days, Ending: s.repo.ending,
		End: func(v View) (time.Time, uuid.UUID) { return clock.Normal(*v.ValidUntil), v.ID },
		Note: func(ctx context.Context, found []View, until time.Time) error {
			if days == 0 {
				if err := s.traceEnds(ctx, found); err != nil {
					return err
				}
			}
			return s.notify(ctx, kind, "", until, found...)
		},
	}
}

// traceEnds writes a record for each delegation that ended by itself, at its own instant.
func (s *Service) traceEnds(ctx context.Context, ended []View) error {
	ctx = audit.WithOrigin(ctx, audit.Origin{Operation: "expireDelegation"})
	records := make([]audit.Record, len(ended))
	for i, d := range ended {
		trace := operation.Trace{ContributorID: d.ContributorID, SubjectKind: SubjectKind, SubjectID: d.ID.String()}
		records[i] = trace.Record(ctx, access.Actor{}, s.run.Clock)
		records[i].At = clock.Normal(*d.ValidUntil)
	}
	return s.run.Trail.Write(ctx, records...)
}

// ending returns the active and suspended delegations that end after the place and by the instant.
// The first to end come first.
func (r repository) ending(ctx context.Context, after time.Time, id uuid.UUID, until time.Time, limit int) ([]View, error) {
	var found []View
	err := r.db.From(ctx).Raw(selectShown+` WHERE g.state = 'active' AND g.valid_until IS NOT NULL AND (g.valid_until, g.id) > (?, ?) AND g.valid_until <= ?
		ORDER BY g.valid_until, g.id LIMIT ?`, after, id, until, limit).Scan(&found).Error
	if err != nil {
		return nil, err
	}
	return found, r.complete(ctx, found, until)
}
