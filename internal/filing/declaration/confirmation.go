package declaration

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// noReservation is the fault of a confirmation that names no reservation of its contributor.
func noReservation() error {
	return fault.InvalidFields(fault.Field{Pointer: "/reservation_id", Code: fault.FieldUnknownDeclaration})
}

// isReservationFor reports whether a declaration is one that another one of the same contributor
// and type could confirm.
func (d Declaration) isReservationFor(confirmation Declaration) bool {
	return d.State != Draft && d.Step == catalogue.Reservation && d.ContributorID == confirmation.ContributorID &&
		d.Type == confirmation.Type
}

// checkReservation refuses a confirmation without a reservation, and a reservation for anything
// else.
func (s *Service) checkReservation(ctx context.Context, contributorID uuid.UUID, in Input) error {
	switch {
	case in.Step != catalogue.Confirmation && in.ReservationID != nil:
		return fault.InvalidFields(fault.Field{Pointer: "/reservation_id", Code: fault.FieldNotApplicable})
	case in.Step != catalogue.Confirmation:
		return nil
	case in.ReservationID == nil:
		return fault.InvalidFields(fault.Field{Pointer: "/reservation_id", Code: fault.FieldRequired})
	}
	r, err := s.repo.filed(ctx, *in.ReservationID)
	if fault.Is(err, fault.NotFound) || err == nil && !r.isReservationFor(Declaration{ContributorID: contributorID, Type: in.Type}) {
		return noReservation()
	}
	return err
}

// differences returns where a confirmation differs from what was reserved, with the value that was.
// A start date that the reservation left open may be any.
func differences(t *Type, a, reserved *asked) []fault.Field {
	var fields []fault.Field
	differs := func(pointer, value, expected, shown string) {
		if value != expected {
			fields = append(fields, fault.Field{
				Pointer: "/content" + pointer, Code: fault.FieldDiffers, Right: &fault.Right{Expected: shown},
			})
		}
	}
	if t.WorkerField != "" {
		shown := ""
		if code, err := taxcode.Parse(reserved.worker); err == nil {
			shown = code.Masked()
		}
		differs(t.WorkerField, a.worker, reserved.worker, shown)
	}
	if t.EventField != "" {
		differs(t.EventField, a.event, reserved.event, reserved.event)
	}
	if reserved.hire != "" {
		differs(t.HireDateField, a.hire, reserved.hire, reserved.hire)
	}
	if t.Fund != nil && t.Fund.RegionField != "" && a.fund != reserved.fund {
		region := reserved.fund[min(len(t.Fund.Code)+1, len(reserved.fund)):]
		fields = append(fields, fault.Field{
			Pointer: "/content" + t.Fund.RegionField, Code: fault.FieldDiffers, Right: &fault.Right{Expected: region},
		})
	}
	return fields
}

// confirmedBy returns the reservations that confirmations name which are superseded. What was
// submitted never changes, so it need not be locked.
func (r *repository) confirmedBy(ctx context.Context, superseded []uuid.UUID) ([]uuid.UUID, error) {
	if len(superseded) == 0 {
		return nil, nil
	}
	var found []uuid.UUID
	err := r.db.From(ctx).Raw(
		"SELECT reservation_id FROM declarations WHERE id IN ? AND reservation_id IS NOT NULL AND state <> 'draft'", superseded,
	).Scan(&found).Error
	return found, err
}

// confirmationsOf returns the live confirmations of reservations.
func (r *repository) confirmationsOf(ctx context.Context, reservations []uuid.UUID) (map[uuid.UUID][]uuid.UUID, error) {
	found := map[uuid.UUID][]uuid.UUID{}
	if len(reservations) == 0 {
		return found, nil
	}
	var rows []struct{ ID, ReservationID uuid.UUID }
	err := r.db.From(ctx).Raw(`SELECT id, reservation_id FROM declarations WHERE reservation_id IN ?
		AND state IN ('submitted', 'awaiting_credentials', 'accepted')`, reservations).Scan(&rows).Error
	for _, row := range rows {
		found[row.ReservationID] = append(found[row.ReservationID], row.ID)
	}
	return found, err
}
