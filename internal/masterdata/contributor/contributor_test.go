package contributor_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// through reads all pages of a list and checks that none is longer than it may be.
func through[T any](t *testing.T, limit int, read func(page.Request) (page.Page[T], error)) []T {
	t.Helper()
	var all []T
	request := page.Request{Limit: limit}
	for {
		p, err := read(request)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Items) > limit || p.Next != "" && len(p.Items) != limit {
			t.Fatalf("a page of %d items, next %q", len(p.Items), p.Next)
		}
		all = append(all, p.Items...)
		if request.Cursor = p.Next; p.Next == "" {
			return all
		}
	}
}

func named(t *testing.T, a *world.App, name string, offices ...string) world.Company {
	t.Helper()
	c := a.Company(t, offices...)
	a.Exec(t, "UPDATE contributors SET legal_name = ? WHERE id = ?", name, c.ID)
	c.LegalName = name
	return c
}

func TestContributor_ThePeopleOfAContributorFindIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		p := a.Person(t, nil)
		var mine []world.Company
		// Two of one name: the order must not waver.
		for _, name := range []string{"Zeta S.p.A.", "Alfa 100% S.r.l.", "Beta_Gamma", "Beta_Gamma", `Delta\Omega`} {
			c := named(t, a, name, world.Rome)
			mine = append(mine, c)
			a.Role(t, p.ID, c.ID, access.EmployeeDelegate, access.Declarations)
		}
		a.Role(t, p.ID, mine[0].ID, access.LegalRepresentative)
		left := named(t, a, "Andata S.r.l.", world.Rome)
		a.WithdrawRole(t, a.Role(t, p.ID, left.ID, access.LegalRepresentative))
		stranger, _ := a.Employer(t)
		by := access.Actor{PersonID: p.ID, UserClass: access.Citizen}
		search := func(s contributor.Search) (names []string) {
			t.Helper()
			for _, e := range through(t, 2, func(r page.Request) (page.Page[contributor.WithRights], error) {
				return a.Contributors.Mine(context.Background(), by, s, r)
			}) {
				names = append(names, e.LegalName)
			}
			return names
		}
		for name, c := range map[string]struct {
			search contributor.Search
			want   []string
		}{
			"all": {
				contributor.Search{}, []string{"Alfa 100% S.r.l.", "Beta_Gamma", "Beta_Gamma", `Delta\Omega`, "Zeta S.p.A."},
			},
			"a part of the name, in any case": {contributor.Search{LegalName: "S.R.L"}, []string{"Alfa 100% S.r.l."}},
			"a percent sign is itself":        {contributor.Search{LegalName: "0%"}, []string{"Alfa 100% S.r.l."}},
			"no wildcards":                    {contributor.Search{LegalName: "a%a"}, nil},
			"an underscore is itself":         {contributor.Search{LegalName: "a_g"}, []string{"Beta_Gamma", "Beta_Gamma"}},
			"a backslash is itself":           {contributor.Search{LegalName: `a\o`}, []string{`Delta\Omega`}},
			"a position":                      {contributor.Search{PositionNumber: mine[0].Positions[0].Number}, []string{"Zeta S.p.A."}},
			"a tax code":                      {contributor.Search{TaxCode: mine[4].TaxCode}, []string{`Delta\Omega`}},
			"another's position":              {contributor.Search{PositionNumber: stranger.Positions[0].Number}, nil},
			"another's tax code":              {contributor.Search{TaxCode: stranger.TaxCode}, nil},
			"one that was left":               {contributor.Search{TaxCode: left.TaxCode}, nil},
			"two conditions that do not meet": {contributor.Search{TaxCode: mine[4].TaxCode, LegalName: "Zeta"}, nil},
		} {
			if diff := cmp.Diff(c.want, search(c.search)); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
		found, err := a.Contributors.Mine(context.Background(), by, contributor.Search{TaxCode: mine[0].TaxCode}, page.Request{})
		if err != nil || len(found.Items) != 1 {
			t.Fatal(found, err)
		}
		// A cursor stands in a URL, where nothing personal may.
		first, err := a.Contributors.Mine(context.Background(), by, contributor.Search{}, page.Request{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if cursor, err := base64.RawURLEncoding.DecodeString(first.Next); err != nil || len(cursor) == 0 ||
			strings.Contains(string(cursor), "Alfa") {
			t.Errorf("cursor %s, %v", cursor, err)
		}
		var roles []access.ActingAs
		for _, r := range found.Items[0].Rights {
			roles = append(roles, r.ActingAs)
		}
		slices.Sort(roles)
		if diff := cmp.Diff([]access.ActingAs{access.EmployeeDelegate, access.LegalRepresentative}, roles); diff != "" {
			t.Error(diff)
		}
	})
}

