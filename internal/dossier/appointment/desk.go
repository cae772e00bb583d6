package appointment

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/plaintext"
)

// offered is how many other hours somebody is told of whose slot is withdrawn.
const offered = 3

// Published is what an office published at once.
type Published struct {
	ID    uuid.UUID
	Count int
	// From and To are when the first begins and the last ends.
	From time.Time
	To   time.Time
}

// Publish offers slots at the operator's office. It returns these faults:
//   - fault.NotFound: it is not the operator's office;
//   - fault.Invalid naming what is wrong with the offer;
//   - fault.Conflict: there is another slot at one of the desks at the same time.
func (s *Service) Publish(ctx context.Context, by access.Actor, office string, o Offer) (Published, error) {
	if err := review.RequireOffice(by, office); err != nil {
		return Published{}, err
	}
	if err := s.requireTopics(ctx, o.Topics); err != nil {
		return Published{}, err
	}
	// Before the transaction, which waits for others that publish.
	if _, err := o.slots(office, &by.PersonID, s.run.Clock.Now()); err != nil {
		return Published{}, err
	}
	id := uuid.Must(uuid.NewV7())
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Published, error) {
		trace.Right, trace.SubjectKind = by.Office(), publicationKind
		if err := s.run.DB.LockName(ctx, "appointment slots of "+office); err != nil {
			return Published{}, err
		}
		slots, err := o.slots(office, &by.PersonID, s.run.Clock.Now())
		if err != nil {
			return Published{}, err
		}
		p := Published{ID: id, Count: len(slots), From: slots[0].StartsAt, To: slots[len(slots)-1].EndsAt}
		others, err := s.repo.between(ctx, office, p.From, p.To)
		if err != nil {
			return Published{}, err
		}
		if overlaps(slots, others) {
			return Published{}, fault.Because(fault.Conflict, "slots-overlap")
		}
		detail, err := json.Marshal(publication{office, p.Count, p.From, p.To})
		if err != nil {
			return Published{}, err
		}
		trace.Detail = string(detail)
		return p, s.repo.addSlots(ctx, slots)
	}, operation.ByID(s.repo.published))
}

// publication is what the trail keeps of a publication. A repeat of the request reads it there.
type publication struct {
	OfficeCode string    `json:"office_code"`
	Count      int       `json:"count"`
	StartsAt   time.Time `json:"starts_at"`
	EndsAt     time.Time `json:"ends_at"`
}

