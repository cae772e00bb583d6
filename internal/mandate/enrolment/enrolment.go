// Package enrolment has the requests for access to a contributor.
//
// By form SC65 natural-person employers, and legal representatives without a profile, ask for one.
// By form RA012 access to the services of a public body (amministrazione, ente) is asked for. Each
// is protocolled, and an operator of the office decides.
package enrolment

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/review"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// Kind is the protocol register's word for an enrolment.
const Kind = "enrolment"

// Kinds of the messages. Each names {protocol_number, form}; what is said goes to who asked, but
// for the last two.
var (
	// Received tells that a request was protocolled, and whether it waits: {submitted_at,
	// legal_name, waits}.
	Received = outbox.Declare(outbox.Kind{Name: "enrolment.received"})
	// Completed tells that a request waits no more for dispositive credentials: {submitted_at}.
	Completed = outbox.Declare(outbox.Kind{Name: "enrolment.completed"})
	// LapsedKind tells that the credentials did not become dispositive in time: {submitted_at}.
	LapsedKind = outbox.Declare(outbox.Kind{Name: "enrolment.lapsed"})
	// Decided tells the outcome: {legal_name, outcome, reason}.
	Decided = outbox.Declare(outbox.Kind{Name: "enrolment.decided"})
	// FiledKind tells who answers for the contributor that somebody asked: {person, legal_name,
	// office, submitted_at}.
	FiledKind = outbox.Declare(outbox.Kind{Name: "enrolment.filed"})
	// AcceptedKind tells them that the person has access: {person, legal_name}.
	AcceptedKind = outbox.Declare(outbox.Kind{Name: "enrolment.accepted"})
)

// Form is which form a request is made on.
type Form string

// The forms.
const (
	SC65  Form = "SC65"
	RA012 Form = "RA012"
)

// State is where a request stands.
type State string

// The states of a request.
const (
	Submitted           State = "submitted"
	AwaitingCredentials State = "awaiting_credentials"
	Accepted            State = "accepted"
	NotAccepted         State = "not_accepted"
	Lapsed              State = "lapsed"
)

// Enrolment is a request for access to a contributor.
type Enrolment struct {
	ID             uuid.UUID
	Form           Form
	PersonID       uuid.UUID
	ContributorID  uuid.UUID
	OfficeCode     string
	Services       access.ServiceSet
	Notes          *string
	ProtocolNumber string
	Digest         string
	// Awaited says that it was filed with ordinary credentials, whatever became of it since.
	Awaited     bool
	State       State
	SubmittedAt time.Time
	review.Verdict
	Version int
}

// TableName tells GORM the table.
func (Enrolment) TableName() string { return "enrolments" }

// Details is a request together with who asked and for which contributor.
type Details struct {
	Enrolment
	TaxCode            taxcode.Code
	GivenName          string
	FamilyName         string
	ContributorTaxCode taxcode.Code
	LegalName          string
	ContributorKind    contributor.Kind
}

// Parts implements review.Case.
func (h Details) Parts() []uuid.UUID { return []uuid.UUID{h.PersonID} }

// Input is what somebody asks for.
type Input struct {
	Form               Form
	ContributorTaxCode taxcode.Code
	Services           access.ServiceSet
	// OfficeCode is the office that is asked, one of those of the contributor's positions; empty
	// for that of the first.
	OfficeCode string
	// Notes are optional and may have several lines.
	Notes *string
}

const (
	maxNotes = 2000
	// triesADay is how many requests one person tries to file in 24 hours: the answer tells about a
	// tax code.
	triesADay = 20
)

