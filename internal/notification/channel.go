package notification

import (
	"diresco/internal/person"
)

// Channel is how a message travels.
type Channel string

// The channels. PEC is certified e-mail (posta elettronica certificata).
const (
	SMS    Channel = "sms"
	Email  Channel = "email"
	PEC    Channel = "pec"
	Letter Channel = "letter"
)

// Recipient is where a message goes.
type Recipient struct {
	Channel Channel
	// To is a mobile number, an address of e-mail or PEC, or a postal address.
	To string
}

// toEveryContact are the kinds of which all contacts of a person are told: an attacker who holds one of them must not be
// the only one to hear (INPS PIN rules).
var toEveryContact = map[string]bool{"pin.many_wrong_tries": true}

var channelOf = map[person.ContactKind]Channel{person.Email: Email, person.PEC: PEC, person.Mobile: SMS, person.Postal: Letter}

// Recipients chooses among a person's contacts where a message of the given kind goes: the first e-mail, else PEC, else
// mobile; some kinds go to all. Only verified contacts count, so there may be none.
func Recipients(kind string, contacts []person.Contact) []Recipient {
	var all []Recipient
	for _, wanted := range []person.ContactKind{person.Email, person.PEC, person.Mobile, person.Postal} {
		for _, c := range contacts {
			if c.Kind == wanted && c.VerifiedAt != nil {
				all = append(all, Recipient{Channel: channelOf[wanted], To: c.Value})
			}
		}
	}
	if toEveryContact[kind] || len(all) == 0 {
		return all
	}
	if all[0].Channel == Letter {
		// Nothing that exists goes by letter alone.
		return nil
	}
	return all[:1]
}
