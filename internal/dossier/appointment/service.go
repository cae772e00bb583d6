package appointment

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	Rights *access.Repository
	Outbox *outbox.Outbox
	Looks  *look.Service
	// PublicURL is where the API is found: calendars name it as who publishes an appointment.
	PublicURL string
}

// Service has the use cases of appointments.
type Service struct {
	run       *operation.Runner
	repo      repository
	rights    *access.Repository
	outbox    *outbox.Outbox
	looks     *look.Service
	publicURL string
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, rights: d.Rights, outbox: d.Outbox, looks: d.Looks, publicURL: d.PublicURL,
	}
}

// subjectKind is how the audit trail names an appointment, slotKind how it names a slot, and
// publicationKind how it names slots that were published at once.
const (
	subjectKind     = access.WatchedAppointment
	slotKind        = "appointment-slot"
	publicationKind = "appointment-slots"
)

// standing is what somebody who sees an appointment may do about it.
type standing struct {
	// right is by what; zero for one's own affairs.
	right access.Right
	// acts says that they may do anything, cancels that they may cancel at least.
	acts, cancels bool
}

// standingFor says what the actor may do for a contributor, or about the position of a ticket. It
// returns these faults:
//   - fault.NotFound: the actor has nothing to do with the contributor;
//   - fault.ServiceNotDelegated: the actor's rights do not cover it.
func (s *Service) standingFor(ctx context.Context, by access.Actor, contributorID uuid.UUID, position *uuid.UUID) (standing, error) {
	all, err := s.rights.Rights(ctx, by, []uuid.UUID{contributorID})
	if err != nil {
		return standing{}, err
	}
	return standingBy(by, contributorID, all[contributorID], position)
}

// standingBy is standingFor, by these rights of the actor over the contributor.
func standingBy(by access.Actor, contributorID uuid.UUID, rights []access.Right, position *uuid.UUID) (standing, error) {
	by.ContributorID, by.Rights = contributorID, rights
	if len(by.Rights) == 0 {
		return standing{}, fault.New(fault.NotFound)
	}
	i := slices.IndexFunc(by.Rights, func(r access.Right) bool {
		return r.Covers(access.Dossier) && (r.Positions == nil || position != nil && r.About(*position))
	})
	if i < 0 {
		return standing{}, notDelegated()
	}
	if right, err := by.RightAbout(access.Dossier, position); err == nil {
		return standing{right, true, true}, nil
	}
	return standing{right: by.Rights[i]}, nil
}

func notDelegated() error {
	return &fault.Fault{Code: fault.ServiceNotDelegated, Allowed: []string{string(access.Dossier)}}
}

// require returns the fault of who may not act, or not even cancel where that is enough.
func (m standing) require(toAct bool) error {
	switch {
	case m.acts, m.cancels && !toAct:
		return nil
	case m.right.ID == uuid.Nil:
		return notDelegated()
	}
	return fault.Because(fault.Forbidden, "right-looks")
}

// ownThrough reports whether what is the person's own is open to who asks: to an application if the
// consent is about the dossier of all contributors.
func ownThrough(by access.Actor) bool {
	return by.Grant == nil || by.Grant.Contributors == nil && by.Grant.Services.Covers(access.Dossier)
}

// Book takes a slot. It returns these faults:
//   - fault.Invalid naming what is wrong;
//   - fault.NotFound: the actor has nothing to do with the contributor or ticket;
//   - fault.ServiceNotDelegated: the actor's rights do not cover the dossier;
//   - fault.SlotTaken: another holds the slot;
//   - fault.Conflict: the slot has begun or was withdrawn, the ticket does not call for an
//     appointment, there is one on the topic already, or there are too many to come.
func (s *Service) Book(ctx context.Context, by access.Actor, in Booking) (View, error) {
	if err := in.check(); err != nil {
		return View{}, err
	}
	// Before the key, so that no repeat goes round a right that was lost.
	in, right, err := s.subject(ctx, by, in)
	if err != nil {
		return View{}, err
	}
	id := uuid.Must(uuid.NewV7())
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.Right, trace.SubjectKind, trace.ContributorID = right, subjectKind, contributorOf(in.ContributorID)
		// After the key: a repeat is answered, whatever became of slot and topic.
		topic, slot, err := s.wanted(ctx, in.Topic, in.SlotID)
		if err == nil {
			err = in.requireMay(slot, topic)
		}
		if err != nil {
			return View{}, err
		}
		// Others hold the slot that somebody waits for: most are told without a lock.
		if taken, err := s.repo.taken(ctx, slot.ID, s.run.Clock.Now()); err != nil {
			return View{}, err
		} else if taken {
			return View{}, fault.New(fault.SlotTaken)
		}
		if err := s.run.DB.LockName(ctx, "appointments of "+by.PersonID.String()); err != nil {
			return View{}, err
		}
		slots, err := s.repo.lockSlots(ctx, slot.ID)
		if err != nil {
			return View{}, err
		}
		now := s.run.Clock.Now()
		if err := s.calledFor(ctx, in, slot, now); err != nil {
			return View{}, err
		}
		a, err := in.book(id, by.PersonID, slots[slot.ID], now)
		if err != nil {
			return View{}, err
		}
		if err := s.leaves(ctx, a, now); err != nil {
			return View{}, err
		}
		if right.ID != uuid.Nil {
			a.RightID, a.ActingAs = &right.ID, new(string(right.ActingAs))
		}
		a.ApplicationID = by.ApplicationID()
		if err := s.free(ctx, a.SlotID, now); err != nil {
			return View{}, err
		}
		if held, err := s.repo.add(ctx, a); err != nil {
			return View{}, err
		} else if !held {
			return View{}, fault.New(fault.SlotTaken)
		}
		v, err := s.repo.one(ctx, id, now)
		if err != nil {
			return View{}, err
		}
		return v, s.tell(ctx, bookedKind, v, now, nil)
	}, s.replay(by))
}

