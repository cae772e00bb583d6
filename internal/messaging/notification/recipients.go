package notification

import (
	"slices"
	"strings"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
)

// categoryOf returns the category of a kind, or "" for one that nobody can mute: what concerns the safety of an account.
func categoryOf(kind string) person.Category {
	noun, event, _ := strings.Cut(kind, ".")
	switch {
	case event == "reminder":
		return person.Reminders
	case noun == "declaration":
		return person.AboutDeclarations
	default:
		return ""
	}
}

// localeOf returns the language of messages to somebody.
func localeOf(p person.Preferences) string {
	if p.Language == "" {
		return string(Italian)
	}
	return p.Language
}

// toEveryContact are the kinds of which all contacts of a person are told: an attacker who holds one of them must not be
// the only one to hear (INPS PIN rules).
var toEveryContact = map[string]bool{
	"pin.many_wrong_tries": true, "pin.recovered": true, "pin.revoked": true, "contact.added": true, "contact.removed": true,
	"pin.issued": true, "pin.became_dispositive": true, "pin.request_with_pin": true, "pin.request_served": true, "pin.request_refused": true,
}

// Recipients chooses among a person's contacts where a message of the given kind goes: where the person prefers it, else
// to the first e-mail, else PEC, else mobile; some kinds go to all. Only verified contacts count that have not bounced, so
// there may be none. Who never said how they want to be told has the zero value of preferences.
func Recipients(kind string, contacts []person.Contact, p person.Preferences) []outbox.Recipient {
	if category := categoryOf(kind); category != "" && p.Mutes(category) {
		return nil
	}
	order := []outbox.Channel{outbox.Email, outbox.PEC, outbox.SMS, outbox.Letter}
	if p.PreferredChannel != nil {
		order = append([]outbox.Channel{*p.PreferredChannel}, slices.DeleteFunc(order, func(c outbox.Channel) bool { return c == *p.PreferredChannel })...)
	}
	var all []outbox.Recipient
	for _, wanted := range order {
		for _, c := range contacts {
			if c.Kind.Channel() == wanted && c.State() == person.Verified {
				all = append(all, outbox.Recipient{Channel: wanted, To: c.Value, Locale: localeOf(p)})
			}
		}
	}
	if toEveryContact[kind] || len(all) == 0 {
		return all
	}
	if all[0].Channel == outbox.Letter {
		// Nothing that exists goes by letter alone.
		return nil
	}
	return all[:1]
}