func TestContributor_AnOperatorFindsTheContributorsOfTheOffice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		rome, both, own := named(t, a, "A", world.Rome), named(t, a, "B", world.Milan, world.Rome), named(t, a, "C", world.Milan)
		named(t, a, "D", world.Milan)
		p := a.Operator(t, world.Rome)
		a.Role(t, p.ID, own.ID, access.LegalRepresentative)
		a.Role(t, p.ID, both.ID, access.Employer)
		by := access.Actor{PersonID: p.ID, UserClass: access.Operator, OfficeCode: world.Rome}
		type found struct {
			ID     uuid.UUID
			Rights []access.ActingAs
		}
		var got []found
		for _, e := range through(t, 2, func(r page.Request) (page.Page[contributor.WithRights], error) {
			return a.Contributors.Mine(context.Background(), by, contributor.Search{}, r)
		}) {
			f := found{ID: e.ID}
			for _, r := range e.Rights {
				f.Rights = append(f.Rights, r.ActingAs)
			}
			got = append(got, f)
		}
		want := []found{
			{rome.ID, []access.ActingAs{access.OfficeOperator}},
			{both.ID, []access.ActingAs{access.Employer, access.OfficeOperator}},
			{own.ID, []access.ActingAs{access.LegalRepresentative}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestContributor_ShowingAContributor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome, world.Milan, world.Rome)
		other, _ := a.Employer(t)
		got, err := a.Contributors.Show(context.Background(), by, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(contributor.WithRights{
			Contributor: c.Contributor, Rights: by.Rights,
		}, got, cmp.Comparer(func(a, b taxcode.Code) bool {
			return a == b
		})); diff != "" {
			t.Error(diff)
		}
		positions := func(by access.Actor) []contributor.Position {
			return through(t, 2, func(r page.Request) (page.Page[contributor.Position], error) {
				return a.Contributors.Positions(context.Background(), by, c.ID, r)
			})
		}
		if diff := cmp.Diff(c.Positions, positions(by)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]contributor.Position{c.Positions[1]}, positions(a.Desk(t, world.Milan, c.ID))); diff != "" {
			t.Errorf("an operator of Milan:\n%s", diff)
		}
		if _, err := a.Contributors.Show(context.Background(), by, other.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another contributor: %v", err)
		}
		if _, err := a.Contributors.Positions(context.Background(), by, other.ID, page.Request{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("positions of another contributor: %v", err)
		}
		nobody := access.Actor{ContributorID: c.ID}
		if _, err := a.Contributors.Show(context.Background(), nobody, c.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("without a right: %v", err)
		}
		position, owner, err := a.Contributors.Position(context.Background(), c.ID, c.Positions[1].ID)
		if err != nil || position != c.Positions[1] || owner.ID != c.ID || owner.LegalName != c.LegalName || owner.TaxCode != c.TaxCode ||
			owner.Kind != c.Kind {
			t.Errorf("%+v of %+v, %v", position, owner, err)
		}
		for _, id := range []uuid.UUID{other.Positions[0].ID, uuid.Must(uuid.NewV7())} {
			if _, _, err := a.Contributors.Position(context.Background(), c.ID, id); !fault.Is(err, fault.NotFound) {
				t.Errorf("a position that is not the contributor's: %v", err)
			}
		}
	})
}

func TestContributor_OfficesAreListedByCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		want := []contributor.Office{{Code: world.Milan, Title: "Milano"}, {Code: world.Rome, Title: "Roma Centro"}}
		a.Must(t, func(ctx context.Context) error {
			for i := range 5 {
				o := contributor.Office{Code: fmt.Sprintf("810%d", i), Title: "Torino"}
				want = append(want, o)
				if err := a.Contributors.PutOffice(ctx, o); err != nil {
					return err
				}
			}
			return a.Contributors.PutOffice(ctx, contributor.Office{Code: world.Rome, Title: "Roma Centro"})
		})
		got := through(t, 3, func(r page.Request) (page.Page[contributor.Office], error) {
			return a.Contributors.Offices(context.Background(), r)
		})
		for i := range want {
			want[i].Hours, want[i].Version = []contributor.OpeningHours{}, 1
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, cursor := range []string{"x", "bm90IGpzb24"} {
			if _, err := a.Contributors.Offices(context.Background(), page.Request{Cursor: cursor}); !fault.Is(err, fault.Malformed) {
				t.Errorf("cursor %q: %v", cursor, err)
			}
		}
	})
}

func TestContributor_ARoleIsHeldOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		again := contributor.Role{
			ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, PersonID: by.PersonID, Role: access.LegalRepresentative,
			Services: access.ServiceSet{access.AllServices}, GrantedAt: a.Clock.Now(),
		}
		err := d.InTx(context.Background(), func(ctx context.Context) error { return a.Contributors.AddRole(ctx, again) })
		if !db.IsUnique(err) {
			t.Errorf("the same role twice: %v", err)
		}
		a.WithdrawRole(t, by.Rights[0].ID)
		a.Must(t, func(ctx context.Context) error { return a.Contributors.AddRole(ctx, again) })
	})
}
