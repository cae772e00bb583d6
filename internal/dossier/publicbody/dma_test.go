package publicbody_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/publicbody"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestDMA_WhatIsCompiledIsProtocolledAndKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		v := w.filed(w.by, list("2026-02"), nil)
		if v.State != publicbody.Submitted || v.Form != publicbody.Compiled || !strings.HasPrefix(v.ProtocolNumber, "INPS."+world.Rome+".16/03/2026.") ||
			v.Totals.Workers != 1 || v.Totals.PensionContribution != 44215 {
			t.Errorf("%+v", v)
		}
		file := w.content(v)
		if protocol.DigestOfCanonical([]byte(file)) != v.Digest || int64(len(file)) != v.Size || file != w.xml(list("2026-02")) {
			t.Errorf("another file is kept: %s", file)
		}
		shown, err := w.service.Show(ctx, w.by, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(asJSON(t, v), asJSON(t, shown)); diff != "" {
			t.Errorf("shown otherwise:\n%s", diff)
		}
		content, err := w.service.Content(ctx, shown)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(asJSON(t, list("2026-02")), asJSON(t, content)); diff != "" {
			t.Errorf("its content is another:\n%s", diff)
		}
		if got := w.kinds(w.by.PersonID); got != "dma.received" {
			t.Errorf("promised %s", got)
		}
		if got := w.trail(v.ID); got != `fileDmaSubmission {"state":"submitted"}` {
			t.Errorf("traced %s", got)
		}
		if w.Count(t, "protocol_entries WHERE subject_id = ? AND digest = ? AND kind = 'dma-submission'", v.ID, v.Digest) != 1 {
			t.Error("the register has no entry with the digest of the file")
		}
	})
}

// A file is kept byte for byte, whatever it is written in.
func TestDMA_AFileIsKeptAsItCame(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		file := strings.NewReplacer("UTF-8", "ISO-8859-1", "ò", "\xF2", "\n", "\r\n").Replace(w.xml(list("2026-02")))
		v, err := w.fileXML(asked(), w.by, file, nil)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if v.Form != publicbody.XML || v.Period != "2026-02" || w.content(v) != file || v.Digest != protocol.DigestOfCanonical([]byte(file)) {
			t.Errorf("%+v", v)
		}
	})
}

// What is refused leaves nothing: no row, no number, no file.
func TestDMA_WhatIsRefusedLeavesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		another := strings.Replace(w.xml(list("2026-02")), "<CFAzienda>"+w.body.TaxCode.Clear(), "<CFAzienda>00743110157", 1)
		_, err := w.fileXML(asked(), w.by, another, nil)
		f := refusal(t, "another body's", err, fault.Invalid, fault.FieldOtherBody)
		if len(f.Fields) != 1 || f.Fields[0].Pointer != "/DenunceMensili/Azienda/CFAzienda" || f.Fields[0].Line != 11 {
			t.Errorf("%+v", f.Fields)
		}
		_, err = w.fileXML(asked(), w.by, "<!DOCTYPE a>\n"+w.xml(list("2026-02")), nil)
		refused(t, "a document type", err, fault.Invalid, fault.FieldDocumentType)
		wrong := list("2026-02")
		wrong.Workers[0].TaxCode = "MKJRLA80A01L407Y"
		_, err = w.file(w.by, wrong, nil)
		refused(t, "a wrong code", err, fault.Invalid, fault.FieldFormat)
		unknown := uuid.Must(uuid.NewV7())
		_, err = w.file(w.by, list("2026-02"), &unknown)
		if f := refusal(t, "instead of nothing", err, fault.Invalid, fault.FieldUnknownSubmission); f.Fields[0].Pointer != "/supersedes_id" {
			t.Errorf("%+v", f.Fields)
		}
		_, err = w.fileXML(asked(), w.by, w.xml(list("2026-02")), &unknown)
		if f := refusal(t, "instead of nothing", err, fault.Invalid, fault.FieldUnknownSubmission); f.Fields[0].In != fault.InParameter {
			t.Errorf("%+v", f.Fields)
		}
		w.Exec(t, "UPDATE contributors SET kind = 'company' WHERE id = ?", w.body.ID)
		_, err = w.file(w.by, list("2026-02"), nil)
		refused(t, "a company", err, fault.Conflict, "not-a-public-body")
		if w.Count(t, "dma_submissions") != 0 || w.Count(t, "protocol_entries") != 0 || w.blobs() != 0 {
			t.Error("something was left behind")
		}
	})
}

