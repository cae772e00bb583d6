package contributor_test

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// Whatever the rights, the list of contributors is those that each has a right over.
func TestContributor_MyContributorsAreThoseThatMyRightsAreAbout(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		var companies []world.Company
		var ids []uuid.UUID
		for i := range 12 {
			c := named(t, a, []string{"Alfa", "Beta", "Alfabeta", "Gamma"}[i%4], []string{world.Milan, world.Rome}[i%2:]...)
			companies, ids = append(companies, c), append(ids, c.ID)
		}
		rapid.Check(t, func(rt *rapid.T) {
			draw := func(most int) int { return rapid.IntRange(0, most).Draw(rt, "right") }
			by := a.RandomRights(t, companies, draw)
			if draw(4) == 0 {
				by.UserClass, by.OfficeCode = access.Operator, world.Milan
			}
			a.Contributors.SetStride(access.Stride{
				Many: rapid.SampledFrom([]int{1, 3, 1000}).Draw(rt, "many"), Rows: rapid.SampledFrom([]int{1, 4, 8, 1000}).Draw(rt, "rows"),
			})
			var search contributor.Search
			switch draw(6) {
			case 0:
				search.LegalName = []string{"ALFA", "beta", "x"}[draw(2)]
			case 1:
				search.TaxCode = companies[draw(11)].TaxCode
			case 2:
				search.PositionNumber = companies[draw(11)].Positions[0].Number
			}
			rights, err := a.Rights.Rights(context.Background(), by, ids)
			if err != nil {
				rt.Fatal(err)
			}
			var want, got []uuid.UUID
			slices.SortFunc(companies, func(x, y world.Company) int {
				return cmp.Or(cmp.Compare(x.LegalName, y.LegalName), bytes.Compare(x.ID[:], y.ID[:]))
			})
			for _, c := range companies {
				inOffice := by.UserClass == access.Operator && slices.ContainsFunc(c.Positions, func(p contributor.Position) bool {
					return p.OfficeCode == by.OfficeCode
				})
				if (len(rights[c.ID]) > 0 || inOffice) && strings.Contains(
					strings.ToLower(c.LegalName), strings.ToLower(search.LegalName),
				) && (search.TaxCode.IsZero() || c.TaxCode == search.TaxCode) &&
					(search.PositionNumber == "" || c.Positions[0].Number == search.PositionNumber) {
					want = append(want, c.ID)
				}
			}
			for _, e := range through(t, rapid.IntRange(1, 13).Draw(rt, "limit"), func(r page.Request) (page.Page[contributor.WithRights], error) {
				return a.Contributors.Mine(context.Background(), by, search, r)
			}) {
				got = append(got, e.ID)
				if len(e.Rights) == 0 {
					rt.Errorf("%s is listed without a right", e.ID)
				}
			}
			if !slices.Equal(want, got) {
				rt.Errorf("%v instead of %v", got, want)
			}
		})
	})
}
