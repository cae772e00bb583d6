package appointment

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

func date(text string) *calendar.Date {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return &calendar.Date{Year: t.Year(), Month: t.Month(), Day: t.Day()}
}

func pattern(from, to string) Offer {
	return Offer{
		Channel: Counter, Topics: []string{heading}, From: date(from), To: date(to), Weekdays: []time.Weekday{time.Monday}, Starts: "09:00",
		Ends: "11:00", Minutes: 45,
	}
}

func TestSlot_PatternFollowsTheClocksOfRomeAndTheHolidays(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string
		days     []time.Weekday
		want     []string
	}{
		"into summer time": {
			"2026-03-23", "2026-03-30",
			[]time.Weekday{time.Monday},
			[]string{"2026-03-23T08:00:00Z", "2026-03-23T08:45:00Z", "2026-03-30T07:00:00Z", "2026-03-30T07:45:00Z"},
		},
		"Easter Monday": {
			"2026-04-06", "2026-04-07",
			[]time.Weekday{time.Monday, time.Tuesday},
			[]string{"2026-04-07T07:00:00Z", "2026-04-07T07:45:00Z"},
		},
		"no Saturday": {
			"2026-04-17", "2026-04-18",
			[]time.Weekday{time.Friday, time.Saturday},
			[]string{"2026-04-17T07:00:00Z", "2026-04-17T07:45:00Z"},
		},
	} {
		o := pattern(test.from, test.to)
		o.Weekdays = test.days
		slots, err := o.slots(world.Rome, nil, world.Start)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, s := range slots {
			got = append(got, s.StartsAt.Format(time.RFC3339))
			if s.EndsAt.Sub(s.StartsAt) != 45*time.Minute {
				t.Errorf("%s: %s to %s", name, s.StartsAt, s.EndsAt)
			}
		}
		if len(got) != len(test.want) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("%s: %v, want %v", name, got, test.want)
				break
			}
		}
	}
}

// The day is not over: what has begun of it is left out.
func TestSlot_PatternLeavesOutWhatHasBegun(t *testing.T) {
	o := pattern("2026-03-16", "2026-03-16")
	slots, err := o.slots(world.Rome, nil, world.Start) // 9:15 in Rome
	if err != nil || len(slots) != 1 || slots[0].StartsAt.Format(time.RFC3339) != "2026-03-16T08:45:00Z" {
		t.Errorf("%v %v", slots, err)
	}
}

