package pinrequest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinrequest"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestPINRequest_WhatAgreesIsServedAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		records := s.Count(t, "audit_records")
		r := s.ask(t, nil)
		if len(r.ID) != 22 || r.State != pinrequest.Served || r.WaitsBecause != nil || !r.CreatedAt.Equal(s.Clock.Now()) {
			t.Errorf("%+v", r.Request)
		}
		halves := []pinrequest.HalfDelivery{
			{Half: "first", Channel: outbox.SMS, To: "**********233", State: outbox.Queued},
			{Half: "second", Channel: outbox.Letter, To: "*** 00184 Roma RM", State: outbox.Queued},
		}
		if diff := cmp.Diff(halves, r.Deliveries); diff != "" {
			t.Error(diff)
		}
		shown, err := s.Show(ctx, r.ID)
		want(t, err, "")
		if diff := cmp.Diff(halves, shown.Deliveries); diff != "" || shown.State != pinrequest.Served {
			t.Errorf("%s: %s", shown.State, diff)
		}
		first, second := s.message(t, r.FirstMessageID), s.message(t, r.SecondMessageID)
		if *first.Recipient != "+393331112233" || *second.Recipient != "Mario Rossi\nVia Nazionale 10\n00184 Roma RM" {
			t.Errorf("to %q and %q", *first.Recipient, *second.Recipient)
		}
		p, err := s.People.ByTaxCode(ctx, pintest.Mario)
		want(t, err, "")
		if p.GivenName != "Mario" || p.UserClass != access.Citizen || p.CredentialLevel != access.Ordinary || p.ID != *r.PersonID {
			t.Errorf("%+v", p)
		}
		contacts, err := s.People.Contacts(ctx, p.ID)
		want(t, err, "")
		for _, c := range contacts {
			if c.State() != person.Unverified {
				t.Errorf("%s is %s", c.Kind, c.State())
			}
		}
		if len(contacts) != 2 || s.Count(t, "outbox") != 2 || s.Count(t, "audit_records")-records != 1 {
			t.Errorf("%d contacts, %d messages, %d audit records", len(contacts), s.Count(t, "outbox"), s.Count(t, "audit_records")-records)
		}
		if s.Count(
			t,
			"audit_records WHERE operation = 'requestPin' AND subject_kind = 'pin-request' AND subject_id = ? AND outcome = 'served' AND "+
				"address = '192.0.2.1'",
			r.ID,
		) != 1 {
			t.Error("the audit record does not say what was done")
		}
		if session := s.Login(t, pintest.Mario, s.pinOf(t, r)); !session.PINChangeRequired || session.CredentialLevel != access.Ordinary {
			t.Errorf("%+v", session)
		}
		// A second one finds the first PIN.
		if again := s.ask(t, nil); again.State != pinrequest.Waiting || *again.WaitsBecause != pinrequest.HasPIN {
			t.Errorf("%+v", again.Request)
		}
		s.Login(t, pintest.Mario, s.pinOf(t, r))
	})
}

func TestPINRequest_WhereTheFirstHalfGoes(t *testing.T) {
	mobile, email := person.NewContact{
		Kind: person.Mobile, Value: "+393331112233",
	}, person.NewContact{Kind: person.Email, Value: "m@posta.example"}
	pec := person.NewContact{Kind: person.PEC, Value: "m@pec.example"}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, tt := range []struct {
			given []person.NewContact
			want  person.NewContact
		}{
			{[]person.NewContact{pec, email, mobile}, mobile}, {[]person.NewContact{pec, email}, email}, {[]person.NewContact{pec}, pec},
		} {
			s := open(t, d)
			r := s.ask(t, func(a *pinrequest.Application) { a.Contacts = tt.given })
			if m := s.message(t, r.FirstMessageID); *m.Channel != tt.want.Kind.Channel() || *m.Recipient != tt.want.Value ||
				r.Deliveries[0].Channel != *m.Channel {
				t.Errorf("%v: by %s to %s", tt.given, *m.Channel, *m.Recipient)
			}
			s.Exec(t, "UPDATE pins SET revoked_at = ?", s.Clock.Now())
		}
	})
}

// What everybody may see of a request, besides its id and time.
type public struct {
	State      pinrequest.State
	Deliveries []pinrequest.HalfDelivery
}

