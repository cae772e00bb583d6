package declarationbatch_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declarationbatch"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

func TestDeclarationBatch_TheGoodOnesAreFiledAlthoughOthersAreNot(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		in := w.list(9)
		change := func(i int, change func(e *declarationbatch.Entry)) { change(&in.Entries[i]) }
		change(1, func(e *declarationbatch.Entry) { e.Declaration.Type = "RIOX" })
		change(2, func(e *declarationbatch.Entry) {
			e.Declaration.Content = json.RawMessage(`{"worker_tax_code":"x","extra":1}`)
		})
		change(3, func(e *declarationbatch.Entry) { e.Declaration.PositionID = uuid.New() })
		change(4, func(e *declarationbatch.Entry) { e.Declaration.Step = "reservation" })
		change(5, func(e *declarationbatch.Entry) { e.Declaration.SupersedesID = new(uuid.New()) })
		change(6, func(e *declarationbatch.Entry) { e.Declaration.RightID = new(uuid.New()) })
		change(7, func(e *declarationbatch.Entry) { e.Declaration.PositionID = w.company.Positions[1].ID })
		id := w.taken(in)
		w.want(id, declarationbatch.Queued, all(9, "pending")...)
		w.drain()
		w.want(id, declarationbatch.Done, "1 filed", "2 refused validation-failed /type unknown-type",
			"3 refused validation-failed /content/average_monthly_pay required /content/employer_contribution_rate required "+
				"/content/extra unknown-field /content/mandatory_communication_code required /content/worker_tax_code format",
			"4 refused validation-failed /position_id unknown-position", "5 refused validation-failed /step unknown-step",
			"6 refused validation-failed /supersedes_id unknown-declaration", "7 refused validation-failed /right_id unknown-right",
			"8 filed", "9 filed")
		w.whole(3, 1)
		if b := w.shown(id); counts(b) != [4]int{0, 3, 6, 0} || b.StartedAt == nil || b.FinishedAt == nil {
			t.Errorf("%+v", b)
		}
		filed := w.items(id)[0]
		if n := w.Count(
			t, "audit_records WHERE subject_id = ? AND person_id = ? AND session_id = ? AND right_id = ? AND contributor_id = ?",
			filed.DeclarationID.String(), w.by.PersonID, w.by.SessionID, w.by.Rights[0].ID, w.company.ID,
		); n != 1 {
			t.Errorf("%d traces of who filed it", n)
		}
		if n := w.Count(t, "audit_records WHERE subject_kind = 'declaration-batch' AND subject_id = ? AND operation = 'finishDeclarationBatch'", id.String()); n != 1 {
			t.Errorf("%d traces of the end of the batch", n)
		}
	})
}

func TestDeclarationBatch_WhatIsWrongWithTheListKeepsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		equal := w.list(3)
		equal.Entries[2].Reference = "1"
		stranger := w.by
		stranger.Rights = nil
		for what, c := range map[string]struct {
			by     access.Actor
			in     declarationbatch.Input
			code   fault.Code
			fields []string
		}{
			"empty":            {w.by, declarationbatch.Input{}, fault.Invalid, []string{"/items too-few"}},
			"1,001":            {w.by, w.list(1001), fault.Invalid, []string{"/items too-many"}},
			"equal references": {w.by, equal, fault.Invalid, []string{"/items/2/reference duplicate"}},
			"a stranger":       {stranger, w.list(1), fault.NotFound, nil},
			"an operator":      {w.Desk(t, world.Rome, w.company.ID), w.list(1), fault.Forbidden, nil},
		} {
			_, err := w.service.File(ctx, c.by, w.company.ID, c.in)
			refused(t, what, err, c.code, c.fields...)
		}
		if n := w.Count(t, "declaration_batches") + w.Count(t, "declaration_batch_items"); n != 0 {
			t.Errorf("%d rows are kept", n)
		}
	})
}

