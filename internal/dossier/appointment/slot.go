package appointment

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/calendar"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// Channel is how an appointment is kept.
type Channel string

// The channels of appointments.
const (
	Counter Channel = "counter"
	Phone   Channel = "phone"
	Video   Channel = "video"
)

// Channels lists the channels.
func Channels() []Channel { return []Channel{Counter, Phone, Video} }

// Slot is an hour that an office offers, for one appointment at one of its desks.
type Slot struct {
	ID         uuid.UUID
	OfficeCode string
	// Desk tells apart the slots that an office has at the same time.
	Desk    int
	Channel Channel
	// Topics are the codes of what it is for: topics of tickets, and headings.
	Topics           []string `gorm:"serializer:json"`
	StartsAt         time.Time
	EndsAt           time.Time
	PublishedBy      *uuid.UUID
	PublishedAt      time.Time
	WithdrawnBy      *uuid.UUID
	WithdrawnAt      *time.Time
	WithdrawalReason *string
}

// TableName tells GORM the table.
func (Slot) TableName() string { return "appointment_slots" }

// requireOpen returns fault.Conflict for a slot that nobody can take any more.
func (s Slot) requireOpen(now time.Time) error {
	switch {
	case s.WithdrawnAt != nil:
		return fault.Because(fault.Conflict, "slot-withdrawn")
	case !now.Before(s.StartsAt):
		return fault.Because(fault.Conflict, "slot-begun")
	}
	return nil
}

// isFor reports whether the slot is for a topic, named itself or by its heading.
func (s Slot) isFor(t Topic) bool {
	return slices.Contains(s.Topics, t.Code) || t.ParentCode != nil && slices.Contains(s.Topics, *t.ParentCode)
}

// withdrawnBy is the slot that the office offers no more.
func (s Slot) withdrawnBy(operator uuid.UUID, reason string, now time.Time) (Slot, error) {
	if err := s.requireOpen(now); err != nil {
		return s, err
	}
	s.WithdrawnBy, s.WithdrawnAt, s.WithdrawalReason = &operator, &now, &reason
	return s, nil
}

// Topic is what an appointment is about: a topic of tickets.
type Topic struct {
	Code       string
	ParentCode *string
	// Appointments says that one may be booked without a ticket, Offered that nobody retired it.
	Appointments bool
	Offered      bool
}

// What an office may publish at once.
const (
	maxSlots       = 2000
	maxMonths      = 3
	maxMonthsAhead = 12
	maxLength      = 4 * time.Hour
	minMinutes     = 5
	maxMinutes     = 240
)

// Offer is what an office publishes: one hour, or a pattern of them over the working days of a
// period.
type Offer struct {
	Channel Channel
	Topics  []string
	// Desks are how many slots there are at the same time, FirstDesk the number of the first of
	// them.
	Desks     int
	FirstDesk int
	// StartsAt and EndsAt are for one hour.
	StartsAt *time.Time
	EndsAt   *time.Time
	// The rest is for a pattern: dates, weekdays, times of the day ("09:00") and minutes.
	From     *calendar.Date
	To       *calendar.Date
	Weekdays []time.Weekday
	Starts   string
	Ends     string
	Minutes  int
}

// span is one hour.
type span struct{ from, to time.Time }

// isPattern reports whether anything of a pattern was given.
func (o Offer) isPattern() bool {
	return o.From != nil || o.To != nil || o.Weekdays != nil || o.Starts != "" || o.Ends != "" || o.Minutes != 0
}

