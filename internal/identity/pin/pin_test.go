package pin

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

func TestPIN_Generate(t *testing.T) {
	counts := map[rune]int{}
	for range 3000 {
		text, err := secret.Draw(rand.Reader, normalLength)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) != 8 {
			t.Fatalf("%d characters", len(text))
		}
		for _, c := range text.Reveal() {
			counts[c]++
		}
	}
	if len(counts) != 31 {
		t.Errorf("%d different characters, want 31", len(counts))
	}
	for _, c := range "0O1IL" {
		if counts[c] != 0 {
			t.Errorf("%c looks like another", c)
		}
	}
	// 24,000 draws from 31: 774 each, give or take 28; more than six times that is no chance.
	for c, n := range counts {
		if n < 600 || n > 950 {
			t.Errorf("%c was drawn %d times", c, n)
		}
	}
	if text, err := secret.Draw(rand.Reader, initialLength); err != nil || len(text) != 16 {
		t.Errorf("initial PIN of %d characters, %v", len(text), err)
	}
	// The value beyond the alphabet is drawn again, not bent onto another character.
	if text, err := secret.Draw(bytes.NewReader([]byte{31, 0, 63, 30, 1, 2, 32, 3, 4, 5, 6, 7, 8, 9, 10, 11}), normalLength); err != nil ||
		text.Reveal() != "2Z342567" {
		t.Errorf("got %q, %v", text.Reveal(), err)
	}
	if _, err := secret.Draw(bytes.NewReader([]byte{1, 2, 3}), normalLength); err == nil {
		t.Error("a PIN without randomness")
	}
}

func TestPIN_Normalise(t *testing.T) {
	for given, want := range map[string]string{
		"AB2CD3EF": "AB2CD3EF", "ab2cd3ef": "AB2CD3EF", " ab2c-d3ef ": "AB2CD3EF", "AB2C D3EF": "AB2CD3EF",
		"AB2C\u2013D3EF\u00a0": "AB2CD3EF",
		"":                     "", "ı": "ı", "AB2C_D3EF": "AB2C_D3EF",
	} {
		if got := secret.Normalise(secret.Text(given)); got != want {
			t.Errorf("%q became %q, want %q", given, got, want)
		}
	}
}

func TestPIN_ChangeDue(t *testing.T) {
	at := func(text string) time.Time {
		got, err := time.ParseInLocation("2006-01-02 15:04", text, calendar.Rome)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, tt := range []struct {
		class         access.UserClass
		changed, want string
	}{
		{access.Citizen, "2026-03-16 09:00", "2026-09-16 09:00"},
		{access.Citizen, "2026-08-31 09:00", "2027-02-28 09:00"},
		{access.InstitutionalIntermediary, "2026-03-16 09:00", "2026-06-16 09:00"},
		{access.InstitutionalIntermediary, "2026-11-30 23:30", "2027-02-28 23:30"},
		{access.Operator, "2026-03-16 09:00", "2026-06-16 09:00"},
		{access.ContactCentre, "2026-03-16 09:00", "2026-06-16 09:00"},
		{access.Administrator, "2026-03-16 09:00", "2026-06-16 09:00"},
	} {
		if got := changeDue(tt.class, at(tt.changed)); !got.Equal(at(tt.want)) {
			t.Errorf("%s, changed %s: due %s, want %s", tt.class, tt.changed, got, tt.want)
		}
	}
}

func TestPIN_Admit(t *testing.T) {
	now := time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)
	before, after := now.Add(-time.Microsecond), now.Add(time.Microsecond)
	for name, tt := range map[string]struct {
		c       credential
		changed bool
		fault   fault.Code
	}{
		"ready":                     {credential{ChangeDueAt: &after}, false, ""},
		"due now":                   {credential{ChangeDueAt: &now}, true, ""},
		"due long since":            {credential{ChangeDueAt: &before}, true, ""},
		"initial":                   {credential{Initial: true, ChangeDueAt: &after, UnusedExpiresAt: &after}, true, ""},
		"initial, expires now":      {credential{Initial: true, ChangeDueAt: &before, UnusedExpiresAt: &now}, false, fault.PINExpired},
		"initial without an expiry": {credential{Initial: true, ChangeDueAt: &after}, true, ""},
		"changed since":             {credential{ChangeDueAt: &after, UnusedExpiresAt: &before}, false, ""},
	} {
		changed, err := tt.c.admit(now)
		if changed != tt.changed || (tt.fault == "") != (err == nil) || tt.fault != "" && !fault.Is(err, tt.fault) {
			t.Errorf("%s: change required %v, %v", name, changed, err)
		}
	}
}
