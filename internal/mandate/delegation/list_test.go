package delegation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// clients is how many contributors a large intermediary acts for.
const clients = 20_000

// client is the id of one of them, and of its position and delegation.
func client(i int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("%08x-0000-7000-8000-%012x", i, i))
}

// large gives the professional so many clients, each with one position and one active delegation;
// every hundredth has ended.
func (w *fixture) large() {
	w.t.Helper()
	id, number := "printf('%08x-0000-7000-8000-%012x', i, i)", "printf('9%09d', i)"
	at := "strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || i || ' seconds') || '+00:00'"
	if w.DB.Dialect() == db.Postgres {
		id = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid"
		number = "'9' || lpad(i::text, 9, '0')"
		at = "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'"
	}
	numbers := fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", clients)
	var companies []contributor.Contributor
	for i := 1; i <= clients; i++ {
		code, err := taxcode.ComposeOrganisation(fmt.Sprintf("5%06d058", i))
		if err != nil {
			w.t.Fatal(err)
		}
		companies = append(companies, contributor.Contributor{
			ID: client(i), TaxCode: code, LegalName: fmt.Sprintf("Ditta %d S.r.l.", i), Kind: contributor.Company, CreatedAt: w.Clock.Now(),
		})
	}
	w.Must(w.t, func(ctx context.Context) error {
		for part := range slices.Chunk(companies, 1000) {
			if err := w.DB.From(ctx).Create(&part).Error; err != nil {
				return err
			}
		}
		return nil
	})
	w.Exec(
		w.t,
		numbers+`INSERT INTO positions (id, contributor_id, number, scheme, office_code, state, created_at) SELECT `+id+`, `+id+
			`, `+number+`, 'aziende', '7000', 'active', `+at+` FROM n`,
	)
	w.Exec(w.t, numbers+`INSERT INTO delegations (id, delegate_id, contributor_id, reference_code, scope, services, exclusive,
		signatory_id, state, drafted_by, drafted_at, activated_at,
			ended_at, version, updated_at)
		SELECT `+id+`, ?, `+id+`, 'R' || i, 'total', '["*"]', ?, ?, CASE WHEN i % 100 = 0 THEN 'revoked' ELSE 'active' END, ?, `+at+`, `+at+`, CASE WHEN i % 100 = 0 THEN `+at+` END, 1, `+at+` FROM n`,
		w.delegate, false, w.signatory.ID, w.signatory.ID)
	w.Exec(
		w.t, numbers+`INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) SELECT `+id+`, `+id+`, `+id+` FROM n`,
	)
	if w.DB.Dialect() == db.Postgres {
		w.Exec(w.t, "ANALYZE") // the server does this by itself, in its own time
	}
}

func TestDelegation_ListsAmongManyDelegations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.large()
		asked, statements := world.Statements(t, d), world.Listen(t, d, "ORDER BY g.drafted_at DESC")
		w.anIntermediaryWithManyClients(t, asked, statements)
		w.aListOfManySides(t, asked, statements)
	})
}

// An intermediary with many clients pays for none but those it asks for. The right to act is one
// statement together with the session, and a page of a list or search is a range of an index.
func (w *fixture) anIntermediaryWithManyClients(t *testing.T, asked func() int, statements *[]world.Question) {
	before := asked()
	actor, err := w.Guard.Enter(ctx, w.professional, access.Rule{
		To: access.ToContributor, Service: access.Declarations,
	}, access.Target{ContributorID: client(4711)})
	if err != nil || len(actor.Rights) != 1 || actor.Rights[0].ID != client(4711) {
		t.Fatalf("entered with %+v, %v", actor.Rights, err)
	}
	if n := asked() - before; n != 1 {
		t.Errorf("the right to act took %d statements", n)
	}
	code := func(i int) string { return fmt.Sprintf("9%09d", i) }
	by := w.in(w.professional)
	company := client(7)
	for _, c := range []struct {
		name  string
		list  func(page.Request) (page.Page[delegation.View], error)
		index string
		want  []uuid.UUID
		more  bool
	}{
		{"all", func(r page.Request) (page.Page[delegation.View], error) {
			return w.service.List(ctx, by, delegation.Filter{}, r)
		}, "delegations_by_delegate ", []uuid.UUID{client(clients), client(clients - 1)}, true},
		{"revoked", func(r page.Request) (page.Page[delegation.View], error) {
			return w.service.List(ctx, by, delegation.Filter{State: delegation.Revoked}, r)
		}, "delegations_by_delegate_state ", []uuid.UUID{client(clients), client(clients - 100)}, true},
		{"active", func(r page.Request) (page.Page[delegation.View], error) {
			return w.service.List(ctx, by, delegation.Filter{State: delegation.Active}, r)
		}, "delegations_by_delegate", []uuid.UUID{client(clients - 1), client(clients - 2)}, true},
		{"of a contributor", func(r page.Request) (page.Page[delegation.View], error) {
			return w.service.List(ctx, by, delegation.Filter{ContributorID: &company}, r)
		}, "delegations_by_", []uuid.UUID{company}, false},
		{"by position", func(r page.Request) (page.Page[delegation.View], error) {
			return w.service.Search(ctx, by, delegation.Search{PositionNumber: code(77)}, r)
		}, "delegations_by_", []uuid.UUID{client(77)}, false},
		{"by name", func(r page.Request) (page.Page[delegation.View], error) {
			return w.service.Search(ctx, by, delegation.Search{LegalName: "DITTA 1999"}, r)
		}, "delegations_by_delegate ", []uuid.UUID{client(19_999), client(19_998)}, true},
	} {
		request := page.Request{Limit: 2}
		for _, which := range []string{"first", "next"} {
			*statements = nil
			got, err := c.list(request)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if which == "first" {
				var ids []uuid.UUID
				for _, s := range got.Items {
					ids = append(ids, s.ID)
				}
				if diff := cmp.Diff(c.want, ids); diff != "" || (got.Next != "") != c.more {
					t.Errorf("%s: %s, next %q", c.name, diff, got.Next)
				}
			}
			for _, s := range *statements {
				for _, p := range world.Plans(t, w.DB, s) {
					if !strings.Contains(p, c.index) || strings.Contains(p, "Sort") || strings.Contains(p, "TEMP B-TREE") ||
						strings.Contains(p, "Seq Scan on delegations") ||
						strings.Contains(p, "Seq Scan on contributors") || strings.Contains(p, "Bitmap") || strings.Contains(p, "SCAN ") {
						t.Errorf("%s page, %s:\n%s", which, c.name, p)
					}
				}
			}
			if len(*statements) != 1 {
				t.Errorf("%s page, %s: %d statements", which, c.name, len(*statements))
			}
			if request.Cursor = got.Next; got.Next == "" {
				break
			}
		}
	}
}

