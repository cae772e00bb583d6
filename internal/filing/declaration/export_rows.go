package declaration

import (
	"context"
	"fmt"
	"maps"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
)

const exportJoins = " JOIN people p ON p.id = d.person_id JOIN contributors c ON c.id = d.contributor_id " +
	"JOIN positions x ON x.id = d.position_id"

// exportRange adds a page of a list to the chunk. It returns the place of the last row, and nil
// where no row follows. The page is cut before it is joined: else PostgreSQL would join all that
// follows, sort it and throw most of it away, for every page.
func (r *repository) exportRange(
	ctx context.Context, in scope, f Filter, after *page.Key, w *writer, chunk []byte,
) ([]byte, *page.Key, error) {
	got, err := db.FromReplica(ctx, r.db, func(ctx context.Context) (exported, error) {
		chunk, last, err := r.exportPage(ctx, func(g *gorm.DB) *gorm.DB { return r.rangeOf(g, in, f, after) }, w, chunk)
		return exported{chunk, last}, err
	})
	return got.chunk, got.last, err
}

// exported is a chunk with a page in it, and the place of its last row.
type exported struct {
	chunk []byte
	last  *page.Key
}

func (r *repository) rangeOf(g *gorm.DB, in scope, f Filter, after *page.Key) *gorm.DB {
	rows := g.Table(r.tableFor(f)).Select(db.Columns[Declaration]("d")).Order("d.listed_at DESC, d.id DESC").Limit(exportRows)
	rows = in(r.db.Dialect()).with(f.within(after)).with(f.only()).of(rows)
	joined := g.Table("(?) d", rows).Select(exportColumns).Joins(exportJoins).Order("d.listed_at DESC, d.id DESC")
	return joined.Find(&[]map[string]any{})
}

// export adds a page to the chunk of what the person's rights show: of a contributor, or of all for
// uuid.Nil. It returns the place of the last row, and nil where no row follows.
func (m mine) export(ctx context.Context, contributorID uuid.UUID, w *writer, chunk []byte) ([]byte, *page.Key, error) {
	where := m.visible(m.filter.within(m.after))
	args := maps.Clone(where.args)
	of := ""
	if contributorID != uuid.Nil {
		of, args["of_contributor"] = "d.contributor_id = @of_contributor AND ", contributorID
	}
	query := "WITH " + m.reached.Memberships + " SELECT " + exportColumns + " FROM (SELECT " + db.Columns[Declaration]("d") +
		" FROM declarations d WHERE " + of + where.sql + fmt.Sprintf(latestFirst, exportRows) + ") d" + exportJoins +
		" ORDER BY d.listed_at DESC, d.id DESC"
	return m.r.exportPage(ctx, func(g *gorm.DB) *gorm.DB { return g.Raw(query, args).Find(&[]map[string]any{}) }, w, chunk)
}

func (r *repository) exportPage(
	ctx context.Context, build func(g *gorm.DB) *gorm.DB, w *writer, chunk []byte,
) ([]byte, *page.Key, error) {
	var last page.Key
	n := 0
	err := r.db.EachRow(ctx, build, func(values [][]byte) error {
		var err error
		if chunk, err = w.appendRow(chunk, values); err != nil {
			return err
		}
		if n++; n == exportRows {
			last, err = w.place(values)
		}
		return err
	})
	if err != nil || n < exportRows {
		return chunk, nil, err
	}
	return chunk, &last, nil
}

// reachedBehind lists contributors over which somebody has a right, in the order of their ids.
func (r *repository) reachedBehind(ctx context.Context, reached access.Reached, behind uuid.UUID, most int) ([]uuid.UUID, error) {
	args := maps.Clone(reached.Args)
	args["behind"], args["most"] = behind, most
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw("WITH "+reached.Memberships+" SELECT y.contributor_id FROM ("+reached.Contributors+
		") y WHERE y.contributor_id > @behind ORDER BY y.contributor_id LIMIT @most", args).Scan(&ids).Error
	return ids, err
}

// stillReached counts those of the contributors over which somebody still has a right.
func (r *repository) stillReached(ctx context.Context, reached access.Reached, ids []uuid.UUID) (int, error) {
	args := maps.Clone(reached.Args)
	args["ids"] = ids
	var n int
	err := r.db.From(ctx).Raw("WITH "+reached.Memberships+" SELECT COUNT(*) FROM ("+reached.Contributors+
		") y WHERE y.contributor_id IN @ids", args).Scan(&n).Error
	return n, err
}
