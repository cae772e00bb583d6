// Package pinrequest takes requests for a first PIN (richiesta di PIN), on-line or by the contact
// centre for a caller. What agrees with the register of persons is served at once; the contact
// centre decides about everything else. Whoever asks never learns why a request waits.
package pinrequest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/review"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/naming"
	"diresco/internal/platform/plaintext"
	"diresco/internal/platform/taxcode"
)

// The kinds of message. They go to the verified contacts of a registered person alone: those of a
// request are anybody's.
var (
	// WithPIN tells a person who has a PIN that somebody asked for one in their name; its data is
	// {"at"}.
	WithPIN = outbox.Declare(outbox.Kind{Name: "pin.request_with_pin", Audience: outbox.EveryContact})
	// ServedAgain tells a person who had a PIN once that another is on its way; its data is {"at"}.
	ServedAgain = outbox.Declare(outbox.Kind{Name: "pin.request_served", Audience: outbox.EveryContact})
	// RefusedByOffice tells a person that a request in their name was refused; its data is {"at",
	// "reason"}.
	RefusedByOffice = outbox.Declare(outbox.Kind{Name: "pin.request_refused", Audience: outbox.EveryContact})
)

const (
	// takenADay is how many requests for one tax code are looked at within window. Nobody is told
	// when there are more.
	takenADay = 3
	window    = 24 * time.Hour
)

// State is how far a request has come.
type State string

// The states of a request.
const (
	Waiting State = "waiting"
	Served  State = "served"
	Refused State = "refused"
)

// Cause is why a request waits.
type Cause string

// The causes. A request waits without any when there were too many for the tax code, or when the
// person is suspended or works here.
const (
	NotInRegister Cause = "not_in_register"
	DataDiffer    Cause = "data_differ"
	HasPIN        Cause = "has_pin"
	// RecentlyMoved says that an import brought the residence only lately.
	RecentlyMoved Cause = "recently_moved"
)

// Contact is a contact as it was given.
type Contact struct {
	Kind  person.ContactKind `json:"kind"`
	Value string             `json:"value"`
}

// Application is what somebody declares who asks for a PIN.
type Application struct {
	TaxCode taxcode.Code
	residents.Identity
	// Phone is where the contact centre can call back; it may be empty.
	Phone    string
	Contacts []person.NewContact
}

// Request is a request for a PIN.
type Request struct {
	// ID is 128 random bits, base64url.
	ID      string
	TaxCode taxcode.Code
	residents.Identity
	Phone *string
	// Contacts are in the form that person.NewContact.Normalise returns.
	Contacts     []Contact `gorm:"serializer:json"`
	State        State
	WaitsBecause *Cause
	// PersonID is whom it was served to.
	PersonID        *uuid.UUID
	FirstMessageID  *uuid.UUID
	SecondMessageID *uuid.UUID
	// FirstChannel and what follows are where both halves went. They are nil where nothing was
	// sent, and for what was served before they were kept.
	FirstChannel  *outbox.Channel
	FirstTo       *string
	SecondChannel *outbox.Channel
	SecondTo      *string
	// FiledBy is who of the contact centre filed it for a caller.
	FiledBy   *uuid.UUID
	DecidedBy *uuid.UUID
	DecidedAt *time.Time
	Reason    *string
	Version   int
	CreatedAt time.Time
}

// TableName tells GORM the table.
func (Request) TableName() string { return "pin_requests" }

// HalfDelivery is how far one half of a PIN has come.
type HalfDelivery struct {
	// Half is "first" or "second".
	Half    string
	Channel outbox.Channel
	// To is masked.
	To    string
	State outbox.DeliveryState
}

// View is a request with what is known of both halves of the PIN. Deliveries is empty unless the
// request was served.
type View struct {
	Request
	Deliveries []HalfDelivery
	// Filer is who filed it for a caller, nil for a request that was made on-line.
	Filer *review.Colleague
}

