package notification_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/notification"
	"diresco/internal/platform/secret"
)

func TestRecipients_AreChosenByPreference(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	contact := func(kind person.ContactKind, value string, verified bool) person.Contact {
		c := person.Contact{Kind: kind, Value: value}
		if verified {
			c.VerifiedAt = &at
		}
		return c
	}
	mobile, email := contact(person.Mobile, "+393331234567", true), contact(person.Email, "m@posta.example", true)
	pec, postal := contact(person.PEC, "m@pec.example", true), contact(person.Postal, "Via Roma 1, 00100 Roma", true)
	bounced := email
	bounced.BouncedAt = &at
	to := func(c outbox.Channel, value string) outbox.Recipient {
		return outbox.Recipient{Channel: c, To: value, Locale: "it"}
	}
	byEmail, bySMS, byPEC := to(outbox.Email, "m@posta.example"), to(outbox.SMS, "+393331234567"), to(outbox.PEC, "m@pec.example")
	prefer := func(c outbox.Channel) person.Preferences {
		return person.Preferences{Language: "it", PreferredChannel: &c}
	}
	mute := func(c ...outbox.Category) person.Preferences { return person.Preferences{Language: "it", Muted: c} }
	received := outbox.Kind{Name: "declaration.received", Mute: outbox.AboutDeclarations}
	reminder := outbox.Kind{Name: "pin.reminder", Mute: outbox.Reminders}
	changed, alarm := outbox.Kind{Name: "pin.changed"}, outbox.Kind{Name: "pin.recovered", Audience: outbox.EveryContact}
	for name, tt := range map[string]struct {
		kind        outbox.Kind
		contacts    []person.Contact
		preferences person.Preferences
		want        []outbox.Recipient
	}{
		"e-mail first": {received, []person.Contact{mobile, pec, email}, person.Preferences{}, []outbox.Recipient{byEmail}},
		"then PEC":     {changed, []person.Contact{mobile, pec}, person.Preferences{}, []outbox.Recipient{byPEC}},
		"then SMS":     {changed, []person.Contact{postal, mobile}, person.Preferences{}, []outbox.Recipient{bySMS}},
		"unverified e-mail": {
			changed,
			[]person.Contact{contact(person.Email, "x@posta.example", false), mobile},
			person.Preferences{},
			[]outbox.Recipient{bySMS},
		},
		"bounced e-mail":  {changed, []person.Contact{bounced, mobile}, person.Preferences{}, []outbox.Recipient{bySMS}},
		"only an address": {changed, []person.Contact{postal}, person.Preferences{}, nil},
		"nobody":          {changed, nil, person.Preferences{}, nil},
		"attack: everywhere": {
			alarm,
			[]person.Contact{mobile, postal, email, contact(person.PEC, "y@pec.example", false)},
			person.Preferences{},
			[]outbox.Recipient{byEmail, bySMS, to(outbox.Letter, "Via Roma 1, 00100 Roma")},
		},
		"preferred":            {changed, []person.Contact{mobile, pec, email}, prefer(outbox.SMS), []outbox.Recipient{bySMS}},
		"preferred, not there": {changed, []person.Contact{mobile, pec}, prefer(outbox.Email), []outbox.Recipient{byPEC}},
		"preferred, and all": {
			alarm, []person.Contact{mobile, pec, email}, prefer(outbox.PEC), []outbox.Recipient{byPEC, byEmail, bySMS},
		},
		"muted":                {received, []person.Contact{email}, mute(outbox.AboutDeclarations), nil},
		"something else muted": {received, []person.Contact{email}, mute(outbox.Reminders), []outbox.Recipient{byEmail}},
		"muted reminder":       {reminder, []person.Contact{email}, mute(outbox.Reminders), nil},
		"security is never muted": {
			changed, []person.Contact{email}, mute(outbox.Reminders, outbox.AboutDeclarations), []outbox.Recipient{byEmail},
		},
		"in English": {
			changed,
			[]person.Contact{email},
			person.Preferences{Language: "en"},
			[]outbox.Recipient{{Channel: outbox.Email, To: "m@posta.example", Locale: "en"}},
		},
	} {
		if got := notification.Recipients(tt.kind, tt.contacts, tt.preferences); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestRecipients_APageShowsTextAsText(t *testing.T) {
	text, err := notification.Render(
		"declaration.withdrawn", `{"protocol_number": "1", "type": "<script>alert(1)</script>&\"'"}`, nil, notification.English,
	)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.HTML, "<script") || !strings.Contains(text.HTML, "&lt;script&gt;") ||
		!strings.Contains(text.HTML, `<html lang="en">`) {
		t.Error(text.HTML)
	}
	if paragraphs := strings.Count(text.HTML, "<p "); paragraphs < 3 {
		t.Errorf("%d paragraphs in\n%s", paragraphs, text.HTML)
	}
}

func TestRecipients_SecretsStandBesideTheData(t *testing.T) {
	// Any kind will do: what is data there is a secret here.
	secrets := map[string]secret.Text{"type": "K7M2\r\nP9QX"}
	text, err := notification.Render("declaration.withdrawn", `{"protocol_number": "1"}`, secrets, notification.Italian)
	if err != nil || !strings.Contains(text.Body, "K7M2  P9QX") {
		t.Errorf("%v\n%s", err, text.Body)
	}
	if _, err := notification.Render("declaration.withdrawn", `{"protocol_number": "1"}`, nil, notification.Italian); err == nil {
		t.Error("a text without its secret")
	}
}