// slots makes the slots that are offered from now on. It returns fault.Invalid naming each field
// that is wrong.
func (o Offer) slots(office string, by *uuid.UUID, now time.Time) ([]Slot, error) {
	wrong := o.checkKind()
	var spans []span
	if o.isPattern() {
		more := o.checkPattern(now)
		if wrong = append(wrong, more...); len(more) == 0 {
			spans = o.pattern(now)
		}
	} else {
		more := o.checkHour(now)
		if wrong = append(wrong, more...); len(more) == 0 {
			spans = []span{{clock.Normal(*o.StartsAt), clock.Normal(*o.EndsAt)}}
		}
	}
	desks, first := max(o.Desks, 1), max(o.FirstDesk, 1)
	switch {
	case len(wrong) > 0:
		return nil, fault.InvalidFields(wrong...)
	case len(spans) == 0:
		return nil, fault.InvalidFields(fault.Field{Pointer: "/weekdays", Code: fault.FieldNoSlots})
	case len(spans)*desks > maxSlots:
		return nil, fault.InvalidFields(fault.Field{Pointer: "/to", Code: fault.FieldTooManySlots})
	}
	all := make([]Slot, 0, len(spans)*desks)
	for _, s := range spans {
		for desk := range desks {
			all = append(all, Slot{
				ID: uuid.Must(uuid.NewV7()), OfficeCode: office, Desk: first + desk, Channel: o.Channel, Topics: o.Topics,
				StartsAt: s.from, EndsAt: s.to, PublishedBy: by, PublishedAt: now,
			})
		}
	}
	return all, nil
}

func (o Offer) checkKind() []fault.Field {
	var wrong []fault.Field
	if !slices.Contains(Channels(), o.Channel) {
		wrong = append(wrong, fault.Field{Pointer: "/channel", Code: fault.FieldEnum})
	}
	if len(o.Topics) == 0 {
		wrong = append(wrong, fault.Field{Pointer: "/topics", Code: fault.EmptyList(o.Topics)})
	}
	for i, code := range o.Topics {
		if slices.Contains(o.Topics[:i], code) {
			wrong = append(wrong, fault.Field{Pointer: "/topics/" + strconv.Itoa(i), Code: fault.FieldDuplicate})
		}
	}
	return wrong
}

func (o Offer) checkHour(now time.Time) []fault.Field {
	var wrong []fault.Field
	for pointer, missing := range map[string]bool{"/starts_at": o.StartsAt == nil, "/ends_at": o.EndsAt == nil} {
		if missing {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: fault.FieldRequired})
		}
	}
	if len(wrong) > 0 {
		return inOrder(wrong)
	}
	switch {
	case !o.StartsAt.After(now):
		wrong = append(wrong, fault.Field{Pointer: "/starts_at", Code: fault.FieldPast})
	case o.StartsAt.After(calendar.AddMonths(now, maxMonthsAhead)):
		wrong = append(wrong, fault.Field{Pointer: "/starts_at", Code: fault.FieldTooFar})
	}
	if length := o.EndsAt.Sub(*o.StartsAt); length <= 0 {
		wrong = append(wrong, fault.Field{Pointer: "/ends_at", Code: fault.FieldEndsBefore})
	} else if length > maxLength {
		wrong = append(wrong, fault.Field{Pointer: "/ends_at", Code: fault.FieldPeriodTooLong})
	}
	return wrong
}