func TestDeclarationBatch_AllOrNothing(t *testing.T) {
	each(t, func(_ *testing.T, w *fixture) {
		in := w.list(260)
		in.AllOrNothing = true
		good := w.taken(in)
		w.drain()
		w.want(good, declarationbatch.Done, all(260, "filed")...)
		w.whole(260, 1)
		// One that its content refuses, and one that the register refuses.
		for what, spoil := range map[string]func(e *declarationbatch.Entry){
			"validation-failed /type unknown-type":                 func(e *declarationbatch.Entry) { e.Declaration.Type = "RIOX" },
			"validation-failed /supersedes_id unknown-declaration": func(e *declarationbatch.Entry) { e.Declaration.SupersedesID = new(uuid.New()) },
			"duplicate /reference duplicate":                       func(e *declarationbatch.Entry) { e.Reference = "7" },
		} {
			bad := declarationbatch.Input{AllOrNothing: true, Entries: []declarationbatch.Entry{w.entry("a"), w.entry("b"), w.entry("c")}}
			spoil(&bad.Entries[1])
			id := w.taken(bad)
			w.drain()
			w.want(
				id, declarationbatch.Done, "a refused conflict batch-not-whole", bad.Entries[1].Reference+" refused "+what,
				"c refused conflict batch-not-whole",
			)
		}
		w.whole(260, 4)
		// What was refused may be sent again.
		again := w.taken(declarationbatch.Input{AllOrNothing: true, Entries: []declarationbatch.Entry{w.entry("a"), w.entry("b")}})
		w.drain()
		w.want(again, declarationbatch.Done, "a filed", "b filed")
	})
}

func TestDeclarationBatch_AReferenceIsFiledOnce(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		first := w.taken(w.list(2))
		w.drain()
		second := w.taken(w.list(3))
		w.drain()
		w.want(second, declarationbatch.Done, "1 refused duplicate /reference duplicate", "2 refused duplicate /reference duplicate", "3 filed")
		earlier, later := w.items(first), w.items(second)
		f, err := later[0].Fault()
		if err != nil || *later[0].DeclarationID != *earlier[0].DeclarationID || f.Href != "/declarations/"+earlier[0].DeclarationID.String() {
			t.Errorf("the duplicate names %v, %+v, %v", later[0].DeclarationID, f, err)
		}
		// Another person's references are their own, and so are those for another contributor.
		colleague := w.Colleague(t, w.company.ID, access.LegalRepresentative, access.Dispositive)
		b, err := w.service.File(ctx, colleague, w.company.ID, w.list(1))
		if err != nil {
			t.Fatal(err)
		}
		w.drain()
		if shown, err := w.service.Show(ctx, colleague, b.ID); err != nil || shown.ItemsFiled != 1 {
			t.Errorf("%+v, %v", shown, err)
		}
		w.whole(4, 3)
	})
}

// The same request again is the same batch, by its key.
func TestDeclarationBatch_ARepeatedRequestIsOneBatch(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		first, err := w.service.File(world.WithKey(ctx, w.by, "key-1"), w.by, w.company.ID, w.list(2))
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.service.File(world.WithKey(ctx, w.by, "key-1"), w.by, w.company.ID, w.list(2))
		if err != nil || second.ID != first.ID || w.Count(t, "declaration_batches") != 1 {
			t.Errorf("%+v, %v", second, err)
		}
	})
}

// Right and credentials are those of the moment at which an item is filed; the session is not
// asked for.
func TestDeclarationBatch_IsFiledWhileItsSenderMay(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		loggedOut := w.taken(w.list(1))
		w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), w.by.SessionID)
		w.drain()
		w.want(loggedOut, declarationbatch.Done, "1 filed")
		w.by = w.Enter(t, w.Session(t, w.by.PersonID, nil), w.company.ID)
		ordinary := w.taken(declarationbatch.Input{Entries: []declarationbatch.Entry{w.entry("ordinary")}})
		w.Exec(t, "UPDATE people SET credential_level = 'ordinary' WHERE id = ?", w.by.PersonID)
		w.drain()
		w.want(ordinary, declarationbatch.Done, "ordinary filed")
		if n := w.Count(t, "declarations WHERE state = 'awaiting_credentials'"); n != 1 {
			t.Errorf("%d declarations wait for credentials", n)
		}
		if n := w.Count(t, `outbox WHERE data LIKE '%"awaiting":"1"%'`); n != 1 {
			t.Errorf("%d messages tell that one waits", n)
		}
		suspended := w.taken(declarationbatch.Input{Entries: []declarationbatch.Entry{w.entry("suspended")}})
		w.Exec(t, "UPDATE people SET suspended_at = ?, suspension_reason = 'x' WHERE id = ?", w.Clock.Now(), w.by.PersonID)
		w.drain()
		w.Exec(t, "UPDATE people SET suspended_at = NULL, suspension_reason = NULL WHERE id = ?", w.by.PersonID)
		w.want(suspended, declarationbatch.Done, "suspended refused forbidden batch-right-ended")
		w.whole(2, 3)
	})
}

