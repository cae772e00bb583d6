package ticket

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/scan"
	"diresco/internal/platform/fault"
)

// handler checks and stores tickets in the protocol register.
type handler struct {
	repository
	scans *scan.Service
}

// filing is a ticket on its way into the register.
type filing struct {
	view View
	// refusal is why it cannot be filed, found out before its files were stored. It goes to the
	// register all the same, which knows whether it is the repeat of one that was filed.
	refusal error
	// content is what the system is asked to decide; it may be nil.
	content any
	// also runs after the row was written; it may be nil.
	also func(ctx context.Context, t Ticket) error
}

// opener is who has how many tickets open, for whom.
type opener struct{ person, contributor uuid.UUID }

// Check implements protocol.Handler: nobody has too many open for one contributor. Smart tasks are
// not counted: they are decided at once.
func (h handler) Check(ctx context.Context, entries []*protocol.Entry[filing]) error {
	open := map[opener]int{}
	for _, e := range entries {
		t := e.Content.view.Ticket
		if e.Content.refusal != nil {
			e.Refuse(e.Content.refusal)
			continue
		}
		if t.Kind != Request {
			continue
		}
		by := opener{t.PersonID, t.ContributorID}
		n, known := open[by]
		if !known {
			var err error
			if n, err = h.open(ctx, t.PersonID, t.ContributorID); err != nil {
				return err
			}
		}
		if err := fault.OverOpen(n, mostOpen, ""); err != nil {
			e.Refuse(err)
		} else {
			n++
		}
		open[by] = n
	}
	return nil
}

// Store implements protocol.Handler: the ticket with its number, what goes with it, and the
// messages to who opened it.
func (h handler) Store(ctx context.Context, entries []*protocol.Entry[filing]) error {
	for _, e := range entries {
		v := e.Content.view
		v.State, v.OpenedAt, v.UpdatedAt, v.Version = Open, e.At, e.At, 1
		v.ProtocolNumber, v.Digest = e.Number.String(), e.Digest
		if err := h.create(ctx, v.Ticket); err != nil {
			return err
		}
		var err error
		if len(v.Attachments) > 0 {
			if v.Scan, err = h.scans.Hold(ctx, scan.Files{
				ID: v.ID, Kind: SubjectKind, ContributorID: &v.ContributorID, Keys: []string{archiveKey(v.ID)},
			}, e.At); err != nil {
				return err
			}
		}
		if e.Messages, err = v.told(receivedKind, e.At); err != nil {
			return err
		}
		if also := e.Content.also; also != nil {
			if err := also(ctx, v.Ticket); err != nil {
				return err
			}
		}
		e.Content.view = v
	}
	return nil
}
