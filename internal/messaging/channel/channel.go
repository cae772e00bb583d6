// Package channel is how a message leaves. E-mail and PEC leave by SMTP, SMS by a gateway, letters
// by a print house. Each way is one small type behind Sender, in a package of its own below this
// one.
package channel

import (
	"context"

	"diresco/internal/kernel/outbox"
)

// Outgoing is a message in words, on its way to one recipient.
type Outgoing = outbox.Outgoing

// Sent is what a channel says of a message that it took.
type Sent = outbox.Taken

// Sender hands messages over. A message may be given to it twice; its ID tells. It returns *Refused
// for a message that was refused for good, *NoAnswer for one that may have been taken, and any
// other error for one to be tried later.
type Sender = outbox.Sender

// Refused means that the recipient cannot be reached this way: a repeat would fare no better.
type Refused = outbox.Refused

// NoAnswer means that nobody knows whether the message was taken.
type NoAnswer = outbox.NoAnswer

// Reporter is told what became of messages after a channel took them; outbox.Worker is one.
type Reporter interface {
	// Report notes it. It returns fault.NotFound for a message that it does not know; what comes
	// late, twice or out of order changes nothing.
	Report(ctx context.Context, r outbox.Report) error
}