// requireTopics returns fault.Invalid naming topics that there are none of.
func (s *Service) requireTopics(ctx context.Context, codes []string) error {
	known, err := s.repo.topics(ctx, codes)
	if err != nil {
		return err
	}
	var wrong []fault.Field
	for i, code := range codes {
		if !known[code] {
			wrong = append(wrong, fault.Field{Pointer: "/topics/" + strconv.Itoa(i), Code: fault.FieldUnknownTopic})
		}
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// SlotView is a slot with what became of it.
type SlotView struct {
	Slot
	// AppointmentID is the one that holds it; nil for none.
	AppointmentID *uuid.UUID
}

// Taken reports whether somebody holds it.
func (s SlotView) Taken() bool { return s.AppointmentID != nil }

// Free reports whether it can be booked at an instant.
func (s SlotView) Free(now time.Time) bool { return !s.Taken() && s.requireOpen(now) == nil }

// SlotFilter narrows a list of slots down.
type SlotFilter struct {
	// From and To are days, both included.
	From    *calendar.Date
	To      *calendar.Date
	Topic   string
	Channel Channel
	// Free leaves out those that are taken.
	Free bool
}

// Slots lists what an office offers from now on, by time. It returns fault.NotFound for an office
// that there is none of.
func (s *Service) Slots(ctx context.Context, office string, f SlotFilter, request page.Request) (page.Page[SlotView], error) {
	if err := s.repo.requireOffice(ctx, office); err != nil {
		return page.Page[SlotView]{}, err
	}
	now := s.run.Clock.Now()
	topics, known, err := s.below(ctx, f.Topic)
	if err != nil || !known {
		return page.Page[SlotView]{}, err
	}
	return s.repo.slots(ctx, office, f, topics, &now, request, now)
}

// below are the codes by which a slot is for a topic: its own and its heading's.
func (s *Service) below(ctx context.Context, code string) (codes []string, known bool, err error) {
	if code == "" {
		return nil, true, nil
	}
	t, known, err := s.repo.topic(ctx, code)
	if codes = []string{code}; t.ParentCode != nil {
		codes = append(codes, *t.ParentCode)
	}
	return codes, known, err
}

// OfficeSlots lists all slots of the operator's office by time, those of the past and those that
// were withdrawn too. It returns fault.NotFound for another office.
func (s *Service) OfficeSlots(
	ctx context.Context, by access.Actor, office string, f SlotFilter, request page.Request,
) (page.Page[SlotView], error) {
	if err := review.RequireOffice(by, office); err != nil {
		return page.Page[SlotView]{}, err
	}
	return s.repo.slots(ctx, office, f, nil, nil, request, s.run.Clock.Now())
}

// ShowSlot returns a slot of the operator's office, and fault.NotFound for any other.
func (s *Service) ShowSlot(ctx context.Context, by access.Actor, id uuid.UUID) (SlotView, error) {
	v, err := s.repo.slotView(ctx, id, s.run.Clock.Now())
	if err == nil {
		err = review.RequireOffice(by, v.OfficeCode)
	}
	if err != nil {
		return SlotView{}, err
	}
	return v, nil
}

// Withdraw takes a slot back. Who holds it is told why, and of the next free hours. It returns
// these faults:
//   - fault.Invalid: there is no reason;
//   - fault.NotFound: it is not a slot of the operator's office;
//   - fault.Conflict: it has begun, or was withdrawn before.
func (s *Service) Withdraw(ctx context.Context, by access.Actor, id uuid.UUID, reason string) (SlotView, error) {
	if !plaintext.IsLine(reason, maxReason) {
		return SlotView{}, fault.InvalidFields(fault.Field{Pointer: "/reason", Code: fault.FieldPattern})
	}
	// A repeat tells nothing to who has left the office meanwhile.
	if _, err := s.ShowSlot(ctx, by, id); err != nil {
		return SlotView{}, err
	}
	show := func(ctx context.Context, id uuid.UUID) (SlotView, error) { return s.ShowSlot(ctx, by, id) }
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (SlotView, error) {
		trace.Right, trace.SubjectKind = by.Office(), slotKind
		locked, err := s.repo.lockSlots(ctx, id)
		if err != nil {
			return SlotView{}, err
		}
		now := s.run.Clock.Now()
		slot, err := locked[id].withdrawnBy(by.PersonID, reason, now)
		if err != nil {
			return SlotView{}, err
		}
		if err := s.free(ctx, id, now); err != nil {
			return SlotView{}, err
		}
		if err := s.repo.saveSlot(ctx, slot); err != nil {
			return SlotView{}, err
		}
		held, err := s.repo.holders(ctx, id)
		if err != nil {
			return SlotView{}, err
		}
		for _, a := range held {
			if err := s.withdrawn(ctx, by, a.withdrawn(by.PersonID, reason, now), slot, now); err != nil {
				return SlotView{}, err
			}
		}
		return show(ctx, id)
	}, operation.ByID(show))
}

// withdrawn ends the appointment of a slot that is withdrawn.
func (s *Service) withdrawn(ctx context.Context, by access.Actor, a Appointment, slot Slot, now time.Time) error {
	if err := s.repo.save(ctx, a); err != nil {
		return err
	}
	v, err := s.repo.one(ctx, a.ID, now)
	if err != nil {
		return err
	}
	codes, _, err := s.below(ctx, a.Topic)
	if err != nil {
		return err
	}
	next, err := s.repo.nextFree(ctx, slot.OfficeCode, codes, now, offered)
	if err != nil {
		return err
	}
	if err := s.tell(ctx, withdrawnKind, v, now, map[string]any{"reason": a.WithdrawalReason, "offers": hours(next)}); err != nil {
		return err
	}
	origin := audit.OriginOf(ctx)
	origin.Operation = "withdrawAppointment"
	trace := operation.Trace{
		Right: by.Office(), ContributorID: contributorOf(a.ContributorID), SubjectKind: subjectKind, SubjectID: a.ID.String(),
	}
	return s.run.Trail.Write(ctx, trace.Record(audit.WithOrigin(ctx, origin), by, s.run.Clock))
}

// OfficeFilter narrows an office's list of appointments down.
type OfficeFilter struct {
	// Day is the day that is listed.
	Day   calendar.Date
	State State
}

// OfOffice lists a day's appointments at the operator's office, by time.
func (s *Service) OfOffice(ctx context.Context, by access.Actor, f OfficeFilter, request page.Request) (page.Page[View], error) {
	return s.repo.ofOffice(ctx, by.OfficeCode, f, request, s.run.Clock.Now())
}

// Now is the present, by which what is shown was read.
func (s *Service) Now() time.Time { return s.run.Clock.Now() }

// Today is the day that it is.
func (s *Service) Today() calendar.Date { return calendar.DateIn(s.run.Clock.Now()) }

// ShowAtOffice returns an appointment at the operator's office, and fault.NotFound for any other.
func (s *Service) ShowAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	v, err := s.repo.one(ctx, id, s.run.Clock.Now())
	if err == nil {
		err = review.RequireOffice(by, v.OfficeCode)
	}
	if err != nil {
		return View{}, err
	}
	return v, nil
}

// OpenAtOffice is ShowAtOffice for an operator who looks at who booked it by that. It also returns
// the faults of look.Service.At.
func (s *Service) OpenAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	v, err := s.ShowAtOffice(ctx, by, id)
	if err == nil {
		err = s.looks.At(ctx, by, v.PersonID)
	}
	if err != nil {
		return View{}, err
	}
	return v, nil
}

// Attend notes whether the person came. It returns these faults:
//   - fault.NotFound: it is not an appointment at the operator's office;
//   - fault.Forbidden: it is the operator's own;
//   - fault.Conflict: it was not confirmed, or has not begun.
func (s *Service) Attend(ctx context.Context, by access.Actor, id uuid.UUID, attended bool) (View, error) {
	seen, err := s.ShowAtOffice(ctx, by, id)
	if err == nil {
		err = review.RequireSecond(by, seen.PersonID)
	}
	if err != nil {
		return View{}, err
	}
	show := func(ctx context.Context, id uuid.UUID) (View, error) { return s.ShowAtOffice(ctx, by, id) }
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.Right, trace.SubjectKind = by.Office(), subjectKind
		if err := s.repo.lock(ctx, id, s.run.Clock.Now()); err != nil {
			return View{}, err
		}
		v, err := show(ctx, id)
		if err != nil {
			return View{}, err
		}
		trace.ContributorID = contributorOf(v.ContributorID)
		a, err := v.attend(attended, by.PersonID, v.StartsAt, s.run.Clock.Now())
		if err != nil {
			return View{}, err
		}
		if err := s.repo.save(ctx, a); err != nil {
			return View{}, err
		}
		return show(ctx, id)
	}, operation.ByID(show))
}
