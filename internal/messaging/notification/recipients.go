package notification

import (
	"slices"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
)

// localeOf returns the language of messages to somebody.
func localeOf(p person.Preferences) string {
	if p.Language == "" {
		return string(Italian)
	}
	return p.Language
}

// Recipients chooses among a person's contacts where a message of the given kind goes. It goes
// where the person prefers it, else to the first e-mail, else PEC, else mobile; some kinds go to
// all. Only verified contacts count that have not bounced, so there may be none. Who never said how
// they want to be told has the zero value of preferences.
func Recipients(kind outbox.Kind, contacts []person.Contact, p person.Preferences) []outbox.Recipient {
	if kind.Mute != "" && p.Mutes(kind.Mute) {
		return nil
	}
	order := []outbox.Channel{outbox.Email, outbox.PEC, outbox.SMS, outbox.Letter}
	if p.PreferredChannel != nil {
		order = append([]outbox.Channel{*p.PreferredChannel}, slices.DeleteFunc(order, func(c outbox.Channel) bool {
			return c == *p.PreferredChannel
		})...)
	}
	var all []outbox.Recipient
	for _, wanted := range order {
		for _, c := range contacts {
			if c.Kind.Channel() == wanted && c.State() == person.Verified {
				all = append(all, outbox.Recipient{Channel: wanted, To: c.Value, Locale: localeOf(p)})
			}
		}
	}
	if kind.Audience == outbox.EveryContact || len(all) == 0 {
		return all
	}
	if all[0].Channel == outbox.Letter {
		// Nothing that exists goes by letter alone.
		return nil
	}
	return all[:1]
}
