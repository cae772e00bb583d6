// Package ticket is two-way communication (comunicazione bidirezionale). A request on a topic
// becomes a case (quesito) at the competent office, gets a protocol number, is taken in charge,
// commented and closed, and its opener is told.
//
// Requests that the system decides by itself (smart tasks) are tickets of their own kind: they
// stand in the same lists, have the same numbers and are told by the same messages.
package ticket

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/scan"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
)

// SubjectKind is the register's and the trail's word for a ticket.
const SubjectKind = access.WatchedTicket

// Kind is what a ticket is.
type Kind string

// The kinds of ticket.
const (
	// Request is decided by an office.
	Request Kind = "request"
	// SmartTask is decided by the system.
	SmartTask Kind = "smart_task"
)

// State is where a ticket stands.
type State string

// The states of a ticket (aperta, in carico, chiusa).
const (
	Open     State = "open"
	InCharge State = "in_charge"
	Closed   State = "closed"
)

// Outcome is how a ticket was closed.
type Outcome string

// The outcomes.
const (
	Accepted    Outcome = "accepted"
	NotAccepted Outcome = "not_accepted"
	Informed    Outcome = "informed"
)

// Section is a section of the dossier from which a ticket is written.
type Section string

// sectionTitles are what the sections are called, as it stands before a subject.
var sectionTitles = map[Section]string{
	"declarations": "Dichiarazioni", "delegations": "Deleghe", "payments": "Versamenti", "debit_notes": "Note di rettifica",
	"amortisation_plans": "Piani di ammortamento", "dma": "DMA", "positions": "Posizioni", "appointments": "Appuntamenti",
}

const (
	// workingDays is how many working days the office has to answer. After that its opener may
	// remind it.
	workingDays = 5
	// mostWorkingDays is how many it has at most.
	mostWorkingDays = 20
	// mostOpen is how many tickets of one person for one contributor may be open.
	mostOpen = 100
	// MaxFiles is how many files come with a ticket.
	MaxFiles = 3
	// MaxFileSize is how long each of them may be, in bytes: 3 MiB.
	MaxFileSize = 3 << 20
)

// Ticket is a request on a topic, to an office.
type Ticket struct {
	ID            uuid.UUID
	Kind          Kind
	ContributorID uuid.UUID
	// PositionID is nil for what is about the whole contributor.
	PositionID *uuid.UUID
	// Reserved says that those who act for some positions alone learn of it only if they asked. It
	// may be about what another intermediary does.
	Reserved   bool
	OfficeCode string
	Topic      string
	// Section is where it was written; nil for nowhere in particular.
	Section *Section
	Subject string
	Text    string
	// Email and Phone are where its opener is told of it.
	Email, Phone  *string
	PersonID      uuid.UUID
	RightID       uuid.UUID
	ActingAs      access.ActingAs
	ApplicationID *uuid.UUID
	// Attachments are the files that came with it. They lie in one archive.
	Attachments    []attachment.File `gorm:"serializer:json"`
	ArchiveDigest  *string
	ArchiveSize    *int64
	ProtocolNumber string
	Digest         string
	OpenedAt       time.Time
	State          State
	// RoutedAt is when it came to its office; nil for the first one.
	RoutedAt *time.Time
	// ReopenedAt is when it was last opened again.
	ReopenedAt *time.Time
	// AssignedTo is who has it in charge; nil also for the system.
	AssignedTo  *uuid.UUID
	AssignedAt  *time.Time
	Outcome     *Outcome
	ClosingText *string
	// ClosedBy is nil also for the system.
	ClosedBy *uuid.UUID
	ClosedAt *time.Time
	// RemindedAt is when its office was last reminded.
	RemindedAt *time.Time
	Version    int
	UpdatedAt  time.Time
}

// Closure is how a ticket is closed.
type Closure struct {
	Outcome Outcome
	Text    string
	// By is nil for the system.
	By *uuid.UUID
}

// ShownSubject is the subject with the section where it was written before it.
func (t Ticket) ShownSubject() string {
	if t.Section == nil {
		return t.Subject
	}
	return "[" + sectionTitles[*t.Section] + "] " + t.Subject
}

// since is when the office that has the ticket got it, or got it again.
func (t Ticket) since() time.Time {
	if from := t.WaitsFrom(); t.RoutedAt == nil || t.RoutedAt.Before(from) {
		return from
	}
	return *t.RoutedAt
}

// DueAt is until when the office should answer: five working days after it got the ticket.
func (t Ticket) DueAt() time.Time { return calendar.DeadlineWorkingDays(t.since(), workingDays) }

// AnsweredBy is until when the ticket is answered at the latest: 20 working days after it was
// opened, or opened again.
func (t Ticket) AnsweredBy() time.Time {
	return calendar.DeadlineWorkingDays(t.WaitsFrom(), mostWorkingDays)
}