// A service that is closed on this way is closed here too.
func TestDMA_NeedsAnOpenChannel(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Exec(t, "UPDATE service_channels SET closes_at = ? WHERE service_code = 'compile_dma' AND channel = 'api'", w.Clock.Now())
		_, err := w.file(w.by, list("2026-02"), nil)
		refused(t, "closed", err, fault.ChannelClosed, "channel-over")
	})
}

// Only who may compile lists files one, and not who only looks.
func TestDMA_NeedsARightThatCompiles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, err := w.file(w.colleague(access.Dispositive, access.ViewDMA), list("2026-02"), nil)
		refused(t, "who only views", err, fault.ServiceNotDelegated, "")
		session := w.Session(t, w.Operator(t, world.Rome).ID, nil)
		_, err = w.file(w.enter(session, access.ToPosition, w.position()), list("2026-02"), nil)
		refused(t, "an operator", err, fault.Forbidden, "right-consults")
		_, err = w.file(access.Actor{}, list("2026-02"), nil)
		refused(t, "a stranger", err, fault.NotFound, "")
	})
}

// Of a month one list counts, and another takes its place by naming it.
func TestDMA_OneListCountsOfAMonth(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		first := w.filed(w.by, list("2026-02"), nil)
		_, err := w.file(w.by, list("2026-02"), nil)
		if f := refusal(t, "a second", err, fault.Conflict, "dma-filed"); f.Href != "/v1/dma-submissions/"+first.ID.String() {
			t.Errorf("leads to %q", f.Href)
		}
		w.filed(w.by, list("2026-01"), nil)
		second := w.filed(w.by, list("2026-02"), &first.ID)
		w.states("replaced", map[uuid.UUID]publicbody.State{first.ID: publicbody.Superseded, second.ID: publicbody.Submitted})
		if got := w.trail(first.ID); got != `fileDmaSubmission {"state":"submitted"}; supersedeDmaSubmission {"state":"superseded"}` {
			t.Errorf("traced %s", got)
		}
		_, err = w.file(w.by, list("2026-02"), &first.ID)
		refused(t, "what counts no more", err, fault.Conflict, "dma-not-superseded")
		_, err = w.file(w.by, list("2026-01"), &second.ID)
		refused(t, "another month's", err, fault.Invalid, fault.FieldUnknownSubmission)
		_, err = w.file(w.by, variations("2026-02"), &second.ID)
		refused(t, "of another kind", err, fault.Invalid, fault.FieldUnknownSubmission)
		if w.blobs() != 3 {
			t.Errorf("%d files are kept of three lists", w.blobs())
		}
	})
}

// Lists of variations stand beside each other and beside the list of the month.
func TestDMA_VariationsStandBesideEachOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		month := w.filed(w.by, list("2026-02"), nil)
		one, two := w.filed(w.by, variations("2026-02"), nil), w.filed(w.by, variations("2026-02"), nil)
		three := w.filed(w.by, variations("2026-02"), &one.ID)
		w.states("variations", map[uuid.UUID]publicbody.State{
			month.ID: publicbody.Submitted, one.ID: publicbody.Superseded, two.ID: publicbody.Submitted, three.ID: publicbody.Submitted,
		})
		_, err := w.file(w.by, variations("2026-02"), &one.ID)
		refused(t, "what counts no more", err, fault.Conflict, "dma-not-superseded")
	})
}

