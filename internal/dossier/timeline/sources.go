package timeline

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

// The states that a table says otherwise.
const (
	// inDetail is the state in the record's detail.
	inDetail = "in detail"
	// asItIs is the state that the subject has now, which it came into by this and keeps.
	asItIs = "as it is"
	// awaitingCredentials is the state of what waits for dispositive credentials.
	awaitingCredentials = "awaiting_credentials"
)

// filed is the operation of rows that are read from the declarations.
const filed = "fileDeclaration"

// The outcomes of what was done and of nothing else, and of what ended a right.
const (
	done    = "done"
	revoked = "revoked"
)

// happenings says what each audit record tells, by the kind of its subject, its operation and its
// outcome. What is not listed is no entry: drafts, and what is internal to an office.
var happenings = []struct {
	subject, operation, outcome string
	happening                   Happening
	state                       string
	// part is what the record's detail must have in it; empty for no matter what.
	part string
}{
	{access.WatchedDeclaration, filed, done, DeclarationSubmitted, asItIs, ""},
	{access.WatchedDeclaration, "completeDeclaration", done, DeclarationSubmitted, inDetail, ""},
	{access.WatchedDeclaration, "takeDeclarationInCharge", done, DeclarationInCharge, inDetail, ""},
	{access.WatchedDeclaration, "decideDeclaration", done, DeclarationDecided, inDetail, ""},
	{access.WatchedDeclaration, "acceptDeclaration", done, DeclarationDecided, inDetail, ""},
	{access.WatchedDeclaration, "holdDeclaration", done, DeclarationDecided, inDetail, ""},
	{access.WatchedDeclaration, "confirmReservation", done, DeclarationDecided, inDetail, ""},
	{access.WatchedDeclaration, "withdrawDeclaration", done, DeclarationWithdrawn, inDetail, ""},
	{access.WatchedDeclaration, "supersedeDeclaration", done, DeclarationSuperseded, inDetail, ""},
	{access.WatchedDeclaration, "lapseDeclaration", done, DeclarationLapsed, inDetail, ""},
	{access.WatchedDelegation, "activateDelegation", "replaced", DelegationEnded, revoked, ""},
	{access.WatchedDelegation, "activateDelegation", done, DelegationActivated, "active", ""},
	{access.WatchedDelegation, "revokeDelegation", done, DelegationEnded, revoked, ""},
	{access.WatchedDelegation, "expireDelegation", done, DelegationEnded, "expired", ""},
	{"enrolment", "fileEnrolment", done, EnrolmentSubmitted, asItIs, ""},
	{"enrolment", "completeEnrolment", done, EnrolmentSubmitted, "submitted", ""},
	{"enrolment", "decideEnrolment", done, EnrolmentDecided, asItIs, ""},
	{"enrolment", "lapseEnrolment", done, EnrolmentLapsed, "lapsed", ""},
	{"role", "grantContributorRole", done, RoleGranted, "", ""},
	{"role", "withdrawContributorRole", done, RoleWithdrawn, "", ""},
	{access.WatchedDelegation, "requestSmartTask", revoked, DelegationEnded, revoked, ""},
	{"role", "requestSmartTask", revoked, RoleWithdrawn, "", ""},
	{access.WatchedDMA, "fileDmaSubmission", done, DMASubmitted, inDetail, ""},
	{access.WatchedDMA, "completeDmaSubmission", done, DMASubmitted, inDetail, ""},
	{access.WatchedDMA, "supersedeDmaSubmission", done, DMASuperseded, "superseded", ""},
	{access.WatchedDMA, "lapseDmaSubmission", done, DMALapsed, "lapsed", ""},
	{access.WatchedTicket, "openTicket", done, TicketOpened, "open", ""},
	{access.WatchedTicket, "requestSmartTask", done, TicketOpened, "open", ""},
	{access.WatchedTicket, "takeTicketInCharge", done, TicketInCharge, "in_charge", ""},
	{access.WatchedTicket, "takeSmartTaskInCharge", done, TicketInCharge, "in_charge", ""},
	{access.WatchedTicket, "routeTicket", done, TicketRouted, "open", ""},
	{access.WatchedTicket, "addTicketComment", done, TicketCommented, "", ""},
	{access.WatchedTicket, "commentTicket", done, TicketCommented, "", `"visibility":"visible"`},
	{access.WatchedTicket, "remindTicket", done, TicketReminded, "", ""},
	{access.WatchedTicket, "closeTicket", done, TicketClosed, "closed", ""},
	{access.WatchedTicket, "decideSmartTask", done, TicketClosed, "closed", ""},
	{access.WatchedTicket, "reopenTicket", done, TicketReopened, "open", ""},
	{access.WatchedAppointment, "bookAppointment", done, AppointmentBooked, "booked", ""},
	{access.WatchedAppointment, "confirmAppointment", done, AppointmentConfirmed, "confirmed", ""},
	{access.WatchedAppointment, "rescheduleAppointment", done, AppointmentMoved, "", ""},
	{access.WatchedAppointment, "cancelAppointment", done, AppointmentCancelled, "cancelled", ""},
	{access.WatchedAppointment, "expireAppointment", done, AppointmentExpired, "expired", ""},
	{access.WatchedAppointment, "withdrawAppointment", done, AppointmentWithdrawn, "cancelled", ""},
}

// awaiting says what it is instead where something waits for dispositive credentials.
var awaiting = map[Happening]Happening{
	DeclarationSubmitted: DeclarationAwaitingCredentials, EnrolmentSubmitted: EnrolmentAwaitingCredentials,
	DMASubmitted: DMAAwaitingCredentials,
}

