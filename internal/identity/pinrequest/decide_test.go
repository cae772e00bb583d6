package pinrequest_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinrequest"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
)

var organisation = taxcode.MustParse("00743110157")

func stranger(a *pinrequest.Application) {
	a.TaxCode, a.GivenName, a.FamilyName = pintest.Stranger, "Ugo", "D'Este"
}

func served() pinrequest.Outcome {
	return pinrequest.Outcome{State: pinrequest.Served, Reason: " Dati confermati al telefono "}
}

func refused() pinrequest.Outcome {
	return pinrequest.Outcome{State: pinrequest.Refused, Reason: "Non risponde"}
}

func TestPINRequest_TheContactCentreServes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		r := s.ask(t, stranger)
		s.Clock.Advance(time.Hour)
		records := s.Count(t, "audit_records")
		decided, err := s.Decide(ctx, s.Clerk, r.ID, served())
		want(t, err, "")
		if decided.State != pinrequest.Served || *decided.Reason != "Dati confermati al telefono" ||
			*decided.DecidedBy != s.Clerk.PersonID || !decided.DecidedAt.Equal(s.Clock.Now()) || decided.Version != 2 ||
			len(decided.Deliveries) != 2 || *decided.WaitsBecause != pinrequest.NotInRegister {
			t.Errorf("%+v", decided)
		}
		p, err := s.People.ByTaxCode(ctx, pintest.Stranger)
		want(t, err, "")
		if p.GivenName != "Ugo" || p.FamilyName != "D'Este" || p.CredentialLevel != access.Ordinary || p.UserClass != access.Citizen {
			t.Errorf("%+v", p)
		}
		s.Login(t, pintest.Stranger, s.pinOf(t, decided))
		if s.Count(t, "audit_records")-records != 2 { // the login is the other
			t.Errorf("%d audit records", s.Count(t, "audit_records")-records)
		}
		shown, err := s.ShowToOffice(ctx, r.ID)
		want(t, err, "")
		if shown.State != pinrequest.Served || shown.PersonID == nil || *shown.Reason != *decided.Reason {
			t.Errorf("%+v", shown)
		}
		for _, o := range []pinrequest.Outcome{served(), refused()} {
			_, err = s.Decide(ctx, s.Clerk, r.ID, o)
			conflict(t, err, "already-decided")
		}
		s.Login(t, pintest.Stranger, s.pinOf(t, decided))
	})
}

func TestPINRequest_TheContactCentreRefuses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		// Nobody here: the contacts of a stranger are told nothing.
		r := s.ask(t, stranger)
		decided, err := s.Decide(ctx, s.Clerk, r.ID, refused())
		want(t, err, "")
		if decided.State != pinrequest.Refused || len(decided.Deliveries) != 0 || decided.PersonID != nil || s.Count(t, "outbox") != 0 ||
			s.Count(t, "people") != 1 {
			t.Errorf("%+v", decided)
		}
		// A registered person is told by the contacts that they have.
		p, _ := s.marioWithPIN(t, false)
		r = s.ask(t, nil)
		_, err = s.Decide(ctx, s.Clerk, r.ID, refused())
		want(t, err, "")
		if s.Count(
			t, "outbox WHERE kind = ? AND person_id = ? AND recipient IS NULL AND data LIKE '%Non risponde%'",
			pinrequest.RefusedByOffice.Name, p.ID,
		) != 1 {
			t.Error("the person is not told")
		}
		shown, err := s.Show(ctx, r.ID)
		want(t, err, "")
		if shown.State != pinrequest.Refused || len(shown.Deliveries) != 0 {
			t.Errorf("%+v", shown)
		}
		_, err = s.Decide(ctx, s.Clerk, r.ID, served())
		conflict(t, err, "already-decided")
	})
}

func TestPINRequest_WhatCannotBeServed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		p, text := s.marioWithPIN(t, false)
		r := s.ask(t, nil)
		_, err := s.Decide(ctx, s.Clerk, r.ID, served())
		conflict(t, err, "person-has-pin")
		s.Login(t, pintest.Mario, text)
		s.Exec(t, "UPDATE pins SET revoked_at = ?", s.Clock.Now())
		s.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", s.Clock.Now(), p.ID)
		_, err = s.Decide(ctx, s.Clerk, r.ID, served())
		conflict(t, err, "person-suspended")
		if s.Count(t, "pin_requests WHERE state = 'waiting' AND decided_at IS NULL") != 1 ||
			s.Count(t, "outbox WHERE kind = ?", pin.HalfKind.Name) != 0 {
			t.Error("something was done")
		}
		// Once neither stands in the way, it is.
		s.Exec(t, "UPDATE people SET suspended_at = NULL")
		decided, err := s.Decide(ctx, s.Clerk, r.ID, served())
		want(t, err, "")
		s.Login(t, pintest.Mario, s.pinOf(t, decided))
	})
}

