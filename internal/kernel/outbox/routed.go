package outbox

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
)

// Book tells where a message goes, as it stood when the book was read. It does not know of messages
// about others than the people it was read for.
type Book func(m Message) (to []Recipient, known bool)

// Directory reads ahead where messages will go. Whoever is about to promise some asks it together
// with what else has to be read.
type Directory interface {
	// Look reads the book of people, in the context's transaction if there is one.
	Look(ctx context.Context, people []uuid.UUID) (Book, error)
	// LookIn is Look when the batch is sent, on PostgreSQL. It returns what gives the book then.
	LookIn(b *direct.Batch, people []uuid.UUID) (book func() (Book, error))
}

// AddRouted is Add for messages of which a book knows where they go. Which channels take them is
// thereby decided now, so nobody has to look at them again before they are sent. A message to one
// recipient has no row but its delivery. What the book does not know waits to be routed, and so does
// everything without a book.
func (o *Outbox) AddRouted(ctx context.Context, book Book, now time.Time, messages ...Message) error {
	if book == nil {
		return o.Add(ctx, messages...)
	}
	var rows []Message
	var deliveries []Delivery
	for _, m := range messages {
		to, known := book(m)
		if known && len(to) == 1 && m.alone() {
			d := m.delivery(to[0], now)
			d.ID, d.MessageID, d.Data = m.ID, nil, &m.Data
			deliveries = append(deliveries, d)
			continue
		}
		if known {
			m.State = StateRouted
			for _, recipient := range to {
				deliveries = append(deliveries, m.delivery(recipient, now))
			}
		}
		rows = append(rows, m)
	}
	// What waits for its channel to be configured is found by those who look every second.
	if slices.ContainsFunc(deliveries, func(d Delivery) bool { return !d.NextAt.After(now) }) {
		o.db.Announce(ctx, promisedTopic)
	}
	if err := o.Add(ctx, rows...); err != nil {
		return err
	}
	return db.InsertAll(ctx, o.db, deliveries)
}

// alone reports whether the row of a delivery can hold all that the message says. It neither names
// its recipient, by which it might be found again, nor has a secret.
func (m Message) alone() bool { return m.PersonID != nil && m.Recipient == nil && m.Sealed == nil }

// delivery returns a message on its way to one recipient.
func (m Message) delivery(to Recipient, now time.Time) Delivery {
	d := Delivery{
		ID: uuid.Must(uuid.NewV7()), MessageID: &m.ID, PersonID: m.PersonID, Kind: m.Kind, Channel: to.Channel, Recipient: to.To,
		Locale: to.Locale, State: Queued, NextAt: now, DeadlineAt: m.DeadlineAt, CreatedAt: m.CreatedAt, UpdatedAt: now,
	}
	if to.Absent {
		d = d.putOff(now)
	}
	return d
}

// Look implements Directory: the book knows which channels are configured here.
func (w *Worker) Look(ctx context.Context, people []uuid.UUID) (Book, error) {
	return w.marked(w.router.Look(ctx, people))
}

// LookIn implements Directory.
func (w *Worker) LookIn(b *direct.Batch, people []uuid.UUID) func() (Book, error) {
	found := w.router.LookIn(b, people)
	return func() (Book, error) { return w.marked(found()) }
}

// marked is a book whose recipients know whether their channels are configured here.
func (w *Worker) marked(book Book, err error) (Book, error) {
	if err != nil {
		return nil, err
	}
	return func(m Message) ([]Recipient, bool) {
		to, known := book(m)
		for i := range to {
			to[i] = w.reachable(to[i])
		}
		return to, known
	}, nil
}
