package ticket

import (
	"time"

	"diresco/internal/kernel/outbox"
)

// Kinds of the messages about a ticket. Each names {protocol_number, title, title_en, office}: the
// number, the topic in both languages and the office that has the ticket, and whether that or the
// system decides. None has anything that was written in it: its addresses are typed in, and may be
// another's.
var (
	receivedKind  = outbox.Declare(outbox.Kind{Name: "ticket.received"})
	routedKind    = outbox.Declare(outbox.Kind{Name: "ticket.routed"})
	commentedKind = outbox.Declare(outbox.Kind{Name: "ticket.commented"})
	// closedKind also has {outcome}.
	closedKind   = outbox.Declare(outbox.Kind{Name: "ticket.closed"})
	reopenedKind = outbox.Declare(outbox.Kind{Name: "ticket.reopened"})
	// attachmentsRefusedKind tells that something malicious was found in its files.
	attachmentsRefusedKind = outbox.Declare(outbox.Kind{Name: "ticket.attachments_refused"})
)

// told makes the messages of a kind about a ticket: to the e-mail and the phone that it names, and
// to those alone. A smart task without either is told to the contact that its person prefers.
func (v View) told(kind outbox.Kind, at time.Time) ([]outbox.Message, error) {
	data := map[string]string{
		"protocol_number": v.ProtocolNumber, "title": v.TopicIT, "title_en": v.TopicEN, "office": v.OfficeTitle,
		"decided_by": "office",
	}
	if v.Kind == SmartTask {
		// Nobody at the office has to do anything.
		data["decided_by"] = "system"
	}
	if v.Outcome != nil {
		data["outcome"] = string(*v.Outcome)
	}
	var messages []outbox.Message
	add := func(channel outbox.Channel, to *string) error {
		m, err := outbox.NewMessage(kind, v.PersonID, data, at)
		if err == nil && to != nil {
			m = m.To(channel, *to)
		}
		messages = append(messages, m)
		return err
	}
	if v.Email == nil && v.Phone == nil {
		return messages, add("", nil)
	}
	if v.Email != nil {
		if err := add(outbox.Email, v.Email); err != nil {
			return nil, err
		}
	}
	if v.Phone != nil {
		return messages, add(outbox.SMS, v.Phone)
	}
	return messages, nil
}