// subject finds out for whom a booking is, and by which right.
func (s *Service) subject(ctx context.Context, by access.Actor, in Booking) (Booking, access.Right, error) {
	if in.TicketID != nil {
		t, err := s.repo.ticket(ctx, *in.TicketID)
		if err != nil {
			return in, access.Right{}, err
		}
		right, err := s.rightAbout(ctx, by, t)
		if err != nil {
			return in, right, err
		}
		if in.ContributorID != nil && *in.ContributorID != t.ContributorID {
			return in, right, fault.InvalidFields(fault.Field{Pointer: "/contributor_id", Code: fault.FieldNotOfTicket})
		}
		in.ContributorID = &t.ContributorID
		return in, right, nil
	}
	if in.ContributorID == nil {
		if !ownThrough(by) {
			return in, access.Right{}, fault.InvalidFields(fault.Field{Pointer: "/contributor_id", Code: fault.FieldRequired})
		}
		return in, access.Right{}, nil
	}
	may, err := s.standingFor(ctx, by, *in.ContributorID, nil)
	if err == nil {
		err = may.require(true)
	}
	return in, may.right, err
}

// rightAbout is the right by which the actor books about a ticket. Beside the faults of standingFor
// it returns fault.NotFound for a ticket that the actor does not see.
func (s *Service) rightAbout(ctx context.Context, by access.Actor, t ticket.Ticket) (access.Right, error) {
	all, err := s.rights.Rights(ctx, by, []uuid.UUID{t.ContributorID})
	if err != nil {
		return access.Right{}, err
	}
	by.Rights = all[t.ContributorID]
	may, err := standingBy(by, t.ContributorID, by.Rights, t.PositionID)
	if err == nil {
		err = t.RequireSeen(by)
	}
	if err == nil {
		err = may.require(true)
	}
	return may.right, err
}

// wanted returns the topic and the slot that somebody names. It returns fault.Invalid where there is
// none.
func (s *Service) wanted(ctx context.Context, code string, slotID uuid.UUID) (Topic, Slot, error) {
	topic, known, err := s.repo.topic(ctx, code)
	if err != nil {
		return topic, Slot{}, err
	}
	slot, found, err := s.repo.slot(ctx, slotID)
	if err != nil {
		return topic, slot, err
	}
	var wrong []fault.Field
	if !found {
		wrong = append(wrong, fault.Field{Pointer: "/slot_id", Code: fault.FieldUnknownSlot})
	}
	if !known {
		wrong = append(wrong, fault.Field{Pointer: "/topic", Code: fault.FieldUnknownTopic})
	}
	if len(wrong) > 0 {
		return topic, slot, fault.InvalidFields(wrong...)
	}
	return topic, slot, nil
}

// fits returns fault.Invalid for a slot at another office than that which has the ticket.
func (s *Service) fits(ctx context.Context, ticketID *uuid.UUID, slot Slot) error {
	if ticketID == nil {
		return nil
	}
	t, err := s.repo.ticket(ctx, *ticketID)
	if err == nil && t.OfficeCode != slot.OfficeCode {
		err = fault.InvalidFields(fault.Field{Pointer: "/slot_id", Code: fault.FieldNotOfTicket})
	}
	return err
}

