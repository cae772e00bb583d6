package appointment

import (
	"context"
	"maps"
	"time"

	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/calendar"
)

// The messages to who booked an appointment. Their data are those of facts; none has the notes.
var (
	bookedKind    = outbox.Declare(outbox.Kind{Name: "appointment.booked"})
	confirmedKind = outbox.Declare(outbox.Kind{Name: "appointment.confirmed"})
	movedKind     = outbox.Declare(outbox.Kind{Name: "appointment.moved"})
	cancelledKind = outbox.Declare(outbox.Kind{Name: "appointment.cancelled"})
	expiredKind   = outbox.Declare(outbox.Kind{Name: "appointment.expired"})
	// withdrawnKind has the reason too, and the next free hours.
	withdrawnKind = outbox.Declare(outbox.Kind{Name: "appointment.withdrawn"})
	reminderKind  = outbox.Declare(outbox.Kind{Name: "appointment.reminder", Mute: outbox.Reminders})
)

// facts are what a message says of an appointment.
func (v View) facts() map[string]any {
	facts := map[string]any{
		"starts_at": v.StartsAt.UTC().Format(time.RFC3339Nano), "channel": v.Channel, "place": v.OfficeTitle, "address": v.Line(),
		"topic_it": v.TopicTitleIt, "topic_en": v.TopicTitleEn,
	}
	if v.State == Booked {
		facts["confirm_by"] = v.ConfirmBy.UTC().Format(time.RFC3339Nano)
	}
	return facts
}

// tell promises who booked it a message about an appointment.
func (s *Service) tell(ctx context.Context, kind outbox.Kind, v View, now time.Time, more map[string]any) error {
	facts := v.facts()
	maps.Copy(facts, more)
	m, err := outbox.NewMessage(kind, v.PersonID, facts, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, m)
}

// hours writes instants as people read them, by the clocks of Rome.
func hours(slots []Slot) string {
	text := ""
	for i, s := range slots {
		if i > 0 {
			text += "; "
		}
		text += s.StartsAt.In(calendar.Rome).Format("02/01/2006 15:04")
	}
	return text
}