// undetailed are the states of operations whose records may have no detail: those of older programs,
// and of what comes about by itself.
var undetailed = map[string]string{
	"completeDeclaration": "submitted", "lapseDeclaration": "lapsed", "supersedeDeclaration": "superseded",
	"withdrawDeclaration": "withdrawn",
}

// source is where entries about one kind of subject are read.
type source struct {
	// subject is the audit trail's word for the kind.
	subject string
	// kinds are those of its entries.
	kinds []Kind
	// table has the subjects x; the rest are expressions on those. What it has none of is empty.
	table, kind, position, office, protocol, code, state, owner string
	// only is what is asked of subjects x beside; it may be empty.
	only string
	// limited is what is asked of them beside for who acts for some positions alone.
	limited string
	// may says which of it the actor sees who is no operator here.
	may func(by access.Actor) reach
}

// sources has them all.
var sources = []source{
	{
		subject: access.WatchedDeclaration, kinds: []Kind{Declaration}, table: "declarations", position: "x.position_id",
		office: "x.office_code", protocol: "x.protocol_number", code: "x.type", may: served(access.Declarations),
	},
	{
		subject: access.WatchedDelegation, kinds: []Kind{Delegation}, table: "delegations", only: access.OfferedDelegation("x"),
		may: delegations,
	},
	{
		subject: "enrolment", kinds: []Kind{Enrolment}, table: "enrolments", office: "x.office_code", protocol: "x.protocol_number",
		code: "x.form", owner: "x.person_id", may: managers,
		// Filing itself leaves no word of the credentials.
		state: "CASE WHEN r.operation <> 'fileEnrolment' THEN x.state WHEN x.awaited THEN '" +
			awaitingCredentials + "' ELSE 'submitted' END",
	},
	{
		subject: access.WatchedTicket, kinds: []Kind{Ticket, SmartTask}, table: "tickets",
		kind: "CASE WHEN x.kind = 'smart_task' THEN 'smart_task' ELSE 'ticket' END", position: "x.position_id", office: "x.office_code",
		protocol: "x.protocol_number", code: "x.topic", limited: unreserved,
		may: served(access.Dossier),
	},
	{
		subject: access.WatchedAppointment, kinds: []Kind{Appointment}, table: "appointments",
		office: "(SELECT z.office_code FROM appointment_slots z WHERE z.id = x.slot_id)", code: "x.topic", may: served(access.Dossier),
	},
	{
		subject: access.WatchedDMA, kinds: []Kind{DMA}, table: "dma_submissions", position: "x.position_id", office: "x.office_code",
		protocol: "x.protocol_number", code: "x.period", may: served(access.ViewDMA),
	},
	{subject: "role", kinds: []Kind{Role}, table: "contributor_roles", code: "x.role", may: managers},
}

// unreserved is the condition by which who acts for some positions alone sees a ticket x.
const unreserved = "(NOT x.reserved OR x.person_id = @person OR x.right_id IN @rights)"

// reach is which entries of a source somebody sees.
type reach struct {
	all bool
	// positions and subjects are those that may be seen where not all are; office that of an
	// operator.
	positions, subjects []uuid.UUID
	office              string
}

func (r reach) none() bool {
	return !r.all && len(r.positions) == 0 && len(r.subjects) == 0 && r.office == ""
}

// reach says which entries of the source the actor sees.
func (s source) reach(by access.Actor) reach {
	switch {
	case len(by.Rights) == 0:
		return reach{}
	case by.Consults() && s.office == "":
		// No office looks after it.
		return reach{}
	case by.Consults():
		return reach{office: by.OfficeCode}
	case by.Grant != nil && !slices.ContainsFunc(access.WatchScopes(s.subject), by.Grant.Has):
		return reach{}
	}
	by.Rights = slices.DeleteFunc(slices.Clone(by.Rights), func(r access.Right) bool { return r.ActingAs == access.OfficeOperator })
	return s.may(by)
}

// served lets see by rights with the service, each what it is about.
func served(service access.Service) func(by access.Actor) reach {
	return func(by access.Actor) reach {
		positions := by.Positions(service)
		return reach{all: positions == nil, positions: positions}
	}
}

// delegations lets who manages the contributor's see them all, and others those that they act by.
func delegations(by access.Actor) reach {
	var own reach
	for _, r := range by.Rights {
		if !r.Covers(access.Delegations) && r.Positions == nil {
			continue
		}
		if r.Positions == nil {
			return reach{all: true}
		}
		for _, l := range r.Links {
			if l.Kind == access.DelegationLink {
				own.subjects = append(own.subjects, l.ID)
			}
		}
	}
	return own
}

// managers lets see who may see the contributor's users.
func managers(by access.Actor) reach {
	return reach{all: slices.ContainsFunc(by.Rights, func(r access.Right) bool {
		return r.ActingAs == access.LegalRepresentative || r.ActingAs == access.Employer || r.ActingAs == access.UserAdministrator
	})}
}

// told is the condition on audit records a of the source that tell something.
func (s source) told() string {
	by := map[string][]string{}
	for _, h := range happenings {
		if h.subject == s.subject && h.operation != filed {
			condition := "a.outcome = '" + h.outcome + "'"
			if h.part != "" {
				condition += " AND a.detail LIKE '%" + h.part + "%'"
			}
			by[condition] = append(by[condition], "'"+h.operation+"'")
		}
	}
	var conditions []string
	for _, condition := range slices.Sorted(maps.Keys(by)) {
		conditions = append(conditions, condition+" AND a.operation IN ("+strings.Join(by[condition], ", ")+")")
	}
	return "(" + strings.Join(conditions, " OR ") + ")"
}
