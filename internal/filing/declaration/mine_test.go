package declaration_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// strides reach every way of reading a page, also where little is stored.
func strides() *rapid.Generator[access.Stride] {
	return rapid.Custom(func(t *rapid.T) access.Stride {
		return access.Stride{
			Many: rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "many"), Rows: rapid.SampledFrom([]int{1, 10, 40, 1000}).Draw(t, "rows"),
		}
	})
}

// Whatever the rights, the list over all contributors is what the rights over each of them let one
// see.
func TestDeclaration_MyDeclarationsAreThoseThatMyRightsAreAbout(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := newArchive(t, d)
		companies := []world.Company{a.first, a.second}
		for i := range 5 {
			c := a.Company(t, []string{world.Rome, world.Milan, world.Rome}[:i%3+1]...)
			a.Role(t, a.rep.PersonID, c.ID, access.LegalRepresentative)
			by := a.Enter(t, a.rep.SessionID, c.ID)
			for k := range 2 + 3*i {
				a.Draft(t, by, c, declaration.Input{
					Type: world.Type, PositionID: c.Positions[k%len(c.Positions)].ID, Content: world.ContentFor(workers[k%2]),
					Submit: k%3 > 0,
				})
			}
			companies = append(companies, c)
		}
		ids := make([]uuid.UUID, len(companies))
		for i, c := range companies {
			ids[i] = c.ID
		}
		rapid.Check(t, func(rt *rapid.T) {
			by := a.RandomRights(t, companies, func(most int) int { return rapid.IntRange(0, most).Draw(rt, "right") })
			// Some of the drafts are the person's.
			for _, c := range companies {
				if rapid.Bool().Draw(rt, "drafted") {
					a.Exec(
						t,
						"UPDATE declarations SET person_id = ? WHERE id IN (SELECT id FROM declarations WHERE contributor_id = ? AND "+
							"state = 'draft' ORDER BY id LIMIT 2)",
						by.PersonID, c.ID,
					)
				}
			}
			rights, err := a.Rights.Rights(ctx, by, ids)
			if err != nil {
				rt.Fatal(err)
			}
			a.Declarations.SetStride(strides().Draw(rt, "stride"))
			all := a.everything(t)
			a.follow(rt, view{
				"mine",
				func(f declaration.Filter, r page.Request) (page.Page[declaration.View], error) {
					return a.Declarations.Mine(ctx, by, f, r)
				},
				func(d declaration.Declaration) bool {
					return (d.State != declaration.Draft || d.PersonID == by.PersonID) &&
						slices.ContainsFunc(rights[d.ContributorID], func(r access.Right) bool {
							return r.Covers(access.Declarations) && r.About(d.PositionID)
						})
				},
			}, drawFilter(rt, all), all, rapid.IntRange(1, 30).Draw(rt, "limit"), func() {})
		})
	})
}
