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
)

// deliveryStates and channels are all of them.
var (
	deliveryStates = []DeliveryState{Queued, Sent, Delivered, HandedOver, Failed, Dead}
	channels       = []Channel{SMS, Email, PEC, Letter}
)

// Attempt is one try to send a delivery, or what its channel said of it later.
type Attempt struct {
	ID         uuid.UUID
	DeliveryID uuid.UUID
	At         time.Time
	// Outcome is a state, or Deferred for a try that will be repeated.
	Outcome string
	Reason  *string
}

// TableName tells GORM the table.
func (Attempt) TableName() string { return "delivery_attempts" }

// Deferred is the outcome of an attempt that will be repeated.
const Deferred = "deferred"

// Delivery is one message on its way to one recipient.
type Delivery struct {
	// ID is also what the message carries outside.
	ID          uuid.UUID
	MessageID   uuid.UUID
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
	CreatedAt   time.Time
	UpdatedAt   time.Time `gorm:"autoUpdateTime:false"`
}

// TableName tells GORM the table.
func (Delivery) TableName() string { return "deliveries" }

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