func TestDeclarationBatch_TheEndOfTheRightRefusesTheRest(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.taken(w.list(300))
		step := w.service.Step()
		if more, err := step(ctx); err != nil || !more {
			t.Fatal(more, err)
		}
		if b := w.shown(id); b.State != declarationbatch.Running || counts(b) != [4]int{50, 250, 0, 0} {
			t.Errorf("after one group %+v", b)
		}
		w.WithdrawRole(t, w.by.Rights[0].ID)
		w.drain()
		_, err := w.service.Show(ctx, w.by, id)
		refused(t, "who has no right any more", err, fault.NotFound)
		w.Role(t, w.by.PersonID, w.company.ID, access.LegalRepresentative)
		wanted := all(300, "filed")
		for i := 250; i < 300; i++ {
			wanted[i] = fmt.Sprint(i+1) + " refused forbidden batch-right-ended"
		}
		w.want(id, declarationbatch.Done, wanted...)
		w.whole(250, 1)
	})
}

func TestDeclarationBatch_CancellingEndsWhatHasNotRun(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.taken(w.list(300))
		if _, err := w.service.Step()(ctx); err != nil {
			t.Fatal(err)
		}
		asked := audit.WithOrigin(ctx, audit.Origin{Operation: "cancelDeclarationBatch", RequestID: "request-2"})
		b, err := w.service.Cancel(asked, w.by, id)
		if err != nil || b.State != declarationbatch.Cancelled || counts(b) != [4]int{0, 250, 0, 50} {
			t.Errorf("%+v, %v", b, err)
		}
		w.drain()
		wanted := all(300, "filed")
		for i := 250; i < 300; i++ {
			wanted[i] = fmt.Sprint(i+1) + " cancelled"
		}
		w.want(id, declarationbatch.Cancelled, wanted...)
		w.whole(250, 1)
		if n := w.Count(t, "audit_records WHERE operation = 'cancelDeclarationBatch' AND subject_id = ?", id.String()); n != 1 {
			t.Errorf("%d traces", n)
		}
		_, err = w.service.Cancel(asked, w.by, id)
		refused(t, "cancelled twice", err, fault.Conflict)
		done := w.taken(declarationbatch.Input{Entries: []declarationbatch.Entry{w.entry("x")}})
		w.drain()
		_, err = w.service.Cancel(asked, w.by, done)
		refused(t, "a batch that is done", err, fault.Conflict)
	})
}

// Whoever lost the right is shown the batch no more, also by a repeat whose answer was kept.
func TestDeclarationBatch_ARepeatedCancellationGoesRoundNoLostRight(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.taken(w.list(1))
		keyed := world.WithKey(ctx, w.by, "key-1")
		for range 2 {
			if b, err := w.service.Cancel(keyed, w.by, id); err != nil || b.State != declarationbatch.Cancelled {
				t.Fatalf("%+v, %v", b, err)
			}
		}
		w.WithdrawRole(t, w.by.Rights[0].ID)
		w.Exec(t, "UPDATE idempotency_keys SET status = 200, headers = '{}', body = ?", []byte("{}"))
		_, err := w.service.Cancel(keyed, w.by, id)
		refused(t, "without the right, where the answer was kept", err, fault.NotFound)
	})
}

