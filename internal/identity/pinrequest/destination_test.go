package pinrequest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinrequest"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// differing is what somebody writes who wants Mario's PIN for themselves.
func differing(a *pinrequest.Application) {
	a.Street, a.Town = "Via del Ladro 1", "Milano"
	a.Contacts = []person.NewContact{{Kind: person.Mobile, Value: "+393339999999"}}
}

// TestPINRequest_WhoFiledItDoesNotDecide: two of the contact centre are needed, whatever the
// decision is.
func TestPINRequest_WhoFiledItDoesNotDecide(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		r, err := s.File(ctx, s.Clerk, application(stranger))
		want(t, err, "")
		for _, o := range []pinrequest.Outcome{served(), refused()} {
			_, err = s.Decide(ctx, s.Clerk, r.ID, o)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.Forbidden || f.Reason != "second-person" {
				t.Fatalf("%s by who filed it: %v", o.State, err)
			}
		}
		if s.Count(t, "outbox") != 0 || s.Count(t, "pin_requests WHERE state <> 'waiting'") != 0 {
			t.Error("something was done")
		}
		_, err = s.Decide(ctx, s.another(t), r.ID, served())
		want(t, err, "")
	})
}

// TestPINRequest_WhoRevokedThePINDoesNotDecide about the next one, whoever asked for that.
func TestPINRequest_WhoRevokedThePINDoesNotDecide(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		p, _ := s.marioWithPIN(t, false)
		r := s.ask(t, nil)
		now := s.Clock.Now()
		s.Exec(t, "UPDATE pins SET revoked_at = ?", now)
		s.Exec(
			t, "INSERT INTO pin_revocations (id, person_id, revoked_by, reason, revoked_at) VALUES (?, ?, ?, 'lost', ?)",
			uuid.New(), p.ID, s.Clerk.PersonID, now,
		)
		_, err := s.Decide(ctx, s.Clerk, r.ID, served())
		want(t, err, fault.Forbidden)
		_, err = s.Decide(ctx, s.another(t), r.ID, served())
		want(t, err, "")
	})
}

// TestPINRequest_WhatDiffersGoesToNoNewContact: another residence and other contacts bring no half
// of the PIN of somebody who is registered. That holds whoever decides.
func TestPINRequest_WhatDiffersGoesToNoNewContact(t *testing.T) {
	const home = "Mario Rossi\nVia Nazionale 10\n00184 Roma RM"
	type contacts []person.NewContact
	for name, c := range map[string]struct {
		// own are the verified contacts of Mario, who is registered unless they are nil.
		own contacts
		// listed is that he stands in the register of persons.
		listed        bool
		first, second string
	}{
		"verified contacts and the register": {
			contacts{{Kind: person.Email, Value: "m@posta.example"}}, true, "m@posta.example", home,
		},
		"the register, and nothing verified": {contacts{}, true, "", ""},
		"never registered, and the register": {nil, true, "+393339999999", home},
		"verified contacts, and no register": {
			contacts{{Kind: person.Email, Value: "m@posta.example"}, {Kind: person.Mobile, Value: "+393331112233"}},
			false, "+393331112233",
			"m@posta.example",
		},
		"one verified contact, and no register":   {contacts{{Kind: person.Email, Value: "m@posta.example"}}, false, "", ""},
		"nothing verified, and no register":       {contacts{}, false, "", ""},
		"a postal address is no verified contact": {contacts{{Kind: person.Postal, Value: "Via Nazionale 10"}}, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				s := open(t, d)
				if !c.listed {
					s.Exec(t, "DELETE FROM register_people")
				}
				if c.own != nil {
					_, err := s.People.Create(ctx, person.New{
						TaxCode: pintest.Mario, GivenName: "Mario", FamilyName: "Rossi", UserClass: "citizen",
						CredentialLevel: "dispositive", Contacts: c.own,
					}, nil)
					want(t, err, "")
				}
				r := s.ask(t, differing)
				decided, err := s.Decide(ctx, s.Clerk, r.ID, served())
				if c.first == "" {
					conflict(t, err, "counter-needed")
					if s.Count(t, "outbox") != 0 || s.Count(t, "contacts WHERE value = '+393339999999'") != 0 {
						t.Error("something was done")
					}
					return
				}
				want(t, err, "")
				if got := *s.message(t, decided.FirstMessageID).Recipient; got != c.first {
					t.Errorf("the first half goes to %s, want %s", got, c.first)
				}
				if got := *s.message(t, decided.SecondMessageID).Recipient; got != c.second {
					t.Errorf("the second half goes to %s, want %s", got, c.second)
				}
				if kept := s.Count(t, "contacts WHERE value = '+393339999999'") == 1; kept != (c.own == nil) {
					t.Errorf("the new contact is kept: %v", kept)
				}
				shown, err := s.Show(ctx, r.ID)
				want(t, err, "")
				if to := shown.Deliveries[1].To; to != outbox.Mask(
					shown.Deliveries[1].Channel, c.second,
				) || strings.Contains(to, "Milano") {
					t.Errorf("shows %s", to)
				}
			})
		})
	}
}

