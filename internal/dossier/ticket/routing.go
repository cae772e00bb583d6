package ticket

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// Routing is where a ticket goes; at least one of office and topic.
type Routing struct {
	OfficeCode, Topic string
	// Reason is for the colleagues who get it; it may be empty.
	Reason string
}

// check returns fault.Invalid naming what is wrong.
func (r Routing) check() error {
	if r.OfficeCode == "" && r.Topic == "" {
		return fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: fault.FieldRequired})
	}
	if r.Reason != "" {
		return requireReason(r.Reason)
	}
	return nil
}

// Route hands a ticket over to another office, or under another topic, and tells who opened it. It
// is in nobody's charge then, and stands in the queue of its new office at once. It returns the
// faults of Desk.change, and
//   - fault.Invalid for an office or a topic that there is not, and for what changes nothing,
//   - fault.Conflict for what is closed, decides itself, or is in a colleague's charge.
func (s *Desk) Route(ctx context.Context, by access.Actor, id uuid.UUID, r Routing) (Details, error) {
	if err := r.check(); err != nil {
		return Details{}, err
	}
	return s.change(ctx, by, id, func(ctx context.Context, t Ticket, now time.Time) (Ticket, error) {
		office, topic, err := s.destination(ctx, t, r)
		if err != nil {
			return t, err
		}
		return t.routedBy(by.PersonID, office, topic, now)
	}, func(ctx context.Context, _, t Ticket, now time.Time) error {
		if r.Reason != "" {
			if err := s.say(ctx, t, by.PersonID, r.Reason, Internal, now); err != nil {
				return err
			}
		}
		return s.tickets.tell(ctx, t.ID, routedKind, now)
	})
}

// destination is where a ticket goes: the office that is named, else the new topic's own, else the
// one that has it.
func (s *Desk) destination(ctx context.Context, t Ticket, r Routing) (office, topic string, err error) {
	office, topic = t.OfficeCode, t.Topic
	if r.Topic != "" && r.Topic != topic {
		chosen, err := s.tickets.topics.Choose(ctx, r.Topic)
		if err != nil {
			return "", "", err
		}
		topic = chosen.Code
		if chosen.OfficeCode != nil {
			exists, err := s.has(ctx, *chosen.OfficeCode)
			if err != nil {
				return "", "", err
			}
			// An installation need not have the office that a topic names.
			if exists {
				office = *chosen.OfficeCode
			}
		}
	}
	if r.OfficeCode != "" {
		exists, err := s.has(ctx, r.OfficeCode)
		if err != nil {
			return "", "", err
		}
		if !exists {
			return "", "", fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: fault.FieldUnknownOffice})
		}
		office = r.OfficeCode
	}
	if office == t.OfficeCode && topic == t.Topic {
		pointer := "/office_code"
		if r.OfficeCode == "" {
			pointer = "/topic"
		}
		return "", "", fault.InvalidFields(fault.Field{Pointer: pointer, Code: fault.FieldNotApplicable})
	}
	return office, topic, nil
}

// has reports whether there is an office.
func (s *Desk) has(ctx context.Context, code string) (bool, error) {
	_, err := s.tickets.contributors.Office(ctx, code)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
