package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/google/uuid"

	"diresco/api/client"
)

// What the filer has in the access table at the office of Rome.
const (
	filersAppointment = "019d0000-0000-7000-8000-0000000000d1"
	filersSlot        = "019d0000-0000-7000-8000-0000000000d2"
	// freeSlot is held by nobody.
	freeSlot = "019d0000-0000-7000-8000-0000000000d3"
)

// agendaOf adds an appointment of the filer's for their contributor, and a free slot beside it.
func (w *fixture) agendaOf(f filer) {
	w.t.Helper()
	now := w.clock.Now()
	for i, slot := range []string{filersSlot, freeSlot} {
		starts := now.Add(240*time.Hour + time.Duration(i)*time.Hour)
		w.execute(`INSERT INTO appointment_slots (id, office_code, desk, channel, topics, starts_at, ends_at, published_at)
			VALUES (?, '7000', 90, 'counter', '["payments"]', ?, ?, ?)`, slot, starts, starts.Add(time.Hour), now)
	}
	w.execute(`INSERT INTO appointments (id, slot_id, person_id, contributor_id, topic, phone, notes, right_id, acting_as, state, booked_at,
		confirm_by, confirmed_at, sequence, version, updated_at)
		VALUES (?, ?, ?, ?, 'payments-refunds', '+393331234567', 'marker-7f3a9c', ?, 'legal_representative', 'confirmed', ?, ?, ?, 1, 2, ?)`,
		filersAppointment, filersSlot, f.person.PersonId, f.contributor, uuid.New(), now, now, now, now)
}

// publishable is what an operator publishes.
func publishable(filer) any {
	return map[string]any{
		"starts_at": "2999-03-23T08:00:00Z", "ends_at": "2999-03-23T08:30:00Z", "channel": "counter", "topics": []string{"payments"},
	}
}

func bookable(f filer) any {
	return map[string]any{
		"slot_id": freeSlot, "contributor_id": f.contributor, "topic": "payments-instalments", "phone": "+393331234567", "notes": "prova",
	}
}

// detailed is what an office is set to.
func detailed(filer) any {
	return map[string]any{
		"address": map[string]any{"street": "Via Ciro il Grande 21", "postal_code": "00144", "town": "Roma", "province": "RM"},
		"phone":   "+39065905", "hours": []any{map[string]any{"weekday": "monday", "opens": "08:30", "closes": "12:30"}},
	}
}

