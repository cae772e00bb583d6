package appointment

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes slots and appointments.
type repository struct{ db *db.DB }

// live is that an appointment a holds its slot at the instant ?.
const live = "(a.state = 'confirmed' OR a.state = 'booked' AND a.confirm_by > ?)"

var selectView = "SELECT " + db.Columns[Appointment]("a") + `, s.starts_at, s.ends_at, s.channel, s.office_code, o.title AS office_title, o.street,
	o.postal_code, o.town, o.province, o.phone AS office_phone, t.title_it AS topic_title_it, t.title_en AS topic_title_en,
	p.given_name, p.family_name, c.legal_name, k.position_id AS ticket_position_id
	FROM appointments a JOIN appointment_slots s ON s.id = a.slot_id JOIN offices o ON o.code = s.office_code
	JOIN ticket_topics t ON t.code = a.topic JOIN people p ON p.id = a.person_id LEFT JOIN contributors c ON c.id = a.contributor_id
	LEFT JOIN tickets k ON k.id = a.ticket_id WHERE `

// one returns an appointment, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID, now time.Time) (View, error) {
	var v View
	err := r.db.From(ctx).Raw(selectView+"a.id = ?", id).Take(&v).Error
	return v.normal(now), notFound(err)
}

// lock keeps others from changing an appointment until the context's transaction ends, and from
// ending the bookings of the slots that were not confirmed in time. All are locked in the order of
// their ids.
func (r repository) lock(ctx context.Context, id uuid.UUID, now time.Time, slotIDs ...uuid.UUID) error {
	which, args := "id = ?", []any{id}
	if len(slotIDs) > 0 {
		which, args = which+" OR slot_id IN ? AND state = 'booked' AND confirm_by <= ?", append(args, slotIDs, now)
	}
	var ids []uuid.UUID
	return r.db.From(ctx).Raw("SELECT id FROM appointments WHERE "+which+" ORDER BY id"+r.db.ForUpdate(), args...).Scan(&ids).Error
}

// lockAll returns appointments as they are now, locked in the order of their ids.
func (r repository) lockAll(ctx context.Context, all []Appointment) ([]Appointment, error) {
	ids := make([]uuid.UUID, len(all))
	for i, a := range all {
		ids[i] = a.ID
	}
	var rows []Appointment
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Appointment]("")+" FROM appointments WHERE id IN ? ORDER BY id"+r.db.ForUpdate(), ids,
	).Scan(&rows).Error
	return rows, err
}

// lockOver returns, locked, the booking of a slot that was not confirmed in time.
func (r repository) lockOver(ctx context.Context, slotID uuid.UUID, now time.Time) ([]Appointment, error) {
	var rows []Appointment
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Appointment]("")+
		" FROM appointments WHERE slot_id = ? AND state = 'booked' AND confirm_by <= ? ORDER BY id"+r.db.ForUpdate(),
		slotID, now).Scan(&rows).Error
	return rows, err
}

// holders returns, locked, the appointment that holds a slot.
func (r repository) holders(ctx context.Context, slotID uuid.UUID) ([]Appointment, error) {
	var rows []Appointment
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Appointment]("")+
		" FROM appointments WHERE slot_id = ? AND state IN ('booked', 'confirmed') ORDER BY id"+r.db.ForUpdate(), slotID).Scan(&rows).Error
	return rows, err
}

// taken reports whether somebody holds the slot.
func (r repository) taken(ctx context.Context, slotID uuid.UUID, now time.Time) (bool, error) {
	var n int
	err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM appointments a WHERE a.slot_id = ? AND "+live, slotID, now).Scan(&n).Error
	return n > 0, err
}

// open lists what somebody booked that is to come, or under way.
func (r repository) open(ctx context.Context, personID uuid.UUID, now time.Time) ([]Appointment, error) {
	var rows []Appointment
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Appointment]("a")+
		" FROM appointments a JOIN appointment_slots s ON s.id = a.slot_id WHERE a.person_id = ? AND "+live+
		" AND s.ends_at > ? ORDER BY a.id",
		personID, now, now).Scan(&rows).Error
	return rows, err
}

// add writes an appointment, and reports whether its slot was there to be held.
func (r repository) add(ctx context.Context, a Appointment) (bool, error) {
	added := r.db.From(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "slot_id"}}, DoNothing: true,
		TargetWhere: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "state IN ('booked', 'confirmed')"}}},
	}).Create(&a)
	return added.RowsAffected > 0, added.Error
}

// save writes what a change leaves, over a row that the caller holds locked.
func (r repository) save(ctx context.Context, a Appointment) error {
	return r.db.From(ctx).Model(&Appointment{}).Where("id = ?", a.ID).Select(
		"slot_id", "state", "confirm_by", "confirmed_at", "ended_at", "ended_by", "withdrawal_reason", "remind_at", "attended",
		"attended_by", "attended_at", "sequence", "version", "updated_at",
	).UpdateColumns(&a).Error
}

// inState is the condition that an appointment a is in a state now.
func inState(state State, now time.Time) (string, []any) {
	switch state {
	case Booked:
		return "a.state = 'booked' AND a.confirm_by > ?", []any{now}
	case Expired:
		return "(a.state = 'expired' OR a.state = 'booked' AND a.confirm_by <= ?)", []any{now}
	case Confirmed, Cancelled:
		return "a.state = ?", []any{state}
	}
	return "1 = 1", nil
}

