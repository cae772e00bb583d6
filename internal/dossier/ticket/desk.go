package ticket

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/plaintext"
)

// Details are a ticket as its office sees it.
type Details struct {
	View
	LegalName          string
	ContributorTaxCode string
	// PositionNumber is nil for what is about the whole contributor.
	PositionNumber *string
	OpenerTaxCode  string
	// Late is how overdue it was when it was read.
	Late Overdue `gorm:"-"`
	// Assignee and Closer are nil where nobody is; of a list Closer is never read.
	Assignee *review.Colleague `gorm:"-"`
	Closer   *review.Colleague `gorm:"-"`
	// Said are the last comments, the first one first, the internal ones too. Lists have none.
	Said []Said `gorm:"-"`
}

// Said is a comment with who wrote it.
type Said struct {
	Comment
	Author review.Colleague `gorm:"-"`
}

// DeskFilter narrows an office's tickets down; what is empty stands for all. Without a state, and
// unless Any is set, it is what is not closed.
type DeskFilter struct {
	State    State
	Any      bool
	Topic    string
	Kind     Kind
	Assigned review.Assignment
	Overdue  Overdue

	ContributorTaxCode string
	PositionNumber     string
	ProtocolNumber     string
}

// DeskDeps are what the desk works with.
type DeskDeps struct {
	Tickets *Service
	Looks   *look.Service
}

// Desk has the use cases of an office: its queue, and what its operators do with tickets.
type Desk struct {
	tickets *Service
	run     *operation.Runner
	repo    deskRepository
	looks   *look.Service
}

// NewDesk returns the desk of the service's tickets.
func NewDesk(d DeskDeps) *Desk {
	return &Desk{tickets: d.Tickets, run: d.Tickets.run, repo: deskRepository{d.Tickets.repo}, looks: d.Looks}
}

// OfOffice lists the tickets at the operator's office; what waits longest comes first. All of a
// page are overdue, or not, at one instant.
func (s *Desk) OfOffice(ctx context.Context, by access.Actor, f DeskFilter, request page.Request) (page.Page[Details], error) {
	now := s.run.Clock.Now()
	listed, err := s.repo.ofOffice(ctx, by, f, now, request)
	if err != nil {
		return listed, err
	}
	for i := range listed.Items {
		listed.Items[i].Late = listed.Items[i].Overdue(now)
	}
	return listed, s.repo.nameAssignees(ctx, listed.Items)
}

// Visible returns a ticket at the operator's office without what is said about it, and
// fault.NotFound for any other.
func (s *Desk) Visible(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	d, err := s.repo.details(ctx, id)
	if err == nil {
		err = review.RequireOffice(by, d.OfficeCode)
	}
	if err != nil {
		return Details{}, err
	}
	return d, nil
}

// ShowAtOffice returns a ticket at the operator's office, and fault.NotFound for any other.
func (s *Desk) ShowAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	d, err := s.Visible(ctx, by, id)
	if err != nil {
		return Details{}, err
	}
	return s.complete(ctx, d)
}

// complete adds to a ticket what is said about it, and who has to do with it.
func (s *Desk) complete(ctx context.Context, d Details) (Details, error) {
	d.Late = d.Overdue(s.run.Clock.Now())
	var err error
	if d.Said, err = s.repo.said(ctx, d.ID); err != nil {
		return Details{}, err
	}
	return d, s.repo.name(ctx, &d)
}

// requireSecond returns what Ticket.requireSecond does, by the rights that the operator has now.
func (s *Desk) requireSecond(ctx context.Context, by access.Actor, t Ticket) error {
	rights, err := s.tickets.rights.Rights(ctx, by, []uuid.UUID{t.ContributorID})
	if err != nil {
		return err
	}
	return t.requireSecond(by, rights[t.ContributorID])
}

// OpenAtOffice is ShowAtOffice for an operator who looks at who opened it by that. It also returns
// fault.Forbidden to one who has a part in it, who would read what the office says among itself,
// and the faults of look.Service.At.
func (s *Desk) OpenAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	d, err := s.ShowAtOffice(ctx, by, id)
	if err == nil {
		err = s.requireSecond(ctx, by, d.Ticket)
	}
	if err == nil {
		err = s.looks.At(ctx, by, d.PersonID)
	}
	if err != nil {
		return Details{}, err
	}
	return d, nil
}