func TestSlot_OfferIsChecked(t *testing.T) {
	now := world.Start
	hour := func(from, to time.Duration) Offer {
		return Offer{Channel: Counter, Topics: []string{heading}, StartsAt: new(now.Add(from)), EndsAt: new(now.Add(to))}
	}
	changed := func(o Offer, change func(*Offer)) Offer {
		change(&o)
		return o
	}
	good := pattern("2026-03-23", "2026-03-30")
	for name, test := range map[string]struct {
		offer Offer
		want  string
	}{
		"nothing":              {Offer{Channel: Counter, Topics: []string{heading}}, "/starts_at required"},
		"no channel":           {changed(good, func(o *Offer) { o.Channel = "letter" }), "/channel enum"},
		"no topics":            {changed(good, func(o *Offer) { o.Topics = nil }), "/topics required"},
		"a topic twice":        {changed(good, func(o *Offer) { o.Topics = []string{"a", "a"} }), "/topics/1 duplicate"},
		"past":                 {hour(0, time.Hour), "/starts_at past"},
		"far ahead":            {hour(400*24*time.Hour, 400*24*time.Hour+time.Hour), "/starts_at too-far"},
		"backwards":            {hour(time.Hour, time.Hour), "/ends_at ends-before-start"},
		"five hours":           {hour(time.Hour, 6*time.Hour), "/ends_at period-too-long"},
		"an hour and a period": {changed(good, func(o *Offer) { o.StartsAt = &now }), "/starts_at not-applicable"},
		"no weekdays":          {changed(good, func(o *Offer) { o.Weekdays = nil }), "/weekdays required"},
		"yesterday":            {pattern("2026-03-15", "2026-03-30"), "/from past"},
		"next year":            {pattern("2027-03-29", "2027-04-30"), "/from too-far"},
		"period backwards":     {pattern("2026-03-30", "2026-03-23"), "/to ends-before-start"},
		"longer than 3 months": {pattern("2026-03-23", "2026-06-24"), "/to period-too-long"},
		"no such time":         {changed(good, func(o *Offer) { o.Starts = "9:00" }), "/starts pattern"},
		"times backwards":      {changed(good, func(o *Offer) { o.Ends = "08:00" }), "/ends ends-before-start"},
		"too short a time":     {changed(good, func(o *Offer) { o.Minutes = 121 }), "/ends ends-before-start"},
		"short slots":          {changed(good, func(o *Offer) { o.Minutes = 4 }), "/minutes minimum"},
		"long slots":           {changed(good, func(o *Offer) { o.Minutes, o.Ends = 241, "20:00" }), "/minutes maximum"},
		"no working day":       {changed(good, func(o *Offer) { o.Weekdays = []time.Weekday{time.Sunday} }), "/weekdays no-slots"},
		"too many":             {changed(good, func(o *Offer) { o.Minutes, o.Desks, o.Ends = 5, 100, "19:00" }), "/to too-many-slots"},
	} {
		_, err := test.offer.slots(world.Rome, nil, now)
		t.Run(name, func(t *testing.T) { refused(t, err, fault.Invalid, test.want) })
	}
	if slots, err := good.slots(world.Rome, nil, now); err != nil || len(slots) != 4 {
		t.Errorf("%d slots: %v", len(slots), err)
	}
	if _, err := pattern("2026-03-23", "2026-06-23").slots(world.Rome, nil, now); err != nil {
		t.Errorf("three months: %v", err)
	}
}

func TestSlot_NoneOverlapsAtADesk(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.desk(world.Rome)
		publish := func(from, to time.Duration, change func(*Offer)) error {
			o := Offer{Channel: Counter, Topics: []string{heading}, StartsAt: new(nextWeek.Add(from)), EndsAt: new(nextWeek.Add(to))}
			if change != nil {
				change(&o)
			}
			_, err := a.Publish(once(), by, world.Rome, o)
			return err
		}
		if err := publish(0, time.Hour, func(o *Offer) { o.Desks = 2 }); err != nil {
			t.Fatal(err)
		}
		for name, span := range map[string][2]time.Duration{
			"the same": {0, time.Hour}, "over its beginning": {-30 * time.Minute, time.Minute}, "within": {10 * time.Minute, 20 * time.Minute},
			"over its end": {59 * time.Minute, 2 * time.Hour}, "around": {-time.Hour, 2 * time.Hour},
		} {
			err := publish(span[0], span[1], func(o *Offer) { o.FirstDesk, o.Desks = 2, 3 })
			t.Run(name, func(t *testing.T) { refused(t, err, fault.Conflict, "slots-overlap") })
		}
		if n := a.Count(t, "appointment_slots"); n != 2 {
			t.Errorf("%d slots: something was published in part", n)
		}
		for name, err := range map[string]error{
			"before": publish(-time.Hour, 0, nil), "after": publish(time.Hour, 2*time.Hour, nil),
			"at another desk": publish(0, time.Hour, func(o *Offer) { o.FirstDesk = 3 }),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		// What was withdrawn is in nobody's way.
		found, err := a.OfficeSlots(once(), by, world.Rome, SlotFilter{}, page.Request{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found.Items {
			if _, err := a.Withdraw(once(), by, s.ID, "Assemblea"); err != nil {
				t.Fatal(err)
			}
		}
		if err := publish(0, time.Hour, nil); err != nil {
			t.Error(err)
		}
	})
}

// Two that publish at once come one after the other.
func TestSlot_IsPublishedOnceByManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		const colleagues = 8
		actors := make([]access.Actor, colleagues)
		for i := range actors {
			actors[i] = a.desk(world.Rome)
		}
		errs := make([]error, colleagues)
		var all sync.WaitGroup
		for i, by := range actors {
			all.Go(func() { _, errs[i] = a.Publish(once(), by, world.Rome, pattern("2026-03-23", "2026-04-20")) })
		}
		all.Wait()
		published := 0
		for _, err := range errs {
			if err == nil {
				published++
			} else {
				a.refused(err, fault.Conflict, "slots-overlap")
			}
		}
		if published != 1 {
			t.Errorf("published %d times", published)
		}
	})
}

