package person

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nyaruka/phonenumbers"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/hostname"
	"diresco/internal/platform/plaintext"
)

// ContactKind is the kind of a contact.
type ContactKind string

// The kinds of contact. PEC is certified e-mail (posta elettronica certificata).
const (
	Mobile ContactKind = "mobile"
	Email  ContactKind = "email"
	PEC    ContactKind = "pec"
	Postal ContactKind = "postal"
)

var contactKinds = []ContactKind{Mobile, Email, PEC, Postal}

// Channel returns how a message travels to a contact of the kind.
func (k ContactKind) Channel() outbox.Channel {
	switch k {
	case Mobile:
		return outbox.SMS
	case Email:
		return outbox.Email
	case PEC:
		return outbox.PEC
	default:
		return outbox.Letter
	}
}

// KindOf returns the kind of contact to which the channel leads.
func KindOf(c outbox.Channel) ContactKind {
	for _, k := range contactKinds {
		if k.Channel() == c {
			return k
		}
	}
	return ""
}

// ContactState says what a contact is good for.
type ContactState string

// The states of a contact.
const (
	// Unverified contacts count for nothing: their code was not given back yet.
	Unverified ContactState = "unverified"
	// Verified contacts are told what concerns their person.
	Verified ContactState = "verified"
	// Bounced contacts did not take a message: they count for nothing until they are verified anew.
	Bounced ContactState = "bounced"
)

// Contact is a way to reach a person. It counts once it is verified.
type Contact struct {
	ID       uuid.UUID
	PersonID uuid.UUID
	Kind     ContactKind
	// Value is in the form that Normalise returns.
	Value      string
	VerifiedAt *time.Time
	// BouncedAt is when a message came back for good; nil since the contact was verified last.
	BouncedAt *time.Time
	// RecoveryFrom is when a verified contact begins to count for recovering the PIN.
	RecoveryFrom *time.Time
	CreatedAt    time.Time
}

// TableName tells GORM the table.
func (Contact) TableName() string { return "contacts" }

// State returns what the contact is good for.
func (c Contact) State() ContactState {
	switch {
	case c.BouncedAt != nil:
		return Bounced
	case c.VerifiedAt != nil:
		return Verified
	default:
		return Unverified
	}
}

// Masked returns what may be shown of the contact to others than its owner.
func (c Contact) Masked() string { return outbox.Mask(c.Kind.Channel(), c.Value) }

// Recovers reports whether the contact counts for recovering a PIN at the instant. It is verified
// and not bounced, and was given at the registration or verified at least 24 hours before.
func (c Contact) Recovers(now time.Time) bool {
	return c.State() == Verified && c.RecoveryFrom != nil && !now.Before(*c.RecoveryFrom)
}

// verified returns the contact as it is once somebody has shown that they read what is sent to it.
func (c Contact) verified(now, recoveryFrom time.Time) Contact {
	c.VerifiedAt, c.RecoveryFrom, c.BouncedAt = &now, &recoveryFrom, nil
	return c
}

const (
	// MaxContacts is how many contacts a person has at most.
	MaxContacts = 10
	// recoveryDelay is the time from a contact's verification until it counts for recovery. It
	// holds for contacts that were added later. It leaves the owner, whom the other contacts tell
	// of the new one, time to act.
	recoveryDelay = 24 * time.Hour
	// maxCodes is how many codes go to one contact in 24 hours.
	maxCodes = 3
)

// code returns what the code for a contact of the kind is: the post takes its time.
func (k ContactKind) code() otp.Purpose {
	life := 24 * time.Hour
	if k == Postal {
		life = 30 * 24 * time.Hour
	}
	return otp.Purpose{Kind: throttle.ContactCode, Label: "one-time code contact-code", Length: 8, Life: life}
}

// mayAdd returns fault.Conflict when the person has the contact, or as many as one may have. One
// address that is given as e-mail and as PEC is one mailbox: it must not stand for two contacts of
// different kinds.
func mayAdd(has []Contact, n NewContact) error {
	electronic := func(k ContactKind) bool { return k == Email || k == PEC }
	for _, c := range has {
		if (c.Kind == n.Kind || electronic(c.Kind) && electronic(n.Kind)) && strings.EqualFold(c.Value, n.Value) {
			return fault.Because(fault.Conflict, "contact-exists")
		}
	}
	if len(has) >= MaxContacts {
		return fault.Because(fault.Conflict, "too-many-contacts")
	}
	return nil
}

// mayRemove returns fault.NotFound when the person has no such contact, and fault.Conflict when it
// is the last verified one.
func mayRemove(has []Contact, id uuid.UUID) (Contact, error) {
	i := slices.IndexFunc(has, func(c Contact) bool { return c.ID == id })
	if i < 0 {
		return Contact{}, fault.New(fault.NotFound)
	}
	if has[i].VerifiedAt != nil && !slices.ContainsFunc(has, func(c Contact) bool { return c.ID != id && c.State() == Verified }) {
		return Contact{}, fault.Because(fault.Conflict, "last-contact")
	}
	return has[i], nil
}