// calledFor returns fault.Conflict for a ticket that does not call for an appointment, and
// fault.Invalid where it is on another topic or at another office by now. The ticket stays as it is
// until the context's transaction ends.
func (s *Service) calledFor(ctx context.Context, in Booking, slot Slot, now time.Time) error {
	if in.TicketID == nil {
		return nil
	}
	t, err := s.repo.holdTicket(ctx, *in.TicketID)
	switch {
	case err != nil:
		return err
	case in.Topic != t.Topic:
		return fault.InvalidFields(fault.Field{Pointer: "/topic", Code: fault.FieldNotOfTicket})
	case slot.OfficeCode != t.OfficeCode:
		return fault.InvalidFields(fault.Field{Pointer: "/slot_id", Code: fault.FieldNotOfTicket})
	case !t.AllowsAppointment(now):
		return fault.Because(fault.Conflict, "ticket-without-appointment")
	}
	return nil
}

// leaves returns fault.Conflict where somebody has such an appointment to come, or too many.
func (s *Service) leaves(ctx context.Context, a Appointment, now time.Time) error {
	open, err := s.repo.open(ctx, a.PersonID, now)
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.Topic == a.Topic && (o.ContributorID == nil && a.ContributorID == nil ||
			o.ContributorID != nil && a.ContributorID != nil && *o.ContributorID == *a.ContributorID) {
			return &fault.Fault{Code: fault.Conflict, Reason: "appointment-exists", Href: "/v1/appointments/" + o.ID.String()}
		}
	}
	return fault.OverOpen(len(open), maxOpen, "/slot_id")
}

// free ends the booking of a locked slot that was not confirmed in time, if there is one.
func (s *Service) free(ctx context.Context, slotID uuid.UUID, now time.Time) error {
	over, err := s.repo.lockOver(ctx, slotID, now)
	if err != nil {
		return err
	}
	return s.expire(ctx, over, now)
}

func (s *Service) replay(by access.Actor) func(ctx context.Context, id string) (View, error) {
	return operation.ByID(func(ctx context.Context, id uuid.UUID) (View, error) { return s.Show(ctx, by, id) })
}

// Filter narrows a list of appointments down.
type Filter struct {
	State State
	// From is the first instant at which they begin.
	From          *time.Time
	ContributorID *uuid.UUID
}

// List lists the appointments that the actor booked, the latest booking first. Of a contributor it
// lists those that anybody booked, if the actor has the dossier of all of it.
func (s *Service) List(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[View], error) {
	own := true
	if f.ContributorID != nil {
		_, err := s.standingFor(ctx, by, *f.ContributorID, nil)
		if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.ServiceNotDelegated) {
			return page.Page[View]{}, err
		}
		own = err != nil
	}
	if own && by.Grant != nil && !by.Grant.Services.Covers(access.Dossier) {
		return page.Page[View]{}, nil
	}
	listed, err := s.repo.list(ctx, by, own, f, request, s.run.Clock.Now())
	if err != nil || !own || by.Grant == nil {
		return listed, err
	}
	// An application sees what its person may do at this moment.
	rights, err := s.rightsOver(ctx, by, listed.Items...)
	if err != nil {
		return page.Page[View]{}, err
	}
	listed.Items = slices.DeleteFunc(listed.Items, func(v View) bool {
		_, err := v.visibleTo(by, rights)
		return err != nil
	})
	return listed, nil
}

// rightsOver returns the actor's rights over the contributors of appointments, with one question for
// all.
func (s *Service) rightsOver(ctx context.Context, by access.Actor, all ...View) (map[uuid.UUID][]access.Right, error) {
	var ids []uuid.UUID
	for _, v := range all {
		if v.ContributorID != nil && !slices.Contains(ids, *v.ContributorID) {
			ids = append(ids, *v.ContributorID)
		}
	}
	return s.rights.Rights(ctx, by, ids)
}

// Show returns an appointment to who booked it and to who has the dossier of all of its contributor.
// It returns fault.NotFound to anybody else.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	v, _, err := s.visible(ctx, by, id)
	return v, err
}

// visible returns an appointment that the actor may see, and what they may do about it. Who booked
// it for a contributor, and acts for that no more, still sees it and may cancel it.
func (s *Service) visible(ctx context.Context, by access.Actor, id uuid.UUID) (View, standing, error) {
	v, err := s.repo.one(ctx, id, s.run.Clock.Now())
	if err != nil {
		return View{}, standing{}, err
	}
	rights, err := s.rightsOver(ctx, by, v)
	if err != nil {
		return View{}, standing{}, err
	}
	may, err := v.visibleTo(by, rights)
	if err != nil {
		return View{}, standing{}, err
	}
	return v, may, nil
}