// change runs what an operator does with a ticket of their office as one operation. rule changes
// the ticket, locked; after does what follows from it, and may be nil. The trail tells the state
// and, where there is one, what else the detail says. It returns
//   - fault.NotFound for a ticket of another office,
//   - fault.Forbidden to an operator who opened it, or who acts for its contributor,
//   - the errors of rule and after.
func (s *Desk) change(
	ctx context.Context, by access.Actor, id uuid.UUID,
	rule func(ctx context.Context, t Ticket, now time.Time) (Ticket, error),
	after func(ctx context.Context, before, t Ticket, now time.Time) error,
	also ...string,
) (Details, error) {
	return s.changeTraced(ctx, by, id, rule, after, func(_, t Ticket) (string, error) {
		return traced(t, also...)
	}, func(ctx context.Context, id uuid.UUID) (Details, error) { return s.ShowAtOffice(ctx, by, id) })
}

// changeTraced is change with its own detail of the trail, and its own answer to a repeat.
func (s *Desk) changeTraced(
	ctx context.Context, by access.Actor, id uuid.UUID,
	rule func(ctx context.Context, t Ticket, now time.Time) (Ticket, error),
	after func(ctx context.Context, before, t Ticket, now time.Time) error,
	detail func(before, t Ticket) (string, error),
	replay func(ctx context.Context, id uuid.UUID) (Details, error),
) (Details, error) {
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Details, error) {
		before, err := s.tickets.repo.lock(ctx, id)
		if err == nil {
			err = review.RequireOffice(by, before.OfficeCode)
		}
		trace.ContributorID, trace.Right, trace.SubjectKind = before.ContributorID, by.Office(), SubjectKind
		if err == nil {
			err = s.requireSecond(ctx, by, before)
		}
		if err != nil {
			return Details{}, err
		}
		now := s.run.Clock.Now()
		t, err := rule(ctx, before, now)
		if err != nil {
			return Details{}, err
		}
		if trace.Detail, err = detail(before, t); err != nil {
			return Details{}, err
		}
		if t.Version != before.Version {
			if err := s.repo.save(ctx, t); err != nil {
				return Details{}, err
			}
		}
		if after != nil {
			if err := after(ctx, before, t, now); err != nil {
				return Details{}, err
			}
		}
		d, err := s.repo.details(ctx, id)
		if err != nil {
			return Details{}, err
		}
		return s.complete(ctx, d)
	}, operation.ByID(replay))
}

// TakeInCharge puts a ticket in the operator's charge. It returns the faults of change, and
// fault.Conflict for one that another has in charge, that is closed, or that decides itself.
func (s *Desk) TakeInCharge(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	return s.change(ctx, by, id, func(_ context.Context, t Ticket, now time.Time) (Ticket, error) {
		return t.takenAtOffice(by.PersonID, now)
	}, nil)
}

// Release gives a ticket back to the office. It returns the faults of change, and fault.Conflict
// for one that nobody has in charge, or a colleague who is there and has not had it long.
func (s *Desk) Release(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := s.change(ctx, by, id, func(ctx context.Context, t Ticket, now time.Time) (Ticket, error) {
		worksHere := false
		if t.AssignedTo != nil {
			var err error
			if worksHere, err = review.WorksAt(ctx, s.run.DB, *t.AssignedTo, t.OfficeCode); err != nil {
				return t, err
			}
		}
		return t.releasedBy(by.PersonID, worksHere, now)
	}, nil)
	return err
}

