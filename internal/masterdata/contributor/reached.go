package contributor

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
)

// reached returns a page of the contributors that a person has a right over, by legal name. An
// operator also sees those with a position at the office. There is one row more where there is one.
//
// What is looked for by tax code or position number is found by its index and then probed.
// Otherwise the names are in no order for each person, so a page costs one of two things, neither
// of which grows with how many contributors there are but as the logarithm:
//   - with few rights, it reads and sorts them all;
//   - with many, it walks over the names of all contributors, a few index probes each, until the
//     page is full. Only where the walk was in vain it does the former (see access.Stride).
func (r *repository) reached(
	ctx context.Context, known *access.Repository, by access.Actor, search Search, request page.Request,
) ([]Contributor, error) {
	after, err := request.After()
	if err != nil {
		return nil, err
	}
	w := walk{r: r, reached: known.Contributors(by), args: map[string]any{}, size: request.Size()}
	maps.Copy(w.args, w.reached.Args)
	w.narrow(search)
	if after != nil {
		w.within, w.args["after"] = " AND (c.legal_name, c.id) > ((SELECT x.legal_name FROM contributors x WHERE x.id = "+
			"@after), @after)", after.ID
	}
	if !search.TaxCode.IsZero() || search.PositionNumber != "" {
		return w.along(ctx, "")
	}
	many, err := known.HasMany(ctx, w.reached, r.stride.Many)
	if err != nil {
		return nil, err
	}
	if many {
		rows, whole, err := w.begin(ctx)
		if err != nil || whole || len(rows) > w.size {
			return rows, err
		}
	}
	return w.ask(ctx)
}

// walk reads a page, and one row more where there is one.
type walk struct {
	r       *repository
	reached access.Reached
	// within is the range of names, only what else is asked of a contributor; each piece behind an
	// AND.
	within, only string
	args         map[string]any
	size         int
}

func (w *walk) narrow(search Search) {
	and := func(condition, name string, value any) {
		w.only += " AND " + condition
		w.args[name] = value
	}
	if !search.TaxCode.IsZero() {
		and("c.tax_code = @searched", "searched", search.TaxCode.Clear())
	}
	if search.LegalName != "" {
		and(`LOWER(c.legal_name) LIKE LOWER(@containing) ESCAPE '\'`, "containing", db.LikeContaining(search.LegalName))
	}
	if search.PositionNumber != "" {
		and("c.id = (SELECT x.contributor_id FROM positions x WHERE x.number = @number)", "number", search.PositionNumber)
	}
}

const byName = " ORDER BY c.legal_name, c.id LIMIT %d"

// begin walks as far as a stride goes and reports whether the contributors end before.
func (w walk) begin(ctx context.Context) (rows []Contributor, whole bool, err error) {
	var ends []struct {
		LegalName string
		ID        uuid.UUID
	}
	query := w.r.db.From(ctx).Table("contributors c").Select("c.legal_name, c.id").
		Order("c.legal_name, c.id").Limit(1).Offset(w.r.stride.Rows - 1)
	if w.within != "" {
		query = query.Where(strings.TrimPrefix(w.within, " AND "), w.args)
	}
	if err := query.Find(&ends).Error; err != nil {
		return nil, false, err
	}
	bound := ""
	for _, end := range ends {
		bound, w.args["end_name"], w.args["end_id"] = " AND (c.legal_name, c.id) <= (@end_name, @end_id)", end.LegalName, end.ID
	}
	rows, err = w.along(ctx, bound)
	return rows, len(ends) == 0, err
}

// along reads the first of all contributors that the person has a right over.
func (w walk) along(ctx context.Context, bound string) ([]Contributor, error) {
	return w.read(ctx, "SELECT "+db.Columns[Contributor]("c")+" FROM contributors c WHERE "+w.reached.Covers+w.within+bound+w.only)
}

// ask reads the same through the rights.
func (w walk) ask(ctx context.Context) ([]Contributor, error) {
	each := "CROSS JOIN contributors c ON c.id = m.contributor_id"
	if w.r.db.Dialect() == db.Postgres {
		// With the limit it cannot choose to read all contributors.
		each = "CROSS JOIN LATERAL (SELECT " + db.Columns[Contributor]("c") +
			" FROM contributors c WHERE c.id = m.contributor_id LIMIT 1) c"
	}
	return w.read(ctx, "SELECT "+db.Columns[Contributor]("c")+" FROM ("+w.reached.Contributors+") m "+each+" WHERE 1 = 1"+w.within+w.only)
}

func (w walk) read(ctx context.Context, query string) ([]Contributor, error) {
	var rows []Contributor
	err := w.r.db.From(ctx).Raw("WITH "+w.reached.Memberships+" "+query+fmt.Sprintf(byName, w.size+1), w.args).Find(&rows).Error
	return rows, err
}