// A batch is its sender's and theirs who have the same right. Others see the declarations alone.
func TestDeclarationBatch_IsSeenByItsSenderAndUnderTheSameRight(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p, delegate := w.Professional(t)
		w.Delegation(t, delegate, w.company, nil, w.company.Positions[0].ID)
		office := w.Association(t)
		shared := w.Delegation(t, office, w.company, nil, w.company.Positions[0].ID)
		var workers []access.Actor
		for range 2 {
			worker := w.Person(t, nil)
			w.DelegateRole(t, worker.ID, office, access.EmployeeDelegate, access.AllServices)
			workers = append(workers, w.Enter(t, w.Session(t, worker.ID, nil), w.company.ID))
		}
		professional := w.Enter(t, w.Session(t, p.ID, nil), w.company.ID)
		b, err := w.service.File(ctx, workers[0], w.company.ID, w.list(1))
		if err != nil {
			t.Fatal(err)
		}
		w.drain()
		for what, c := range map[string]struct {
			by   access.Actor
			sees bool
		}{
			"the sender": {workers[0], true}, "a colleague under the same right": {workers[1], true},
			"another intermediary": {professional, false}, "the contributor": {w.by, false},
			"an operator": {w.Desk(t, world.Rome, w.company.ID), false},
		} {
			_, err := w.service.Show(ctx, c.by, b.ID)
			found, listErr := w.service.OfContributor(ctx, c.by, page.Request{})
			if listErr != nil || (err == nil) != c.sees || (len(found.Items) == 1) != c.sees {
				t.Errorf("%s: %v, %d in the list, %v", what, err, len(found.Items), listErr)
			}
			if !c.sees {
				refused(t, what, err, fault.NotFound)
			}
		}
		// Who may not declare for all that was filed any more does not see the batch either.
		w.Exec(t, "UPDATE delegation_positions SET position_id = ? WHERE delegation_id = ?", w.company.Positions[1].ID, shared)
		_, err = w.service.Show(ctx, workers[1], b.ID)
		refused(t, "other positions", err, fault.NotFound)
	})
}

func TestDeclarationBatch_ListsTheLatestFirst(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		var sent []uuid.UUID
		for i := range 5 {
			w.Clock.Advance(time.Second)
			sent = append(sent, w.taken(declarationbatch.Input{Entries: []declarationbatch.Entry{w.entry(fmt.Sprint(i))}}))
		}
		request := page.Request{Limit: 2, List: "listDeclarationBatches"}
		var got []uuid.UUID
		for {
			found, err := w.service.OfContributor(ctx, w.by, request)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range found.Items {
				got = append(got, b.ID)
			}
			if found.Next == "" {
				break
			}
			request.Cursor = page.Bind(request.List, found.Next)
		}
		for i := range sent {
			if len(got) != len(sent) || got[i] != sent[len(sent)-1-i] {
				t.Fatalf("%v, sent %v", got, sent)
			}
		}
	})
}

func TestDeclarationBatch_AHundredWaitAtATime(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		for i := range 100 {
			w.taken(declarationbatch.Input{Entries: []declarationbatch.Entry{w.entry(fmt.Sprint(i))}})
		}
		_, err := w.service.File(ctx, w.by, w.company.ID, w.list(1))
		refused(t, "one more", err, fault.Conflict, " too-many-open")
	})
}

// A right over no position at all shows no batch of which something was filed.
func TestDeclarationBatch_IsNotListedToARightOverNoPosition(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.taken(w.list(1))
		w.drain()
		by := w.by
		by.Rights = []access.Right{by.Rights[0]}
		by.Rights[0].Positions = []uuid.UUID{}
		if found, err := w.service.OfContributor(ctx, by, page.Request{Limit: 10}); err != nil || len(found.Items) != 0 {
			t.Errorf("%d listed, %v", len(found.Items), err)
		}
	})
}

// A cursor is text that anybody can make up. One that was never given is refused, whatever it says.
func TestItems_TakeNoCursorThatTheyNeverGave(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.taken(w.list(1))
		for _, text := range []string{"9223372036854775807", "99999999999", "x"} {
			cursor, err := json.Marshal(page.Key{Text: text, ID: id})
			if err != nil {
				t.Fatal(err)
			}
			request := page.Request{Cursor: base64.RawURLEncoding.EncodeToString(cursor)}
			if _, err := w.service.Items(ctx, w.by, id, "", request); !fault.Is(err, fault.Malformed) {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