func (o Offer) checkPattern(now time.Time) []fault.Field {
	var wrong []fault.Field
	for pointer, given := range map[string]bool{"/starts_at": o.StartsAt != nil, "/ends_at": o.EndsAt != nil} {
		if given {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: fault.FieldNotApplicable})
		}
	}
	for pointer, missing := range map[string]bool{
		"/from": o.From == nil, "/to": o.To == nil, "/starts": o.Starts == "", "/ends": o.Ends == "", "/minutes": o.Minutes == 0,
	} {
		if missing {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: fault.FieldRequired})
		}
	}
	if len(o.Weekdays) == 0 {
		wrong = append(wrong, fault.Field{Pointer: "/weekdays", Code: fault.EmptyList(o.Weekdays)})
	}
	if len(wrong) > 0 {
		return inOrder(wrong)
	}
	today := calendar.DateIn(now)
	switch {
	case o.From.Before(today):
		wrong = append(wrong, fault.Field{Pointer: "/from", Code: fault.FieldPast})
	case calendar.DateIn(calendar.AddMonths(now, maxMonthsAhead)).Before(*o.From):
		wrong = append(wrong, fault.Field{Pointer: "/from", Code: fault.FieldTooFar})
	}
	if o.To.Before(*o.From) {
		wrong = append(wrong, fault.Field{Pointer: "/to", Code: fault.FieldEndsBefore})
	} else if last := calendar.DateIn(calendar.AddMonths(o.From.Start(), maxMonths)); last.Before(*o.To) {
		wrong = append(wrong, fault.Field{Pointer: "/to", Code: fault.FieldPeriodTooLong})
	}
	starts, bad := timeOfDay(o.Starts)
	ends, worse := timeOfDay(o.Ends)
	if bad {
		wrong = append(wrong, fault.Field{Pointer: "/starts", Code: fault.FieldPattern})
	}
	if worse {
		wrong = append(wrong, fault.Field{Pointer: "/ends", Code: fault.FieldPattern})
	}
	if o.Minutes < minMinutes {
		wrong = append(wrong, fault.Field{Pointer: "/minutes", Code: fault.FieldMinimum})
	}
	if o.Minutes > maxMinutes {
		wrong = append(wrong, fault.Field{Pointer: "/minutes", Code: fault.FieldMaximum})
	}
	if !bad && !worse && ends-starts < o.Minutes {
		wrong = append(wrong, fault.Field{Pointer: "/ends", Code: fault.FieldEndsBefore})
	}
	return wrong
}

// inOrder sorts wrong fields by their place.
func inOrder(wrong []fault.Field) []fault.Field {
	slices.SortFunc(wrong, func(a, b fault.Field) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return wrong
}

// timeOfDay reads "09:30" as minutes after midnight.
func timeOfDay(text string) (minutes int, bad bool) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, true
	}
	return t.Hour()*60 + t.Minute(), false
}

// pattern are the hours of the pattern that have not begun: on its weekdays as far as they are
// working days, by the clocks of Rome.
func (o Offer) pattern(now time.Time) []span {
	starts, _ := timeOfDay(o.Starts)
	ends, _ := timeOfDay(o.Ends)
	var spans []span
	for day := *o.From; !o.To.Before(day); day = day.AddDays(1) {
		if !slices.Contains(o.Weekdays, day.Weekday()) || !calendar.IsWorkingDay(day) {
			continue
		}
		for at := starts; at+o.Minutes <= ends; at += o.Minutes {
			s := span{onClock(day, at), onClock(day, at+o.Minutes)}
			if s.from.After(now) && s.from.Before(s.to) {
				spans = append(spans, s)
			}
		}
	}
	return spans
}

// onClock is the instant at which the clocks of Rome show so many minutes after midnight.
func onClock(day calendar.Date, minutes int) time.Time {
	return time.Date(day.Year, day.Month, day.Day, 0, minutes, 0, 0, calendar.Rome).UTC()
}

// overlaps reports whether any of the slots is at a desk at the same time as another one.
func overlaps(slots, others []Slot) bool {
	type desk struct {
		number int
		day    calendar.Date
	}
	taken := map[desk][]Slot{}
	for _, s := range others {
		for _, at := range []time.Time{s.StartsAt, s.EndsAt} {
			place := desk{s.Desk, calendar.DateIn(at)}
			taken[place] = append(taken[place], s)
		}
	}
	return slices.ContainsFunc(slots, func(s Slot) bool {
		return slices.ContainsFunc(slices.Concat(
			taken[desk{s.Desk, calendar.DateIn(s.StartsAt)}], taken[desk{s.Desk, calendar.DateIn(s.EndsAt)}],
		), func(o Slot) bool { return s.StartsAt.Before(o.EndsAt) && o.StartsAt.Before(s.EndsAt) })
	})
}