// TestPINRequest_ANewResidenceGetsNoLetter for 30 days. Whoever imports a register and asks in
// somebody's name has not got both halves, whatever agrees and whoever decides.
func TestPINRequest_ANewResidenceGetsNoLetter(t *testing.T) {
	for name, registered := range map[string]bool{"registered here": true, "never registered": false} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				s := open(t, d)
				if registered {
					_, _ = s.marioWithPIN(t, false)
					s.Exec(t, "UPDATE pins SET revoked_at = ?", s.Clock.Now())
					s.Exec(t, "DELETE FROM contacts WHERE kind <> 'email'")
				}
				s.Exec(t, "UPDATE register_people SET moved_at = ? WHERE tax_code = ?", s.Clock.Now(), pintest.Mario)
				messages := s.Count(t, "outbox")
				r := s.ask(t, nil)
				if r.State != pinrequest.Waiting || r.WaitsBecause == nil || *r.WaitsBecause != pinrequest.RecentlyMoved {
					t.Fatalf("%s, %v", r.State, r.WaitsBecause)
				}
				_, err := s.Decide(ctx, s.Clerk, r.ID, served())
				conflict(t, err, "counter-needed")
				if n := s.Count(t, "outbox"); n != messages {
					t.Errorf("%d messages", n-messages)
				}
				s.Clock.Advance(30 * 24 * time.Hour)
				if r := s.ask(t, nil); r.State != pinrequest.Served {
					t.Errorf("30 days later: %s", r.State)
				}
			})
		})
	}
}

// TestPINRequest_AContactCountsADayAfterItsVerification: whoever has just added one gains nothing.
func TestPINRequest_AContactCountsADayAfterItsVerification(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		p, _ := s.marioWithPIN(t, false)
		s.Exec(t, "UPDATE pins SET revoked_at = ?", s.Clock.Now())
		s.Exec(t, "UPDATE contacts SET recovery_from = ? WHERE person_id = ?", s.Clock.Now().Add(24*time.Hour), p.ID)
		r := s.ask(t, differing)
		_, err := s.Decide(ctx, s.Clerk, r.ID, served())
		conflict(t, err, "counter-needed")
		s.Clock.Advance(24 * time.Hour)
		_, err = s.Decide(ctx, s.Clerk, r.ID, served())
		want(t, err, "")
	})
}

// TestPINRequest_TypographyIsForgiven: who writes the same in another way is served at once. The
// letter goes to the register's address: what stands behind a town or a number is not compared.
func TestPINRequest_TypographyIsForgiven(t *testing.T) {
	register := residents.Identity{
		GivenName: "GIAN LUCA", FamilyName: "DORDEVIC D'AMICO", BirthDate: "1980-01-01", BirthPlace: "ROMA", Street: "VIA GIUSEPPE MAZZINI 10",
		PostalCode: "00184", Town: "BOLZANO", Province: "BZ",
	}
	const home = "GIAN LUCA DORDEVIC D'AMICO\nVIA GIUSEPPE MAZZINI 10\n00184 BOLZANO BZ"
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, c := range map[string]struct {
			change func(*pinrequest.Application)
			letter string
		}{
			"as he writes it": {func(a *pinrequest.Application) {
				a.GivenName, a.FamilyName, a.BirthPlace = "Gianluca", "Đorđević Damico", "Roma (RM)"
				a.Street, a.Town, a.Province = "V. G. Mazzini, 10 int. 3", "Bolzano/Bozen", "Bolzano"
			}, home},
			"at a neighbour's":            {func(a *pinrequest.Application) { a.Street += " int. 9" }, home},
			"at somebody's in the town":   {func(a *pinrequest.Application) { a.Town = "Bolzano, presso Neri, Via Roma 99" }, home},
			"a postal code without zeros": {func(a *pinrequest.Application) { a.PostalCode = "184" }, home},
			"a word less in the street":   {func(a *pinrequest.Application) { a.Street = "Via Mazzini 10" }, home},
			"and another birth":           {func(a *pinrequest.Application) { a.Street, a.BirthPlace = "Via Mazzini 10", "Milano" }, ""},
			"another number":              {func(a *pinrequest.Application) { a.Street = "Via Mazzini 11" }, ""},
			"a name more":                 {func(a *pinrequest.Application) { a.FamilyName = "Dordevic" }, ""},
		} {
			s := open(t, d)
			s.Exec(t, "DELETE FROM pin_requests")
			s.Exec(t, "UPDATE pins SET revoked_at = ?", s.Clock.Now())
			s.Must(t, func(ctx context.Context) error {
				return residents.New(s.DB, s.Clock).Put(ctx, residents.Entry{TaxCode: pintest.Mario, Identity: register})
			})
			r := s.ask(t, func(a *pinrequest.Application) {
				a.Identity = register
				c.change(a)
			})
			if c.letter == "" {
				if r.State != pinrequest.Waiting || *r.WaitsBecause != pinrequest.DataDiffer {
					t.Errorf("%s: %s", name, r.State)
				}
				continue
			}
			if r.State != pinrequest.Served {
				t.Errorf("%s: %s", name, r.State)
				continue
			}
			first, second := s.message(t, r.FirstMessageID), s.message(t, r.SecondMessageID)
			if *first.Recipient != "+393331112233" || *second.Recipient != c.letter || *r.SecondTo != c.letter {
				t.Errorf("%s: to %q and %q", name, *first.Recipient, *second.Recipient)
			}
		}
	})
}
