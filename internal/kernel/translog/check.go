package translog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sync/atomic"

	"gocloud.dev/gcerrors"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"diresco/db"
)

// leaf is what the log has of a row.
type leaf struct {
	kind   kind
	digest [tlog.HashSize]byte
	there  bool
}

// sources are where rows come from.
var sources = []struct {
	kind       kind
	columns    []column
	table, key string
}{
	{ofTrail, trailColumns, "audit_records", "id"},
	{ofRegister, registerColumns, "protocol_entries", "subject_id"},
}

// leavesWith joins leaves l with their rows e, by key. The fence (OFFSET 0) keeps PostgreSQL from
// reading the whole table for each part.
func (r repository) leavesWith(table, key string, columns []column) string {
	if r.db.Dialect() == db.SQLite {
		return " FROM log_entries l LEFT JOIN " + table + " e ON e." + key + " = l.row_id "
	}
	return " FROM log_entries l LEFT JOIN LATERAL (SELECT " + selected("e", columns) + " FROM " + table + " e WHERE e." + key +
		" = l.row_id OFFSET 0) e ON true "
}

// check holds rows against their leaves, and leaves against the lowest tiles.
func (r repository) check(ctx context.Context, part span) (checked, error) {
	leaves := make([]leaf, part.to-part.from)
	var c checked
	gone, err := r.erasedIn(ctx, part)
	if err != nil {
		return c, err
	}
	var h hasher
	for _, of := range sources {
		var text []byte
		query := "SELECT l.position, l.row_id, l.salt, l.digest, e." + of.key + ", " + selected("e", of.columns) +
			r.leavesWith(of.table, of.key, of.columns) + "WHERE l.position >= ? AND l.position < ? AND l.kind = ?"
		err := r.each(ctx, query, []any{part.from, part.to, string(of.kind)}, func(values [][]byte) error {
			position, err := r.number(values[0])
			if err != nil {
				return err
			}
			found := &leaves[position-part.from]
			found.kind, found.there, found.digest = of.kind, true, digestOf(values[3])
			wrong := "the row is gone"
			if values[4] != nil {
				if text, err = appendRow(text[:0], r.db.Dialect(), of.columns, values[5:]); err != nil {
					return err
				}
				was, isErased := gone[position]
				wrong = h.compare(values[2], text, found.digest, was, isErased && of.kind == ofTrail)
			}
			if wrong == "" {
				return nil
			}
			row, err := r.id(values[1])
			c.findings = append(c.findings, Finding{position, string(of.kind) + " " + row.String(), wrong})
			return err
		})
		if err != nil {
			return c, err
		}
	}
	return c, r.hash(ctx, part, leaves, &c)
}

// compare says what is wrong with a row, "" for nothing. Of what was erased, what is left is
// compared.
func (h *hasher) compare(salt, text []byte, digest [sha256.Size]byte, was erased, isErased bool) string {
	switch {
	case isErased && len(salt) > 0:
		return "the row was erased, and its salt is still there"
	case isErased:
		if left := sha256.Sum256(text); !bytes.Equal(left[:], was.Digest) {
			return "what an erasure left of the row was changed"
		}
	case h.seal(salt, text) != digest:
		return "the row was changed"
	}
	return ""
}

// hash hashes leaves, and holds them against the lowest tiles.
func (r repository) hash(ctx context.Context, part span, leaves []leaf, c *checked) error {
	var stored []tileRow
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[tileRow]("t")+" FROM log_tiles t WHERE t.level = 0 AND t.number BETWEEN ? AND ?",
		part.from/tileWidth, (part.to-1)/tileWidth).Scan(&stored).Error
	if err != nil {
		return err
	}
	tiles := map[int64][]byte{}
	for _, t := range stored {
		tiles[t.Number] = t.Hashes
	}
	c.hashes = factory.NewEmptyRange(uint64(part.from)) //nolint:gosec // never negative
	var h hasher
	for i, l := range leaves {
		position := part.from + int64(i)
		if !l.there {
			c.findings, c.hashes = append(c.findings, Finding{Position: position, What: "the leaf is gone"}), nil
			return nil
		}
		hash := h.leaf(l.kind, l.digest)
		at := position % tileWidth * tlog.HashSize
		if tile := tiles[position/tileWidth]; int64(len(tile)) < at+tlog.HashSize || !bytes.Equal(tile[at:at+tlog.HashSize], hash[:]) {
			c.findings = append(c.findings, Finding{Position: position, What: "the leaf is not the one in the tree's hashes"})
		}
		if err := c.hashes.Append(hash[:], nil); err != nil {
			return err
		}
	}
	return nil
}