// Of two that are to take the place of one list of variations, one comes to count.
func TestDMA_OneCorrectionOfVariationsCounts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ordinary := w.colleague(access.Ordinary, access.PublicBodyServices()...)
		first := w.filed(w.by, variations("2026-02"), nil)
		waits := w.filed(ordinary, variations("2026-02"), &first.ID)
		later := w.filed(ordinary, variations("2026-02"), &first.ID)
		w.states("two that wait", map[uuid.UUID]publicbody.State{
			first.ID: publicbody.Submitted, waits.ID: publicbody.Superseded, later.ID: publicbody.AwaitingCredentials,
		})
		counts := w.filed(w.by, variations("2026-02"), &first.ID)
		note := w.filed(ordinary, variations("2026-02"), nil)
		better := w.filed(ordinary, variations("2026-02"), &note.ID)
		w.becomesDispositive(ordinary)
		w.states("completed", map[uuid.UUID]publicbody.State{
			first.ID: publicbody.Superseded, later.ID: publicbody.Superseded, counts.ID: publicbody.Submitted,
			note.ID: publicbody.Superseded, better.ID: publicbody.Submitted,
		})
	})
}

// Filed with ordinary credentials a list waits, and takes the place of the other once they are
// dispositive.
func TestDMA_WaitsForDispositiveCredentials(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		counts := w.filed(w.by, list("2026-02"), nil)
		ordinary := w.colleague(access.Ordinary, access.PublicBodyServices()...)
		waits := w.filed(ordinary, list("2026-02"), &counts.ID)
		again := w.filed(ordinary, list("2026-02"), &waits.ID)
		note := w.filed(ordinary, variations("2026-02"), nil)
		w.states("waiting", map[uuid.UUID]publicbody.State{
			counts.ID: publicbody.Submitted, waits.ID: publicbody.Superseded, again.ID: publicbody.AwaitingCredentials,
			note.ID: publicbody.AwaitingCredentials,
		})
		_, err := w.file(w.by, list("2026-02"), &counts.ID)
		refused(t, "not the last", err, fault.Conflict, "dma-not-superseded")
		w.becomesDispositive(ordinary)
		w.states("completed", map[uuid.UUID]publicbody.State{
			counts.ID: publicbody.Superseded, again.ID: publicbody.Submitted, note.ID: publicbody.Submitted,
		})
		if got := w.kinds(ordinary.PersonID); got != "dma.received dma.received dma.received dma.completed dma.completed" {
			t.Errorf("promised %s", got)
		}
		if got := w.trail(again.ID); got != `fileDmaSubmission {"state":"awaiting_credentials"}; completeDmaSubmission {"state":"submitted"}` {
			t.Errorf("traced %s", got)
		}
	})
}

// What waits for too long lapses at its instant, noted or not, and keeps nobody out after it.
func TestDMA_LapsesAfterThirtyDays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ordinary := w.colleague(access.Ordinary, access.PublicBodyServices()...)
		waits, other := w.filed(ordinary, list("2026-02"), nil), w.filed(ordinary, list("2026-01"), nil)
		w.Clock.Advance(waits.LapsesAt().Add(-time.Second).Sub(w.Clock.Now()))
		w.states("a second before", map[uuid.UUID]publicbody.State{waits.ID: publicbody.AwaitingCredentials})
		w.Clock.Advance(time.Second)
		w.states("at its end", map[uuid.UUID]publicbody.State{waits.ID: publicbody.Lapsed, other.ID: publicbody.Lapsed})
		if len(w.all(publicbody.Filter{State: publicbody.Lapsed})) != 2 || len(w.all(publicbody.Filter{State: publicbody.AwaitingCredentials})) != 0 {
			t.Error("a filter finds what was not noted yet as it was")
		}
		by := w.enter(w.Session(t, w.by.PersonID, nil), access.ToPosition, w.position())
		w.filed(by, list("2026-02"), nil)
		source := w.service.Lapses()
		w.Must(t, func(ctx context.Context) error {
			_, err := source.Do(ctx, due.Cursor{}, w.Clock.Now())
			return err
		})
		for _, id := range []uuid.UUID{waits.ID, other.ID} {
			if got := w.trail(id); got != `fileDmaSubmission {"state":"awaiting_credentials"}; lapseDmaSubmission {"state":"lapsed"}` {
				t.Errorf("traced %s", got)
			}
		}
		if got := w.kinds(ordinary.PersonID); got != "dma.received dma.received dma.lapsed dma.lapsed" {
			t.Errorf("promised %s", got)
		}
	})
}