// Nobody learns why a request waits: not from the answer, nor from the work that was done for it.
func TestPINRequest_WhatWaitsReadsAlike(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		cases := map[string]struct {
			prepare func()
			change  func(*pinrequest.Application)
			because pinrequest.Cause
			told    int
		}{
			"not in the register": {nil, func(a *pinrequest.Application) { a.TaxCode = pintest.Stranger }, pinrequest.NotInRegister, 0},
			"data differ":         {nil, func(a *pinrequest.Application) { a.Street = "Via Nazionale 11" }, pinrequest.DataDiffer, 0},
			"has a PIN":           {func() { s.marioWithPIN(t, false) }, nil, pinrequest.HasPIN, 1},
			"has a PIN, and data differ": {nil, func(a *pinrequest.Application) {
				a.FamilyName = "Verdi"
			}, pinrequest.HasPIN, 1},
			"works here, not in the register": {nil, func(a *pinrequest.Application) {
				a.TaxCode = pintest.Giulia
			}, pinrequest.NotInRegister, 0},
			"suspended": {func() {
				s.Exec(t, "DELETE FROM pins")
				s.Exec(t, "UPDATE people SET suspended_at = created_at WHERE tax_code = ?", pintest.Mario)
			}, nil, "", 0},
			"too many": {func() {
				s.Exec(t, "UPDATE people SET suspended_at = NULL")
				s.Exec(t, "UPDATE pin_requests SET waits_because = 'has_pin' WHERE tax_code = ?", pintest.Mario)
			}, nil, "", 0},
		}
		statements := world.Statements(t, d)
		type cost struct {
			hashes     int64
			statements int
			records    int
		}
		var first cost
		for i, name := range []string{
			"not in the register", "data differ", "has a PIN", "has a PIN, and data differ", "works here, not in the register", "suspended",
			"too many",
		} {
			c := cases[name]
			if c.prepare != nil {
				c.prepare()
			}
			messages := s.Count(t, "outbox")
			before := cost{s.Hasher.Hashes(), statements(), s.Count(t, "audit_records")}
			r := s.ask(t, c.change)
			// The last count is one statement itself.
			after := cost{s.Hasher.Hashes() - before.hashes, statements() - before.statements, 0}
			after.records = s.Count(t, "audit_records") - before.records
			if i == 0 {
				first = after
			}
			if after != first || after.hashes != 1 || after.records != 1 {
				t.Errorf("%s costs %+v, the first %+v", name, after, first)
			}
			shown, err := s.Show(ctx, r.ID)
			want(t, err, "")
			for _, got := range []pinrequest.View{r, shown} {
				if diff := cmp.Diff(public{
					pinrequest.Waiting, []pinrequest.HalfDelivery{},
				}, public{got.State, got.Deliveries}); diff != "" || len(got.ID) != 22 {
					t.Errorf("%s: %s", name, diff)
				}
			}
			because := pinrequest.Cause("")
			if r.WaitsBecause != nil {
				because = *r.WaitsBecause
			}
			if because != c.because {
				t.Errorf("%s: waits because of %q, want %q", name, because, c.because)
			}
			if told := s.Count(t, "outbox") - messages; told != c.told {
				t.Errorf("%s: %d messages, want %d", name, told, c.told)
			}
		}
		if n := s.Count(t, "outbox WHERE kind <> ? OR person_id IS NULL OR recipient IS NOT NULL", pinrequest.WithPIN.Name); n != 0 {
			t.Errorf("%d other messages", n)
		}
	})
}

func TestPINRequest_AWorkingPINStays(t *testing.T) {
	for name, initial := range map[string]bool{"in use": false, "as issued": true} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				s := open(t, d)
				_, text := s.marioWithPIN(t, initial)
				session := s.Login(t, pintest.Mario, text)
				if r := s.ask(t, nil); *r.WaitsBecause != pinrequest.HasPIN {
					t.Errorf("%+v", r.Request)
				}
				s.MustActor(t, session)
				s.Login(t, pintest.Mario, text)
				if !initial {
					// One that must be changed lets its holder in all the same.
					s.Clock.Advance(200 * 24 * time.Hour)
					if r := s.ask(t, nil); *r.WaitsBecause != pinrequest.HasPIN {
						t.Errorf("due for change: %+v", r.Request)
					}
				}
			})
		})
	}
}

