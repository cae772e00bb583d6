// Package outbox holds messages that were promised in a transaction and are sent after it.
package outbox

import (
	"context"
	"encoding/json"
	"time"

	"diresco/db"

	"github.com/google/uuid"
)

// Message is a promise to tell a person something. Which channel takes it is decided when it is sent.
type Message struct {
	ID       uuid.UUID
	Kind     string
	PersonID uuid.UUID
	// Data is what the message's template needs, as JSON. It holds no secret.
	Data      string
	State     string
	CreatedAt time.Time
	SentAt    *time.Time
}

// TableName tells GORM the table.
func (Message) TableName() string { return "outbox" }

// The states of a message.
const (
	StateQueued = "queued"
	StateSent   = "sent"
)

// NewMessage makes a queued message; data must encode to a JSON object.
func NewMessage(kind string, personID uuid.UUID, data any, at time.Time) (Message, error) {
	encoded, err := json.Marshal(data)
	if err != nil {
		return Message{}, err
	}
	return Message{ID: uuid.Must(uuid.NewV7()), Kind: kind, PersonID: personID, Data: string(encoded), State: StateQueued, CreatedAt: at}, nil
}

// Outbox is the table of promised messages.
type Outbox struct{ db *db.DB }

// New returns the outbox of a database.
func New(d *db.DB) *Outbox { return &Outbox{db: d} }

// Add promises messages inside the transaction that the context carries.
func (o *Outbox) Add(ctx context.Context, messages ...Message) error {
	return db.InsertAll(ctx, o.db, messages)
}

// Queued returns the oldest messages that nobody sent yet, locked against other senders in the context's transaction.
func (o *Outbox) Queued(ctx context.Context, limit int) ([]Message, error) {
	suffix := ""
	if o.db.Dialect() == db.Postgres {
		suffix = " FOR UPDATE SKIP LOCKED"
	}
	var messages []Message
	err := o.db.From(ctx).Raw("SELECT * FROM outbox WHERE state = 'queued' ORDER BY created_at, id LIMIT ?"+suffix, limit).Scan(&messages).Error
	return messages, err
}

// MarkSent notes that messages were sent.
func (o *Outbox) MarkSent(ctx context.Context, at time.Time, ids ...uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	return o.db.From(ctx).Model(&Message{}).Where("id IN ?", ids).Updates(map[string]any{"state": StateSent, "sent_at": at}).Error
}
