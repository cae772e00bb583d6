package appointment

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

// Ends are the due events of appointments. A booking that nobody confirmed expires, which is told
// from then on however late it is noted; and on the day before at nine its person is reminded of
// what was confirmed.
func (s *Service) Ends() []due.Source {
	return []due.Source{
		due.Endings[Appointment]{
			Kind: expiredKind.Name, Ending: s.repo.expiring,
			End: func(a Appointment) (time.Time, uuid.UUID) { return clock.Normal(a.ConfirmBy), a.ID },
			Note: func(ctx context.Context, found []Appointment, until time.Time) error {
				locked, err := s.repo.lockAll(ctx, found)
				if err != nil {
					return err
				}
				return s.expire(ctx, locked, until)
			},
		},
		due.Endings[Appointment]{
			Kind: reminderKind.Name, Ending: s.repo.toRemind,
			End:  func(a Appointment) (time.Time, uuid.UUID) { return clock.Normal(*a.RemindAt), a.ID },
			Note: s.remind,
		},
	}
}

// expire ends locked bookings that were not confirmed in time. Each leaves its own record, at its
// own instant; who booked it is told.
func (s *Service) expire(ctx context.Context, over []Appointment, now time.Time) error {
	ctx = audit.WithOrigin(ctx, audit.Origin{Operation: "expireAppointment"})
	var records []audit.Record
	for _, a := range over {
		if a.State != Booked || a.At(now) != Expired {
			continue
		}
		a.ConfirmBy = clock.Normal(a.ConfirmBy)
		ended := a.expire()
		if err := s.repo.save(ctx, ended); err != nil {
			return err
		}
		v, err := s.repo.one(ctx, a.ID, now)
		if err != nil {
			return err
		}
		if err := s.tell(ctx, expiredKind, v, now, nil); err != nil {
			return err
		}
		trace := operation.Trace{ContributorID: contributorOf(a.ContributorID), SubjectKind: subjectKind, SubjectID: a.ID.String()}
		record := trace.Record(ctx, access.Actor{}, s.run.Clock)
		record.At = *ended.EndedAt
		records = append(records, record)
	}
	return s.run.Trail.Write(ctx, records...)
}

// remind tells of confirmed appointments that are to come.
func (s *Service) remind(ctx context.Context, found []Appointment, until time.Time) error {
	for _, a := range found {
		v, err := s.repo.one(ctx, a.ID, until)
		if err != nil {
			return err
		}
		if v.State != Confirmed || !until.Before(v.StartsAt) {
			continue
		}
		m, err := outbox.NewMessage(reminderKind, v.PersonID, v.facts(), until)
		if err != nil {
			return err
		}
		if err := s.outbox.Add(ctx, m.Until(v.StartsAt)); err != nil {
			return err
		}
	}
	return nil
}
