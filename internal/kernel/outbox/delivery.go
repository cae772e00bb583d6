package outbox

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// DeliveryState is how far a message came on its way to one recipient.
type DeliveryState string

// The states of a delivery.
const (
	// Queued deliveries wait for their turn, the first or another.
	Queued DeliveryState = "queued"
	// Sent deliveries were taken by the channel.
	Sent DeliveryState = "sent"
	// Delivered ones reached their recipient, as the channel says.
	Delivered DeliveryState = "delivered"
	// HandedOver ones are letters at the print house.
	HandedOver DeliveryState = "handed_over"
	// Failed ones were refused for good: the recipient cannot be reached there.
	Failed DeliveryState = "failed"
	// Dead ones were not sent before their deadline.
	Dead DeliveryState = "dead"
	// Unconfirmed ones were handed over and the channel did not say whether it took them. They are
	// repeated seldom, since each repeat may be a second copy.
	Unconfirmed DeliveryState = "unconfirmed"
)

// deliveryStates and channels are all of them.
var (
	deliveryStates = []DeliveryState{Queued, Sent, Delivered, HandedOver, Failed, Dead, Unconfirmed}
	channels       = []Channel{SMS, Email, PEC, Letter}
)

// Attempt is one try to send a delivery, or what its channel said of it later.
type Attempt struct {
	ID         uuid.UUID
	DeliveryID uuid.UUID
	At         time.Time
	// Outcome is a state, or Deferred for a try that will be repeated. Delayed is for word that it
	// is still under way.
	Outcome string
	Reason  *string
}

// TableName tells GORM the table.
func (Attempt) TableName() string { return "delivery_attempts" }

// The outcomes of an attempt that are no state.
const (
	// Deferred attempts will be repeated.
	Deferred = "deferred"
	// Delayed is what a channel says of a message that it took and could not deliver so far.
	Delayed = "delayed"
)

// repeatGaps are how long a delivery in doubt waits for its first repeat and its second. The second
// is the last.
var repeatGaps = []time.Duration{time.Hour, 6 * time.Hour}

// WillBeTried reports whether a delivery has a further attempt before it.
func (d Delivery) WillBeTried() bool {
	return d.State == Queued || d.State == Unconfirmed && d.Repeats < len(repeatGaps)
}

// receiptTime is how long the receipt of a PEC may take. After 24 hours its provider has to say
// that it failed.
const receiptTime = 24 * time.Hour

// ReceiptOverdue reports whether a delivery by PEC should have a receipt by now and has none.
func (d Delivery) ReceiptOverdue(now time.Time) bool {
	return d.Channel == PEC && d.State == Sent && !now.Before(d.UpdatedAt.Add(receiptTime))
}

// beingDue is the condition of WillBeTried in SQL; indexes have the same words.
const beingDue = "(state = 'queued' OR state = 'unconfirmed' AND repeats < 2)"

// givenUp returns a delivery whose deadline has come.
func (d Delivery) givenUp() Delivery {
	if d.State == Unconfirmed {
		d.Repeats = len(repeatGaps)
	} else {
		d.State = Dead
	}
	return d
}

// settled reports whether the secret of its message is needed no more. A failed one keeps it until
// its deadline: an operator may retry it once the cause is gone.
func (d Delivery) settled() bool { return !d.WillBeTried() && d.State != Failed }

// Delivery is one message on its way to one recipient.
type Delivery struct {
	// ID is also what the message carries outside.
	ID uuid.UUID
	// MessageID is nil where the message has no row but this one. Its id is the delivery's then.
	MessageID   *uuid.UUID
	PersonID    *uuid.UUID
	Kind        string
	Channel     Channel
	Recipient   string
	Locale      string
	State       DeliveryState
	Attempts    int
	NextAt      time.Time
	LeaseUntil  *time.Time
	LeaseOwner  *string
	DeadlineAt  time.Time
	ProviderRef *string
	LastError   *string
	// Repeats is how often it was repeated in doubt.
	Repeats int
	// DelayNotice is the id of the channel's first word that it is still under way.
	DelayNotice *string
	CreatedAt   time.Time
	UpdatedAt   time.Time `gorm:"autoUpdateTime:false"`
	// Data is the message's, where that has no row but this one.
	Data *string
}

// TableName tells GORM the table.
func (Delivery) TableName() string { return "deliveries" }

// Message is the id of the delivery's message.
func (d Delivery) Message() uuid.UUID {
	if d.MessageID == nil {
		return d.ID
	}
	return *d.MessageID
}

// message returns the message of a delivery that has it in its own row.
func (d Delivery) message() Message {
	return Message{
		ID: d.ID, Kind: d.Kind, PersonID: d.PersonID, Data: *d.Data, State: StateRouted, CreatedAt: d.CreatedAt, DeadlineAt: d.DeadlineAt,
	}
}

// Mask returns what may be shown of a recipient. It is enough for its owner to know it again, and
// too little for anybody else.
func Mask(c Channel, recipient string) string {
	switch c {
	case SMS:
		if n := utf8.RuneCountInString(recipient); n > 3 {
			return strings.Repeat("*", n-3) + recipient[len(recipient)-3:]
		}
	case Email, PEC:
		if name, host, found := strings.Cut(recipient, "@"); found && name != "" {
			first, _ := utf8.DecodeRuneInString(name)
			return string(first) + "***@" + host
		}
	case Letter:
		// The last line has the town; the rest is the owner's affair.
		lines := strings.Split(strings.TrimSpace(recipient), "\n")
		return "*** " + lines[len(lines)-1]
	}
	return "***"
}
