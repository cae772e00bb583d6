package translog

import (
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/internal/platform/keyring"
)

// height is that of a tile: it has up to 256 hashes.
const height = 8

// tileWidth is how many hashes a whole tile has.
const tileWidth = 1 << height

// errTileMissing says that hashes of the tree are gone.
var errTileMissing = errors.New("hashes of the log are missing")

// tiles reads tiles of the database. The library that asks for them checks them against a tree.
type tiles struct {
	ctx  context.Context //nolint:containedctx // the library's interface has none
	repo repository
}

// Height implements tlog.TileReader.
func (t tiles) Height() int { return height }

// SaveTiles implements tlog.TileReader.
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles implements tlog.TileReader.
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	for i, tile := range wanted {
		var err error
		if data[i], err = t.repo.tile(t.ctx, tile); err != nil {
			return nil, err
		}
		if data[i] == nil {
			return nil, fmt.Errorf("%w: %s", errTileMissing, tile.Path())
		}
	}
	return data, nil
}

// reader returns the hashes of a tree, each checked against its root.
func (r repository) reader(ctx context.Context, tree tlog.Tree) tlog.HashReader {
	return tlog.TileHashReader(tree, tiles{ctx, r})
}

// growing is a tree with hashes that are not stored yet.
type growing struct {
	old   tlog.HashReader
	known map[int64]tlog.Hash
}

// ReadHashes implements tlog.HashReader.
func (g *growing) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var missing []int64
	for _, i := range indexes {
		if _, known := g.known[i]; !known {
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 {
		found, err := g.old.ReadHashes(missing)
		if err != nil {
			return nil, err
		}
		for n, i := range missing {
			g.known[i] = found[n]
		}
	}
	hashes := make([]tlog.Hash, len(indexes))
	for n, i := range indexes {
		hashes[n] = g.known[i]
	}
	return hashes, nil
}

// grow adds leaves to a tree. It returns the new tree and the tiles that it changes.
func (r repository) grow(ctx context.Context, old tlog.Tree, leaves []tlog.Hash) (tlog.Tree, []tileRow, error) {
	g := &growing{old: r.reader(ctx, old), known: make(map[int64]tlog.Hash, 2*len(leaves))}
	size := old.N
	for _, leaf := range leaves {
		hashes, err := tlog.StoredHashesForRecordHash(size, leaf, g)
		if err != nil {
			return old, nil, err
		}
		first := tlog.StoredHashIndex(0, size)
		for i, h := range hashes {
			g.known[first+int64(i)] = h
		}
		size++
	}
	root, err := tlog.TreeHash(size, g)
	if err != nil {
		return old, nil, err
	}
	var changed []tileRow
	for _, t := range tlog.NewTiles(height, old.N, size) {
		data, err := tlog.ReadTileData(t, g)
		if err != nil {
			return old, nil, err
		}
		changed = append(changed, tileRow{Level: t.L, Number: t.N, Hashes: data})
	}
	return tlog.Tree{N: size, Hash: root}, changed, nil
}

// sign returns the checkpoint of a tree.
func sign(keys *keyring.Log, tree tlog.Tree) (string, error) {
	c := log.Checkpoint{Origin: keys.Name(), Size: uint64(tree.N), Hash: tree.Hash[:]} //nolint:gosec // a size is never negative
	signed, err := note.Sign(&note.Note{Text: string(c.Marshal())}, keys.Signers()...)
	return string(signed), err
}

// ErrNotSigned means that a checkpoint is none, or that none of the keys signed it.
var ErrNotSigned = errors.New("the log's checkpoint was signed by none of these keys")

// open returns the tree of a checkpoint that one of the verifiers' keys signed.
func open(name string, verifiers []note.Verifier, checkpoint string) (tlog.Tree, error) {
	for _, v := range verifiers {
		if _, _, _, err := log.ParseCheckpoint([]byte(checkpoint), name, v); err != nil {
			continue
		}
		_, size, root, err := read(checkpoint)
		return tlog.Tree{N: size, Hash: root}, err
	}
	return tlog.Tree{}, ErrNotSigned
}

// read returns what a checkpoint says, whoever signed it.
func read(checkpoint string) (name string, size int64, root tlog.Hash, err error) {
	var c log.Checkpoint
	if _, err = c.Unmarshal([]byte(checkpoint)); err != nil {
		return "", 0, root, err
	}
	if len(c.Hash) != tlog.HashSize || c.Size > 1<<62 {
		return "", 0, root, ErrNotSigned
	}
	return c.Origin, int64(c.Size), tlog.Hash(c.Hash), nil
}