// check returns fault.Invalid naming each field that is wrong.
func (in Input) check() error {
	var wrong []fault.Field
	refuse := func(pointer, code string) { wrong = append(wrong, fault.Field{Pointer: pointer, Code: code}) }
	switch {
	case in.Form != SC65 && in.Form != RA012:
		refuse("/form", fault.FieldEnum)
	case in.Form == SC65 && len(in.Services) > 0:
		refuse("/services", fault.FieldNotApplicable)
	case in.Form == RA012 && len(in.Services) == 0:
		refuse("/services", fault.EmptyList(in.Services))
	}
	for i, s := range in.Services {
		switch {
		case !slices.Contains(access.PublicBodyServices(), s):
			refuse("/services/"+strconv.Itoa(i), fault.FieldEnum)
		case slices.Contains(in.Services[:i], s):
			refuse("/services/"+strconv.Itoa(i), fault.FieldDuplicate)
		}
	}
	unprintable := func(r rune) bool { return r != '\n' && unicode.IsControl(r) }
	if n := in.Notes; n != nil && (*n == "" || !utf8.ValidString(*n) || utf8.RuneCountInString(*n) > maxNotes ||
		strings.ContainsFunc(*n, unprintable)) {
		refuse("/notes", fault.FieldPattern)
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// applies reports whether a form is for a kind of contributor.
func (f Form) applies(kind contributor.Kind) bool {
	return (f == RA012) == (kind == contributor.PublicBody)
}

// refuse returns fault.Conflict where the roles that a person has at the contributor give them all
// that they ask. Who was enabled on 2023-03-31 has such a role, and need not ask again.
func (in Input) refuse(c contributor.Contributor, has []access.Right) error {
	if in.Form == SC65 {
		role := roleOf(SC65, c.Kind)
		if slices.ContainsFunc(has, func(r access.Right) bool { return r.ActingAs == role && r.Covers(access.AllServices) }) {
			return fault.Because(fault.Conflict, "already-enabled")
		}
		return nil
	}
	// A user administrator manages users and uses no service.
	has = slices.DeleteFunc(slices.Clone(has), func(r access.Right) bool { return r.ActingAs == access.UserAdministrator })
	missing := slices.ContainsFunc(in.Services, func(s access.Service) bool {
		return !slices.ContainsFunc(has, func(r access.Right) bool { return r.Covers(s) })
	})
	if !missing {
		return fault.Because(fault.Conflict, "already-enabled")
	}
	return nil
}

// roleOf is the role that an accepted request gives at a contributor.
func roleOf(form Form, kind contributor.Kind) access.ActingAs {
	switch {
	case form == RA012:
		return access.EmployeeDelegate
	case kind == contributor.Household:
		return access.Employer
	default:
		return access.LegalRepresentative
	}
}

// covered are the services that an accepted request gives.
func (e Enrolment) covered() access.ServiceSet {
	if e.Form == SC65 {
		return access.ServiceSet{access.AllServices}
	}
	return e.Services
}

// asker is how who asked is named to others: the given name, and the family name's initial.
func (h Details) asker() string {
	initial, _ := utf8.DecodeRuneInString(h.FamilyName)
	return h.GivenName + " " + string(initial) + "."
}

// stateAtSubmission is the state in which a request is filed.
func stateAtSubmission(level access.CredentialLevel) State {
	if level == access.Dispositive {
		return Submitted
	}
	return AwaitingCredentials
}

// asFiled is the request as it was when it was filed, whatever became of it since.
func (h Details) asFiled() Details {
	h.State, h.Verdict, h.Version = Submitted, review.Verdict{}, 1
	if h.Awaited {
		h.State = AwaitingCredentials
	}
	return h
}

// at is the request as it stands at an instant, whether a lapse was noted or not.
func (e Enrolment) at(now time.Time) Enrolment {
	if e.State == AwaitingCredentials && !now.Before(protocol.LapsesAt(e.SubmittedAt)) {
		e.State = Lapsed
	}
	return e
}

// settle is what becomes of a request that waits, once credentials are dispositive or the time is
// over.
func (e Enrolment) settle(now time.Time) Enrolment {
	if e = e.at(now); e.State == AwaitingCredentials {
		e.State = Submitted
	}
	e.Version++
	return e
}

// decide is the request as the operator decided it. It returns fault.Conflict for one that does not
// wait for the office.
func (e Enrolment) decide(d review.Decision, operator uuid.UUID, now time.Time) (Enrolment, error) {
	switch e.at(now).State {
	case Submitted:
	case AwaitingCredentials:
		return e, fault.Because(fault.Conflict, "enrolment-awaiting-credentials")
	case Lapsed:
		return e, fault.Because(fault.Conflict, "enrolment-lapsed")
	case Accepted, NotAccepted:
		return e, fault.Because(fault.Conflict, "enrolment-decided")
	}
	e.State, e.Verdict, e.Version = State(d.Outcome), d.Verdict(operator, now), e.Version+1
	return e, nil
}

// digest is what the register keeps of a request: SHA-256 of its RFC 8785 form.
func (e Enrolment) digest() (string, error) {
	return protocol.DigestOf(map[string]any{
		"person_id": e.PersonID, "form": e.Form, "contributor_id": e.ContributorID, "services": e.Services, "notes": e.Notes,
	})
}
