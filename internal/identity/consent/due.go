package consent

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

// remindBefore is how many days before the end of a consent its giver is reminded.
const remindBefore = 30

// endings is due some days before consents come to their end, or when they do.
type endings struct {
	*Service
	kind outbox.Kind
	days int
}

// Ends are the due events of consents: 30 days before their end, and the end. A consent ends by the
// clock; the event notes it, and tells the giver.
func (s *Service) Ends() []due.Source {
	return []due.Source{endings{s, endedKind, 0}, endings{s, reminderKind, remindBefore}}
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
	return clock.Normal(found[0].ExpiresAt).Add(-e.ahead()), true, nil
}

// Do implements due.Source. Who was to be reminded of what has ended meanwhile is told of the end
// alone, and who gave less than 30 days needs no reminder.
func (e endings) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	at, id := after.At.Add(e.ahead()), after.ID
	if e.days > 0 && !at.After(until) {
		at, id = until, uuid.Max
	}
	found, err := e.repo.ending(ctx, at, id, until.Add(e.ahead()), due.AtOnce)
	if err != nil || len(found) == 0 {
		return due.Through(until), err
	}
	do := e.expire
	if e.days > 0 {
		do = e.remind
	}
	if err := do(ctx, found); err != nil || len(found) < due.AtOnce {
		return due.Through(until), err
	}
	last := found[len(found)-1]
	return due.Cursor{At: clock.Normal(last.ExpiresAt).Add(-e.ahead()), ID: last.ID}, nil
}

func (e endings) remind(ctx context.Context, found []View) error {
	var messages []outbox.Message
	for _, v := range found {
		ends := clock.Normal(v.ExpiresAt)
		from := ends.Add(-e.ahead())
		if v.GivenAt.After(from) {
			continue
		}
		m, err := outbox.NewMessage(reminderKind, v.PersonID, map[string]string{
			"application": v.DisplayName, "until": ends.Format(time.RFC3339Nano),
		}, from)
		if err != nil {
			return err
		}
		messages = append(messages, m.Until(ends))
	}
	return e.outbox.Add(ctx, messages...)
}

func (e endings) expire(ctx context.Context, found []View) error {
	for _, v := range found {
		ends := clock.Normal(v.ExpiresAt)
		if ended, err := e.repo.expire(ctx, v.ID, ends); err != nil || !ended {
			if err != nil {
				return err
			}
			continue
		}
		m, err := outbox.NewMessage(endedKind, v.PersonID, endedData([]string{v.DisplayName}, EndedExpired, ends), ends)
		if err != nil {
			return err
		}
		if err := e.outbox.Add(ctx, m); err != nil {
			return err
		}
		if err := e.traceEnds(ctx, EndedExpired, ends, v.ID); err != nil {
			return err
		}
	}
	return nil
}

// traceEnds writes a record for each consent that ended by itself or for a cause of its own.
func (s *Service) traceEnds(ctx context.Context, reason string, at time.Time, ids ...uuid.UUID) error {
	records := make([]audit.Record, len(ids))
	for i, id := range ids {
		trace := operation.Trace{SubjectKind: subjectKind, SubjectID: id.String(), Detail: reasonDetail(reason)}
		records[i] = trace.Record(ctx, access.Actor{}, s.run.Clock)
		records[i].Operation, records[i].At = operationEnd, at
	}
	return s.run.Trail.Write(ctx, records...)
}

// reasonDetail says in a record why a consent ended.
func reasonDetail(reason string) string { return `{"reason":"` + reason + `"}` }

// lookedAtOnce is how many consents one look asks about.
const lookedAtOnce = 500

// EndWithoutRights ends the consents whose givers have no right left over any contributor that they
// are about. By such a consent nothing is seen or done any more; this is for order, and for telling
// the giver.
func (s *Service) EndWithoutRights(ctx context.Context) error {
	after := uuid.Nil
	for {
		found, err := s.repo.look(ctx, after, lookedAtOnce, s.run.Clock.Now())
		if err != nil || len(found) == 0 {
			return err
		}
		for _, one := range found {
			if one.Reaches == 1 {
				continue
			}
			err := s.run.DB.InTx(ctx, func(ctx context.Context) error { return s.End(ctx, one.ID, EndedRightEnded) })
			if err != nil {
				return err
			}
		}
		after = found[len(found)-1].ID
	}
}