func TestSlot_IsPublishedByItsOffice(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		_, err := a.Publish(once(), a.desk(world.Milan), world.Rome, pattern("2026-03-23", "2026-03-30"))
		a.refused(err, fault.NotFound, "")
		o := pattern("2026-03-23", "2026-03-30")
		o.Topics = []string{heading, "x"}
		_, err = a.Publish(once(), a.desk(world.Rome), world.Rome, o)
		a.refused(err, fault.Invalid, "/topics/1 unknown-topic")
		p, err := a.Publish(once(), a.desk(world.Rome), world.Rome, pattern("2026-03-23", "2026-03-30"))
		if err != nil || p.Count != 4 || a.Count(t, "appointment_slots") != 4 || a.traced("") != 1 {
			t.Errorf("published %+v %v", p, err)
		}
	})
}

// A repeat whose first answer was lost says what was published.
func TestSlot_APublicationIsRepeated(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.desk(world.Rome)
		key := func() context.Context {
			return idempotency.WithClaim(context.Background(), &idempotency.Claim{Scope: "s", Key: "k", Operation: "op", RequestMAC: "m"})
		}
		first, err := a.Publish(key(), by, world.Rome, pattern("2026-03-23", "2026-03-30"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := a.Publish(key(), by, world.Rome, pattern("2026-03-23", "2026-03-30"))
		if err != nil || again.ID != first.ID || again.Count != 4 || !again.From.Equal(first.From) || !again.To.Equal(first.To) {
			t.Errorf("%+v %v, want %+v", again, err, first)
		}
		if a.Count(t, "appointment_slots") != 4 {
			t.Error("published again")
		}
	})
}

func TestSlot_IsListedByWhatItIsFor(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		first := a.slot(world.Rome, nextWeek, nil)
		byPhone := a.slot(world.Rome, nextWeek.Add(24*time.Hour), func(o *Offer) { o.Channel, o.Topics = Phone, []string{direct, "positions"} })
		a.slot(world.Milan, nextWeek, nil)
		soon := a.slot(world.Rome, a.Clock.Now().Add(time.Minute), nil)
		withdrawn := a.slot(world.Rome, nextWeek.Add(time.Hour), nil)
		if _, err := a.Withdraw(once(), a.desk(world.Rome), withdrawn, "Assemblea"); err != nil {
			t.Fatal(err)
		}
		a.Clock.Advance(time.Minute)
		held := a.book(a.citizen(), booking(first))
		for name, test := range map[string]struct {
			filter SlotFilter
			want   []uuid.UUID
		}{
			"all":                {SlotFilter{}, []uuid.UUID{first, byPhone}},
			"free":               {SlotFilter{Free: true}, []uuid.UUID{byPhone}},
			"by phone":           {SlotFilter{Channel: Phone}, []uuid.UUID{byPhone}},
			"of a day":           {SlotFilter{From: date("2026-03-23"), To: date("2026-03-23")}, []uuid.UUID{first}},
			"from the next":      {SlotFilter{From: date("2026-03-24")}, []uuid.UUID{byPhone}},
			"for the topic":      {SlotFilter{Topic: direct}, []uuid.UUID{first, byPhone}},
			"for another":        {SlotFilter{Topic: "payments-overdue"}, []uuid.UUID{first}},
			"for a heading":      {SlotFilter{Topic: "positions"}, []uuid.UUID{byPhone}},
			"for nothing":        {SlotFilter{Topic: "x%"}, nil},
			"for the whole text": {SlotFilter{Topic: "payment_"}, nil},
		} {
			found, err := a.Slots(once(), world.Rome, test.filter, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			var got []uuid.UUID
			for _, s := range found.Items {
				got = append(got, s.ID)
				if s.Taken() != (s.ID == first) {
					t.Errorf("%s: taken: %v", name, s.Taken())
				}
			}
			if len(got) != len(test.want) || len(got) > 0 && got[0] != test.want[0] {
				t.Errorf("%s: %v, want %v", name, got, test.want)
			}
		}
		_, err := a.Slots(once(), "0000", SlotFilter{}, page.Request{})
		a.refused(err, fault.NotFound, "")
		// The office sees them all, and who holds which.
		all, err := a.OfficeSlots(once(), a.desk(world.Rome), world.Rome, SlotFilter{}, page.Request{Limit: 3})
		if err != nil || len(all.Items) != 3 || all.Items[0].ID != soon || all.Items[1].AppointmentID == nil ||
			*all.Items[1].AppointmentID != held.ID || all.Items[2].WithdrawalReason == nil {
			t.Fatalf("the office sees %+v %v", all.Items, err)
		}
		rest, err := a.OfficeSlots(once(), a.desk(world.Rome), world.Rome, SlotFilter{}, page.Request{Limit: 3, Cursor: all.Next})
		if err != nil || len(rest.Items) != 1 || rest.Items[0].ID != byPhone {
			t.Errorf("then %+v %v", rest.Items, err)
		}
		_, err = a.OfficeSlots(once(), a.desk(world.Milan), world.Rome, SlotFilter{}, page.Request{})
		a.refused(err, fault.NotFound, "")
	})
}

