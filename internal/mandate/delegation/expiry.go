package delegation

import (
	"context"
	"strconv"
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

// endings is due some days before delegations come to the end that they were given, or when they
// do.
type endings struct {
	*Service
	kind outbox.Kind
	days int
}

// Ends are the due events of delegations: 30 and 7 days before their end, and the end. Both sides
// are told of it; the delegation itself ends by the clock.
func (s *Service) Ends() []due.Source {
	all := []due.Source{endings{s, expiredKind, 0}}
	for _, days := range remindBefore {
		all = append(all, endings{s, reminderKind, days})
	}
	return all
}

// Name implements due.Source.
func (e endings) Name() string {
	if e.days == 0 {
		return e.kind.Name
	}
	return e.kind.Name + " " + strconv.Itoa(e.days)
}

func (e endings) ahead() time.Duration { return time.Duration(e.days) * 24 * time.Hour }

// Next implements due.Source.
func (e endings) Next(ctx context.Context, after due.Cursor, until time.Time) (time.Time, bool, error) {
	found, err := e.repo.ending(ctx, after.At.Add(e.ahead()), after.ID, until.Add(e.ahead()), 1)
	if err != nil || len(found) == 0 {
		return time.Time{}, false, err
	}
	return clock.Normal(*found[0].ValidUntil).Add(-e.ahead()), true, nil
}

// Do implements due.Source. Whoever was to be reminded of what has ended meanwhile is told of the
// end alone.
func (e endings) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	at, id := after.At.Add(e.ahead()), after.ID
	if e.days > 0 && !at.After(until) {
		at, id = until, uuid.Max
	}
	found, err := e.repo.ending(ctx, at, id, until.Add(e.ahead()), due.AtOnce)
	if err != nil || len(found) == 0 {
		return due.Through(until), err
	}
	if e.days == 0 {
		if err := e.traceEnds(ctx, found); err != nil {
			return after, err
		}
	}
	// Sent from now on, however late it is noted.
	if err := e.notify(ctx, e.kind, "", until, found...); err != nil || len(found) < due.AtOnce {
		return due.Through(until), err
	}
	last := found[len(found)-1]
	return due.Cursor{At: clock.Normal(*last.ValidUntil).Add(-e.ahead()), ID: last.ID}, nil
}

// traceEnds writes a record for each delegation that ended by itself, at its own instant.
func (e endings) traceEnds(ctx context.Context, ended []View) error {
	ctx = audit.WithOrigin(ctx, audit.Origin{Operation: "expireDelegation"})
	records := make([]audit.Record, len(ended))
	for i, d := range ended {
		trace := operation.Trace{ContributorID: d.ContributorID, SubjectKind: subjectKind, SubjectID: d.ID.String()}
		records[i] = trace.Record(ctx, access.Actor{}, e.run.Clock)
		records[i].At = clock.Normal(*d.ValidUntil)
	}
	return e.run.Trail.Write(ctx, records...)
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
