package outbox

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Promise is that a message with a recipient of its own was promised.
type Promise struct {
	Recipient string
	At        time.Time
}

// Promised returns what was promised of a kind about a person after the instant, each to one
// recipient.
func (o *Outbox) Promised(ctx context.Context, kind Kind, personID uuid.UUID, after time.Time) ([]Promise, error) {
	var promises []Promise
	err := o.db.From(ctx).Raw("SELECT recipient, created_at AS at FROM outbox WHERE person_id = ? AND created_at > ? AND kind = ? AND "+
		"recipient IS NOT NULL",
		personID, after, kind.Name).Scan(&promises).Error
	return promises, err
}

// Address is where a message went.
type Address struct {
	Channel   Channel
	Recipient string
}

// Reached returns where messages of a kind about a person, promised since the instant, were sent or
// may have been.
func (o *Outbox) Reached(ctx context.Context, kind Kind, personID uuid.UUID, since time.Time) ([]Address, error) {
	var addresses []Address
	states := []DeliveryState{Sent, Delivered, HandedOver, Unconfirmed}
	err := o.db.From(ctx).Raw(`SELECT d.channel, d.recipient FROM outbox m JOIN deliveries d ON d.message_id = m.id
		WHERE m.person_id = ? AND m.created_at >= ? AND m.kind = ? AND d.state IN ?
		UNION SELECT d.channel, d.recipient FROM deliveries d
		WHERE d.person_id = ? AND d.created_at >= ? AND d.kind = ? AND d.state IN ? AND d.message_id IS NULL`,
		personID, since, kind.Name, states, personID, since, kind.Name, states).Scan(&addresses).Error
	return addresses, err
}
