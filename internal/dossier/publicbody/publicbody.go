// Package publicbody has what public bodies (amministrazioni, enti) see and send for their
// positions: payments, debit notes, amortisation plans, and the monthly list of their employees
// (DMA, UNIEMENS ListaPosPA). It also sums up a position of any scheme.
package publicbody

import (
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/publicbody/dma"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
)

// Kind is the protocol register's word for a submission, and the trail's.
const Kind = access.WatchedDMA

// State is where a submission stands.
type State string

// The states of a submission.
const (
	AwaitingCredentials State = "awaiting_credentials"
	Submitted           State = "submitted"
	Lapsed              State = "lapsed"
	Superseded          State = "superseded"
)

// Form is how a list came.
type Form string

// The forms.
const (
	Compiled Form = "compiled"
	XML      Form = "xml"
)

// Submission is a list that was protocolled.
type Submission struct {
	ID             uuid.UUID
	ContributorID  uuid.UUID
	PositionID     uuid.UUID
	OfficeCode     string
	Period         string
	VariationsOnly bool
	Form           Form
	// Size is how long the file is, in bytes.
	Size          int64
	Totals        dma.Summary `gorm:"serializer:json"`
	PersonID      uuid.UUID
	ActingAs      access.ActingAs
	RightID       uuid.UUID
	ApplicationID *uuid.UUID
	SupersedesID  *uuid.UUID
	// ProtocolNumber is what it got, Digest that of the file.
	ProtocolNumber string
	Digest         string
	// Awaited says that it was filed with ordinary credentials, whatever became of it since.
	Awaited     bool
	State       State
	SubmittedAt time.Time
	UpdatedAt   time.Time
	Version     int
}

// TableName tells GORM the table.
func (Submission) TableName() string { return "dma_submissions" }

// View is a submission with who filed it.
type View struct {
	Submission
	GivenName  string
	FamilyName string
	// ClientID names the application by which it was filed; empty for the person.
	ClientID string
}

// at is the submission as it stands at an instant, whether a lapse was noted or not.
func (s Submission) at(now time.Time) Submission {
	if s.State == AwaitingCredentials && !now.Before(protocol.LapsesAt(s.SubmittedAt)) {
		s.State, s.UpdatedAt = Lapsed, protocol.LapsesAt(s.SubmittedAt)
	}
	return s
}

// asFiled is the submission as it was when it was filed, whatever became of it since.
func (s Submission) asFiled() Submission {
	s.State, s.UpdatedAt, s.Version = stateAtSubmission(s.Awaited), s.SubmittedAt, 1
	return s
}

func stateAtSubmission(awaits bool) State {
	if awaits {
		return AwaitingCredentials
	}
	return Submitted
}

// LapsesAt is when a submission that waits lapses, or nil.
func (s Submission) LapsesAt() *time.Time {
	if s.State != AwaitingCredentials {
		return nil
	}
	return new(protocol.LapsesAt(s.SubmittedAt))
}

// to is the submission in another state.
func (s Submission) to(state State, at time.Time) Submission {
	s.State, s.UpdatedAt, s.Version = state, at, s.Version+1
	return s
}

// live reports whether a submission counts, or waits to.
func (s Submission) live() bool { return s.State == Submitted || s.State == AwaitingCredentials }

// beside reports whether two submissions are of one position and month, and of one kind.
func (s Submission) beside(o Submission) bool {
	return s.PositionID == o.PositionID && s.Period == o.Period && s.VariationsOnly == o.VariationsOnly
}

// admit decides whether a submission may be filed beside those that are there, as they stand at its
// time. Of a month one list counts, and another takes its place only by naming it. It returns
//   - fault.Conflict, with where it is, if there is one and none is named;
//   - fault.Conflict if the one that is named counts no more, or is not the last;
//   - fault.Invalid at the field if none of the position, month and kind has that id.
func (s Submission) admit(there []Submission, field fault.Field) error {
	var named, last *Submission
	for i, o := range there {
		if !s.beside(o) {
			continue
		}
		if s.SupersedesID != nil && o.ID == *s.SupersedesID {
			named = &there[i]
		}
		// What waits came after what counts, and is to take its place.
		if o.live() && (last == nil || o.State == AwaitingCredentials) {
			last = &there[i]
		}
	}
	switch {
	case s.SupersedesID != nil && named == nil:
		return fault.InvalidFields(field)
	case s.VariationsOnly && named == nil:
		return nil
	case s.VariationsOnly && (named.State == Submitted || named.State == AwaitingCredentials && named.SupersedesID == nil):
		return nil
	case s.SupersedesID == nil && last == nil:
		return nil
	case s.SupersedesID == nil:
		return &fault.Fault{Code: fault.Conflict, Reason: "dma-filed", Href: Path(last.ID)}
	case !s.VariationsOnly && named == last:
		return nil
	}
	return fault.Because(fault.Conflict, "dma-not-superseded")
}

// replaces reports whether a submission that comes into its state takes the place of another: one
// that counts, of all that are live; one that waits, only of what waited.
func (s Submission) replaces(o Submission) bool {
	if o.ID == s.ID || !o.live() || !s.beside(o) {
		return false
	}
	if s.VariationsOnly {
		if s.SupersedesID == nil {
			return false
		}
		// Of two that are to take the place of one, the later does.
		named, rival := o.ID == *s.SupersedesID, o.SupersedesID != nil && *o.SupersedesID == *s.SupersedesID
		return named && s.State == Submitted || (named || rival) && o.State == AwaitingCredentials
	}
	return s.State == Submitted || o.State == AwaitingCredentials
}

// Path is where a submission is to be read, as a fault names it.
func Path(id uuid.UUID) string { return "/v1/dma-submissions/" + id.String() }

// rightFor chooses the right by which the actor compiles lists: their own before a delegation. It
// returns fault.NotFound, fault.ServiceNotDelegated, or fault.Forbidden for one that only looks.
func rightFor(by access.Actor) (access.Right, error) {
	if len(by.Rights) == 0 {
		return access.Right{}, fault.New(fault.NotFound)
	}
	covered := false
	order := []access.ActingAs{
		access.LegalRepresentative, access.Employer, access.EmployeeDelegate, access.Intermediary, access.SubDelegate,
	}
	for _, as := range order {
		for _, r := range by.Rights {
			if r.ActingAs == as && r.Covers(access.CompileDMA) {
				return r, nil
			}
			covered = covered || r.Covers(access.CompileDMA)
		}
	}
	if covered {
		return access.Right{}, fault.Because(fault.Forbidden, "right-consults")
	}
	return access.Right{}, &fault.Fault{Code: fault.ServiceNotDelegated, Allowed: []string{string(access.CompileDMA)}}
}