// Outcome is a decision about a request.
type Outcome struct {
	// State is Served or Refused.
	State State
	// Reason is required.
	Reason string
}

const (
	maxText   = 100
	maxStreet = 200
	maxPhone  = 20
	maxReason = 1000
	// longestLife is how many years ago somebody can be born who asks.
	longestLife = 130
)

// normal returns the application with single spaces and normalised contacts, or fault.Invalid
// naming each field that is wrong.
func (a Application) normal(now time.Time) (Application, error) {
	var wrong []fault.Field
	add := func(ok bool, pointer, code string) {
		if !ok {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: code})
		}
	}
	add(!a.TaxCode.IsZero() && a.TaxCode.IsPerson(), "/tax_code", fault.FieldFormat)
	for _, name := range []struct {
		value   *string
		pointer string
	}{{&a.GivenName, "/given_name"}, {&a.FamilyName, "/family_name"}} {
		var code string
		*name.value, code = naming.Person(*name.value, maxText)
		add(code == "", name.pointer, code)
	}
	for _, text := range []struct {
		value   *string
		pointer string
		limit   int
	}{
		{&a.BirthPlace, "/birth_place", maxText},
		{&a.Street, "/residence/street", maxStreet},
		{&a.PostalCode, "/residence/postal_code", maxText},
		{&a.Town, "/residence/town", maxText},
		{&a.Province, "/residence/province", maxText},
	} {
		// A control character is refused, not made a space.
		code := naming.Display(*text.value, math.MaxInt)
		*text.value = strings.Join(strings.Fields(*text.value), " ")
		if code == "" {
			code = naming.Display(*text.value, text.limit)
		}
		add(code == "", text.pointer, code)
	}
	born, err := time.Parse(time.DateOnly, a.BirthDate)
	today := calendar.DateIn(now)
	day := calendar.Date{Year: born.Year(), Month: born.Month(), Day: born.Day()}
	add(err == nil && day.Year > today.Year-longestLife, "/birth_date", fault.FieldFormat)
	add(err != nil || !today.Before(day), "/birth_date", fault.FieldInFuture)
	a.Phone = strings.TrimSpace(a.Phone)
	add(a.Phone == "" || plaintext.IsLine(a.Phone, maxPhone), "/phone", fault.FieldPattern)
	contacts, wrongContacts := normalContacts(a.Contacts)
	a.Contacts = contacts
	if wrong = append(wrong, wrongContacts...); len(wrong) > 0 {
		return Application{}, fault.InvalidFields(wrong...)
	}
	return a, nil
}

// preferred are the kinds of contact that may get the first half, in the order in which they are
// chosen.
var preferred = []person.ContactKind{person.Mobile, person.Email, person.PEC}

// normalContacts normalises one to three contacts of different kinds.
func normalContacts(given []person.NewContact) ([]person.NewContact, []fault.Field) {
	normal, wrong := person.NormaliseContacts(given)
	if len(given) == 0 {
		wrong = append(wrong, fault.Field{Pointer: "/contacts", Code: fault.FieldTooFew})
	}
	if len(given) > len(preferred) {
		wrong = append(wrong, fault.Field{Pointer: "/contacts", Code: fault.FieldTooMany})
	}
	seen := map[person.ContactKind]bool{}
	for i, c := range normal {
		pointer := "/contacts/" + strconv.Itoa(i)
		switch {
		case c.Kind == person.Postal:
			wrong = append(wrong, fault.Field{Pointer: pointer + "/kind", Code: fault.FieldEnum})
		case seen[c.Kind]:
			wrong = append(wrong, fault.Field{Pointer: pointer + "/kind", Code: fault.FieldDuplicate})
		case slices.ContainsFunc(normal[:i], func(before person.NewContact) bool { return strings.EqualFold(before.Value, c.Value) }):
			// One address under two kinds is one mailbox.
			wrong = append(wrong, fault.Field{Pointer: pointer + "/value", Code: fault.FieldDuplicate})
		}
		seen[c.Kind] = true
	}
	return normal, wrong
}

