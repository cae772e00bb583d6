package appointment

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

// fill makes many slots, each taken by one of many people; one in fifty is booked and not confirmed.
func (a agenda) fill(many int) (person, contributor uuid.UUID) {
	a.t.Helper()
	const people = 40
	persons, companies := make([]uuid.UUID, people), make([]uuid.UUID, people)
	for i := range people {
		persons[i], companies[i] = a.Person(a.t, nil).ID, a.Company(a.t, world.Rome).ID
	}
	slots, appointments := make([]Slot, many), make([]Appointment, many)
	now := a.Clock.Now()
	for i := range many {
		starts := nextWeek.Add(time.Duration(i) * 30 * time.Minute)
		slots[i] = Slot{
			ID: uuid.Must(uuid.NewV7()), OfficeCode: world.Rome, Desk: 1, Channel: Counter, Topics: []string{heading}, StartsAt: starts,
			EndsAt: starts.Add(30 * time.Minute), PublishedAt: now,
		}
		right, as := uuid.New(), string(access.LegalRepresentative)
		appointments[i] = Appointment{
			ID: uuid.Must(uuid.NewV7()), SlotID: slots[i].ID, PersonID: persons[i%people], ContributorID: &companies[i%people], Topic: direct,
			Phone: "x", Notes: "x", RightID: &right, ActingAs: &as, State: Cancelled, BookedAt: now.Add(time.Duration(i) * time.Second),
			ConfirmBy: now, EndedAt: &now, Version: 1, UpdatedAt: now,
		}
		switch i % 50 {
		case 0:
			appointments[i].State, appointments[i].EndedAt, appointments[i].ConfirmBy = Booked, nil, now.Add(time.Hour)
		case 1:
			appointments[i].State, appointments[i].EndedAt, appointments[i].ConfirmedAt = Confirmed, nil, &now
			appointments[i].RemindAt = &starts
		}
	}
	a.Must(a.t, func(ctx context.Context) error {
		if err := a.repo.addSlots(ctx, slots); err != nil {
			return err
		}
		if err := a.DB.From(ctx).CreateInBatches(&appointments, addedAtOnce).Error; err != nil {
			return err
		}
		return a.DB.From(ctx).Exec("ANALYZE").Error
	})
	return persons[0], companies[0]
}

// Each list and each question reads a range of an index, however many appointments there are.
func TestAppointment_ListsReadRangesOfIndexes(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		person, contributor := a.fill(4000)
		by := access.Actor{PersonID: person}
		now, ctx := a.Clock.Now(), once()
		day := *date("2026-04-20")
		for name, test := range map[string]struct {
			ask   func() error
			index string
		}{
			"one's own": {func() error {
				_, err := a.repo.list(ctx, by, true, Filter{}, page.Request{Limit: 5}, now)
				return err
			}, "appointments_by_person"},
			"a contributor's": {func() error {
				_, err := a.repo.list(ctx, by, false, Filter{ContributorID: &contributor}, page.Request{Limit: 5}, now)
				return err
			}, "appointments_by_contributor"},
			"an office's day": {func() error {
				_, err := a.repo.ofOffice(ctx, world.Rome, OfficeFilter{Day: day}, page.Request{Limit: 5}, now)
				return err
			}, "appointment_slots_by_office"},
			"an office's slots": {func() error {
				_, err := a.repo.slots(ctx, world.Rome, SlotFilter{From: &day, Free: true}, []string{direct, heading}, &now, page.Request{Limit: 5}, now)
				return err
			}, "appointment_slots_by_office"},
			"what overlaps": {func() error {
				_, err := a.repo.between(ctx, world.Rome, day.Start(), day.End())
				return err
			}, "appointment_slots_"},
			"what expires": {func() error {
				_, err := a.repo.expiring(ctx, now, uuid.Nil, now.Add(time.Hour), 5)
				return err
			}, "appointments_unconfirmed"},
			"of what somebody is reminded": {func() error {
				_, err := a.repo.toRemind(ctx, now, uuid.Nil, nextWeek, 5)
				return err
			}, "appointments_to_remind"},
			"what is to come": {func() error {
				_, err := a.repo.open(ctx, person, now)
				return err
			}, "_by_person"},
		} {
			heard := world.Listen(t, a.DB, "appointment")
			if err := test.ask(); err != nil {
				t.Fatal(err)
			}
			for _, q := range *heard {
				for _, plan := range world.Plans(t, a.DB, q) {
					if !strings.Contains(plan, test.index) || strings.Contains(plan, "Seq Scan on appointment") || strings.Contains(plan, "SCAN a\n") ||
						strings.Contains(plan, "SCAN s\n") {
						t.Errorf("%s:\n%s\n%s", name, q.Statement, plan)
					}
				}
			}
			if len(*heard) == 0 {
				t.Errorf("%s: nothing was asked", name)
			}
		}
	})
}