// TestAppointments_TellTheStory: an office publishes its hours, somebody books one for a company,
// confirms it, takes it into a calendar and moves it, and the office withdraws it.
func TestAppointments_TellTheStory(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		clerk := w.clerk(f)
		office := w.positions(f)[0].OfficeCode
		shown := w.do(http.MethodGet, "/v1/offices/"+office, "", nil).want(t, http.StatusOK, "")
		set := w.do(
			http.MethodPut, "/v1/backoffice/offices/"+office, clerk, detailed(f), header{"If-Match", shown.header.Get("ETag")},
		).want(t, http.StatusOK, "")
		w.do(http.MethodPut, "/v1/backoffice/offices/"+office, clerk, detailed(f), header{"If-Match", shown.header.Get("ETag")}).want(
			t, http.StatusPreconditionFailed, "precondition-failed",
		)
		if set.field("phone") != "+39065905" || !bytes.Contains(w.do(http.MethodGet, "/v1/offices?limit=100", "", nil).body, []byte("Via Ciro il Grande 21")) {
			t.Errorf("the office is shown as %s", set.body)
		}

		monday := w.clock.Now().Truncate(24*time.Hour).AddDate(0, 0, 40)
		for monday.Weekday() != time.Monday {
			monday = monday.AddDate(0, 0, 1)
		}
		day := monday.Format(time.DateOnly)
		slots := "/v1/backoffice/offices/" + office + "/slots"
		published := w.do(http.MethodPost, slots, clerk, map[string]any{
			"from": day, "to": monday.AddDate(0, 0, 5).Format(time.DateOnly), "weekdays": []string{"monday", "wednesday"}, "starts": "09:00",
			"ends": "10:00", "minutes": 30, "channel": "counter", "topics": []string{"payments"}, "first_desk": 7,
		}, key()).want(t, http.StatusCreated, "")
		if published.field("count") == float64(0) {
			t.Fatalf("published %s", published.body)
		}
		var list client.SlotList
		w.do(http.MethodGet, "/v1/offices/"+office+"/slots?topic=payments-refunds&free=true&from="+day, "", nil).want(
			t, http.StatusOK, "",
		).decode(t, &list)
		if len(list.Items) < 2 {
			t.Fatalf("there are %d slots", len(list.Items))
		}

		repeat := key()
		booking := map[string]any{
			"slot_id": list.Items[0].SlotId, "contributor_id": f.contributor, "topic": "payments-refunds", "phone": "+39 333 1234567",
			"notes": "Porto le ricevute",
		}
		booked := w.do(http.MethodPost, "/v1/appointments", f.token, booking, repeat).want(t, http.StatusCreated, "")
		if again := w.do(http.MethodPost, "/v1/appointments", f.token, booking, repeat); !bytes.Equal(again.body, booked.body) {
			t.Errorf("the repeat shows %s", again.body)
		}
		if booked.field("state") != "booked" || booked.field("confirm_by") == nil {
			t.Errorf("booked as %s", booked.body)
		}
		path := booked.header.Get("Location")
		other := w.newFiler()
		booking["contributor_id"] = other.contributor
		w.do(http.MethodPost, "/v1/appointments", other.token, booking, key()).want(t, http.StatusConflict, "slot-taken")
		w.do(http.MethodGet, path, other.token, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodPost, path+"/confirmation", f.token, nil, key()).want(t, http.StatusOK, "")

		file := w.do(http.MethodGet, path+"/calendar", f.token, nil, header{"Accept-Language", "en"}).want(t, http.StatusOK, "")
		if !strings.HasPrefix(file.header.Get("Content-Type"), "text/calendar") || file.header.Get("Cache-Control") != "no-store" ||
			!strings.Contains(file.header.Get("Content-Disposition"), ".ics") {
			t.Errorf("the calendar comes with %v", file.header)
		}
		calendar, err := ical.NewDecoder(bytes.NewReader(file.body)).Decode()
		if err != nil {
			t.Fatal(err)
		}
		event := calendar.Events()[0]
		starts, err := event.DateTimeStart(time.UTC)
		summary, _ := event.Props.Text("SUMMARY")
		location, _ := event.Props.Text("LOCATION")
		if err != nil || !starts.Equal(list.Items[0].StartsAt) || !strings.HasPrefix(summary, "INPS appointment: ") ||
			!strings.Contains(location, "Via Ciro il Grande 21") {
			t.Errorf("the calendar has %s %q %q", starts, summary, location)
		}

		moved := w.do(http.MethodPost, path+"/rescheduling", f.token, map[string]any{"slot_id": list.Items[1].SlotId}, key()).want(t, http.StatusOK, "")
		if moved.field("state") != "confirmed" || moved.field("slot_id") != list.Items[1].SlotId.String() {
			t.Errorf("moved as %s", moved.body)
		}
		w.do(http.MethodPost, "/v1/appointments", other.token, booking, key()).want(t, http.StatusCreated, "") // it is free again

		agenda := w.do(http.MethodGet, "/v1/backoffice/appointments?day="+day+"&state=confirmed&limit=1", clerk, nil).want(t, http.StatusOK, "")
		if bytes.Contains(agenda.body, []byte("Porto le ricevute")) || !bytes.Contains(agenda.body, []byte(`"contributor_legal_name"`)) {
			t.Errorf("the office is shown %s", agenda.body)
		}
		id := fmt.Sprint(moved.field("appointment_id"))
		opened := w.do(http.MethodGet, "/v1/backoffice/appointments/"+id, clerk, nil).want(t, http.StatusOK, "")
		if opened.field("notes") != "Porto le ricevute" || w.rows("staff_looks", "person_id = ?", f.person.PersonId) != 1 {
			t.Errorf("the office is shown %s", opened.body)
		}
		w.do(http.MethodPost, "/v1/backoffice/appointments/"+id+"/attendance", clerk, map[string]any{"attended": true}, key()).want(
			t, http.StatusConflict, "conflict",
		)
		withdrawal := "/v1/backoffice/slots/" + list.Items[1].SlotId.String() + "/withdrawal"
		w.do(http.MethodPost, withdrawal, clerk, map[string]any{"reason": "Assemblea del personale"}, key()).want(t, http.StatusOK, "")
		ended := w.do(http.MethodGet, path, f.token, nil).want(t, http.StatusOK, "")
		if ended.field("state") != "cancelled" || ended.field("withdrawal_reason") != "Assemblea del personale" {
			t.Errorf("withdrawn as %s", ended.body)
		}
		if gone := w.do(http.MethodGet, path+"/calendar", f.token, nil); !bytes.Contains(gone.body, []byte("\r\nMETHOD:CANCEL\r\n")) {
			t.Errorf("the calendar has %s", gone.body)
		}
		var told []string
		for _, m := range w.sent(f.person.Contacts[0].Value) {
			if strings.Contains(m.Text, "Porto le ricevute") {
				t.Errorf("the notes are in %q", m.Text)
			}
			told = append(told, m.Subject)
		}
		for _, subject := range []string{
			"Appuntamento da confermare", "Appuntamento confermato", "Appuntamento spostato", "Appuntamento annullato dalla sede",
		} {
			if !strings.Contains(strings.Join(told, "\n"), subject) {
				t.Errorf("%q is not among %q", subject, told)
			}
		}

		var types []string
		found, _ := w.do(http.MethodGet, "/v1/events?limit=100", f.token, nil).want(t, http.StatusOK, "").field("items").([]any)
		for _, e := range found {
			if e := e.(map[string]any); e["subject"].(map[string]any)["kind"] == "appointment" {
				types = append(types, fmt.Sprint(e["type"]))
				w.do(http.MethodGet, fmt.Sprint(e["_links"].(map[string]any)["subject"].(map[string]any)["href"]), f.token, nil).want(t, http.StatusOK, "")
			}
		}
		if got := strings.Join(types, " "); got != "appointment.booked appointment.confirmed appointment.moved appointment.withdrawn" {
			t.Errorf("the feed tells %s", got)
		}
	})
}

// Nobody's bookings for themselves are told in the feed of anybody.
func TestAppointments_OfOneselfAreNoEvents(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		w.agendaOf(f)
		body := bookable(f).(map[string]any)
		delete(body, "contributor_id")
		booked := w.do(http.MethodPost, "/v1/appointments", f.token, body, key()).want(t, http.StatusCreated, "")
		w.do(http.MethodGet, booked.header.Get("Location"), f.token, nil).want(t, http.StatusOK, "")
		if events := w.do(http.MethodGet, "/v1/events?limit=100", f.token, nil); bytes.Contains(events.body, []byte("appointment.")) {
			t.Errorf("the feed tells %s", events.body)
		}
	})
}
