package outbox

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/secret"
)

// Recipient is where a message goes and in which language it speaks there.
type Recipient struct {
	Channel Channel
	// To is a mobile number, an address of e-mail or PEC, or a postal address.
	To     string
	Locale string
	// Absent tells that the channel is not configured here, so that a delivery waits for it.
	Absent bool
}

// Words are what a message says.
type Words struct {
	// Subject is one line without a secret.
	Subject string
	// Text and HTML are the body, Short is what an SMS says.
	Text, HTML, Short string
	// Sender is the line that says who writes, on a letter; it may be empty.
	Sender string
}

// Router knows people and words: where messages go, and what they say there.
type Router interface {
	// Route returns for each message where it goes, in the context's transaction. A message that
	// names its recipient goes there and nowhere else; one that nobody can receive goes nowhere.
	Route(ctx context.Context, messages []Message) ([][]Recipient, error)
	// Directory reads where messages go ahead of them.
	Directory
	// Words puts a message into words. Data and secrets are those of the message.
	Words(kind, data string, secrets map[string]secret.Text, locale string) (Words, error)
	// Subject returns the subject alone, which needs no secrets.
	Subject(kind, data, locale string) (string, error)
	// Bounced is told of a delivery that its recipient's side refused for good. It runs in the
	// transaction in which that is noted.
	Bounced(ctx context.Context, d Delivery) error
	// Uncertified is told of a delivery by PEC whose recipient has no certified mailbox. It runs in
	// the transaction in which that is noted.
	Uncertified(ctx context.Context, d Delivery) error
}

// Outgoing is a message in words, on its way to one recipient.
type Outgoing struct {
	// ID is the delivery's: every repeat carries the same.
	ID      uuid.UUID
	Kind    string
	Channel Channel
	// To is a mobile number, an address of e-mail or PEC, or a postal address of several lines.
	To     string
	Locale string
	// Subject is one line without a secret.
	Subject string
	// Text and HTML are the body for e-mail and PEC, Text also that of a letter.
	Text, HTML string
	// Short is what an SMS says.
	Short string
	// Sender is the line that says who writes, on a letter; it may be empty.
	Sender string
	// CreatedAt is when the message was promised.
	CreatedAt time.Time
}

// Taken is what a channel says of a message that it took.
type Taken struct {
	// State is Sent, Delivered or HandedOver.
	State DeliveryState
	// ProviderRef is the provider's own id of the message, if it has one.
	ProviderRef string
}

// Sender hands messages over. A message may be given to it twice; its ID tells.
type Sender interface {
	// Send returns *Refused for a message that was refused for good, and *NoAnswer for one that
	// may have been taken. Any other error is for one to be tried later. No error repeats the
	// recipient or a part of the message.
	Send(ctx context.Context, m Outgoing) (Taken, error)
}

// Refused means that the recipient cannot be reached this way: a repeat would fare no better. It
// counts once the channel has taken another message since, or it is Certain.
type Refused struct {
	// Reason is a word for operators, in kebab-case, such as unknown-address.
	Reason string
	// Certain refusals need nobody's word: what stands there is no address.
	Certain bool
	// Message tells that the message was refused, and not its recipient, who stays reachable.
	Message bool
}

// Error implements error.
func (r *Refused) Error() string { return "refused: " + r.Reason }

// NoAnswer means that a message was handed over and no answer came: it may have been taken. A
// repeat at once might be a second copy.
type NoAnswer struct{ Err error }

// Error implements error.
func (u *NoAnswer) Error() string { return u.Err.Error() }

// Unwrap returns the cause.
func (u *NoAnswer) Unwrap() error { return u.Err }