// AllowsAppointment reports whether an appointment may be booked about the ticket. It was not
// answered within five working days of its opening, or it was not accepted.
func (t Ticket) AllowsAppointment(now time.Time) bool {
	if t.State == Closed {
		return t.Outcome != nil && *t.Outcome == NotAccepted
	}
	return !now.Before(t.AnswerDue())
}

// requireLive returns fault.Conflict for a ticket that is closed.
func (t Ticket) requireLive() error {
	if t.State == Closed {
		return fault.Because(fault.Conflict, "ticket-closed")
	}
	return nil
}

// takenBy puts the ticket in somebody's charge, or in the system's (nil). In the charge of whoever
// has it, it stays as it is.
func (t Ticket) takenBy(by *uuid.UUID, now time.Time) (Ticket, error) {
	if err := t.requireLive(); err != nil {
		return t, err
	}
	if t.State == InCharge {
		if (by == nil) != (t.AssignedTo == nil) || by != nil && *by != *t.AssignedTo {
			return t, fault.Because(fault.Conflict, "ticket-in-charge-of-another")
		}
		return t, nil
	}
	t.State, t.AssignedTo, t.AssignedAt = InCharge, by, &now
	return t.changed(now), nil
}

// closedWith closes the ticket, whoever has it in charge.
func (t Ticket) closedWith(c Closure, now time.Time) (Ticket, error) {
	if err := t.requireLive(); err != nil {
		return t, err
	}
	t.State, t.AssignedTo, t.AssignedAt = Closed, nil, nil
	t.Outcome, t.ClosingText, t.ClosedBy, t.ClosedAt = &c.Outcome, &c.Text, c.By, &now
	return t.changed(now), nil
}

// changed is the ticket's next version.
func (t Ticket) changed(now time.Time) Ticket {
	t.Version, t.UpdatedAt = t.Version+1, now
	return t
}

// asFiled is the ticket as it was when it was opened, whatever became of it since.
func (t Ticket) asFiled() Ticket {
	t.State, t.Version, t.UpdatedAt = Open, 1, t.OpenedAt
	t.RoutedAt, t.ReopenedAt, t.AssignedTo, t.AssignedAt, t.RemindedAt = nil, nil, nil, nil, nil
	t.Outcome, t.ClosingText, t.ClosedBy, t.ClosedAt = nil, nil, nil, nil
	return t
}

// digest is what the register keeps of a ticket. It is the SHA-256 of the RFC 8785 form of what
// was asked and the digests of the files. content is what the system is asked to decide, or nil.
func (t Ticket) digest(content any) (string, error) {
	files := make([]string, len(t.Attachments))
	for i, f := range t.Attachments {
		files[i] = f.Digest
	}
	asked := map[string]any{
		"kind": t.Kind, "contributor_id": t.ContributorID, "position_id": t.PositionID, "person_id": t.PersonID, "topic": t.Topic,
		"section": t.Section, "subject": t.Subject, "text": t.Text, "email": t.Email, "phone": t.Phone, "files": files,
	}
	if content != nil {
		asked["content"] = content
	}
	return protocol.DigestOf(asked)
}

// View is a ticket with what it refers to, as it is shown.
type View struct {
	Ticket
	TopicIT     string `gorm:"column:topic_it"`
	TopicEN     string `gorm:"column:topic_en"`
	ParentTopic string
	OfficeTitle string
	// GivenName and FamilyName are those of its opener; ClientID is the application's that opened
	// it for them, or "".
	GivenName, FamilyName string
	ClientID              string
	// Scan is what is known of its files; "" where nobody scanned them.
	Scan scan.State
}

// HandsFilesOut reports whether there are files that may be downloaded.
func (v View) HandsFilesOut() bool {
	return v.ArchiveDigest != nil && (v.Scan == "" || v.Scan == scan.Clean)
}

// Parts implements review.Case: who opened a ticket does not answer it.
func (v View) Parts() []uuid.UUID { return []uuid.UUID{v.PersonID} }

// TopicTitle is what the topic is called, in English or in Italian.
func (v View) TopicTitle(english bool) string {
	if english {
		return v.TopicEN
	}
	return v.TopicIT
}

// RequireSeen returns fault.NotFound for a reserved ticket to who acts for some positions alone, and
// neither asked for it nor shares the right by which it was asked for.
func (t Ticket) RequireSeen(by access.Actor) error {
	if !t.Reserved || t.PersonID == by.PersonID || slices.ContainsFunc(by.Rights, func(r access.Right) bool {
		return r.Covers(access.Dossier) && (r.Positions == nil || r.ID == t.RightID)
	}) {
		return nil
	}
	return fault.New(fault.NotFound)
}
