package pin

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/due"
)

// Reminder is the kind of the message that a PIN must be changed, or used, soon. Its data is
// {"days": n, "what": "change" or "unused", "at": instant}.
var Reminder = outbox.Declare(outbox.Kind{Name: "pin.reminder", Mute: outbox.Reminders})

// remindBefore are the days before the end of a PIN at which its holder is reminded.
var remindBefore = []int{30, 7, 1}

// ending is one way in which a PIN comes to its end.
type ending struct {
	what string
	// column is when that is, condition for which PINs.
	column, condition string
}

var endings = []ending{
	{"change", "change_due_at", "c.initial = ?"},
	{"unused", "unused_expires_at", "c.initial <> ?"},
}

// reminders are due some days before a PIN must be changed or, unused, expires.
type reminders struct {
	repo   repository
	outbox *outbox.Outbox
	ending ending
	days   int
}

// Reminders are the due events of PINs: 30, 7 and 1 days before the end.
func (s *Service) Reminders() []due.Source {
	var all []due.Source
	for _, e := range endings {
		for _, days := range remindBefore {
			all = append(all, reminders{s.repo, s.outbox, e, days})
		}
	}
	return all
}

// Name implements due.Source.
func (r reminders) Name() string {
	return Reminder.Name + " " + r.ending.what + " " + strconv.Itoa(r.days)
}

func (r reminders) ahead() time.Duration { return time.Duration(r.days) * 24 * time.Hour }

// Next implements due.Source.
func (r reminders) Next(ctx context.Context, after due.Cursor, until time.Time) (time.Time, bool, error) {
	found, err := r.repo.ending(ctx, r.ending, end{EndsAt: after.At.Add(r.ahead()), PersonID: after.ID}, until.Add(r.ahead()), 1)
	if err != nil || len(found) == 0 {
		return time.Time{}, false, err
	}
	return clock.Normal(found[0].EndsAt).Add(-r.ahead()), true, nil
}

// Do implements due.Source. A PIN that has ended meanwhile is not worth a reminder.
func (r reminders) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	from := end{EndsAt: after.At.Add(r.ahead()), PersonID: after.ID}
	if !from.EndsAt.After(until) {
		from = end{EndsAt: until, PersonID: uuid.Max}
	}
	found, err := r.repo.ending(ctx, r.ending, from, until.Add(r.ahead()), due.AtOnce)
	if err != nil {
		return after, err
	}
	messages := make([]outbox.Message, len(found))
	for i, f := range found {
		endsAt := clock.Normal(f.EndsAt)
		messages[i], err = outbox.NewMessage(Reminder, f.PersonID, map[string]any{
			"days": r.days, "what": r.ending.what, "at": endsAt.Format(time.RFC3339Nano),
		}, endsAt.Add(-r.ahead()))
		if err != nil {
			return after, err
		}
		messages[i] = messages[i].Until(endsAt)
	}
	if err := r.outbox.Add(ctx, messages...); err != nil || len(found) < due.AtOnce {
		return due.Through(until), err
	}
	last := found[len(found)-1]
	return due.Cursor{At: clock.Normal(last.EndsAt).Add(-r.ahead()), ID: last.PersonID}, nil
}

// end is when somebody's PIN ends.
type end struct {
	PersonID uuid.UUID
	EndsAt   time.Time
}

// ending returns the PINs that end after the place in the order and not after the instant. The
// first to end come first.
func (r repository) ending(ctx context.Context, e ending, after end, until time.Time, limit int) ([]end, error) {
	var found []end
	err := r.db.From(ctx).Raw(fmt.Sprintf(`SELECT c.person_id, c.%[1]s AS ends_at FROM pins c JOIN people p ON p.id = c.person_id
		WHERE (c.%[1]s, c.person_id) > (?, ?) AND c.%[1]s <= ? AND c.revoked_at IS NULL AND %[2]s AND p.suspended_at IS NULL
		ORDER BY c.%[1]s, c.person_id LIMIT ?`, e.column, e.condition), after.EndsAt, after.PersonID, until, false,
		limit).Scan(&found).Error
	return found, err
}
