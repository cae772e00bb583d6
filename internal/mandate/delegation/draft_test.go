package delegation_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestDelegation_FromDraftToRevocation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		until := w.Clock.Now().AddDate(1, 0, 0).In(time.FixedZone("", 7200)).Add(3)
		draft, err := w.service.Draft(requested("draftDelegation", "key-0001"), w.in(w.professional), delegation.Input{
			ContributorTaxCode: w.company.TaxCode.Clear(), PositionIDs: []uuid.UUID{w.company.Positions[0].ID}, Scope: delegation.Partial,
			Services: []access.Service{access.Declarations}, ValidUntil: &until, SignatoryID: w.signatory.ID,
		})
		if err != nil {
			t.Fatal(err)
		}
		if draft.State != delegation.Draft || draft.DelegateID != w.delegate || draft.ContributorID != w.company.ID ||
			len(draft.Positions) != 1 ||
			draft.OTP != nil || !draft.ValidUntil.Equal(until.Truncate(time.Microsecond)) || !cmp.Equal(
			draft.Services, access.ServiceSet{access.Declarations},
		) {
			t.Errorf("drafted %+v", draft)
		}
		if !regexp.MustCompile(`^[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}$`).MatchString(draft.ReferenceCode) {
			t.Errorf("its reference is %s", draft.ReferenceCode)
		}
		w.Clock.Advance(time.Minute)
		sent, err := w.service.Send(requested("sendDelegationOtp", "key-0002"), w.at(w.professional, draft.ID), draft.ID)
		if err != nil {
			t.Fatal(err)
		}
		if now := w.Clock.Now(); sent.State != delegation.Pending || sent.OTP == nil || sent.OTP.Channel != "email" ||
			sent.OTP.TriesLeft != 5 || !sent.OTP.ExpiresAt.Equal(now.Add(7*24*time.Hour)) {
			t.Errorf("sent %+v", sent.OTP)
		}
		otp := w.otp()
		active, err := w.service.Activate(requested(
			"activateDelegation", "key-0003",
		), w.at(w.professional, draft.ID), draft.ID, delegation.Activation{
			OTP: " " + otp[:4] + "-" + otp[4:], SignatureDeclared: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		if active.State != delegation.Active || active.OTP != nil || !active.ActivatedAt.Equal(w.Clock.Now()) {
			t.Errorf("activated %+v", active)
		}
		session := w.professional
		if right := w.Enter(t, session, w.company.ID).Rights; len(right) != 1 || right[0].ID != draft.ID {
			t.Errorf("rights %+v", right)
		}
		revoked, err := w.service.Revoke(
			requested("revokeDelegation", "key-0004"), w.at(w.representative, draft.ID), draft.ID, "Fine dell'incarico",
		)
		if err != nil || revoked.State != delegation.Revoked || *revoked.EndReason != "Fine dell'incarico" ||
			!revoked.EndedAt.Equal(w.Clock.Now()) {
			t.Errorf("revoked %+v, %v", revoked, err)
		}
		if _, err := w.Guard.Enter(
			ctx, session, access.Rule{To: access.ToContributor}, access.Target{ContributorID: w.company.ID},
		); !fault.Is(err, fault.NotFound) {
			t.Errorf("afterwards: %v", err)
		}
		_, err = w.service.Revoke(ctx, w.at(w.representative, draft.ID), draft.ID, "")
		conflict(t, "revoked again", err, "delegation-state")
		for _, operation := range []string{"draftDelegation", "sendDelegationOtp", "activateDelegation", "revokeDelegation"} {
			if n := w.Count(
				t, "audit_records WHERE operation = ? AND subject_id = ? AND contributor_id = ?", operation, draft.ID.String(),
				w.company.ID,
			); n != 1 {
				t.Errorf("%d audit records of %s", n, operation)
			}
		}
		// Both sides are told of each step, the code went to the contributor alone.
		for kind, want := range map[string]int{"delegation.otp": 1, "delegation.activated": 2, "delegation.revoked": 2} {
			if n := w.Count(t, "outbox WHERE kind = ?", kind); n != want {
				t.Errorf("%d messages %s, want %d", n, kind, want)
			}
		}
		if n := w.Count(t, "outbox WHERE data LIKE ?", "%"+otp.Reveal()+"%") +
			w.Count(t, "audit_records WHERE subject_id LIKE ?", "%"+otp.Reveal()+"%"); n != 0 {
			t.Error("the code stands in clear")
		}
	})
}