// One key is one list, however often it is sent; the files of the others are gone.
func TestDMA_OneKeyIsOneList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		file := w.xml(list("2026-02"))
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				ctx := idempotency.WithClaim(asked(), &idempotency.Claim{
					Scope: w.by.PersonID.String(), Operation: "fileDmaSubmission", Key: "one", RequestMAC: "same",
				})
				if _, err := w.fileXML(ctx, w.by, file, nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if w.Count(t, "dma_submissions") != 1 || w.blobs() != 1 {
			t.Errorf("%d lists, %d files", w.Count(t, "dma_submissions"), w.blobs())
		}
	})
}

// Many at once for one month: one is filed.
func TestDMA_OneOfManyAtOnceCounts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		world.Parallel(6, func(int) {
			if _, err := w.service.FileCompiled(asked(), w.by, w.position(), nil, list("2026-02")); err != nil {
				refused(t, "one of many", err, fault.Conflict, "dma-filed")
			}
		})
		if w.Count(t, "dma_submissions") != 1 || w.Count(t, "protocol_entries") != 1 || w.blobs() != 1 {
			t.Errorf("%d lists, %d numbers, %d files", w.Count(t, "dma_submissions"), w.Count(t, "protocol_entries"), w.blobs())
		}
	})
}

func TestDMA_ListIsFilteredAndSeenByWhoMay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var ids []uuid.UUID
		for _, period := range []string{"2025-11", "2025-12", "2026-01", "2026-02"} {
			ids = append(ids, w.filed(w.by, list(period), nil).ID)
		}
		if got := w.all(publicbody.Filter{PeriodFrom: "2025-12", PeriodTo: "2026-01"}); len(got) != 2 || got[0].ID != ids[2] || got[1].ID != ids[1] {
			t.Errorf("%d of two months", len(got))
		}
		first, err := w.service.OfPosition(ctx, w.position(), publicbody.Filter{}, page.Request{Limit: 3})
		if err != nil || len(first.Items) != 3 || first.Next == "" {
			t.Fatalf("%d, %v", len(first.Items), err)
		}
		rest, err := w.service.OfPosition(ctx, w.position(), publicbody.Filter{}, page.Request{Limit: 3, Cursor: first.Next})
		if err != nil || len(rest.Items) != 1 || rest.Items[0].ID != ids[0] {
			t.Errorf("%d, %v", len(rest.Items), err)
		}
		other, err := w.service.OfPosition(ctx, w.body.Positions[1].ID, publicbody.Filter{}, page.Request{})
		if err != nil || len(other.Items) != 0 {
			t.Errorf("another position has %d, %v", len(other.Items), err)
		}
		desk := w.enter(w.Session(t, w.Operator(t, world.Rome).ID, nil), access.ToDMA, ids[0])
		if _, err := w.service.Show(ctx, desk, ids[0]); err != nil {
			t.Errorf("the office: %v", err)
		}
		for what, by := range map[string]access.Actor{
			"a stranger": {}, "who only compiles": w.colleague(access.Dispositive, access.CompileDMA),
		} {
			_, err := w.service.Show(ctx, by, ids[0])
			refused(t, what, err, fault.NotFound, "")
		}
	})
}
