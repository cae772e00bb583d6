package outbox

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/fault"
)

// Report is what a channel says later of a message that it took.
type Report struct {
	// Channel is which channel says so: about another's delivery it has nothing to say.
	Channel Channel
	// DeliveryID names the delivery or, when it is zero, ProviderRef does.
	DeliveryID  uuid.UUID
	ProviderRef string
	// Delivered tells that it arrived; otherwise it failed.
	Delivered bool
	// Permanent failures say that the recipient does not exist: nothing further goes there.
	Permanent bool
	// Reason is a word for operators, in kebab-case; it may be empty.
	Reason string
	// Recipient, where it is set, must be the delivery's.
	Recipient string
	// DelayNotice is the id of word that it is still under way. The second such word, or the one
	// that is LastNotice, says that it failed.
	DelayNotice string
	LastNotice  bool
	// Uncertified tells that the recipient has no certified mailbox: nothing further goes there by
	// this channel.
	Uncertified bool
	// Doubt, where it is set, is why what was said is not believed. It is shown to operators and
	// changes nothing else.
	Doubt string
}

// timedOut is the reason of a delivery of which its channel said twice that it is under way.
const timedOut = "timed-out"

// Report notes what a channel says of a delivery, in one transaction. It returns fault.NotFound for
// one that does not exist, or goes to another recipient. What comes late, twice or out of order
// changes nothing: only what was sent can arrive or fail. One exception is a delivery that timed
// out and arrives after all.
func (w *Worker) Report(ctx context.Context, r Report) error {
	if r.DeliveryID == uuid.Nil && r.ProviderRef == "" {
		return fault.New(fault.NotFound)
	}
	another := false
	err := w.db.InTx(ctx, func(ctx context.Context) error {
		d, found, err := w.repo.lock(ctx, r.DeliveryID, r.ProviderRef)
		if err != nil {
			return err
		}
		if !found || d.Channel != r.Channel {
			return fault.New(fault.NotFound)
		}
		if another = r.Recipient != "" && !strings.EqualFold(r.Recipient, d.Recipient); another {
			r = Report{Doubt: "receipt-not-genuine: another-recipient"}
		}
		return w.reported(ctx, d, r)
	})
	if err == nil && another {
		return fault.New(fault.NotFound)
	}
	return err
}

// reported notes what a channel says of a delivery, which is locked in the context's transaction.
func (w *Worker) reported(ctx context.Context, d Delivery, r Report) error {
	switch d.State {
	case Queued, Sent, HandedOver, Unconfirmed: // a report may overtake the note that the delivery was sent
	case Failed:
		if !r.Delivered || d.LastError == nil || *d.LastError != timedOut {
			return nil
		}
	case Delivered, Dead:
		return nil
	}
	if r.Doubt != "" {
		d.LastError = &r.Doubt
		return w.repo.save(ctx, d)
	}
	if r.DelayNotice != "" || r.LastNotice {
		again := d.DelayNotice != nil && *d.DelayNotice != r.DelayNotice
		if !again && !r.LastNotice {
			return w.delayed(ctx, d, r)
		}
		r.Reason = timedOut
	}
	now := w.clock.Now()
	state := Failed
	if r.Delivered {
		state = Delivered
	}
	o := tried(outcome{row: d}, state, now, reasonOf(errors.New(r.Reason), d))
	o.row.UpdatedAt, o.row.LeaseOwner, o.row.LeaseUntil = now, nil, nil
	if err := w.repo.save(ctx, o.row); err != nil {
		return err
	}
	if err := db.InsertAll(ctx, w.db, []Attempt{*o.attempt}); err != nil {
		return err
	}
	if state == Delivered {
		if err := w.repo.erase(ctx, db.UUIDs{d.Message()}); err != nil {
			return err
		}
	}
	if err := w.reached(ctx, o.row, state == Failed && r.Permanent); err != nil || !r.Uncertified {
		return err
	}
	return w.router.Uncertified(ctx, o.row)
}

// delayed notes the first word that a delivery is still under way. The same word may come twice.
func (w *Worker) delayed(ctx context.Context, d Delivery, r Report) error {
	if d.DelayNotice != nil {
		return nil
	}
	reason := reasonOf(errors.New(r.Reason), d)
	d.DelayNotice, d.LastError = &r.DelayNotice, &reason
	if err := w.repo.save(ctx, d); err != nil {
		return err
	}
	return db.InsertAll(ctx, w.db, []Attempt{{
		ID: uuid.Must(uuid.NewV7()), DeliveryID: d.ID, At: w.clock.Now(), Outcome: Delayed, Reason: &reason,
	}})
}
