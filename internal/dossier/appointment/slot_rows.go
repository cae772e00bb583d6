package appointment

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

var selectSlot = "SELECT " + db.Columns[Slot]("s") + " FROM appointment_slots s WHERE "

// slot returns a slot, if there is one.
func (r repository) slot(ctx context.Context, id uuid.UUID) (Slot, bool, error) {
	var rows []Slot
	err := r.db.From(ctx).Raw(selectSlot+"s.id = ?", id).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return Slot{}, false, err
	}
	return rows[0].normal(), true, nil
}

// lockSlots returns slots, locked in the order of their ids. Whoever takes or withdraws one holds
// it. It returns fault.NotFound where one is missing.
func (r repository) lockSlots(ctx context.Context, ids ...uuid.UUID) (map[uuid.UUID]Slot, error) {
	ids = ordered(ids)
	var rows []Slot
	err := r.db.From(ctx).Raw(selectSlot+"s.id IN ? ORDER BY s.id"+r.db.ForNoKeyUpdate(), ids).Scan(&rows).Error
	if err == nil && len(rows) < len(ids) {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	slots := make(map[uuid.UUID]Slot, len(rows))
	for _, s := range rows {
		slots[s.ID] = s.normal()
	}
	return slots, nil
}

// between returns the slots of an office that are not over at one instant and begin before another.
func (r repository) between(ctx context.Context, office string, from, to time.Time) ([]Slot, error) {
	var rows []Slot
	// None is longer than maxLength, so that the index has a range to look at.
	err := r.db.From(ctx).Raw(
		selectSlot+"s.office_code = ? AND s.withdrawal_reason IS NULL AND s.starts_at > ? AND s.starts_at < ? AND s.ends_at > ?",
		office, from.Add(-maxLength), to, from,
	).Scan(&rows).Error
	return rows, err
}

// addedAtOnce is how many slots one statement inserts.
const addedAtOnce = 500

func (r repository) addSlots(ctx context.Context, slots []Slot) error {
	return r.db.From(ctx).CreateInBatches(&slots, addedAtOnce).Error
}

// published returns what was published, as the trail has it, or fault.NotFound.
func (r repository) published(ctx context.Context, id uuid.UUID) (Published, error) {
	var details []string
	err := r.db.From(ctx).Raw(
		"SELECT detail FROM audit_records WHERE subject_id = ? AND subject_kind = ?", id.String(), publicationKind,
	).Scan(&details).Error
	if err == nil && len(details) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Published{}, err
	}
	var p publication
	err = json.Unmarshal([]byte(details[0]), &p)
	return Published{ID: id, Count: p.Count, From: p.StartsAt, To: p.EndsAt}, err
}

// saveSlot writes the withdrawal of a slot, over a row that the caller holds locked.
func (r repository) saveSlot(ctx context.Context, s Slot) error {
	return r.db.From(ctx).Model(&Slot{}).Where("id = ?", s.ID).Select("withdrawn_by", "withdrawn_at", "withdrawal_reason").
		UpdateColumns(&s).Error
}

// holder is the appointment that holds a slot s at the instant ?, or NULL. As a probe it is asked of
// the slots of a page alone, where a join would read all that are held.
const holder = "(SELECT a.id FROM appointments a WHERE a.slot_id = s.id AND " + live + " LIMIT 1)"

// selectSlotView begins with the instant at which a slot is free or taken.
var selectSlotView = "SELECT " + db.Columns[Slot]("s") + ", " + holder + " AS appointment_id FROM appointment_slots s WHERE "

// slotView returns a slot with what became of it, or fault.NotFound.
func (r repository) slotView(ctx context.Context, id uuid.UUID, now time.Time) (SlotView, error) {
	var v SlotView
	err := r.db.From(ctx).Raw(selectSlotView+"s.id = ?", now, id).Take(&v).Error
	v.Slot = v.normal()
	return v, notFound(err)
}

// slots lists the slots of an office by time. From the instant on, if there is one, it lists those
// that are offered.
func (r repository) slots(
	ctx context.Context, office string, f SlotFilter, topics []string, offeredFrom *time.Time, request page.Request, now time.Time,
) (page.Page[SlotView], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[SlotView]{}, err
	}
	where, args := "s.office_code = ?", []any{now, office}
	if offeredFrom != nil {
		where, args = where+" AND s.withdrawal_reason IS NULL AND s.starts_at > ?", append(args, *offeredFrom)
	}
	if f.From != nil {
		where, args = where+" AND s.starts_at >= ?", append(args, f.From.Start())
	}
	if f.To != nil {
		where, args = where+" AND s.starts_at < ?", append(args, f.To.End())
	}
	if f.Channel != "" {
		where, args = where+" AND s.channel = ?", append(args, f.Channel)
	}
	if topics != nil {
		condition, more := forTopics(topics)
		where, args = where+" AND "+condition, append(args, more...)
	}
	if f.Free {
		where, args = where+" AND "+holder+" IS NULL", append(args, now)
	}
	if after != nil {
		where, args = where+" AND (s.starts_at, s.id) > (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []SlotView
	err = r.db.From(ctx).Raw(
		selectSlotView+where+" ORDER BY s.starts_at, s.id LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error
	if err != nil {
		return page.Page[SlotView]{}, err
	}
	for i := range rows {
		rows[i].Slot = rows[i].normal()
	}
	return page.Cut(rows, request.Size(), func(v SlotView) page.Key { return page.Key{At: v.StartsAt, ID: v.ID} }), nil
}

// nextFree returns the first free slots of an office for a topic.
func (r repository) nextFree(ctx context.Context, office string, topics []string, now time.Time, most int) ([]Slot, error) {
	condition, more := forTopics(topics)
	args := slices.Concat([]any{now, office, now, now}, more, []any{most})
	var rows []SlotView
	err := r.db.From(ctx).Raw(selectSlotView+"s.office_code = ? AND s.withdrawal_reason IS NULL AND s.starts_at > ? AND "+holder+
		" IS NULL AND "+condition+" ORDER BY s.starts_at, s.id LIMIT ?", args...).Scan(&rows).Error
	slots := make([]Slot, len(rows))
	for i, v := range rows {
		slots[i] = v.Slot
	}
	return slots, err
}

// forTopics is the condition that a slot s is for any of the topics.
func forTopics(codes []string) (string, []any) {
	condition, args := "", make([]any, len(codes))
	for i, code := range codes {
		if i > 0 {
			condition += " OR "
		}
		condition += `s.topics LIKE ? ESCAPE '\'`
		args[i] = db.LikeContaining(`"` + code + `"`)
	}
	return "(" + condition + ")", args
}

// requireOffice returns fault.NotFound for an office that there is none of.
func (r repository) requireOffice(ctx context.Context, code string) error {
	var n int
	err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM offices WHERE code = ?", code).Scan(&n).Error
	if err == nil && n == 0 {
		err = fault.New(fault.NotFound)
	}
	return err
}

// normal is the slot with instants as the API has them.
func (s Slot) normal() Slot {
	s.StartsAt, s.EndsAt = clock.Normal(s.StartsAt), clock.Normal(s.EndsAt)
	return s
}
