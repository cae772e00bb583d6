// Package outbox holds messages that were promised in a transaction and are sent after it.
package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
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

// Message is a promise to tell a person something. Which channels take it is decided when it is
// promised, where a Book is at hand, or soon after, unless it names its recipient.
type Message struct {
	ID   uuid.UUID
	Kind string
	// PersonID is whom the message is about and, without a recipient, for; nil for a message to an
	// address alone.
	PersonID *uuid.UUID
	// Channel and Recipient are set together, where the recipient is not chosen among the person's
	// contacts.
	Channel   *Channel
	Recipient *string
	// Data is what the message's template needs, as JSON. It holds no secret.
	Data string
	// Sealed is what is secret of it, encrypted, as JSON; it is erased once the message was sent.
	Sealed    *string
	State     string
	CreatedAt time.Time
	// DeadlineAt is the instant after which it is not sent any more.
	DeadlineAt time.Time
}

// TableName tells GORM the table.
func (Message) TableName() string { return "outbox" }

// The states of a message.
const (
	// StateQueued messages wait to be given to their recipients.
	StateQueued = "queued"
	// StateRouted messages have one delivery for each recipient.
	StateRouted = "routed"
)

// Patience is for how long a message is tried to be sent unless its promise says otherwise.
const Patience = 72 * time.Hour

// NewMessage makes a queued message of a kind to a person; data must encode to a JSON object.
func NewMessage(kind Kind, personID uuid.UUID, data any, at time.Time) (Message, error) {
	encoded, err := json.Marshal(data)
	if err != nil {
		return Message{}, err
	}
	m := Message{
		ID: uuid.Must(uuid.NewV7()), Kind: kind.Name, Data: string(encoded), State: StateQueued, CreatedAt: at,
		DeadlineAt: at.Add(Patience),
	}
	if personID != uuid.Nil {
		m.PersonID = &personID
	}
	return m, nil
}

// NewMessages makes one such message to each of several people.
func NewMessages(kind Kind, personIDs []uuid.UUID, data any, at time.Time) ([]Message, error) {
	messages := make([]Message, len(personIDs))
	for i, id := range personIDs {
		var err error
		if messages[i], err = NewMessage(kind, id, data, at); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// To returns the message with the one recipient that it goes to.
func (m Message) To(channel Channel, recipient string) Message {
	m.Channel, m.Recipient = &channel, &recipient
	return m
}

// Until returns the message with another deadline: a code that has expired is not worth sending.
func (m Message) Until(deadline time.Time) Message {
	m.DeadlineAt = deadline
	return m
}

const sealing = "outbox"

// Seal returns the message with secret values, which the template finds beside its data. They are
// encrypted at rest and erased once the message was sent, so it needs a recipient: it is never
// given to more than one.
func (m Message) Seal(keys *keyring.DataKeys, secrets map[string]secret.Text) (Message, error) {
	if m.Recipient == nil {
		return Message{}, errors.New("a message with a secret needs a recipient")
	}
	plain := make(map[string]string, len(secrets))
	for name, value := range secrets {
		plain[name] = value.Reveal()
	}
	encoded, err := json.Marshal(plain)
	if err != nil {
		return Message{}, err
	}
	sealed := keys.Seal(sealing, encoded, m.ID[:])
	m.Sealed = &sealed
	return m, nil
}

// Open returns what Seal hid, or nil for a message without secrets.
func (m Message) Open(keys *keyring.DataKeys) (map[string]secret.Text, error) {
	if m.Sealed == nil {
		return nil, nil
	}
	plain, err := keys.Open(sealing, *m.Sealed, m.ID[:])
	if err != nil {
		return nil, err
	}
	var secrets map[string]secret.Text
	err = json.Unmarshal(plain, &secrets)
	return secrets, err
}

// Samples returns, for each data key that messages are sealed with, one that was sealed.
func Samples(ctx context.Context, d *db.DB) ([]keyring.Sample, error) {
	var rows []Message
	if err := d.From(ctx).Raw("SELECT id, sealed FROM outbox WHERE sealed IS NOT NULL ORDER BY id DESC").Scan(&rows).Error; err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var samples []keyring.Sample
	for _, m := range rows {
		if id, _, _ := strings.Cut(*m.Sealed, ":"); !seen[id] {
			seen[id] = true
			samples = append(samples, keyring.Sample{Purpose: sealing, Sealed: *m.Sealed, Parts: [][]byte{m.ID[:]}})
		}
	}
	return samples, nil
}

// Outbox is the table of promised messages.
type Outbox struct {
	db *db.DB
	// beforeShowing is called before deliveries are shown; it may be nil.
	beforeShowing func(ctx context.Context) error
}

// New returns the outbox of a database.
func New(d *db.DB) *Outbox { return &Outbox{db: d} }

// NewOnDemand returns an outbox that calls beforeShowing before it shows deliveries, unless that is
// nil. It is for the sandbox, which sends when somebody looks.
func NewOnDemand(d *db.DB, beforeShowing func(ctx context.Context) error) *Outbox {
	return &Outbox{db: d, beforeShowing: beforeShowing}
}

func (o *Outbox) beShown(ctx context.Context) error {
	if o.beforeShowing == nil {
		return nil
	}
	return o.beforeShowing(ctx)
}

// promisedTopic is what is announced when a transaction with promises was committed.
const promisedTopic = "outbox"

// addedAtOnce is how many messages one statement inserts: SQLite takes about 32,000 values.
const addedAtOnce = 1000

// Add promises messages inside the transaction that the context carries.
func (o *Outbox) Add(ctx context.Context, messages ...Message) error {
	if len(messages) > 0 {
		o.db.Announce(ctx, promisedTopic)
	}
	for some := range slices.Chunk(messages, addedAtOnce) {
		if err := db.InsertAll(ctx, o.db, some); err != nil {
			return err
		}
	}
	return nil
}

// Queued returns the oldest messages that nobody sent yet, locked against other senders in the
// context's transaction.
func (o *Outbox) Queued(ctx context.Context, limit int) ([]Message, error) {
	var messages []Message
	err := o.db.From(ctx).Raw(
		"SELECT "+db.Columns[Message]("")+" FROM outbox WHERE state = 'queued' ORDER BY created_at, id LIMIT ?"+
			o.db.ForUpdateOfFree(), limit,
	).Scan(&messages).Error
	return messages, err
}

// MarkRouted notes that messages were given to their recipients.
func (o *Outbox) MarkRouted(ctx context.Context, ids ...uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	return o.db.From(ctx).Exec("UPDATE outbox SET state = 'routed' WHERE "+o.db.Among("id"), o.db.IDs(ids)).Error
}
