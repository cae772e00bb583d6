package declaration_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
)

var showing = access.Rule{To: access.ToDeclaration, Service: access.Declarations, Shows: true}

// What is read with the rights is what is read after them, to the last column, and whoever may not
// see it is given nothing.
func TestDeclaration_IsReadWithTheRightsAsBehindThem(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := newArchive(t, d)
		at := a.Clock.Now().Add(1234 * time.Microsecond)
		other := a.everything(t)[3].ID
		a.Exec(t, `UPDATE declarations SET superseded_by_id = ?, version = 7, assigned_to = ?, assigned_at = ?, amount = 300005, reasons = ?,
			decided_at = ?, decided_by = ?, hire_by = ?, confirm_by = ?, ends_at = ? WHERE state = 'accepted'`,
			other, a.operator.PersonID, at, `[{"code":"operator","text":"\"sì\""}]`, at, a.operator.PersonID, at.Add(time.Hour),
			at.Add(2*time.Hour), at.Add(30*24*time.Hour))
		_, stranger := a.Employer(t)
		later := showing
		later.Shows = false
		seen := 0
		for _, stored := range a.everything(t) {
			for _, who := range []access.Actor{a.rep, a.colleague, a.clerk, a.operator, stranger} {
				target := access.Target{DeclarationID: stored.ID}
				behind, wantErr := a.Guard.Enter(ctx, who.SessionID, later, target)
				with, err := a.Guard.Enter(ctx, who.SessionID, showing, target)
				if fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Fatalf("with it %v, behind it %v", err, wantErr)
				}
				if (with.Shown != nil) != (err == nil && d.Dialect() == db.Postgres) || behind.Shown != nil {
					t.Errorf("%v: with %v, behind %v", err, with.Shown, behind.Shown)
				}
				if err != nil {
					continue
				}
				seen++
				got, err := a.Declarations.Show(ctx, with, stored.ID)
				want, wantErr := a.Declarations.Show(ctx, behind, stored.ID)
				if diff := cmp.Diff(want, got); diff != "" || err != nil || wantErr != nil {
					t.Errorf("%v, %v:\n%s", err, wantErr, diff)
				}
				if diff := cmp.Diff(stored, got.Declaration); diff != "" {
					t.Errorf("not as GORM reads it:\n%s", diff)
				}
				// Of another one nothing was read.
				if elsewhere, err := a.Declarations.Show(ctx, with, other); err == nil && elsewhere.ID != other {
					t.Errorf("%s instead of %s", elsewhere.ID, other)
				}
			}
		}
		if seen < 90 {
			t.Errorf("only %d were seen", seen)
		}
	})
}

// A list has of each declaration what it shows, and of the rest nothing.
func TestDeclaration_AListHasWhatItShows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := newArchive(t, d)
		at := a.Clock.Now().Add(1234 * time.Microsecond)
		a.Exec(t, `UPDATE declarations SET superseded_by_id = ?, assigned_to = ?, assigned_at = ?, amount = 300005, reasons = ?, decided_at = ?,
			hire_by = ?, confirm_by = ?, ends_at = ? WHERE state = 'accepted'`, a.everything(t)[3].ID, a.operator.PersonID, at,
			`[{"code":"operator","text":"\"sì\""}]`, at, at.Add(time.Hour), at.Add(2*time.Hour), at.Add(30*24*time.Hour))
		want := map[uuid.UUID]declaration.Declaration{}
		for _, stored := range a.everything(t) {
			stored.OfficeCode, stored.Content, stored.WorkerTaxCode, stored.ApplicationID, stored.Version = "", "", nil, nil, 0
			stored.UpdatedAt, stored.Digest, stored.DecidedBy = time.Time{}, nil, nil
			want[stored.ID] = stored
		}
		for _, v := range a.views() {
			found, err := v.list(declaration.Filter{}, page.Request{Limit: page.MaxLimit})
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range found.Items {
				if diff := cmp.Diff(want[one.ID], one.Declaration); diff != "" || one.GivenName == "" || one.FamilyName == "" {
					t.Errorf("%s: of %q\n%s", v.name, one.Names(), diff)
				}
			}
		}
	})
}

// A right over some positions alone narrows a list in the statement.
func TestDeclaration_AListIsAboutThePositionsOfTheRight(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := newArchive(t, d)
		by := a.rep
		by.Rights = slices.Clone(by.Rights)
		for n := range a.first.Positions {
			by.Rights[0].Positions = []uuid.UUID{}
			for _, p := range a.first.Positions[:n] {
				by.Rights[0].Positions = append(by.Rights[0].Positions, p.ID)
			}
			found, err := a.Declarations.OfContributor(ctx, by, declaration.Filter{}, page.Request{Limit: page.MaxLimit})
			if err != nil || (len(found.Items) > 0) != (n > 0) {
				t.Errorf("%d positions: %d items, %v", n, len(found.Items), err)
			}
			for _, one := range found.Items {
				if !by.Rights[0].About(one.PositionID) {
					t.Errorf("%d positions: one about %s", n, one.PositionID)
				}
			}
		}
	})
}
