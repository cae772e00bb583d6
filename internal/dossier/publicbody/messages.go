package publicbody

import (
	"time"

	"diresco/internal/kernel/outbox"
)

// Kinds of the messages to who filed a list. Each names {protocol_number, period, submitted_at}.
var (
	// Received tells that a list was protocolled, and whether it waits: {waits}.
	Received = outbox.Declare(outbox.Kind{Name: "dma.received"})
	// Completed tells that a list waits no more for dispositive credentials.
	Completed = outbox.Declare(outbox.Kind{Name: "dma.completed"})
	// LapsedKind tells that the credentials did not become dispositive in time.
	LapsedKind = outbox.Declare(outbox.Kind{Name: "dma.lapsed"})
)

// message tells who filed a list what became of it.
func (s Submission) message(kind outbox.Kind, at time.Time) (outbox.Message, error) {
	data := map[string]any{
		"protocol_number": s.ProtocolNumber, "period": s.Period, "submitted_at": s.SubmittedAt.Format(time.RFC3339Nano),
	}
	if kind == Received {
		data["waits"] = s.Awaited
	}
	return outbox.NewMessage(kind, s.PersonID, data, at)
}
