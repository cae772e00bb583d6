package sandbox

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/appointment"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/calendar"
)

// seedDetails are where the offices are and how they are reached.
var seedDetails = map[string]struct{ street, postalCode, town, province, phone string }{
	"7000": {"Via dell'Amba Aradam 5", "00184", "Roma", "RM", "+390677381"},
	"4900": {"Via Melchiorre Gioia 22", "20124", "Milano", "MI", "+390263211"},
	"5100": {"Via Alcide De Gasperi 55", "80133", "Napoli", "NA", "+390817948111"},
	"8100": {"Via dell'Arcivescovado 9", "10121", "Torino", "TO", "+3901157151"},
	"3000": {"Viale Belfiore 28a", "50144", "Firenze", "FI", "+3905549781"},
	"1400": {"Viale Papa Giovanni XXIII 110", "24121", "Bergamo", "BG", "+39035277111"},
}

// seedHours are when all of the offices are open.
var seedHours = []contributor.OpeningHours{
	{Weekday: "monday", Opens: "08:30", Closes: "12:30"},
	{Weekday: "tuesday", Opens: "08:30", Closes: "12:30"},
	{Weekday: "wednesday", Opens: "08:30", Closes: "12:30"},
	{Weekday: "thursday", Opens: "08:30", Closes: "12:30"},
	{Weekday: "thursday", Opens: "14:30", Closes: "16:00"},
	{Weekday: "friday", Opens: "08:30", Closes: "12:30"},
}

// seedSlots are what two of the offices offer, from next Monday on.
var seedSlots = []struct {
	office  string
	channel appointment.Channel
	desk    int
}{
	{"7000", appointment.Counter, 1}, {"7000", appointment.Phone, 2}, {"4900", appointment.Counter, 1},
}

const (
	seedTopic = "payments-refunds"
	// seedDays are for how many days slots are offered: two weeks, so that there are working days
	// among them at any time of the year.
	seedDays = 12
)

// plantAppointments gives the offices their details and slots from next week on, in the context's
// transaction. One is booked, and one confirmed.
func (s *Service) plantAppointments(ctx context.Context, contributors map[string]uuid.UUID) error {
	hours, err := json.Marshal(seedHours)
	if err != nil {
		return err
	}
	for code, d := range seedDetails {
		if err := s.db.From(ctx).Exec(
			"UPDATE offices SET street = ?, postal_code = ?, town = ?, province = ?, phone = ?, hours = ? WHERE code = ?", d.street,
			d.postalCode, d.town, d.province, d.phone, string(hours), code,
		).Error; err != nil {
			return err
		}
	}
	now := s.clock.Now()
	monday := calendar.DateIn(now).AddDays(1)
	for monday.Weekday() != time.Monday {
		monday = monday.AddDays(1)
	}
	last := monday.AddDays(seedDays - 1)
	var first []appointment.Slot
	for _, o := range seedSlots {
		slots, err := appointment.Put(ctx, s.db, o.office, appointment.Offer{
			Channel: o.channel, Topics: []string{"payments", "uniemens", "regularity", "positions"}, FirstDesk: o.desk,
			From: &monday, To: &last,
			Weekdays: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
			Starts:   "09:00", Ends: "12:00", Minutes: 30,
		}, now)
		if err != nil {
			return err
		}
		first = append(first, slots[0], slots[1])
	}
	personID, err := s.planted(ctx, sara)
	if err != nil {
		return err
	}
	booked := appointment.Booking{
		SlotID: first[0].ID, Topic: seedTopic, Phone: "+393331100004", Notes: "Chiarimenti sulla compensazione del mese scorso",
	}
	if err := appointment.PutBooking(ctx, s.db, personID, nil, first[0], booked, false, now); err != nil {
		return err
	}
	var role struct {
		ID       uuid.UUID
		PersonID uuid.UUID
	}
	err = s.db.From(ctx).Raw(
		"SELECT id, person_id FROM contributor_roles WHERE contributor_id = ? AND role = 'employer' ORDER BY id LIMIT 1",
		contributors[casa],
	).Scan(&role).Error
	if err != nil {
		return err
	}
	confirmed := appointment.Booking{
		SlotID: first[2].ID, Topic: seedTopic, Phone: "+393331100009", Notes: "Rimborso di contributi versati due volte",
	}
	right := &access.Right{ID: role.ID, ContributorID: contributors[casa], ActingAs: access.Employer}
	return appointment.PutBooking(ctx, s.db, role.PersonID, right, first[2], confirmed, true, now)
}