// situation is what is known of the tax code of a request.
type situation struct {
	entry      residents.Entry
	registered bool
	// person is the zero value for somebody who never had to do with the service.
	person person.Person
	pin    pin.State
	// taken is how many requests for the tax code were looked at in the last 24 hours.
	taken int
}

// working reports whether the person has a PIN that lets them in, or will.
func (s situation) working() bool {
	switch s.pin {
	case pin.StateInitial, pin.StateActive, pin.StateChangeDue:
		return true
	default: // none, expired unused, revoked
		return false
	}
}

// assess decides whether a request is served at once, and why not. A request beyond the day's
// number is not looked at; the contact centre's own are.
func (s situation) assess(r Request, now time.Time) (serve bool, because *Cause) {
	cause := func(c Cause) *Cause { return &c }
	switch {
	case r.FiledBy == nil && s.taken >= takenADay:
		return false, nil
	case s.working():
		return false, cause(HasPIN)
	case !s.registered:
		return false, cause(NotInRegister)
	case len(residents.Match(s.entry, r.Identity)) > 0:
		return false, cause(DataDiffer)
	case s.entry.RecentlyMoved(now):
		return false, cause(RecentlyMoved)
	case s.person.SuspendedAt != nil, s.person.WorksHere():
		return false, nil
	default:
		return true, nil
	}
}

// mayServe decides whether the person may be given a PIN. It returns these faults:
//   - fault.Conflict: the person meanwhile has a PIN, or must not have one;
//   - fault.Forbidden: the person works here. Otherwise the contact centre could send itself the
//     PIN of an administrator. Such people recover their PIN, or become citizens first.
func (s situation) mayServe() error {
	switch {
	case s.person.WorksHere():
		return fault.Because(fault.Forbidden, "staff-pin")
	case s.working():
		return fault.Because(fault.Conflict, "person-has-pin")
	case s.person.SuspendedAt != nil:
		return fault.Because(fault.Conflict, "person-suspended")
	default:
		return nil
	}
}

// show adds the deliveries of both halves; a half that no worker has looked at yet is queued.
func (r Request) show(deliveries map[uuid.UUID][]outbox.Delivery) View {
	shown := View{Request: r, Deliveries: []HalfDelivery{}}
	if r.State != Served || r.FirstMessageID == nil || r.SecondMessageID == nil {
		return shown
	}
	first, second := r.halves()
	for _, h := range []struct {
		half    string
		to      pin.Half
		message uuid.UUID
	}{{"first", first, *r.FirstMessageID}, {"second", second, *r.SecondMessageID}} {
		d := HalfDelivery{Half: h.half, Channel: h.to.Channel, To: outbox.Mask(h.to.Channel, h.to.To), State: outbox.Queued}
		if known := deliveries[h.message]; len(known) > 0 {
			d.State = known[0].State
		}
		shown.Deliveries = append(shown.Deliveries, d)
	}
	return shown
}

// decide returns the request with a decision of the contact centre, or fault.Conflict when there is
// one.
func (r Request) decide(o Outcome, by uuid.UUID, now time.Time) (Request, error) {
	if r.State != Waiting {
		return Request{}, fault.Because(fault.Conflict, "already-decided")
	}
	r.State, r.Reason, r.DecidedBy, r.DecidedAt = o.State, &o.Reason, &by, &now
	r.Version++
	return r, nil
}

// check returns fault.Invalid for an outcome that is none.
func (o Outcome) check() (Outcome, error) {
	o.Reason = strings.TrimSpace(o.Reason)
	switch {
	case o.State != Served && o.State != Refused:
		return Outcome{}, fault.InvalidFields(fault.Field{Pointer: "/outcome", Code: fault.FieldEnum})
	case !plaintext.IsLine(o.Reason, maxReason):
		return Outcome{}, fault.InvalidFields(fault.Field{Pointer: "/reason", Code: fault.FieldPattern})
	default:
		return o, nil
	}
}
