package appointment

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// Put adds the slots of an offer at an office in the context's transaction. It is for whoever sets
// up data: nobody published them, and no others are at the same desks.
func Put(ctx context.Context, d *db.DB, office string, o Offer, now time.Time) ([]Slot, error) {
	slots, err := o.slots(office, nil, now)
	if err != nil {
		return nil, err
	}
	return slots, repository{d}.addSlots(ctx, slots)
}

// PutBooking takes a slot for somebody in the context's transaction, by a right unless it is their
// own affair. It is for whoever sets up data: nobody is told, and nothing is traced.
func PutBooking(
	ctx context.Context, d *db.DB, personID uuid.UUID, right *access.Right, s Slot, in Booking, confirmed bool, now time.Time,
) error {
	a, err := in.book(uuid.Must(uuid.NewV7()), personID, s, now)
	if err != nil {
		return err
	}
	if right != nil {
		a.ContributorID, a.RightID, a.ActingAs = &right.ContributorID, &right.ID, new(string(right.ActingAs))
	}
	if confirmed {
		if a, err = a.confirm(s.StartsAt, now); err != nil {
			return err
		}
	}
	held, err := repository{d}.add(ctx, a)
	if err == nil && !held {
		err = fault.New(fault.SlotTaken)
	}
	return err
}