func TestDelegation_WhatCannotBeDrafted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		other := w.Company(t, world.Rome)
		stranger := w.Person(t, nil)
		ceased := w.company.Positions[1].ID
		w.Exec(t, "UPDATE positions SET state = 'ceased' WHERE id = ?", ceased)
		first := w.company.Positions[0].ID
		past := w.Clock.Now()
		for _, c := range []struct {
			name   string
			change func(*delegation.Input)
			fields []string
		}{
			{"no tax code", func(in *delegation.Input) {
				in.ContributorTaxCode = "BLIPTR93MO4A674Q"
			}, []string{"/contributor_tax_code", "format"}},
			// Whether there is such a contributor is not told here. Its positions and signatories
			// are unknown like those of any other.
			{"nobody", func(in *delegation.Input) {
				in.ContributorTaxCode = unknownCode(t)
			}, []string{"/position_ids/0", "unknown-position", "/signatory_id", "unknown-signatory"}},
			{"somebody else", func(in *delegation.Input) {
				in.ContributorTaxCode = other.TaxCode.Clear()
			}, []string{"/position_ids/0", "unknown-position", "/signatory_id", "unknown-signatory"}},
			{"positions", func(in *delegation.Input) {
				in.PositionIDs = []uuid.UUID{first, ceased, first}
			}, []string{"/position_ids/1", "position-ceased", "/position_ids/2", "duplicate"}},
			{"no position", func(in *delegation.Input) { in.PositionIDs = nil }, []string{"/position_ids", "required"}},
			{"an empty list of positions", func(in *delegation.Input) {
				in.PositionIDs = []uuid.UUID{}
			}, []string{"/position_ids", "too-few"}},
			{"a total one with services", func(in *delegation.Input) {
				in.Services = []access.Service{access.Declarations}
			}, []string{"/services", "not-applicable"}},
			{"a partial one without", func(in *delegation.Input) { in.Scope = delegation.Partial }, []string{"/services", "required"}},
			{"a partial one with none", func(in *delegation.Input) {
				in.Scope, in.Services = delegation.Partial, []access.Service{}
			}, []string{"/services", "too-few"}},
			{"services", func(in *delegation.Input) {
				in.Scope, in.Services = delegation.Partial, []access.Service{access.Declarations, "*", access.Declarations}
			}, []string{"/services/1", "unknown-service", "/services/2", "duplicate"}},
			{"another scope", func(in *delegation.Input) { in.Scope = "all" }, []string{"/scope", "enum"}},
			{"a signatory who is nobody there", func(in *delegation.Input) {
				in.SignatoryID = stranger.ID
			}, []string{"/signatory_id", "unknown-signatory"}},
			{"an end that has come", func(in *delegation.Input) { in.ValidUntil = &past }, []string{"/valid_until", "past"}},
			{"another's intermediary", func(in *delegation.Input) {
				id := w.Association(t)
				in.DelegateID = &id
			}, []string{"/delegate_id", "unknown-delegate"}},
		} {
			in := input(w.company, w.signatory)
			in.PositionIDs = in.PositionIDs[:1]
			c.change(&in)
			_, err := w.service.Draft(ctx, w.in(w.professional), in)
			refused(t, c.name, err, fault.Invalid, c.fields...)
		}
		if n := w.Count(t, "delegations"); n != 0 {
			t.Errorf("%d were drafted", n)
		}
	})
}

func unknownCode(t *testing.T) string {
	t.Helper()
	code, err := taxcode.ComposeOrganisation("9999999058")
	if err != nil {
		t.Fatal(err)
	}
	return code.Clear()
}