// visibleTo says what the actor may do about the appointment by these rights, and returns
// fault.NotFound to who may not see it.
func (v View) visibleTo(by access.Actor, rights map[uuid.UUID][]access.Right) (standing, error) {
	mine := v.PersonID == by.PersonID
	if v.ContributorID == nil {
		if !mine || !ownThrough(by) {
			return standing{}, fault.New(fault.NotFound)
		}
		return standing{acts: true, cancels: true}, nil
	}
	var position *uuid.UUID
	if mine {
		position = v.TicketPositionID
	}
	may, err := standingBy(by, *v.ContributorID, rights[*v.ContributorID], position)
	switch {
	case err == nil:
		may.cancels = may.acts || mine && by.Grant == nil
		return may, nil
	case mine && by.Grant == nil:
		return standing{cancels: true}, nil
	}
	return standing{}, fault.New(fault.NotFound)
}

// change changes an appointment that the actor may see, locked, and tells who booked it.
func (s *Service) change(
	ctx context.Context, by access.Actor, id uuid.UUID, needsRight bool, kind outbox.Kind,
	effect func(ctx context.Context, v View, now time.Time) (Appointment, error), also ...uuid.UUID,
) (View, error) {
	// A repeat tells nothing to who may not see it any more.
	seen, may, err := s.visible(ctx, by, id)
	if err == nil {
		err = may.require(needsRight)
	}
	if err != nil {
		return View{}, err
	}
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.Right, trace.SubjectKind, trace.ContributorID = may.right, subjectKind, contributorOf(seen.ContributorID)
		if _, err := s.repo.lockSlots(ctx, append(also, seen.SlotID)...); err != nil {
			return View{}, err
		}
		if err := s.repo.lock(ctx, id, s.run.Clock.Now(), also...); err != nil {
			return View{}, err
		}
		now := s.run.Clock.Now()
		v, err := s.repo.one(ctx, id, now)
		if err != nil {
			return View{}, err
		}
		if v.SlotID != seen.SlotID {
			return View{}, fault.Because(fault.Conflict, "appointment-moved")
		}
		a, err := effect(ctx, v, now)
		if err != nil {
			return View{}, err
		}
		if err := s.repo.save(ctx, a); err != nil {
			return View{}, err
		}
		if v, err = s.repo.one(ctx, id, now); err != nil {
			return View{}, err
		}
		return v, s.tell(ctx, kind, v, now, nil)
	}, s.replay(by))
}

// Confirm makes a booking firm. Beside fault.NotFound it returns fault.Conflict for one that was
// confirmed before, has ended or has begun.
func (s *Service) Confirm(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	return s.change(ctx, by, id, true, confirmedKind, func(_ context.Context, v View, now time.Time) (Appointment, error) {
		return v.confirm(v.StartsAt, now)
	})
}

// Cancel gives the slot back, until it begins. Its faults are those of Confirm.
func (s *Service) Cancel(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	return s.change(ctx, by, id, false, cancelledKind, func(_ context.Context, v View, now time.Time) (Appointment, error) {
		return v.cancel(by.PersonID, v.StartsAt, now)
	})
}

// Reschedule takes another slot instead, or leaves everything as it is. Its faults are those of
// Confirm and those of Book about the slot.
func (s *Service) Reschedule(ctx context.Context, by access.Actor, id, slotID uuid.UUID) (View, error) {
	seen, may, err := s.visible(ctx, by, id)
	if err == nil {
		err = may.require(true)
	}
	if err != nil {
		return View{}, err
	}
	topic, next, err := s.wanted(ctx, seen.Topic, slotID)
	if err == nil && !next.isFor(topic) {
		err = fault.InvalidFields(fault.Field{Pointer: "/slot_id", Code: fault.FieldNotAtSlot})
	}
	if err != nil {
		return View{}, err
	}
	return s.change(ctx, by, id, true, movedKind, func(ctx context.Context, v View, now time.Time) (Appointment, error) {
		if err := s.fits(ctx, v.TicketID, next); err != nil {
			return Appointment{}, err
		}
		if v.SlotID == slotID {
			return Appointment{}, fault.InvalidFields(fault.Field{Pointer: "/slot_id", Code: fault.FieldSameSlot})
		}
		slots, err := s.repo.lockSlots(ctx, v.SlotID, slotID)
		if err != nil {
			return Appointment{}, err
		}
		a, err := v.move(slots[v.SlotID], slots[slotID], now)
		if err != nil {
			return a, err
		}
		if err := s.free(ctx, slotID, now); err != nil {
			return a, err
		}
		taken, err := s.repo.taken(ctx, slotID, now)
		if err == nil && taken {
			err = fault.New(fault.SlotTaken)
		}
		return a, err
	}, slotID)
}

// normal is the view with instants as the API has them.
func (v View) normal(now time.Time) View {
	v.StartsAt, v.EndsAt, v.ConfirmBy = clock.Normal(v.StartsAt), clock.Normal(v.EndsAt), clock.Normal(v.ConfirmBy)
	v.Now = v.At(now)
	return v
}