// Whoever answers the telephone must not be able to become an administrator.
func TestPINRequest_NoPINForStaffOnRequest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		p, _ := s.marioWithPIN(t, false)
		other := s.another(t)
		for _, class := range []access.UserClass{access.Administrator, access.ContactCentre} {
			s.Exec(t, "UPDATE people SET user_class = ? WHERE id = ?", class, p.ID)
			s.Exec(t, "UPDATE pins SET revoked_at = ? WHERE person_id = ?", s.Clock.Now(), p.ID)
			sent := s.Count(t, "outbox")
			for _, ask := range []func() (pinrequest.View, error){
				func() (pinrequest.View, error) { return s.Request(ctx, application(nil)) },
				func() (pinrequest.View, error) { return s.File(ctx, s.Clerk, application(nil)) },
				func() (pinrequest.View, error) {
					return s.File(ctx, s.Clerk, application(func(a *pinrequest.Application) { a.Street = "Via del Ladro 1" }))
				},
			} {
				r, err := ask()
				want(t, err, "")
				if r.State != pinrequest.Waiting {
					t.Fatalf("%s: %s", class, r.State)
				}
				_, err = s.Decide(ctx, other, r.ID, served())
				var f *fault.Fault
				if !errors.As(err, &f) || f.Code != fault.Forbidden || f.Reason != "staff-pin" {
					t.Fatalf("%s: %v", class, err)
				}
			}
			if s.Count(t, "outbox") != sent || s.Count(t, "pins WHERE person_id = ? AND revoked_at IS NULL", p.ID) != 0 {
				t.Errorf("%s: something was done", class)
			}
		}
	})
}

func TestPINRequest_WrongOutcomes(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	r := s.ask(t, stranger)
	for pointer, o := range map[string]pinrequest.Outcome{
		"/outcome": {State: pinrequest.Waiting, Reason: "x"}, "/reason": {State: pinrequest.Served, Reason: "  "},
	} {
		_, err := s.Decide(ctx, s.Clerk, r.ID, o)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Fields[0].Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}

func TestPINRequest_ParallelDecisions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		// Two requests of one person who is in no register, and several of the contact centre.
		ids := []string{s.ask(t, stranger).ID, s.ask(t, stranger).ID}
		var done, conflicts atomic.Int64
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				_, err := s.Decide(ctx, s.Clerk, ids[i%2], served())
				switch {
				case err == nil:
					done.Add(1)
				case fault.Is(err, fault.Conflict):
					conflicts.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 || conflicts.Load() != 11 || s.Count(t, "outbox WHERE kind = ?", pin.HalfKind.Name) != 2 ||
			s.Count(t, "people") != 2 {
			t.Errorf(
				"%d served, %d refused, %d halves", done.Load(), conflicts.Load(), s.Count(t, "outbox WHERE kind = ?", pin.HalfKind.Name),
			)
		}
	})
}

func TestPINRequest_FiledForACaller(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		r, err := s.File(ctx, s.Clerk, application(nil))
		want(t, err, "")
		if r.State != pinrequest.Served || r.Filer == nil ||
			*r.Filer != (review.Colleague{ID: s.Clerk.PersonID, GivenName: "Giulia", FamilyName: "Conti"}) {
			t.Errorf("%+v", r)
		}
		if s.Count(t, "audit_records WHERE subject_id = ? AND person_id = ?", r.ID, s.Clerk.PersonID) != 1 {
			t.Error("the audit record does not say who filed it")
		}
		shown, err := s.ShowToOffice(ctx, r.ID)
		want(t, err, "")
		if shown.Filer == nil || *shown.FiledBy != s.Clerk.PersonID || *shown.Phone != "+39 06 12345678" ||
			shown.Contacts[1] != (pinrequest.Contact{Kind: person.Mobile, Value: "+393331112233"}) {
			t.Errorf("%+v", shown)
		}
	})
}

func TestPINRequest_TheList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		var ids []string
		ids = append(ids, s.ask(t, nil).ID)
		for i := range 6 {
			// Two at each instant: the id decides their order.
			if i%2 == 0 {
				s.Clock.Advance(time.Second)
			}
			ids = append(ids, s.ask(t, stranger).ID)
		}
		filed, err := s.File(ctx, s.Clerk, application(stranger))
		want(t, err, "")
		seen := map[string]bool{}
		var last pinrequest.View
		request := page.Request{Limit: 3}
		for {
			found, err := s.List(ctx, "", request)
			want(t, err, "")
			for _, r := range found.Items {
				if seen[r.ID] || r.CreatedAt.Before(last.CreatedAt) {
					t.Errorf("%s is out of order", r.ID)
				}
				seen[r.ID], last = true, r
				if (r.Filer != nil) != (r.ID == filed.ID) || (len(r.Deliveries) == 2) != (r.State == pinrequest.Served) {
					t.Errorf("%+v", r)
				}
			}
			if found.Next == "" {
				break
			}
			request.Cursor = found.Next
		}
		if len(seen) != len(ids)+1 {
			t.Errorf("%d requests, want %d", len(seen), len(ids)+1)
		}
		for state, n := range map[pinrequest.State]int{pinrequest.Served: 1, pinrequest.Waiting: len(ids), pinrequest.Refused: 0} {
			found, err := s.List(ctx, state, page.Request{})
			want(t, err, "")
			if len(found.Items) != n {
				t.Errorf("%d %s, want %d", len(found.Items), state, n)
			}
		}
		_, err = s.List(ctx, "", page.Request{Cursor: uuid.NewString()})
		want(t, err, fault.Malformed)
	})
}