func TestDelegation_WhoDrafts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		firm := w.Association(t)
		w.Exec(t, "UPDATE delegates SET kind = 'firm' WHERE id = ?", firm)
		caf, patronato := w.Association(t), w.Association(t)
		worker := func(services []access.Service, delegates ...uuid.UUID) uuid.UUID {
			p := w.Person(t, nil)
			for _, id := range delegates {
				w.DelegateRole(t, p.ID, id, access.EmployeeDelegate, services...)
			}
			return w.Session(t, p.ID, nil)
		}
		all := []access.Service{access.AllServices}
		withFirm, own := w.Professional(t)
		w.DelegateRole(t, withFirm.ID, firm, access.LegalRepresentative, access.AllServices)
		struckOff, gone := w.consulente()
		w.StrikeOff(t, gone)
		ordinary, _ := w.Professional(t)
		w.Exec(t, "UPDATE people SET credential_level = 'ordinary' WHERE id = ?", ordinary.ID)
		for _, c := range []struct {
			name    string
			session uuid.UUID
			wanted  *uuid.UUID
			want    fault.Code
			as      uuid.UUID
		}{
			{"a citizen", w.representative, nil, fault.Forbidden, uuid.Nil},
			{"for the citizen's choice", w.representative, &caf, fault.Forbidden, uuid.Nil},
			{"one who left the register", struckOff, nil, fault.Forbidden, uuid.Nil},
			{"with ordinary credentials", w.Session(t, ordinary.ID, nil), nil, fault.DispositiveRequired, uuid.Nil},
			{"at a firm only", worker(all, firm), nil, fault.DelegateMustBePerson, uuid.Nil},
			{"for the firm", w.Session(t, withFirm.ID, nil), &firm, fault.DelegateMustBePerson, uuid.Nil},
			{"for a firm of others", w.professional, &firm, fault.DelegateMustBePerson, uuid.Nil},
			{"beside the firm", w.Session(t, withFirm.ID, nil), nil, "", own},
			{"at an association", worker(all, caf), nil, "", caf},
			{"for declarations only", worker([]access.Service{access.Declarations}, caf), nil, fault.ServiceNotDelegated, uuid.Nil},
			{"at two, without saying which", worker(all, caf, patronato), nil, fault.Invalid, uuid.Nil},
			{"at two", worker(all, caf, patronato), &patronato, "", patronato},
		} {
			in := input(w.company, w.signatory)
			in.DelegateID = c.wanted
			got, err := w.service.Draft(ctx, w.in(c.session), in)
			if c.want == "" && (err != nil || got.DelegateID != c.as) || c.want != "" && !fault.Is(err, c.want) {
				t.Errorf("%s: %s, %v, want %q", c.name, got.DelegateName, err, c.want)
			}
		}
	})
}

// What says that nothing changes leaves the delegation, and the code that was sent, as they are.
func TestDelegation_AChangeOfNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		until := w.Clock.Now().Add(time.Hour)
		draft := w.draft(w.professional, func(in *delegation.Input) {
			in.Scope, in.Services, in.ValidUntil = delegation.Partial, []access.Service{access.Declarations, access.ViewPayments}, &until
		})
		otp := w.send(w.professional, draft.ID)
		sent, err := w.service.Show(ctx, draft.ID)
		if err != nil {
			t.Fatal(err)
		}
		by := w.at(w.professional, draft.ID)
		partial, elsewhere := delegation.Partial, until.In(time.FixedZone("", 7200))
		for name, change := range map[string]delegation.Change{
			"nothing": {}, "the same": {Scope: &partial, Exclusive: new(false), ValidUntil: &elsewhere, SignatoryID: &w.signatory.ID},
			"another order": {
				PositionIDs: []uuid.UUID{w.company.Positions[1].ID, w.company.Positions[0].ID},
				Services:    []access.Service{access.ViewPayments, access.Declarations},
			},
		} {
			got, err := w.service.Change(ctx, by, draft.ID, sent.Version, change)
			if err != nil || got.State != delegation.Pending || got.Version != sent.Version || got.OTP == nil {
				t.Errorf("%s: %s, %d, %v", name, got.State, got.Version, err)
			}
		}
		_, err = w.service.Change(ctx, by, draft.ID, sent.Version-1, delegation.Change{})
		refused(t, "nothing of an earlier one", err, fault.PreconditionFailed)
		if _, err := w.activate(w.professional, draft.ID, otp); err != nil {
			t.Errorf("the code: %v", err)
		}
		_, err = w.service.Change(ctx, by, draft.ID, fault.AnyVersion, delegation.Change{})
		conflict(t, "nothing of an active one", err, "delegation-state")
	})
}