// list lists what somebody booked or, of a contributor, what anybody did. The latest comes first.
func (r repository) list(
	ctx context.Context, by access.Actor, own bool, f Filter, request page.Request, now time.Time,
) (page.Page[View], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[View]{}, err
	}
	where, args := inState(f.State, now)
	if own {
		where, args = where+" AND a.person_id = ?", append(args, by.PersonID)
		if by.Grant != nil {
			where += " AND (a.contributor_id IS NULL OR " + access.Consented("a.contributor_id") + ")"
			args = append(args, by.Grant.ConsentID)
		}
	}
	if f.ContributorID != nil {
		where, args = where+" AND a.contributor_id = ?", append(args, *f.ContributorID)
	}
	if f.From != nil {
		where, args = where+" AND s.starts_at >= ?", append(args, f.From.UTC())
	}
	if after != nil {
		where, args = where+" AND (a.booked_at, a.id) < (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	return r.page(ctx, where+" ORDER BY a.booked_at DESC, a.id DESC LIMIT ?", args, request, now, func(v View) page.Key {
		return page.Key{At: v.BookedAt, ID: v.ID}
	})
}

// ofOffice lists a day's appointments at an office, by time.
func (r repository) ofOffice(
	ctx context.Context, office string, f OfficeFilter, request page.Request, now time.Time,
) (page.Page[View], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[View]{}, err
	}
	where, args := inState(f.State, now)
	where += " AND s.office_code = ? AND s.starts_at >= ? AND s.starts_at < ?"
	args = append(args, office, f.Day.Start(), f.Day.End())
	if after != nil {
		where, args = where+" AND (s.starts_at, a.id) > (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	return r.page(ctx, where+" ORDER BY s.starts_at, a.id LIMIT ?", args, request, now, func(v View) page.Key {
		return page.Key{At: v.StartsAt, ID: v.ID}
	})
}

func (r repository) page(
	ctx context.Context, where string, args []any, request page.Request, now time.Time, key func(v View) page.Key,
) (page.Page[View], error) {
	var rows []View
	if err := r.db.From(ctx).Raw(selectView+where, append(args, request.Size()+1)...).Scan(&rows).Error; err != nil {
		return page.Page[View]{}, err
	}
	for i := range rows {
		rows[i] = rows[i].normal(now)
	}
	return page.Cut(rows, request.Size(), key), nil
}

// expiring returns the bookings that are to be confirmed after the place and by the instant, the
// first to expire first.
func (r repository) expiring(ctx context.Context, after time.Time, id uuid.UUID, until time.Time, limit int) ([]Appointment, error) {
	var rows []Appointment
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Appointment]("")+
		" FROM appointments WHERE state = 'booked' AND (confirm_by, id) > (?, ?) AND confirm_by <= ? ORDER BY confirm_by, id LIMIT ?",
		after, id, until, limit).Scan(&rows).Error
	return rows, err
}

// toRemind returns the confirmed appointments of which somebody is reminded after the place and by
// the instant.
func (r repository) toRemind(ctx context.Context, after time.Time, id uuid.UUID, until time.Time, limit int) ([]Appointment, error) {
	var rows []Appointment
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Appointment]("")+
		" FROM appointments WHERE state = 'confirmed' AND (remind_at, id) > (?, ?) AND remind_at <= ? ORDER BY remind_at, id LIMIT ?",
		after, id, until, limit).Scan(&rows).Error
	return rows, err
}

// ticket returns a ticket, or fault.NotFound.
func (r repository) ticket(ctx context.Context, id uuid.UUID) (ticket.Ticket, error) {
	var t ticket.Ticket
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[ticket.Ticket]("")+" FROM tickets WHERE id = ?", id).Take(&t).Error
	return t, notFound(err)
}

// holdTicket is ticket, and keeps others from changing it until the context's transaction ends.
func (r repository) holdTicket(ctx context.Context, id uuid.UUID) (ticket.Ticket, error) {
	var t ticket.Ticket
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[ticket.Ticket]("")+" FROM tickets WHERE id = ?"+r.db.ForShare("tickets"), id,
	).Take(&t).Error
	return t, notFound(err)
}

// topic returns a topic or a heading, if there is one.
func (r repository) topic(ctx context.Context, code string) (Topic, bool, error) {
	var rows []Topic
	err := r.db.From(ctx).Raw(
		"SELECT code, parent_code, appointments, "+ticket.Offered+" AS offered FROM ticket_topics WHERE code = ?", code,
	).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return Topic{}, false, err
	}
	return rows[0], true, nil
}

// topics reports which of the codes are topics or headings.
func (r repository) topics(ctx context.Context, codes []string) (map[string]bool, error) {
	var found []string
	err := r.db.From(ctx).Raw("SELECT code FROM ticket_topics WHERE code IN ?", codes).Scan(&found).Error
	known := make(map[string]bool, len(found))
	for _, code := range found {
		known[code] = true
	}
	return known, err
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}

// ordered sorts ids as rows are locked, each once.
func ordered(ids []uuid.UUID) []uuid.UUID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}