func TestPINRequest_APINThatDoesNotWorkIsReplaced(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *desk){
		"revoked":        func(t *testing.T, s *desk) { s.Exec(t, "UPDATE pins SET revoked_at = ?", s.Clock.Now()) },
		"expired unused": func(_ *testing.T, s *desk) { s.Clock.Advance(unused) },
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				s := open(t, d)
				p, old := s.marioWithPIN(t, true)
				s.Exec(t, "INSERT INTO offices (code, title) VALUES ('7099', 'Roma') ON CONFLICT DO NOTHING")
				s.Exec(t, `INSERT INTO pin_upgrades (id, person_id, office_code, protocol_number, digest, document_kind, document_number,
					issued_by, issued_on, expires_on, attachments, state, submitted_at, version)
					VALUES (?, ?, '7099', 'n', 'd', 'passport', 'YA1', 'Roma', '2020-01-01', '2030-01-01', '[]', 'submitted', ?,
					1)`, uuid.New(),
					p.ID, s.Clock.Now())
				end(t, s)
				r := s.ask(t, nil)
				if s.Count(t, "pin_upgrades WHERE state = 'submitted'") != 0 {
					t.Error("what was asked for with the old PIN would still raise the new one")
				}
				if r.State != pinrequest.Served || *r.PersonID != p.ID {
					t.Fatalf("%+v", r.Request)
				}
				// Nobody has seen who asked: what the old PIN could do, the new one cannot.
				if session := s.Login(t, pintest.Mario, s.pinOf(t, r)); session.CredentialLevel != access.Ordinary ||
					!session.PINChangeRequired {
					t.Errorf("%+v", session)
				}
				_, err := s.Sessions.Start(ctx, pintest.Mario.Clear(), old, "")
				want(t, err, fault.InvalidCredentials)
				contacts, err := s.People.Contacts(ctx, p.ID)
				want(t, err, "")
				if len(contacts) != 3 || contacts[0].State() != person.Verified || contacts[1].State() != person.Unverified ||
					contacts[2].State() != person.Unverified {
					t.Errorf("%+v", contacts)
				}
				if n := s.Count(t, "outbox WHERE kind = ? AND person_id = ? AND "+
					"recipient IS NULL", pinrequest.ServedAgain.Name, p.ID); n != 1 {
					t.Errorf("the contacts that were there before are told %d times", n)
				}
			})
		})
	}
}

func TestPINRequest_ThreeADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.marioWithPIN(t, false)
		for i := range 6 {
			r := s.ask(t, nil)
			if looked := r.WaitsBecause != nil; looked != (i < 3) {
				t.Errorf("request %d: looked at %v", i+1, looked)
			}
			s.Clock.Advance(time.Minute)
		}
		if n := s.Count(t, "outbox"); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
		// What the contact centre files is looked at all the same, and so is another tax code.
		r, err := s.File(ctx, s.Clerk, application(nil))
		want(t, err, "")
		if r.WaitsBecause == nil || *r.WaitsBecause != pinrequest.HasPIN {
			t.Errorf("filed: %+v", r.Request)
		}
		if r := s.ask(t, func(a *pinrequest.Application) { a.TaxCode = pintest.Stranger }); *r.WaitsBecause != pinrequest.NotInRegister {
			t.Errorf("another: %+v", r.Request)
		}
		// A day after the first there is room again; those beyond the number have not prolonged it.
		s.Clock.Advance(24*time.Hour - 6*time.Minute - time.Second)
		if r := s.ask(t, nil); r.WaitsBecause != nil {
			t.Error("looked at a second before the day is over")
		}
		s.Clock.Advance(time.Minute)
		if r := s.ask(t, nil); r.WaitsBecause != nil {
			t.Error("the one that was filed counts too")
		}
		s.Clock.Advance(time.Minute)
		if r := s.ask(t, nil); r.WaitsBecause == nil {
			t.Error("not looked at after a day")
		}
	})
}

func TestPINRequest_ParallelRequestsMakeOnePIN(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		states := make([]pinrequest.State, 12)
		var wg sync.WaitGroup
		for i := range states {
			wg.Go(func() {
				r, err := s.Request(ctx, application(nil))
				if err != nil {
					t.Error(err)
				}
				states[i] = r.State
			})
		}
		wg.Wait()
		served := 0
		for _, state := range states {
			if state == pinrequest.Served {
				served++
			}
		}
		if served != 1 || s.Count(t, "people WHERE tax_code = ?", pintest.Mario) != 1 ||
			s.Count(t, "outbox WHERE kind = ?", pin.HalfKind.Name) != 2 || s.Count(t, "pin_requests") != len(states) {
			t.Errorf("%d served, %d halves", served, s.Count(t, "outbox WHERE kind = ?", pin.HalfKind.Name))
		}
	})
}

