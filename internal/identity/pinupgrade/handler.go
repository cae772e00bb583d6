package pinupgrade

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/scan"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// handler checks and stores requests in the protocol register.
type handler struct {
	repository
	scans *scan.Service
}

// filing is a request on its way into the register.
type filing struct {
	upgrade Upgrade
	// refusal is why it cannot be filed, found out before its files were stored. It goes to the
	// register all the same, which knows whether it is the repeat of one that was filed.
	refusal error
}

// Check implements protocol.Handler: the holder has an ordinary PIN, and no other request waits.
// The register holds the person's row locked, so the level stays as it is.
func (h handler) Check(ctx context.Context, entries []*protocol.Entry[filing]) error {
	people := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		people[i] = e.By.PersonID
	}
	standings, err := h.standings(ctx, people...)
	if err != nil {
		return err
	}
	for _, e := range entries {
		stands := standings[e.By.PersonID]
		if refusal := e.Content.refusal; refusal != nil {
			e.Refuse(refusal)
			continue
		}
		if err := stands.refuse(); err != nil {
			e.Refuse(err)
			continue
		}
		// Of two in one group, the second finds the first waiting.
		stands.Waiting++
		standings[e.By.PersonID] = stands
	}
	return nil
}

// refuse returns fault.Conflict for who has a dispositive PIN, or has asked for one already.
func (s standing) refuse() error {
	switch {
	case s.CredentialLevel == access.Dispositive:
		return fault.Because(fault.Conflict, "already-dispositive")
	case s.Waiting > 0:
		return fault.Because(fault.Conflict, "upgrade-waiting")
	}
	return nil
}

// Store implements protocol.Handler: the request with its number, and a message to who sent it.
func (h handler) Store(ctx context.Context, entries []*protocol.Entry[filing]) error {
	for _, e := range entries {
		u := e.Content.upgrade
		u.State, u.SubmittedAt, u.ProtocolNumber, u.Digest, u.Version = Submitted, e.At, e.Number.String(), e.Digest, 1
		err := h.create(ctx, u)
		if db.IsUnique(err) {
			// Another process filed one for the same person meanwhile.
			return fault.Because(fault.Conflict, "upgrade-waiting")
		}
		if err != nil {
			return err
		}
		if _, err := h.scans.Hold(ctx, scan.Files{
			ID: u.ID, Kind: subjectKind, Keys: attachment.Keys(folder(u.ID), u.Attachments),
		}, e.At); err != nil {
			return err
		}
		e.Content.upgrade = u
		message, err := outbox.NewMessage(Received, u.PersonID, map[string]string{
			"protocol_number": u.ProtocolNumber, "submitted_at": u.SubmittedAt.Format(time.RFC3339Nano),
		}, e.At)
		if err != nil {
			return err
		}
		e.Messages = []outbox.Message{message}
	}
	return nil
}