// Comment adds a comment of the office; of a visible one who opened the ticket is told. It returns
// the faults of change, fault.Conflict for a ticket that is closed, and fault.Invalid for what is
// no text.
func (s *Desk) Comment(ctx context.Context, by access.Actor, id uuid.UUID, text string, v Visibility) (Details, error) {
	var wrong []fault.Field
	if !plaintext.IsText(text, maxComment) {
		wrong = append(wrong, fault.Field{Pointer: "/text", Code: fault.FieldPattern})
	}
	if v != Visible && v != Internal {
		wrong = append(wrong, fault.Field{Pointer: "/visibility", Code: fault.FieldEnum})
	}
	if len(wrong) > 0 {
		return Details{}, fault.InvalidFields(wrong...)
	}
	return s.change(ctx, by, id, func(_ context.Context, t Ticket, now time.Time) (Ticket, error) {
		if err := t.requireLive(); err != nil || v == Internal {
			// The other side must not even learn that there is an internal comment.
			return t, err
		}
		return t.changed(now), nil
	}, func(ctx context.Context, _, t Ticket, now time.Time) error {
		if err := s.say(ctx, t, by.PersonID, text, v, now); err != nil || v == Internal {
			return err
		}
		return s.tickets.tell(ctx, t.ID, commentedKind, now)
	}, "visibility", string(v))
}

// Close closes a ticket that the operator has in charge, and tells who opened it. It returns the
// faults of change, fault.Invalid naming what is wrong with the closure, and fault.Conflict where
// Ticket.closedAtOffice does.
func (s *Desk) Close(ctx context.Context, by access.Actor, id uuid.UUID, c Closure) (Details, error) {
	if err := c.check(); err != nil {
		return Details{}, err
	}
	return s.change(ctx, by, id, func(_ context.Context, t Ticket, now time.Time) (Ticket, error) {
		return t.closedAtOffice(by.PersonID, c, now)
	}, s.telling(closedKind))
}

// Reopen opens a closed ticket again, and tells who opened it. The answer that it had, and the
// reason, become visible comments. It returns the faults of change, fault.Invalid for a reason that
// says nothing, and fault.Conflict where Ticket.reopened does.
func (s *Desk) Reopen(ctx context.Context, by access.Actor, id uuid.UUID, reason string) (Details, error) {
	if err := requireReason(reason); err != nil {
		return Details{}, err
	}
	return s.change(ctx, by, id, func(_ context.Context, t Ticket, now time.Time) (Ticket, error) {
		return t.reopened(now)
	}, func(ctx context.Context, before, t Ticket, now time.Time) error {
		if before.ClosedBy != nil {
			if err := s.say(ctx, t, *before.ClosedBy, *before.ClosingText, Visible, *before.ClosedAt); err != nil {
				return err
			}
		}
		if err := s.say(ctx, t, by.PersonID, reason, Visible, now); err != nil {
			return err
		}
		return s.tickets.tell(ctx, t.ID, reopenedKind, now)
	})
}

// telling promises the messages of a kind about what was changed.
func (s *Desk) telling(kind outbox.Kind) func(context.Context, Ticket, Ticket, time.Time) error {
	return func(ctx context.Context, _, t Ticket, now time.Time) error {
		return s.tickets.tell(ctx, t.ID, kind, now)
	}
}

// Archive returns the files of a ticket at the operator's office as one archive, to be closed. It
// is a look at who opened it: it returns what OpenAtOffice does, and fault.NotFound where there are no
// files.
func (s *Desk) Archive(ctx context.Context, by access.Actor, id uuid.UUID) (View, io.ReadSeekCloser, error) {
	if _, err := s.OpenAtOffice(ctx, by, id); err != nil {
		return View{}, nil, err
	}
	return s.tickets.Archive(ctx, by, id)
}

// say adds a comment of the office to a ticket that the caller holds locked.
func (s *Desk) say(ctx context.Context, t Ticket, author uuid.UUID, text string, v Visibility, at time.Time) error {
	return s.tickets.repo.addComment(ctx, Comment{
		ID: uuid.Must(uuid.NewV7()), TicketID: t.ID, AuthorID: author, ByOffice: true, Visibility: v, Text: text, At: at,
	})
}

// traced is what the trail keeps of a ticket: its state, and further names with their values.
func traced(t Ticket, also ...string) (string, error) {
	detail := map[string]string{"state": string(t.State)}
	for i := 0; i+1 < len(also); i += 2 {
		detail[also[i]] = also[i+1]
	}
	encoded, err := json.Marshal(detail)
	return string(encoded), err
}