// slowPINs lets somebody else register the person just before the PIN is given.
type slowPINs struct {
	pinrequest.PINs
	once   sync.Once
	before func()
}

// State implements pinrequest.PINs.
func (p *slowPINs) State(ctx context.Context, id uuid.UUID) (pin.State, error) {
	state, err := p.PINs.State(ctx, id)
	p.once.Do(p.before)
	return state, err
}

// Who was registered at an office in the middle of the request is no reason to tell of a conflict.
func TestPINRequest_RegisteredMeanwhile(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := pintest.New(t, d, pintest.Cheap)
	other := w.Twin(t)
	s := openWith(t, w, func(deps *pinrequest.Deps) {
		deps.PINs = &slowPINs{PINs: deps.PINs, before: func() { other.Person(t, pintest.Mario, access.Citizen, false) }}
	})
	if r := s.ask(t, nil); r.State != pinrequest.Waiting || *r.WaitsBecause != pinrequest.HasPIN {
		t.Errorf("%+v", r.Request)
	}
	if s.Count(t, "pin_requests") != 1 || s.Count(t, "audit_records WHERE operation = 'requestPin' AND subject_kind = 'pin-request'") != 1 {
		t.Error("the request was kept twice")
	}
}

// brokenPINs cannot send halves.
type brokenPINs struct{ pinrequest.PINs }

var errBroken = errors.New("broken")

// GiveInHalves implements pinrequest.PINs.
func (p brokenPINs) GiveInHalves(ctx context.Context, id uuid.UUID, i pin.Initial, first, second pin.Half) (uuid.UUID, uuid.UUID, error) {
	_, _, err := p.PINs.GiveInHalves(ctx, id, i, first, second)
	return uuid.Nil, uuid.Nil, errors.Join(err, errBroken)
}

func TestPINRequest_ARequestIsOneTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openWith(t, pintest.New(t, d, pintest.Cheap), func(deps *pinrequest.Deps) { deps.PINs = brokenPINs{deps.PINs} })
		records := s.Count(t, "audit_records")
		if _, err := s.Request(ctx, application(nil)); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		if s.Count(t, "people WHERE tax_code = ?", pintest.Mario)+s.Count(t, "pins")+s.Count(t, "contacts")+s.Count(t, "outbox")+
			s.Count(t, "pin_requests") != 0 || s.Count(t, "audit_records") != records {
			t.Error("something is left")
		}
	})
}

func TestPINRequest_ARepeatIsOneRequest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		claimed := func() context.Context {
			return idempotency.WithClaim(ctx, &idempotency.Claim{
				Scope: "request:mac", Key: "k", Operation: "requestPin", RequestMAC: "mac",
			})
		}
		r, err := s.Request(claimed(), application(nil))
		want(t, err, "")
		again, err := s.Request(claimed(), application(nil))
		want(t, err, "")
		if again.ID != r.ID || again.State != pinrequest.Served || len(again.Deliveries) != 2 || s.Count(t, "pin_requests") != 1 {
			t.Errorf("%+v", again)
		}
	})
}