// Whoever represents many contributors and works for many intermediaries asks no more often than
// others. Of each side a page reads a range of an index.
func (w *fixture) aListOfManySides(t *testing.T, asked func() int, statements *[]world.Question) {
	many, few := w.Person(t, nil), w.Person(t, nil)
	for i := 1; i <= 300; i++ {
		w.Role(t, many.ID, client(i), access.LegalRepresentative)
	}
	var associations []uuid.UUID
	for i := range 30 {
		id := w.Association(t)
		associations = append(associations, id)
		w.DelegateRole(t, many.ID, id, access.EmployeeDelegate, access.Delegations)
		w.Exec(t, "UPDATE delegations SET delegate_id = ? WHERE id = ?", id, client(1000+i))
	}
	// Two sides of one delegation.
	w.Exec(t, "UPDATE delegations SET delegate_id = ? WHERE id = ?", associations[0], client(300))
	for i := range 2 {
		w.Role(t, few.ID, client(i+1), access.LegalRepresentative)
		w.DelegateRole(t, few.ID, associations[i], access.EmployeeDelegate, access.Delegations)
	}
	session := map[bool]uuid.UUID{false: w.Session(t, few.ID, nil), true: w.Session(t, many.ID, nil)}
	for name, list := range map[string]func(access.Actor, page.Request) (page.Page[delegation.View], error){
		"all": func(by access.Actor, r page.Request) (page.Page[delegation.View], error) {
			return w.service.List(ctx, by, delegation.Filter{}, r)
		},
		"active": func(by access.Actor, r page.Request) (page.Page[delegation.View], error) {
			return w.service.List(ctx, by, delegation.Filter{State: delegation.Active}, r)
		},
		"by name": func(by access.Actor, r page.Request) (page.Page[delegation.View], error) {
			return w.service.Search(ctx, by, delegation.Search{LegalName: "ditta"}, r)
		},
	} {
		taken := map[bool]int{}
		for _, size := range []bool{false, true} {
			by := w.in(session[size])
			before := asked()
			got, err := list(by, page.Request{Limit: 2})
			if err != nil || len(got.Items) != 2 || got.Next == "" {
				t.Fatalf("%s: %d, %v", name, len(got.Items), err)
			}
			taken[size] = asked() - before
		}
		if taken[true] != taken[false] {
			t.Errorf("%s: %d statements for many sides, %d for two", name, taken[true], taken[false])
		}
		*statements = nil
		var ids, want []uuid.UUID
		for i := 1029; i >= 1000; i-- {
			want = append(want, client(i))
		}
		for i := 300; i > 0; i-- {
			want = append(want, client(i))
		}
		if name == "active" {
			want = slices.DeleteFunc(want, func(id uuid.UUID) bool {
				return id == client(1000) || id == client(300) || id == client(200) || id == client(100)
			})
		}
		by := w.in(session[true])
		for request := (page.Request{Limit: 100}); ; {
			got, err := list(by, request)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range got.Items {
				ids = append(ids, s.ID)
			}
			if request.Cursor = got.Next; got.Next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s: the pages are not all, each once, the latest first:\n%s", name, diff)
		}
		if len(*statements) == 0 {
			t.Errorf("%s: no statement heard", name)
		}
		for _, s := range *statements {
			for _, p := range world.Plans(t, w.DB, s) {
				if !strings.Contains(p, "delegations_by_") || strings.Contains(p, "Seq Scan on delegations") ||
					strings.Contains(p, "SCAN g") || strings.Contains(p, "Bitmap") {
					t.Errorf("%s:\n%s", name, p)
				}
			}
		}
	}
}

