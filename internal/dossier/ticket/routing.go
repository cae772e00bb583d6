package ticket

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// routeOperation is the trail's word for the routing of a ticket.
const routeOperation = "routeTicket"

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
	return s.changeTraced(ctx, by, id, func(ctx context.Context, t Ticket, now time.Time) (Ticket, error) {
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
	}, func(before, t Ticket) (string, error) {
		return traced(t, "from_office", before.OfficeCode, "from_topic", before.Topic, "office", t.OfficeCode, "topic", t.Topic)
	}, func(ctx context.Context, id uuid.UUID) (Details, error) { return s.routed(ctx, by, id) })
}

// routed returns what an operator's routing of a ticket answered, as far as it was their office's:
// its new office has had it since.
func (s *Desk) routed(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	routings, err := s.tickets.repo.routings(ctx, id)
	if err != nil {
		return Details{}, err
	}
	for _, r := range slices.Backward(routings) {
		if r.By != by.PersonID {
			continue
		}
		d, err := s.repo.details(ctx, id)
		if err == nil {
			d, err = s.complete(ctx, d)
		}
		if err != nil {
			return Details{}, err
		}
		d.OfficeCode, d.Topic, d.State, d.UpdatedAt = r.Office, r.Topic, Open, r.At
		d.AssignedTo, d.AssignedAt, d.Assignee = nil, nil, nil
		d.Outcome, d.ClosingText, d.ClosedBy, d.ClosedAt, d.Closer = nil, nil, nil, nil, nil
		d.RoutedAt, d.Late = nil, d.Overdue(r.At)
		for _, earlier := range routings {
			if !earlier.At.After(r.At) && earlier.Office != earlier.FromOffice {
				d.RoutedAt = &earlier.At
			}
		}
		d.Said = slices.DeleteFunc(d.Said, func(c Said) bool { return c.At.After(r.At) })
		return d, nil
	}
	return Details{}, fault.New(fault.NotFound)
}

// routing is where a ticket went once, as the trail has it.
type routing struct {
	At                    time.Time
	By                    uuid.UUID
	Office, Topic         string
	FromOffice, FromTopic string
}

// routings lists where a ticket went, the first time first.
func (r repository) routings(ctx context.Context, id uuid.UUID) ([]routing, error) {
	var rows []struct {
		At       time.Time
		PersonID uuid.UUID
		Detail   string
	}
	err := r.db.From(ctx).Raw(
		"SELECT at, person_id, detail FROM audit_records WHERE subject_id = ? AND subject_kind = ? AND operation = ? "+
			"AND person_id IS NOT NULL AND detail IS NOT NULL ORDER BY at, id", id.String(), SubjectKind, routeOperation,
	).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	all := make([]routing, len(rows))
	for i, row := range rows {
		var detail struct {
			Office, Topic string
			FromOffice    string `json:"from_office"`
			FromTopic     string `json:"from_topic"`
		}
		if err := json.Unmarshal([]byte(row.Detail), &detail); err != nil {
			return nil, err
		}
		all[i] = routing{row.At, row.PersonID, detail.Office, detail.Topic, detail.FromOffice, detail.FromTopic}
	}
	return all, nil
}

// destination is where a ticket goes: the office that is named, else the new topic's own, else the
// competent one.
func (s *Desk) destination(ctx context.Context, t Ticket, r Routing) (office, topic string, err error) {
	office, topic = t.OfficeCode, t.Topic
	if r.Topic != "" && r.Topic != topic {
		chosen, err := s.tickets.topics.Choose(ctx, r.Topic)
		if err != nil {
			return "", "", err
		}
		topic = chosen.Code
		// An installation need not have the office that a topic names.
		own := false
		if chosen.OfficeCode != nil {
			if own, err = s.has(ctx, *chosen.OfficeCode); err != nil {
				return "", "", err
			}
		}
		if own {
			office = *chosen.OfficeCode
		} else if office, err = s.competent(ctx, t); err != nil {
			return "", "", err
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

// competent is the office that has a ticket whose new topic has none of its own. What the former
// topic had brought to its own office goes to that of the position; the rest stays.
func (s *Desk) competent(ctx context.Context, t Ticket) (string, error) {
	former, err := s.tickets.topics.choose(ctx, t.Topic, everChosen)
	if err != nil || former.OfficeCode == nil || *former.OfficeCode != t.OfficeCode {
		return t.OfficeCode, err
	}
	office, err := s.tickets.office(ctx, New{Kind: t.Kind, ContributorID: t.ContributorID, PositionID: t.PositionID}, Topic{})
	if fault.Is(err, fault.Invalid) {
		// The contributor has no position any more.
		return t.OfficeCode, nil
	}
	return office.Code, err
}

// has reports whether there is an office.
func (s *Desk) has(ctx context.Context, code string) (bool, error) {
	_, err := s.tickets.contributors.Office(ctx, code)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