func TestDelegation_AChangeBringsItBackToDraftAndKillsTheCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		otp := w.send(w.professional, draft.ID)
		sent, err := w.service.Show(ctx, draft.ID)
		if err != nil {
			t.Fatal(err)
		}
		one := []uuid.UUID{w.company.Positions[0].ID}
		partial := delegation.Partial
		_, err = w.service.Change(ctx, w.at(w.professional, draft.ID), draft.ID, sent.Version-1, delegation.Change{PositionIDs: one})
		refused(t, "a change of what was changed meanwhile", err, fault.PreconditionFailed)
		_, err = w.service.Change(ctx, w.at(w.professional, draft.ID), draft.ID, sent.Version, delegation.Change{Scope: &partial})
		refused(t, "a change to what could not be drafted", err, fault.Invalid, "/services", "required")
		if w.state(draft.ID) != delegation.Pending {
			t.Error("a refused change had an effect")
		}
		changed, err := w.service.Change(ctx, w.at(w.professional, draft.ID), draft.ID, sent.Version, delegation.Change{
			PositionIDs: one, Scope: &partial, Services: []access.Service{access.Declarations},
		})
		if err != nil || changed.State != delegation.Draft || changed.OTP != nil || len(changed.Positions) != 1 ||
			changed.Scope != delegation.Partial || changed.Version != sent.Version+1 {
			t.Fatalf("changed to %+v, %v", changed, err)
		}
		_, err = w.activate(w.professional, draft.ID, otp)
		conflict(t, "the code that was sent before", err, "delegation-state")
		// With a new code the old one is a wrong one.
		fresh := w.send(w.professional, draft.ID)
		if fresh != otp {
			_, err = w.activate(w.professional, draft.ID, otp)
			refused(t, "the old code after a new one", err, fault.OTPInvalid)
		}
		active, err := w.activate(w.professional, draft.ID, fresh)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.service.Change(ctx, w.at(w.professional, draft.ID), draft.ID, active.Version, delegation.Change{PositionIDs: one})
		conflict(t, "a change of an active one", err, "delegation-state")
	})
}

func TestDelegation_TheOtherSideNeitherChangesNorSendsNorActivates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		otp := w.send(w.professional, draft.ID)
		by := w.at(w.representative, draft.ID)
		_, err := w.service.Change(ctx, by, draft.ID, draft.Version, delegation.Change{})
		refused(t, "change", err, fault.Forbidden)
		_, err = w.service.Send(ctx, by, draft.ID)
		refused(t, "send", err, fault.Forbidden)
		_, err = w.service.Activate(ctx, by, draft.ID, delegation.Activation{OTP: otp, SignatureDeclared: true})
		refused(t, "activate", err, fault.Forbidden)
		stranger, _ := w.consulente()
		if _, err := w.Guard.Enter(
			ctx, stranger, access.Rule{To: access.ToDelegation}, access.Target{DelegationID: draft.ID},
		); !fault.Is(err, fault.NotFound) {
			t.Errorf("another intermediary: %v", err)
		}
		w.StrikeOff(t, w.delegate)
		_, err = w.activate(w.professional, draft.ID, otp)
		refused(t, "one who left the register", err, fault.Forbidden)
		if discarded, err := w.service.Revoke(ctx, by, draft.ID, ""); err != nil || discarded.EndReason != nil ||
			*discarded.EndCause != delegation.ByContributor || !discarded.UpdatedAt.Equal(w.Clock.Now()) {
			t.Errorf("discarded %+v, %v", discarded, err)
		}
	})
}

func TestDelegation_WhoRevokesForTheContributor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		active := w.active(w.professional, nil)
		for _, c := range []struct {
			role     access.ActingAs
			services []access.Service
			want     fault.Code
		}{
			{access.EmployeeDelegate, []access.Service{access.Declarations}, fault.Forbidden},
			{access.EmployeeDelegate, []access.Service{access.Delegations}, ""},
			{access.UserAdministrator, nil, ""},
		} {
			p := w.Person(t, nil)
			w.Role(t, p.ID, w.company.ID, c.role, c.services...)
			session := w.Session(t, p.ID, nil)
			_, err := w.service.Revoke(ctx, w.at(session, active.ID), active.ID, "")
			if c.want == "" && err != nil || c.want != "" && !fault.Is(err, c.want) {
				t.Errorf("%s for %v: %v", c.role, c.services, err)
			}
			if err == nil {
				active = w.active(w.professional, nil)
			}
			by, err := w.Guard.Enter(ctx, session, access.Rule{To: access.ToContributor}, access.Target{ContributorID: w.company.ID})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.service.OfContributor(ctx, by, w.company.ID, page.Request{}); c.want != "" &&
				!fault.Is(err, c.want) || c.want == "" && err != nil {
				t.Errorf("listed as %s for %v: %v", c.role, c.services, err)
			}
		}
	})
}

