package appointment

import (
	ics "github.com/arran4/golang-ical"
)

const (
	// productID names the program that wrote a calendar, as RFC 5545 wants it.
	productID = "-//diresco//appointments//IT"
	// lineEnd ends each line, whatever machine writes it.
	lineEnd = "\r\n"
)

// words are what a calendar says around the data of an appointment.
type words struct {
	title, byPhone, byVideo, unconfirmed string
}

var (
	inItalian = words{
		"Appuntamento INPS: ", "La sede telefona al numero indicato nella prenotazione.",
		"La sede invia il collegamento per la videochiamata.", "Prenotazione da confermare.",
	}
	inEnglish = words{
		"INPS appointment: ", "The office calls the telephone number given when booking.",
		"The office sends the link for the video call.", "Booking to be confirmed.",
	}
)

// statuses say in a calendar what the states are.
var statuses = map[State]ics.ObjectStatus{
	Booked: ics.ObjectStatusTentative, Confirmed: ics.ObjectStatusConfirmed, Cancelled: ics.ObjectStatusCancelled,
	Expired: ics.ObjectStatusCancelled,
}

// Calendar returns an appointment as one event (RFC 5545). Times are UTC, so that no time zone has
// to come with it. What is over for good is withdrawn from the calendar that had it (RFC 5546).
func (s *Service) Calendar(v View, english bool) []byte {
	w, topic := inItalian, v.TopicTitleIt
	if english {
		w, topic = inEnglish, v.TopicTitleEn
	}
	c := ics.NewCalendar()
	c.SetProductId(productID)
	c.SetCalscale("GREGORIAN")
	c.SetMethod(ics.MethodPublish)
	if v.Now == Cancelled || v.Now == Expired {
		c.SetMethod(ics.MethodCancel)
	}
	e := c.AddEvent(v.ID.String())
	sequence := v.Sequence
	changedAt := v.UpdatedAt
	if v.Now == Expired && v.State == Booked {
		// It is over, though nobody has noted that yet.
		sequence, changedAt = sequence+1, v.ConfirmBy
	}
	e.SetSequence(sequence)
	e.SetDtStampTime(changedAt)
	e.SetModifiedAt(changedAt)
	e.SetCreatedTime(v.BookedAt)
	e.SetStartAt(v.StartsAt)
	e.SetEndAt(v.EndsAt)
	e.SetStatus(statuses[v.Now])
	e.SetClass(ics.ClassificationPrivate)
	e.SetTimeTransparency(ics.TransparencyOpaque)
	e.SetProperty(ics.ComponentPropertyOrganizer, s.publicURL)
	e.SetSummary(w.title + topic)
	if place := v.where(); place != "" {
		e.SetLocation(place)
	}
	if text := w.describe(v); text != "" {
		e.SetDescription(text)
	}
	return []byte(c.Serialize(ics.WithNewLine(lineEnd)))
}

// where is where one goes; "" for what is kept from afar.
func (v View) where() string {
	if v.Channel != Counter {
		return ""
	}
	if line := v.Line(); line != "" {
		return v.OfficeTitle + ", " + line
	}
	return v.OfficeTitle
}

func (w words) describe(v View) string {
	text := ""
	switch v.Channel {
	case Phone:
		text = w.byPhone
	case Video:
		text = w.byVideo
	case Counter:
	}
	if v.Now == Booked {
		if text != "" {
			text += "\n"
		}
		text += w.unconfirmed
	}
	return text
}
