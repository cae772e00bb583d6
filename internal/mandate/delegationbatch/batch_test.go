package delegationbatch_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/delegationbatch"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = audit.WithOrigin(context.Background(), audit.Origin{
	Operation: "draftDelegationBatch", RequestID: "request-1", Address: "192.0.2.1",
})

// fixture is an App with a professional and a company. The company has one legal representative,
// and a position at each of two offices.
type fixture struct {
	*world.App
	t        *testing.T
	service  *delegationbatch.Service
	company  world.Company
	rep      access.Actor
	by       access.Actor
	delegate uuid.UUID
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	w := &fixture{App: world.New(t, d), t: t}
	w.service = w.process(d)
	w.company, w.rep = w.Employer(t, world.Rome, world.Milan)
	var p world.Person
	p, w.delegate = w.Professional(t)
	w.by = w.enter(p)
	return w
}

// process is what works in one process on the database.
func (w *fixture) process(d *db.DB) *delegationbatch.Service {
	w.t.Helper()
	keys, err := keyring.ParseDataKeys("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		w.t.Fatal(err)
	}
	people := person.NewService(person.Deps{Runner: w.Runner})
	limiter := throttle.NewLimiter(d, w.Clock, keys, w.Outbox)
	return delegationbatch.NewService(delegationbatch.Deps{
		Runner: w.Runner, People: people, Contributors: w.Contributors, Log: slog.New(slog.DiscardHandler),
		Delegations: delegation.NewService(delegation.Deps{
			Runner: w.Runner, Rights: w.Rights, Contributors: w.Contributors, People: people,
			Outbox: w.Outbox, Keys: keys,
			Codes:     otp.New(d, w.Clock, keys, limiter, throttle.NewAddressLimit(d, w.Clock, false), rand.Reader),
			Catalogue: servicecatalog.New(servicecatalog.Deps{Runner: w.Runner}), Random: rand.Reader,
		}),
	})
}

func each(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newWorld(t, d)) })
}

func (w *fixture) enter(p world.Person) access.Actor { return w.enterAs(p.ID) }