// An intermediary prepares twenty delegations for one contributor at a time; what was activated or
// discarded makes room.
func TestDelegation_TwentyAreOpenForOneContributor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by := w.in(w.professional)
		tooMany := func(what string) {
			t.Helper()
			_, err := w.service.Draft(ctx, by, input(w.company, w.signatory))
			refused(t, what, err, fault.Conflict, "/contributor_tax_code", "too-many-open")
		}
		var last uuid.UUID
		for range 19 {
			last = w.draft(w.professional, nil).ID
		}
		pending := w.draft(w.professional, nil)
		code := w.send(w.professional, pending.ID)
		tooMany("the twenty-first")
		other, _ := w.consulente()
		w.draft(other, nil)
		company := w.Company(t, world.Rome)
		signatory, _ := w.representativeOf(company)
		w.draft(w.professional, func(in *delegation.Input) { *in = input(company, signatory) })

		if _, err := w.activate(w.professional, pending.ID, code); err != nil {
			t.Fatal(err)
		}
		w.draft(w.professional, nil)
		tooMany("after one more")
		if _, err := w.service.Revoke(ctx, w.at(w.professional, last), last, ""); err != nil {
			t.Fatal(err)
		}
		// Of many at once as many as there is room for.
		errs := make([]error, 6)
		world.Parallel(len(errs), func(i int) { _, errs[i] = w.service.Draft(ctx, by, input(w.company, w.signatory)) })
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else {
				refused(t, "one of six", err, fault.Conflict, "/contributor_tax_code", "too-many-open")
			}
		}
		if made != 1 {
			t.Errorf("%d were drafted where there was room for one", made)
		}
	})
}

// What an intermediary prepares is nothing to the contributor until a code was sent for it, and
// listed ever after.
func TestDelegation_IsTheContributorsOnceACodeWasSent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		rule, target := access.Rule{To: access.ToDelegation}, access.Target{DelegationID: draft.ID}
		sees := func(when string, want bool) {
			t.Helper()
			by, err := w.Guard.Enter(ctx, w.representative, rule, target)
			if got := err == nil && len(by.Rights) == 1; got != want || !want && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: the contributor is let in: %v, %v", when, got, err)
			}
			atHome := w.Enter(t, w.representative, w.company.ID)
			own, err := w.service.OfContributor(ctx, atHome, w.company.ID, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			all, err := w.service.List(ctx, w.in(w.representative), delegation.Filter{}, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if (len(own.Items) == 1) != want || (len(all.Items) == 1) != want {
				t.Errorf("%s: %d and %d are listed", when, len(own.Items), len(all.Items))
			}
			theirs, err := w.service.List(ctx, w.in(w.professional), delegation.Filter{}, page.Request{})
			if err != nil || len(theirs.Items) != 1 {
				t.Errorf("%s: the intermediary sees %d, %v", when, len(theirs.Items), err)
			}
		}
		sees("drafted", false)
		w.send(w.professional, draft.ID)
		sees("sent", true)
		if _, err := w.service.Change(
			ctx, w.at(w.professional, draft.ID), draft.ID, fault.AnyVersion, delegation.Change{Exclusive: new(true)},
		); err != nil {
			t.Fatal(err)
		}
		sees("changed", true)
		if _, err := w.service.Revoke(ctx, w.at(w.professional, draft.ID), draft.ID, ""); err != nil {
			t.Fatal(err)
		}
		sees("discarded", true)
	})
}

// What was discarded before anybody heard of it stays the intermediary's.
func TestDelegation_DiscardedUnsentIsNotListed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		if _, err := w.service.Revoke(ctx, w.at(w.professional, draft.ID), draft.ID, ""); err != nil {
			t.Fatal(err)
		}
		own, err := w.service.OfContributor(
			ctx, w.Enter(t, w.representative, w.company.ID), w.company.ID, page.Request{},
		)
		if err != nil || len(own.Items) != 0 {
			t.Errorf("%d are listed, %v", len(own.Items), err)
		}
	})
}