// maySend returns fault.RateLimited, with the time to wait, when a code more to the contact would
// be one too many. Codes are counted by where they went, so that a contact that is removed and
// added again gains none; and all codes of a person count together, so that nobody is flooded by
// contacts that come and go.
func maySend(sent []outbox.Promise, to string, now time.Time) error {
	limit := func(of func(outbox.Promise) bool, most int) error {
		var times []time.Time
		for _, p := range sent {
			if of(p) && p.At.After(now.Add(-fault.Day)) {
				times = append(times, p.At)
			}
		}
		slices.SortFunc(times, time.Time.Compare)
		return fault.OverDaily(times, most, now)
	}
	if err := limit(func(p outbox.Promise) bool { return strings.EqualFold(p.Recipient, to) }, maxCodes); err != nil {
		return err
	}
	return limit(func(outbox.Promise) bool { return true }, MaxContacts*maxCodes)
}

// NewContact is a contact to be added.
type NewContact struct {
	Kind  ContactKind
	Value string
}

const (
	// Bounds of a postal address, as it is printed in the window of an envelope.
	maxAddressLines = 5
	maxAddressLine  = 60
	// maxMailAddress is the longest address that SMTP carries (RFC 5321).
	maxMailAddress = 254
	maxMailbox     = 64
	// minMobile are the digits, with the country code, below which a number of unknown type is no
	// mobile number.
	minMobile = 10
	// homeRegion is the country of numbers without a country code.
	homeRegion = "IT"
)

// The pattern takes the address alone, as browsers check it, with a host name of several parts. It
// takes no display name, comment, quotes or address literal.
var mailPattern = regexp.MustCompile(
	"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\\.)+[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$",
)

// Normalise returns a contact, as people write it, in the form in which it is kept and compared. It
// reports false for a value that cannot be a contact of its kind. The forms are:
//   - a mobile number after ITU-T E.164 (numbers without a country code are Italian, and a zero before
//     an Italian mobile number is dropped);
//   - an address of e-mail or PEC with its domain in small letters and in ASCII;
//   - a postal address in up to five lines of up to 60 characters.
func (c NewContact) Normalise() (NewContact, bool) {
	value, ok := "", false
	switch c.Kind {
	case Mobile:
		value, ok = normalMobile(c.Value)
	case Email, PEC:
		value, ok = normalMail(c.Value)
	case Postal:
		value, ok = normalAddress(c.Value)
	}
	if !ok {
		return c, false
	}
	return NewContact{Kind: c.Kind, Value: value}, true
}

func normalMobile(typed string) (string, bool) {
	if !plaintext.IsLine(strings.TrimSpace(typed), maxMailAddress) {
		return "", false
	}
	number, err := phonenumbers.Parse(typed, homeRegion)
	if err != nil || number.GetExtension() != "" || !phonenumbers.IsPossibleNumber(number) {
		return "", false
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	if rest, zero := strings.CutPrefix(e164, "+390"); zero && !phonenumbers.IsValidNumber(number) {
		// Landlines have the zero and mobiles do not; people write it before both.
		without, err := phonenumbers.Parse("+39"+rest, homeRegion)
		if err == nil && phonenumbers.GetNumberType(without) == phonenumbers.MOBILE {
			return "+39" + rest, true
		}
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return e164, true
	case phonenumbers.UNKNOWN:
		// Numbering plans grow faster than the tables of them.
		return e164, len(e164) > minMobile
	default:
		return "", false
	}
}

func normalMail(typed string) (string, bool) {
	mailbox, domain, found := strings.Cut(strings.TrimSpace(typed), "@")
	domain, ok := hostname.ASCII(domain)
	address := mailbox + "@" + domain
	if !found || !ok || len(address) > maxMailAddress || !mailPattern.MatchString(address) {
		return "", false
	}
	dots := strings.HasPrefix(mailbox, ".") || strings.HasSuffix(mailbox, ".") || strings.Contains(mailbox, "..")
	return address, len(mailbox) <= maxMailbox && !dots
}

func normalAddress(typed string) (string, bool) {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(typed, "\r\n", "\n"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if !plaintext.IsLine(line, maxAddressLine) {
			return "", false
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), 0 < len(lines) && len(lines) <= maxAddressLines
}

// NormaliseContacts normalises each of a list and names what is wrong in it, with pointers that
// begin with /contacts.
func NormaliseContacts(contacts []NewContact) (normal []NewContact, wrong []fault.Field) {
	seen := map[NewContact]bool{}
	for i, c := range contacts {
		pointer := "/contacts/" + strconv.Itoa(i)
		n, ok := c.Normalise()
		switch {
		case !slices.Contains(contactKinds, c.Kind):
			wrong = append(wrong, fault.Field{Pointer: pointer + "/kind", Code: fault.FieldEnum})
		case !ok:
			wrong = append(wrong, fault.Field{Pointer: pointer + "/value", Code: fault.FieldFormat})
		case seen[n]:
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: fault.FieldDuplicate})
		}
		seen[n] = true
		normal = append(normal, n)
	}
	return normal, wrong
}