// checkTiles holds the higher tiles against the root.
func checkTiles(ctx context.Context, tree tlog.Tree, from tlog.TileReader, report *Report) error {
	reader := tlog.TileHashReader(tree, from)
	for _, t := range tlog.NewTiles(height, 0, tree.N) {
		if t.L == 0 {
			continue
		}
		if _, err := tlog.ReadTileData(t, reader); err != nil {
			if ctx.Err() != nil {
				return err
			}
			report.add(Finding{Position: -1, What: "the tree's hashes were changed: " + err.Error()})
			return nil
		}
	}
	return nil
}

// mirror checks that a mirror has what its checkpoint says. That this is what the database has
// follows from the roots.
func (v Verification) mirror(ctx context.Context, report *Report) error {
	text, err := CheckpointOf(ctx, v.Mirror)
	if err != nil {
		return err
	}
	tree, err := open(v.Name, v.Verifiers, text)
	if err != nil {
		return err
	}
	all := spans(tree.N, nil)
	results := make([]checked, len(all))
	var done atomic.Int64
	work, inner := errgroup.WithContext(ctx)
	work.SetLimit(report.Cores)
	for i, part := range all {
		work.Go(func() (err error) {
			results[i], err = checkMirror(readMirror{inner, v.Mirror}, part, tree.N)
			v.tell("mirror", done.Add(part.to-part.from), tree.N)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	whole := factory.NewEmptyRange(0)
	for _, r := range results {
		report.add(r.findings...)
		if r.hashes == nil {
			return nil
		}
		if err := whole.AppendRange(r.hashes, nil); err != nil {
			return err
		}
	}
	root, err := whole.GetRootHash(nil)
	if err != nil {
		return err
	}
	report.Mirrored = tree.N
	if !bytes.Equal(root, tree.Hash[:]) {
		report.add(Finding{Position: -1, What: "the leaves of the mirror do not have the root of its checkpoint"})
		return nil
	}
	return checkTiles(ctx, tree, readMirror{ctx, v.Mirror}, report)
}

// checkMirror holds leaves of a mirror against its lowest tiles.
func checkMirror(from readMirror, part span, size int64) (checked, error) {
	c := checked{hashes: factory.NewEmptyRange(uint64(part.from))} //nolint:gosec // never negative
	for n := part.from / tileWidth; n*tileWidth < part.to; n++ {
		width := int(min(tileWidth, size-n*tileWidth))
		hashes := tlog.Tile{H: height, L: 0, N: n, W: width}
		entries := hashes
		entries.L = leavesLevel
		data, err := from.ReadTiles([]tlog.Tile{entries, hashes})
		if gcerrors.Code(err) == gcerrors.NotFound {
			c.hashes = nil
			c.findings = append(c.findings, Finding{Position: n * tileWidth, What: "a file of the mirror is gone: " + err.Error()})
			return c, nil
		}
		if err != nil {
			return c, err
		}
		leaves := leavesIn(data[0], width)
		if leaves == nil {
			c.findings, c.hashes = append(c.findings, Finding{Position: n * tileWidth, What: "leaves of the mirror were changed"}), nil
			return c, nil
		}
		for i, leaf := range leaves {
			if at := i * tlog.HashSize; len(data[1]) != width*tlog.HashSize || !bytes.Equal(data[1][at:at+tlog.HashSize], leaf[:]) {
				c.findings = append(c.findings, Finding{
					Position: n*tileWidth + int64(i), What: "the leaf of the mirror is not the one in its hashes",
				})
			}
			if err := c.hashes.Append(leaf[:], nil); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}
