package consent

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

// remindBefore is how many days before the end of a consent its giver is reminded.
const remindBefore = 30

// Ends are the due events of consents: 30 days before their end, and the end. A consent ends by the
// clock; the event notes it, and tells the giver.
func (s *Service) Ends() []due.Source {
	of := due.Endings[View]{
		Ending: s.repo.ending, End: func(v View) (time.Time, uuid.UUID) { return clock.Normal(v.ExpiresAt), v.ID },
	}
	end, reminder := of, of
	end.Kind, end.Note = endedKind.Name, s.expire
	reminder.Kind, reminder.Days, reminder.Note = reminderKind.Name, remindBefore, s.remind
	return []due.Source{end, reminder}
}

// remind reminds givers, save of what was given for less time than that.
func (s *Service) remind(ctx context.Context, found []View, _ time.Time) error {
	var messages []outbox.Message
	for _, v := range found {
		ends := clock.Normal(v.ExpiresAt)
		from := ends.Add(-remindBefore * 24 * time.Hour)
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
	return s.outbox.Add(ctx, messages...)
}

func (s *Service) expire(ctx context.Context, found []View, _ time.Time) error {
	for _, v := range found {
		ends := clock.Normal(v.ExpiresAt)
		ended, err := s.repo.expire(ctx, v.ID, ends)
		if err != nil {
			return err
		}
		if !ended {
			continue
		}
		m, err := outbox.NewMessage(endedKind, v.PersonID, endedData([]string{v.DisplayName}, EndedExpired, ends), ends)
		if err != nil {
			return err
		}
		if err := s.outbox.Add(ctx, m); err != nil {
			return err
		}
		if err := s.traceEnds(ctx, EndedExpired, ends, v.ID); err != nil {
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

// unreachedFor is for how long a consent must reach nothing to end by that: a right may come back,
// as that of an intermediary does which is struck off its register by mistake.
const unreachedFor = 24 * time.Hour

// EndWithoutRights ends the consents whose givers have had no right over any contributor that they
// are about at two looks a day apart, nor at any between. By such a consent nothing is seen or done
// meanwhile; this is for order, and for telling the giver.
func (s *Service) EndWithoutRights(ctx context.Context) error {
	after := uuid.Nil
	for {
		now := s.run.Clock.Now()
		found, err := s.repo.look(ctx, after, lookedAtOnce, now)
		if err != nil || len(found) == 0 {
			return err
		}
		var lost, regained []uuid.UUID
		over := map[uuid.UUID][]uuid.UUID{}
		for _, one := range found {
			switch {
			case one.Reaches == 1 && one.UnreachedSince != nil:
				regained = append(regained, one.ID)
			case one.Reaches == 1:
			case one.UnreachedSince == nil:
				lost = append(lost, one.ID)
			case !now.Before(one.UnreachedSince.Add(unreachedFor)):
				over[one.PersonID] = append(over[one.PersonID], one.ID)
			}
		}
		if err := s.repo.noteUnreached(ctx, nil, regained); err != nil {
			return err
		}
		if err := s.repo.noteUnreached(ctx, &now, lost); err != nil {
			return err
		}
		for _, ids := range over {
			if err := s.run.DB.InTx(ctx, func(ctx context.Context) error {
				return s.endTraced(ctx, uuid.Nil, EndedRightEnded, ids...)
			}); err != nil {
				return err
			}
		}
		after = found[len(found)-1].ID
	}
}
