package notification

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/secret"
)

// Bounced is the kind of the message that tells a person of a contact that does not work. Its data
// is {"kind", "contact"}, masked.
var Bounced = outbox.Declare(outbox.Kind{Name: "contact.bounced"})

// Uncertified is the kind of the message that tells a person of a PEC address that is none. Its
// data is {"contact"}, masked.
var Uncertified = outbox.Declare(outbox.Kind{Name: "contact.uncertified"})

// Router chooses where messages go and puts them into words. It implements outbox.Router and
// outbox.Directory.
type Router struct {
	clock  clock.Clock
	people *person.Service
	outbox *outbox.Outbox
	by     institution.Institution
}

var (
	_ outbox.Router    = (*Router)(nil)
	_ outbox.Directory = (*Router)(nil)
)

// NewRouter returns the router of a database.
func NewRouter(d *db.DB, c clock.Clock, people *person.Service) *Router {
	return &Router{clock: c, people: people, outbox: outbox.New(d)}
}

// For returns the router with an institution in whose name messages are written.
func (r *Router) For(by institution.Institution) *Router {
	named := *r
	named.by = by
	return &named
}

// Route implements outbox.Router.
func (r *Router) Route(ctx context.Context, messages []outbox.Message) ([][]outbox.Recipient, error) {
	var people, reached []uuid.UUID
	seen, chosen := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, m := range messages {
		if m.PersonID == nil {
			continue
		}
		if !seen[*m.PersonID] {
			seen[*m.PersonID] = true
			people = append(people, *m.PersonID)
		}
		if m.Recipient == nil && !chosen[*m.PersonID] {
			chosen[*m.PersonID] = true
			reached = append(reached, *m.PersonID)
		}
	}
	preferences, err := r.people.PreferencesOf(ctx, people)
	if err != nil {
		return nil, err
	}
	contacts, err := r.people.ContactsOf(ctx, reached)
	if err != nil {
		return nil, err
	}
	recipients := make([][]outbox.Recipient, len(messages))
	for i, m := range messages {
		var p person.Preferences
		if m.PersonID != nil {
			p = preferences[*m.PersonID]
		}
		switch {
		case m.Recipient != nil:
			recipients[i] = named(m, p)
		case m.PersonID != nil:
			recipients[i] = Recipients(outbox.KindNamed(m.Kind), contacts[*m.PersonID], p)
		}
	}
	return recipients, nil
}

// named is where a message goes that names its recipient.
func named(m outbox.Message, p person.Preferences) []outbox.Recipient {
	return []outbox.Recipient{{Channel: *m.Channel, To: *m.Recipient, Locale: localeOf(p)}}
}

// Look implements outbox.Directory.
func (r *Router) Look(ctx context.Context, people []uuid.UUID) (outbox.Book, error) {
	return book(r.people.ReachOf(ctx, people))
}

// LookIn implements outbox.Directory.
func (r *Router) LookIn(b *direct.Batch, people []uuid.UUID) func() (outbox.Book, error) {
	found := r.people.ReachIn(b, people)
	return func() (outbox.Book, error) { return book(found()) }
}

// book tells where messages about people go.
func book(people map[uuid.UUID]person.Reach, err error) (outbox.Book, error) {
	if err != nil {
		return nil, err
	}
	return func(m outbox.Message) ([]outbox.Recipient, bool) {
		if m.PersonID == nil {
			return nil, false
		}
		reach, known := people[*m.PersonID]
		switch {
		case !known:
			return nil, false
		case m.Recipient != nil:
			return named(m, reach.Preferences), true
		default:
			return Recipients(outbox.KindNamed(m.Kind), reach.Contacts, reach.Preferences), true
		}
	}, nil
}

// Words implements outbox.Router.
func (r *Router) Words(kind, data string, secrets map[string]secret.Text, locale string) (outbox.Words, error) {
	text, err := RenderFor(r.by, kind, data, secrets, Locale(locale))
	return outbox.Words{Subject: text.Subject, Text: text.Body, HTML: text.HTML, Short: text.Short, Sender: r.by.Sender()}, err
}

// Subject implements outbox.Router.
func (r *Router) Subject(kind, data, locale string) (string, error) {
	return Subject(kind, data, Locale(locale))
}

// Bounced implements outbox.Router. Where the contact is one of the person's it counts no more, and
// the person is told on another one.
func (r *Router) Bounced(ctx context.Context, d outbox.Delivery) error {
	if d.PersonID == nil {
		return nil
	}
	first, err := r.people.Bounce(ctx, *d.PersonID, d.Channel, d.Recipient)
	if err != nil || !first {
		return err
	}
	m, err := outbox.NewMessage(Bounced, *d.PersonID, map[string]string{
		"kind": string(person.KindOf(d.Channel)), "contact": outbox.Mask(d.Channel, d.Recipient),
	}, r.clock.Now())
	if err != nil {
		return err
	}
	return r.outbox.Add(ctx, m)
}

// Uncertified implements outbox.Router. Where the contact is one of the person's it is an e-mail
// address from now on, and the person is told.
func (r *Router) Uncertified(ctx context.Context, d outbox.Delivery) error {
	if d.PersonID == nil {
		return nil
	}
	changed, err := r.people.Uncertified(ctx, *d.PersonID, d.Recipient)
	if err != nil || !changed {
		return err
	}
	m, err := outbox.NewMessage(Uncertified, *d.PersonID, map[string]string{"contact": outbox.Mask(d.Channel, d.Recipient)}, r.clock.Now())
	if err != nil {
		return err
	}
	return r.outbox.Add(ctx, m)
}