func (w *fixture) enterAs(personID uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, w.Session(w.t, personID, nil), access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

var total = delegationbatch.Terms{Scope: delegation.Total}

// numbers is a list with the same terms for all.
func numbers(terms delegationbatch.Terms, numbers ...string) delegationbatch.Input {
	in := delegationbatch.Input{Shared: true}
	for i, n := range numbers {
		in.Entries = append(in.Entries, delegationbatch.Entry{Line: i + 1, PositionNumber: n, Terms: terms})
	}
	return in
}

func (w *fixture) taken(in delegationbatch.Input) delegationbatch.Batch {
	w.t.Helper()
	b, err := w.service.Draft(ctx, w.by, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *fixture) shown(id uuid.UUID) delegationbatch.Batch {
	w.t.Helper()
	b, err := w.service.Show(ctx, w.by, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *fixture) drain() {
	w.t.Helper()
	if err := w.service.Drain(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// outcomes says what became of each item.
func outcomes(b delegationbatch.Batch) []string {
	var all []string
	for _, i := range b.Items {
		text := fmt.Sprintf("%d %s %s", i.Line, i.PositionNumber, i.State)
		if i.Reason != nil {
			text += " " + *i.Reason
		}
		if (i.DelegationID != nil) != (i.State == delegationbatch.Filed) {
			text += " with another delegation than it says"
		}
		all = append(all, text)
	}
	return all
}

func want(t *testing.T, b delegationbatch.Batch, wanted ...string) {
	t.Helper()
	if diff := cmp.Diff(wanted, outcomes(b)); diff != "" {
		t.Error(diff)
	}
}

// refused checks that an error is a fault of the kind, with these fields (pointer and code in
// turn).
func refused(t *testing.T, what string, err error, code fault.Code, fields ...string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	var wanted []fault.Field
	for i := 0; i < len(fields); i += 2 {
		wanted = append(wanted, fault.Field{Pointer: fields[i], Code: fields[i+1]})
	}
	if diff := cmp.Diff(wanted, f.Fields); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}

func TestDelegationBatch_EachItemIsDraftedOrRefusedByItself(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		two, _ := w.Employer(t)
		second := w.Colleague(t, two.ID, access.LegalRepresentative, access.Dispositive)
		none := w.Company(t, world.Rome)
		ceased := w.Company(t, world.Rome)
		w.Role(t, w.rep.PersonID, ceased.ID, access.LegalRepresentative)
		w.Exec(t, "UPDATE positions SET state = 'ceased' WHERE contributor_id = ?", ceased.ID)
		rome, milan := w.company.Positions[0].Number, w.company.Positions[1].Number
		in := numbers(total, rome, "0000000000", two.Positions[0].Number, none.Positions[0].Number, ceased.Positions[0].Number, rome, milan)
		in.Entries[6].SignatoryID = &second.PersonID
		b := w.taken(in)
		if b.State != delegationbatch.Running || b.ItemsTotal != 7 || b.ItemsDone != 1 || w.Count(t, "delegations") != 0 {
			t.Errorf("taken %+v", b)
		}
		w.drain()
		b = w.shown(b.ID)
		want(t, b, "1 "+rome+" filed", "2 0000000000 refused unknown-position", "3 "+two.Positions[0].Number+" refused signatory-needed",
			"4 "+none.Positions[0].Number+" refused no-signatory", "5 "+ceased.Positions[0].Number+" refused position-ceased",
			"6 "+rome+" refused repeated",
			"7 "+milan+" refused unknown-position")
		if b.State != delegationbatch.Done || b.ItemsDone != 7 {
			t.Errorf("%+v", b)
		}
		if n := w.Count(
			t, "delegations WHERE id = ? AND delegate_id = ? AND state = 'draft' AND signatory_id = ? AND drafted_by = ?",
			*b.Items[0].DelegationID, w.delegate, w.rep.PersonID, w.by.PersonID,
		); n != 1 {
			t.Errorf("%d delegations as it says", n)
		}
		if n := w.Count(
			t, "audit_records WHERE person_id = ? AND request_id = 'request-1' AND subject_kind = 'delegation' AND subject_id = ?",
			w.by.PersonID, b.Items[0].DelegationID.String(),
		); n != 1 {
			t.Errorf("%d traces of the draft", n)
		}
		if n := w.Count(t, "audit_records WHERE operation = 'draftDelegationBatch'"); n != 1 {
			t.Errorf("%d traces of the list", n)
		}
		// With the signatory named it goes through.
		again := numbers(total, two.Positions[0].Number)
		again.Entries[0].SignatoryID = &second.PersonID
		b = w.taken(again)
		w.drain()
		want(t, w.shown(b.ID), "1 "+two.Positions[0].Number+" filed")
	})
}

// Who signs for a household is who signs for it anywhere: its employer.
func TestDelegationBatch_TheEmployerSignsForAHousehold(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		home := w.Company(t, world.Rome)
		w.Exec(t, "UPDATE contributors SET kind = ? WHERE id = ?", contributor.Household, home.ID)
		employer := w.Person(t, nil)
		w.Role(t, employer.ID, home.ID, access.Employer)
		b := w.taken(numbers(total, home.Positions[0].Number))
		w.drain()
		b = w.shown(b.ID)
		want(t, b, "1 "+home.Positions[0].Number+" filed")
		if n := w.Count(t, "delegations WHERE signatory_id = ?", employer.ID); n != 1 {
			t.Errorf("%d delegations that the employer signs", n)
		}
	})
}

func TestDelegationBatch_AListThatIsRefusedAsAWhole(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		now := w.Clock.Now()
		number := w.company.Positions[0].Number
		for what, c := range map[string]struct {
			in     delegationbatch.Input
			fields []string
		}{
			"empty":    {numbers(total), []string{"/items", "too-few"}},
			"too long": {numbers(total, make([]string, 1001)...), []string{"/items", "too-many"}},
			"total, and some": {
				numbers(delegationbatch.Terms{Scope: delegation.Total, Services: []access.Service{access.Declarations}}, number),
				[]string{"/services", "not-applicable"},
			},
			"a service twice": {
				numbers(delegationbatch.Terms{
					Scope: delegation.Partial, Services: []access.Service{access.ViewDMA, access.ViewDMA},
				}, number),
				[]string{"/services/1", "duplicate"},
			},
			"partly nothing": {
				numbers(delegationbatch.Terms{Scope: delegation.Partial, ValidUntil: &now}, number),
				[]string{"/services", "required", "/valid_until", "past"},
			},
			"unknown": {
				numbers(delegationbatch.Terms{Scope: delegation.Partial, Services: []access.Service{"x"}}, number),
				[]string{"/services/0", "unknown-service"},
			},
		} {
			_, err := w.service.Draft(ctx, w.by, c.in)
			refused(t, what, err, fault.Invalid, c.fields...)
		}
		_, err := w.service.Draft(ctx, w.rep, numbers(total, number))
		refused(t, "no intermediary", err, fault.Forbidden)
		ordinary := w.by
		ordinary.CredentialLevel = access.Ordinary
		_, err = w.service.Draft(ctx, ordinary, numbers(total, number))
		refused(t, "ordinary credentials", err, fault.DispositiveRequired)
		if w.Count(t, "delegation_batches") != 0 || w.Count(t, "audit_records") != 0 {
			t.Error("a refused list left something")
		}
	})
}