func TestPINRequest_WrongFields(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	s := open(t, d)
	contacts := func(c ...person.NewContact) func(*pinrequest.Application) {
		return func(a *pinrequest.Application) { a.Contacts = c }
	}
	email := person.NewContact{Kind: person.Email, Value: "m@posta.example"}
	for name, tt := range map[string]struct {
		change  func(*pinrequest.Application)
		pointer string
	}{
		"company's tax code":    {func(a *pinrequest.Application) { a.TaxCode = organisation }, "/tax_code"},
		"no given name":         {func(a *pinrequest.Application) { a.GivenName = " \u00a0 " }, "/given_name"},
		"line break in a name":  {func(a *pinrequest.Application) { a.FamilyName = "Ro\nssi" }, "/family_name"},
		"markup in a name":      {func(a *pinrequest.Application) { a.GivenName = "<img src=x>" }, "/given_name"},
		"an address for a name": {func(a *pinrequest.Application) { a.FamilyName = "clicca http://x.example" }, "/family_name"},
		"a street turned round": {func(a *pinrequest.Application) { a.Street = "Via \u202eRoma" }, "/residence/street"},
		"long name":             {func(a *pinrequest.Application) { a.FamilyName = strings.Repeat("é", 101) }, "/family_name"},
		"no place of birth":     {func(a *pinrequest.Application) { a.BirthPlace = "" }, "/birth_place"},
		"no such day":           {func(a *pinrequest.Application) { a.BirthDate = "1980-02-30" }, "/birth_date"},
		"no day":                {func(a *pinrequest.Application) { a.BirthDate = "yesterday" }, "/birth_date"},
		"not born yet":          {func(a *pinrequest.Application) { a.BirthDate = "2026-03-17" }, "/birth_date"},
		"very old":              {func(a *pinrequest.Application) { a.BirthDate = "1896-12-31" }, "/birth_date"},
		"no street":             {func(a *pinrequest.Application) { a.Street = "" }, "/residence/street"},
		"second line in street": {func(a *pinrequest.Application) { a.Street = "Via Roma 1\nPresso Bianchi" }, "/residence/street"},
		"no town":               {func(a *pinrequest.Application) { a.Town = "" }, "/residence/town"},
		"no postal code":        {func(a *pinrequest.Application) { a.PostalCode = "" }, "/residence/postal_code"},
		"no province":           {func(a *pinrequest.Application) { a.Province = "" }, "/residence/province"},
		"long telephone":        {func(a *pinrequest.Application) { a.Phone = strings.Repeat("1", 21) }, "/phone"},
		"no contact":            {contacts(), "/contacts"},
		"postal contact":        {contacts(email, person.NewContact{Kind: person.Postal, Value: "Via Roma 1"}), "/contacts/1/kind"},
		"two of one kind":       {contacts(email, person.NewContact{Kind: person.Email, Value: "n@posta.example"}), "/contacts/1/kind"},
		"one mailbox twice":     {contacts(email, person.NewContact{Kind: person.PEC, Value: "M@posta.example"}), "/contacts/1/value"},
		"no address":            {contacts(person.NewContact{Kind: person.Email, Value: "posta.example"}), "/contacts/0/value"},
	} {
		hashes := s.Hasher.Hashes()
		_, err := s.Request(ctx, application(tt.change))
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Invalid || len(f.Fields) == 0 || f.Fields[0].Pointer != tt.pointer {
			t.Errorf("%s: %+v", name, err)
		}
		if s.Hasher.Hashes() != hashes {
			t.Errorf("%s: hashed in vain", name)
		}
	}
	if n := s.Count(t, "pin_requests"); n != 0 {
		t.Errorf("%d requests", n)
	}
	// The day of birth itself and a name with single spaces are fine.
	s.ask(t, func(a *pinrequest.Application) { a.BirthDate, a.GivenName = "2026-03-16", " Mario  Luigi " })
	if s.Count(t, "pin_requests WHERE given_name = 'Mario Luigi'") != 1 {
		t.Error("spaces were kept")
	}
}

func TestPINRequest_UnknownRequest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		for _, id := range []string{"", "q7Vn2xWc9KfT4bLm8RzY1A", "'; DROP TABLE pins"} {
			_, err := s.Show(ctx, id)
			want(t, err, fault.NotFound)
			_, err = s.Decide(ctx, s.Clerk, id, pinrequest.Outcome{State: pinrequest.Refused, Reason: "x"})
			want(t, err, fault.NotFound)
		}
	})
}

// What a worker has done shows in the request.
func TestPINRequest_DeliveriesShow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		r := s.ask(t, nil)
		now := s.Clock.Now()
		s.Must(t, func(ctx context.Context) error {
			return d.From(ctx).Create(&outbox.Delivery{
				ID: uuid.Must(uuid.NewV7()), MessageID: r.SecondMessageID, PersonID: r.PersonID, Kind: pin.HalfKind.Name,
				Channel: outbox.Letter, Recipient: "Mario",
				Locale: "it", State: outbox.HandedOver, NextAt: now, DeadlineAt: now, CreatedAt: now, UpdatedAt: now,
			}).Error
		})
		shown, err := s.Show(ctx, r.ID)
		want(t, err, "")
		if shown.Deliveries[0].State != outbox.Queued || shown.Deliveries[1].State != outbox.HandedOver {
			t.Errorf("%+v", shown.Deliveries)
		}
	})
}
