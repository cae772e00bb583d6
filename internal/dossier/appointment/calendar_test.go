package appointment

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/google/uuid"

	"diresco/internal/test/world"
)

// shown is an appointment whose address has what calendars write otherwise.
func shown(change func(*View)) View {
	v := View{
		Appointment: Appointment{
			ID: uuid.MustParse("018f3b60-1a2b-7c3d-8e4f-5a6b7c8d9e60"), State: Confirmed, Phone: "+393331234567", Notes: "Porto le ricevute",
			BookedAt: world.Start, UpdatedAt: world.Start.Add(time.Minute), Sequence: 1,
		},
		Place: Place{
			OfficeTitle: `Direzione provinciale di Forlì; sportello "A", B\C`, Street: new("Viale della Libertà " + strings.Repeat("è", 80)),
			PostalCode: new("47121"), Town: new("Forlì"), Province: new("FC"),
		},
		StartsAt: time.Date(2026, 3, 30, 7, 0, 0, 0, time.UTC), EndsAt: time.Date(2026, 3, 30, 7, 30, 0, 0, time.UTC), Channel: Counter,
		TopicTitleIt: "Rimborsi, compensazioni; altro", TopicTitleEn: "Refunds", Now: Confirmed,
	}
	if change != nil {
		change(&v)
	}
	return v
}

// read reads a calendar with another library than the one that writes it.
func read(t *testing.T, file []byte) (*ical.Calendar, ical.Event) {
	t.Helper()
	c, err := ical.NewDecoder(bytes.NewReader(file)).Decode()
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	events := c.Events()
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	return c, events[0]
}

func text(t *testing.T, props ical.Props, name string) string {
	t.Helper()
	value, err := props.Text(name)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestCalendar_IsReadBackAsItWasWritten(t *testing.T) {
	s := &Service{publicURL: world.PublicURL}
	v := shown(nil)
	file := s.Calendar(v, false)
	c, e := read(t, file)
	for name, want := range map[string]string{
		"UID": v.ID.String(), "SUMMARY": "Appuntamento INPS: " + v.TopicTitleIt, "STATUS": "CONFIRMED", "CLASS": "PRIVATE",
		"LOCATION": v.OfficeTitle + ", " + *v.Street + ", 47121 Forlì (FC)",
	} {
		if got := text(t, e.Props, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"DTSTART": "20260330T070000Z", "DTEND": "20260330T073000Z", "DTSTAMP": "20260316T081600Z", "SEQUENCE": "1", "ORGANIZER": world.PublicURL,
	} {
		if got := e.Props.Get(name); got == nil || got.Value != want {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
	}
	if got := text(t, c.Props, "METHOD"); got != "PUBLISH" {
		t.Errorf("the method is %s", got)
	}
	for _, secret := range []string{v.Phone, v.Notes} {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("%q is in the calendar", secret)
		}
	}
}

// RFC 5545, 3.1: lines end with CR and LF, and have 75 octets at most, wherever a character ends.
func TestCalendar_LinesAreFolded(t *testing.T) {
	s := &Service{publicURL: world.PublicURL}
	file := string(s.Calendar(shown(nil), false))
	lines := strings.Split(strings.TrimSuffix(file, "\r\n"), "\r\n")
	if len(lines) < 20 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") || !strings.HasPrefix(line, " ") && !strings.ContainsAny(line, ":") {
			t.Errorf("%d octets: %q", len(line), line)
		}
		if strings.ToValidUTF8(line, "") != line {
			t.Errorf("a character is cut: %q", line)
		}
	}
}

func TestCalendar_WithdrawsWhatIsOver(t *testing.T) {
	s := &Service{publicURL: world.PublicURL}
	for name, test := range map[string]struct {
		change           func(*View)
		method, status   string
		sequence, stamps string
	}{
		"booked":    {func(v *View) { v.State, v.Now = Booked, Booked }, "PUBLISH", "TENTATIVE", "1", "20260316T081600Z"},
		"cancelled": {func(v *View) { v.State, v.Now, v.Sequence = Cancelled, Cancelled, 2 }, "CANCEL", "CANCELLED", "2", "20260316T081600Z"},
		"expired, not noted yet": {
			func(v *View) { v.State, v.Now, v.ConfirmBy = Booked, Expired, world.Start.Add(time.Hour) },
			"CANCEL", "CANCELLED", "2", "20260316T091500Z",
		},
		"expired": {
			func(v *View) {
				v.State, v.Now, v.Sequence, v.UpdatedAt = Expired, Expired, 2, world.Start.Add(time.Hour)
			},
			"CANCEL", "CANCELLED", "2", "20260316T091500Z",
		},
	} {
		c, e := read(t, s.Calendar(shown(test.change), false))
		if got := text(t, c.Props, "METHOD"); got != test.method {
			t.Errorf("%s: the method is %s", name, got)
		}
		if got := text(t, e.Props, "STATUS"); got != test.status {
			t.Errorf("%s: the status is %s", name, got)
		}
		if e.Props.Get("SEQUENCE").Value != test.sequence || e.Props.Get("DTSTAMP").Value != test.stamps {
			t.Errorf("%s: %s at %s", name, e.Props.Get("SEQUENCE").Value, e.Props.Get("DTSTAMP").Value)
		}
		if got := text(t, e.Props, "UID"); got != shown(nil).ID.String() {
			t.Errorf("%s: it is another event, %s", name, got)
		}
	}
}

// Nobody has to go anywhere for what is kept on the telephone.
func TestCalendar_SaysWhereOnlyForTheCounter(t *testing.T) {
	s := &Service{publicURL: world.PublicURL}
	_, e := read(t, s.Calendar(shown(func(v *View) { v.Channel = Phone }), true))
	if e.Props.Get("LOCATION") != nil || !strings.HasPrefix(text(t, e.Props, "DESCRIPTION"), "The office calls") {
		t.Errorf("%+v", e.Props)
	}
	_, e = read(t, s.Calendar(shown(func(v *View) { v.Channel, v.Now, v.State = Video, Booked, Booked }), false))
	if got := text(t, e.Props, "DESCRIPTION"); got != inItalian.byVideo+"\n"+inItalian.unconfirmed {
		t.Errorf("%q", got)
	}
}
