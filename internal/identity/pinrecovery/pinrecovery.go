// Package pinrecovery helps people who cannot log in: it recovers a lost PIN, and revokes one
// without a login. What it answers never tells whether somebody is registered, and what it sends
// goes to stored contacts alone.
package pinrecovery

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
)

// The kinds of message.
var (
	// RecoveryCode carries the code that recovers a PIN; its data is {"expires_at"}, its secret
	// {"code"}.
	RecoveryCode = outbox.Declare(outbox.Kind{Name: "pin.recovery_code"})
	// RecoveryImpossible explains to somebody who asked for it why their PIN cannot be recovered.
	// Its data is {"expires_at"}, until when it is of use.
	RecoveryImpossible = outbox.Declare(outbox.Kind{Name: "pin.recovery_impossible"})
	// Recovered tells of a recovered PIN; its data is {"at"}.
	Recovered = outbox.Declare(outbox.Kind{Name: "pin.recovered", Audience: outbox.EveryContact})
	// RevocationCode carries the code that revokes a PIN; its data is {"expires_at"}, its secret
	// {"code"}.
	RevocationCode = outbox.Declare(outbox.Kind{Name: "pin.revocation_code"})
)

// INPS PIN rules for who has lost the PIN.
const (
	// servedADay is how many requests are served for one person within window; nobody is told when
	// there are more.
	servedADay = 3
	window     = 24 * time.Hour
	// neededContacts is how many contacts, each of another kind, prove who asks for a recovery.
	neededContacts = 2
)

// electronic lists the kinds of contact that count here, in the order in which a code prefers them.
var electronic = []person.ContactKind{person.Email, person.PEC, person.Mobile}

// checkContacts returns the contacts in the form in which they are stored. It returns fault.Invalid
// unless there are two or three, each of another kind.
func checkContacts(given []person.NewContact) ([]person.NewContact, error) {
	normal, wrong := person.NormaliseContacts(given)
	kinds := map[person.ContactKind]bool{}
	for i, c := range given {
		pointer := "/contacts/" + strconv.Itoa(i)
		switch {
		case !slices.Contains(electronic, c.Kind):
			wrong = append(wrong, fault.Field{Pointer: pointer + "/kind", Code: fault.FieldEnum})
		case kinds[c.Kind]:
			wrong = append(wrong, fault.Field{Pointer: pointer + "/kind", Code: fault.FieldDuplicate})
		}
		kinds[c.Kind] = true
	}
	if len(given) < neededContacts {
		wrong = append(wrong, fault.Field{Pointer: "/contacts", Code: fault.FieldTooFew})
	}
	if len(wrong) > 0 {
		return nil, fault.InvalidFields(wrong...)
	}
	return normal, nil
}

// matching returns the stored contacts that are among those given.
func matching(stored []person.Contact, given []person.NewContact) []person.Contact {
	var matched []person.Contact
	for _, c := range stored {
		if slices.ContainsFunc(given, func(g person.NewContact) bool { return g.Kind == c.Kind && strings.EqualFold(g.Value, c.Value) }) {
			matched = append(matched, c)
		}
	}
	return matched
}

// proves reports whether contacts are of enough different kinds to prove who asks. One address
// under two kinds is one mailbox.
func proves(contacts []person.Contact) bool {
	kinds, places := map[person.ContactKind]bool{}, map[string]bool{}
	for _, c := range contacts {
		if slices.Contains(electronic, c.Kind) {
			kinds[c.Kind], places[strings.ToLower(c.Value)] = true, true
		}
	}
	return min(len(kinds), len(places)) >= neededContacts
}

// recovering returns the contacts that count for recovery at the instant.
func recovering(contacts []person.Contact, now time.Time) []person.Contact {
	return slices.DeleteFunc(slices.Clone(contacts), func(c person.Contact) bool { return !c.Recovers(now) })
}

// verified returns the contacts that their owner has shown to read.
func verified(contacts []person.Contact) []person.Contact {
	return slices.DeleteFunc(slices.Clone(contacts), func(c person.Contact) bool { return c.State() != person.Verified })
}

// reachable returns the contacts from which nothing came back.
func reachable(contacts []person.Contact) []person.Contact {
	return slices.DeleteFunc(slices.Clone(contacts), func(c person.Contact) bool { return c.State() == person.Bounced })
}

// mailbox returns where a recovery code goes: an e-mail address, else a PEC, among those matched
// before any other.
func mailbox(matched, others []person.Contact) (person.Contact, bool) {
	for _, kind := range []person.ContactKind{person.Email, person.PEC} {
		for _, contacts := range [][]person.Contact{matched, others} {
			if c, found := first(contacts, kind); found {
				return c, true
			}
		}
	}
	return person.Contact{}, false
}

// destinations returns where the halves of a recovered PIN go. The first goes to the mobile, else
// the e-mail address, the second to the e-mail address, else the PEC. It reports false when there
// are not two ways.
func destinations(contacts []person.Contact) (one, two person.Contact, found bool) {
	for _, a := range []person.ContactKind{person.Mobile, person.Email} {
		for _, b := range []person.ContactKind{person.Email, person.PEC} {
			one, hasOne := first(contacts, a)
			two, hasTwo := first(contacts, b)
			// One address under two kinds is one mailbox.
			if a != b && hasOne && hasTwo && !strings.EqualFold(one.Value, two.Value) {
				return one, two, true
			}
		}
	}
	return person.Contact{}, person.Contact{}, false
}

// first returns the oldest of the contacts of a kind.
func first(contacts []person.Contact, kind person.ContactKind) (person.Contact, bool) {
	i := slices.IndexFunc(contacts, func(c person.Contact) bool { return c.Kind == kind })
	if i < 0 {
		return person.Contact{}, false
	}
	return contacts[i], true
}

// half makes a contact the destination of half of a PIN.
func half(c person.Contact) pin.Half { return pin.Half{Channel: c.Kind.Channel(), To: c.Value} }

// subject returns what a code is about: the person or, for a stranger, nobody. What is done for a
// stranger is thereby worth nothing.
func subject(personID uuid.UUID, served bool) uuid.UUID {
	if served {
		return personID
	}
	return uuid.Must(uuid.NewV7())
}