func TestSlot_WithdrawnTellsItsHolderOfTheNextFreeOnes(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		c, by := a.Employer(t)
		in := booking(a.slot(world.Rome, nextWeek, nil))
		in.ContributorID = &c.ID
		v := a.book(by, in)
		a.book(a.citizen(), booking(a.slot(world.Rome, nextWeek.Add(time.Hour), nil)))
		a.slot(world.Rome, nextWeek.Add(2*time.Hour), nil)
		a.slot(world.Rome, nextWeek.Add(3*time.Hour), func(o *Offer) { o.Topics = []string{"positions"} })
		a.slot(world.Milan, nextWeek.Add(time.Hour), nil)
		operator := a.desk(world.Rome)
		_, err := a.Withdraw(once(), a.desk(world.Milan), v.SlotID, "Assemblea")
		a.refused(err, fault.NotFound, "")
		_, err = a.Withdraw(once(), operator, v.SlotID, " ")
		a.refused(err, fault.Invalid, "/reason pattern")
		s, err := a.Withdraw(once(), operator, v.SlotID, "Assemblea del personale")
		if err != nil || s.WithdrawnAt == nil || s.Taken() {
			t.Fatalf("withdrawn: %+v %v", s, err)
		}
		if v, _ = a.Show(once(), by, v.ID); v.Now != Cancelled || *v.WithdrawalReason != "Assemblea del personale" {
			t.Errorf("the appointment is %s", v.Now)
		}
		if n := a.Count(t, `outbox WHERE kind = 'appointment.withdrawn' AND person_id = ? AND data LIKE '%"offers":"23/03/2026 11:00"%'
			AND data LIKE '%Assemblea del personale%'`, by.PersonID); n != 1 {
			t.Error("who held it was not told of the one hour that is free")
		}
		if a.Count(t, "audit_records WHERE operation = 'withdrawAppointment' AND contributor_id = ? AND subject_id = ?", c.ID, v.ID.String()) != 1 {
			t.Error("the appointment has no record of its end")
		}
		_, err = a.Withdraw(once(), operator, v.SlotID, "Assemblea")
		a.refused(err, fault.Conflict, "slot-withdrawn")
		_, err = a.Book(once(), a.citizen(), booking(v.SlotID))
		a.refused(err, fault.Conflict, "slot-withdrawn")
	})
}

func TestSlot_IsNotWithdrawnOnceBegun(t *testing.T) {
	each(t, func(_ *testing.T, a agenda) {
		slot := a.slot(world.Rome, a.Clock.Now().Add(time.Minute), nil)
		a.Clock.Advance(time.Minute)
		_, err := a.Withdraw(once(), a.desk(world.Rome), slot, "Assemblea")
		a.refused(err, fault.Conflict, "slot-begun")
	})
}