func TestDelegationBatch_OnlyPeopleOfTheIntermediarySeeABatch(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		b := w.taken(numbers(total, w.company.Positions[0].Number))
		other, _ := w.Professional(t)
		for what, by := range map[string]access.Actor{"another professional": w.enter(other), "the contributor": w.rep} {
			_, err := w.service.Show(ctx, by, b.ID)
			refused(t, what, err, fault.NotFound)
		}
		_, err := w.service.Show(ctx, w.by, uuid.New())
		refused(t, "none", err, fault.NotFound)
	})
}

// Whoever may not draft any more when an item's turn comes drafts nothing.
func TestDelegationBatch_AnItemIsDraftedOnlyWhileItsSenderMay(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		number := w.company.Positions[0].Number
		struck := w.taken(numbers(total, number))
		w.StrikeOff(t, w.delegate)
		w.drain()
		want(t, w.shown(struck.ID), "1 "+number+" refused forbidden")
		w.Exec(t, "UPDATE delegates SET struck_off_at = NULL")
		later := w.Clock.Now().Add(time.Hour)
		late := w.taken(numbers(delegationbatch.Terms{Scope: delegation.Total, ValidUntil: &later}, number))
		w.Clock.Advance(time.Hour)
		w.drain()
		want(t, w.shown(late.ID), "1 "+number+" refused valid-until-past")
		suspended := w.taken(numbers(total, number))
		w.Exec(t, "UPDATE people SET suspended_at = ?, suspension_reason = 'x' WHERE id = ?", w.Clock.Now(), w.by.PersonID)
		w.drain()
		want(t, w.shown(suspended.ID), "1 "+number+" refused forbidden")
		if n := w.Count(t, "delegations"); n != 0 {
			t.Errorf("%d delegations", n)
		}
	})
}

// Two processes share the work, and one that ends in the middle of an item leaves it to the next.
func TestDelegationBatch_ABatchSurvivesARestart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var all []string
		for range 30 {
			c, _ := w.Employer(t)
			all = append(all, c.Positions[0].Number)
		}
		first, second := w.taken(numbers(total, all[:15]...)), w.taken(numbers(total, all[15:]...))
		stopped, stop := context.WithCancel(context.Background())
		stop()
		if err := w.service.Drain(stopped); err == nil {
			t.Error("a process that ends goes on")
		}
		if w.Count(t, "delegations") != 0 || w.shown(first.ID).State != delegationbatch.Queued {
			t.Error("it did something")
		}
		ended := make(chan error, 3)
		for range 3 {
			go func() { ended <- w.process(d).Drain(context.Background()) }()
		}
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		for _, b := range []delegationbatch.Batch{w.shown(first.ID), w.shown(second.ID)} {
			if b.State != delegationbatch.Done || b.ItemsDone != 15 {
				t.Errorf("%s after %d", b.State, b.ItemsDone)
			}
			for _, i := range b.Items {
				if i.State != delegationbatch.Filed {
					t.Errorf("line %d is %s", i.Line, i.State)
				}
			}
		}
		if n := w.Count(t, "delegations"); n != 30 {
			t.Errorf("%d delegations of 30", n)
		}
	})
}

// An item that fails by a defect is given up after some tries; the others go on.
func TestDelegationBatch_ADefectStopsOneItemOnly(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		rome, milan := w.company.Positions[0].Number, w.company.Positions[1].Number
		b := w.taken(numbers(total, rome, milan))
		w.Exec(t, "UPDATE delegation_batch_items SET services = 'broken' WHERE position_number = ?", rome)
		for n := 1; n < 5; n++ {
			if err := w.service.Drain(context.Background()); err == nil {
				t.Fatalf("try %d says nothing", n)
			}
		}
		w.drain()
		want(t, w.shown(b.ID), "1 "+rome+" refused internal-error", "2 "+milan+" filed")
	})
}

func TestDelegationBatch_TheWorkerHearsOfABatch(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		running, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); w.service.Run(running) }()
		b := w.taken(numbers(total, w.company.Positions[0].Number))
		world.Eventually(t, "the batch is done", func() bool { return w.shown(b.ID).State == delegationbatch.Done })
		stop()
		<-ended
	})
}

func TestDelegationBatch_ARepeatedListIsOne(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		in := numbers(total, w.company.Positions[0].Number)
		first, err := w.service.Draft(world.WithKey(ctx, w.by, "key-1"), w.by, in)
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.service.Draft(world.WithKey(ctx, w.by, "key-1"), w.by, in)
		if err != nil || second.ID != first.ID || w.Count(t, "delegation_batches") != 1 {
			t.Errorf("%v, %v", second, err)
		}
	})
}