func TestDelegation_BothSidesListTheirDelegations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		other, otherDelegate := w.consulente()
		until := w.Clock.Now().Add(10 * time.Minute)
		states := map[delegation.State]uuid.UUID{
			delegation.Draft: w.draft(w.professional, nil).ID, delegation.Active: w.active(w.professional, nil).ID,
			delegation.Suspended: w.active(other, nil).ID,
			delegation.Expired:   w.active(w.professional, func(in *delegation.Input) { in.ValidUntil = &until }).ID,
		}
		pending := w.draft(w.professional, nil)
		w.send(w.professional, pending.ID)
		revoked := w.draft(w.professional, nil)
		if _, err := w.service.Revoke(ctx, w.at(w.professional, revoked.ID), revoked.ID, ""); err != nil {
			t.Fatal(err)
		}
		states[delegation.Pending], states[delegation.Revoked] = pending.ID, revoked.ID
		// A code was sent for these too, the day before.
		w.Exec(
			t, "UPDATE delegations SET offered_at = drafted_at WHERE id IN ?", []uuid.UUID{states[delegation.Draft], revoked.ID},
		)
		w.StrikeOff(t, otherDelegate)
		w.Clock.Advance(10 * time.Minute)
		list := func(session uuid.UUID, f delegation.Filter) []uuid.UUID {
			t.Helper()
			var ids []uuid.UUID
			request := page.Request{Limit: 2}
			for {
				got, err := w.service.List(ctx, w.in(session), f, request)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range got.Items {
					ids = append(ids, s.ID)
				}
				if request.Cursor = got.Next; got.Next == "" {
					return ids
				}
			}
		}
		for state, id := range states {
			if got := list(w.representative, delegation.Filter{State: state}); len(got) != 1 || got[0] != id || w.state(id) != state {
				t.Errorf("%s: %v, want %s, which is %s", state, got, id, w.state(id))
			}
		}
		if all := list(w.representative, delegation.Filter{}); len(all) != 6 || !slices.Contains(all, states[delegation.Suspended]) {
			t.Errorf("the contributor sees %d", len(all))
		}
		if all := list(w.representative, delegation.Filter{DelegateID: &otherDelegate}); len(all) != 1 {
			t.Errorf("the contributor sees %d of the other intermediary", len(all))
		}
		if all := list(w.professional, delegation.Filter{}); len(all) != 5 || slices.Contains(all, states[delegation.Suspended]) {
			t.Errorf("the intermediary sees %d", len(all))
		}
		stranger, _ := w.consulente()
		if all := list(stranger, delegation.Filter{ContributorID: &w.company.ID}); len(all) != 0 {
			t.Errorf("a stranger sees %d", len(all))
		}
	})
}

func TestDelegation_LookUpsAreCountedAndSeen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Exec(t, "UPDATE positions SET state = 'ceased' WHERE id = ?", w.company.Positions[1].ID)
		by := w.in(w.professional)
		found, err := w.service.Candidates(ctx, by, strings.ToLower(w.company.TaxCode.Clear()), nil)
		if err != nil || len(found) != 1 || len(found[0].Positions) != 1 || len(found[0].Signatories) != 1 ||
			found[0].Signatories[0].PersonID != w.signatory.ID {
			t.Fatalf("%+v, %v", found, err)
		}
		for range 199 {
			if nobody, err := w.service.Candidates(ctx, by, unknownCode(t), nil); err != nil || len(nobody) != 0 {
				t.Fatalf("%d found, %v", len(nobody), err)
			}
		}
		_, err = w.service.Candidates(ctx, by, w.company.TaxCode.Clear(), nil)
		refused(t, "the 201st", err, fault.RateLimited)
		_, err = w.service.Candidates(ctx, w.in(w.representative), w.company.TaxCode.Clear(), nil)
		refused(t, "a citizen", err, fault.Forbidden)
		looks, err := w.service.LookUps(ctx, w.Enter(t, w.representative, w.company.ID), w.company.ID, page.Request{})
		if err != nil || len(looks.Items) != 1 || looks.Items[0].DelegateID != w.delegate {
			t.Errorf("look-ups %+v, %v", looks.Items, err)
		}
		w.Clock.Advance(24 * time.Hour)
		if _, err := w.service.Candidates(ctx, by, w.company.TaxCode.Clear(), nil); err != nil {
			t.Errorf("a day later: %v", err)
		}
	})
}