func TestDelegationBatch_ReadCSV(t *testing.T) {
	until := time.Date(2027, 3, 31, 22, 0, 0, 0, time.UTC)
	signatory := uuid.MustParse("018f3a10-5b7c-7d2e-9a41-0c5d6e7f8091")
	got, err := delegationbatch.ReadCSV(strings.NewReader("\ufeffposition_number;services;scope;exclusive;valid_until;signatory_id\r\n"+
		"0123456789;declarations, delegations;partial;TRUE;2027-03-31T22:00:00Z;018f3a10-5b7c-7d2e-9a41-0c5d6e7f8091\r\n"+
		"\r\n"+
		" 0987654321 ;;total\r\n"+
		"\"1;2\";;all;;;\r\n"+
		"1;;total;si;;\n2;;total;;2027-03-31;\n3;;total;;;x\n4;;total;;;;;y\n;;;;;\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	partial := delegationbatch.Terms{
		Scope: delegation.Partial, Services: []access.Service{access.Declarations, access.Delegations}, Exclusive: true, ValidUntil: &until,
	}
	wanted := []delegationbatch.Entry{
		{Line: 2, PositionNumber: "0123456789", SignatoryID: &signatory, Terms: partial},
		{Line: 4, PositionNumber: "0987654321", Terms: total},
		{Line: 5, PositionNumber: "1;2", Reason: "invalid-scope"},
	}
	if diff := cmp.Diff(wanted, got[:3]); diff != "" {
		t.Error(diff)
	}
	for i, reason := range []string{"invalid-exclusive", "invalid-valid-until", "invalid-signatory-id", "too-many-columns"} {
		if e := got[3+i]; e.Reason != reason || e.Line != 6+i {
			t.Errorf("line %d: %q, want %q", e.Line, e.Reason, reason)
		}
	}
}

func TestDelegationBatch_ReadsWhatSpreadsheetsMakeOfAList(t *testing.T) {
	for _, c := range []struct{ text, charset string }{
		{"position_number;scope\n0123456789;total\n", ""},
		{"sep=,\r\nPosition Number,SCOPE,,\r\n0123456789,total,,\r\n,,,\r\n", ""},
		{"\xff\xfep\x00o\x00s\x00i\x00t\x00i\x00o\x00n\x00_\x00n\x00u\x00m\x00b\x00e\x00r\x00\t\x00s\x00c\x00o\x00p\x00e\x00\n\x00" +
			"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00\t\x00t\x00o\x00t\x00a\x00l\x00", ""},
		{"scope;position_number;services\ntotal;0123456789;\xa0\n", "windows-1252"},
	} {
		got, err := delegationbatch.ReadCSV(strings.NewReader(c.text), c.charset)
		if err != nil || len(got) != 1 || got[0].PositionNumber != "0123456789" || got[0].Terms.Scope != delegation.Total || got[0].Reason != "" {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
}

func TestDelegationBatch_ACSVThatCannotBeRead(t *testing.T) {
	const header = "position_number;scope\n"
	for what, c := range map[string]struct{ text, pointer, code string }{
		"nothing":         {"", "", "csv-header"},
		"no header":       {"0123456789;total\n", "", "csv-header"},
		"a workbook":      {"PK\x03\x04", "", "no-text"},
		"a title":         {"Elenco\n" + header + "1;total\n", "", "title-rows"},
		"garbled":         {header + "1;total\u00c3\u00ac\n", "", "garbled"},
		"no scope":        {"position_number;services\n", "", "csv-header"},
		"a column twice":  {"position_number;scope;scope\n", "", "csv-header"},
		"a foreign one":   {"position_number;scope;note\n", "", "csv-header"},
		"an open quote":   {header + "\"0123456789;total\n", "", "csv-syntax"},
		"another charset": {header + "\xe8;total\n", "", "encoding"},
		"a zero":          {header + "a\x00b;total\n", "", "csv-syntax"},
		"too long":        {header + strings.Repeat("1;total\n", 1001), "/items", "too-many"},
		"mostly empty":    {header + strings.Repeat(";\n", 100_000) + "1;total\n", "/items", "too-many"},
		"an endless row":  {header + strings.Repeat("\n", 100_000) + "1;total\n", "", "too-long"},
	} {
		_, err := delegationbatch.ReadCSV(strings.NewReader(c.text), "")
		refused(t, what, err, fault.Invalid, c.pointer, c.code)
	}
	if got, err := delegationbatch.ReadCSV(strings.NewReader(header+strings.Repeat("1;total\n", 1000)), ""); err != nil || len(got) != 1000 {
		t.Errorf("%d lines, %v", len(got), err)
	}
}
