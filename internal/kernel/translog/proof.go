package translog

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/internal/platform/fault"
)

// Checkpoint is the signed state of the log.
type Checkpoint struct {
	// Name is that of the log.
	Name string
	Size int64
	Root tlog.Hash
	// Text is the signed note (c2sp.org/tlog-checkpoint), with the lines of the witnesses that have
	// cosigned it by now.
	Text string
	// Cosigned is the newest one that a witness cosigned; empty where none ever did.
	Cosigned string
	// Keys are the public keys by which it is checked; empty where this process does not seal.
	Keys []string
}

// tree is that of the checkpoint.
func (c Checkpoint) tree() tlog.Tree { return tlog.Tree{N: c.Size, Hash: c.Root} }

// Checkpoint returns the newest one, and fault.NotFound while nothing is sealed.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	if l.eager {
		if err := l.Seal(ctx); err != nil {
			return Checkpoint{}, err
		}
	}
	return l.newest(ctx)
}

// newest returns the newest checkpoint that is committed, and fault.NotFound where there is none.
func (l *Log) newest(ctx context.Context) (Checkpoint, error) {
	s, err := l.repo.state(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	if s.Checkpoint == "" {
		return Checkpoint{}, fault.New(fault.NotFound)
	}
	var c Checkpoint
	if c.Name, c.Size, c.Root, err = read(s.Checkpoint); err != nil {
		return Checkpoint{}, err
	}
	signatures, err := l.repo.cosignatures(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	c.Text, c.Cosigned = s.Checkpoint+linesFor(signatures, s.Checkpoint), newestCosigned(signatures)
	if keys := l.keys.Load(); keys != nil {
		c.Keys = keys.Public()
	}
	return c, nil
}

// Proof is what proves to anybody that an entry of the register is in the log.
type Proof struct {
	// Row is the text of the entry; it has no personal data.
	Row  string
	Salt []byte
	// Index is the position of its leaf, and Hashes the path from there to the root.
	Index      int64
	Hashes     []tlog.Hash
	Checkpoint Checkpoint
}

// ProveEntry proves an entry of the register, by what it is about. It returns these faults:
//   - fault.NotFound: the register has no such entry;
//   - fault.Conflict: it is not sealed yet.
func (l *Log) ProveEntry(ctx context.Context, subjectID uuid.UUID) (Proof, error) {
	row, err := l.repo.registered(ctx, subjectID)
	if err == nil && row == nil {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Proof{}, err
	}
	notYet := &fault.Fault{Code: fault.Conflict, Reason: "not-sealed-yet", RetryAfter: 2 * lookEvery}
	c, err := l.Checkpoint(ctx)
	if fault.Is(err, fault.NotFound) {
		return Proof{}, notYet
	}
	if err != nil {
		return Proof{}, err
	}
	e, found, err := l.repo.entryOf(ctx, ofRegister, subjectID)
	if err != nil {
		return Proof{}, err
	}
	if !found || e.Position >= c.Size {
		return Proof{}, notYet
	}
	hashes, err := tlog.ProveRecord(c.Size, e.Position, l.repo.reader(ctx, c.tree()))
	return Proof{Row: string(row), Salt: e.Salt, Index: e.Position, Hashes: hashes, Checkpoint: c}, err
}

// Consistency is what proves that a log only grew.
type Consistency struct {
	From, To int64
	Hashes   []tlog.Hash
	// Checkpoint is the newest.
	Checkpoint Checkpoint
}

// ProveConsistency proves that the newest tree begins with what an older one had. It returns
// fault.NotFound where the log never had that size.
func (l *Log) ProveConsistency(ctx context.Context, from int64) (Consistency, error) {
	c, err := l.Checkpoint(ctx)
	if err != nil {
		return Consistency{}, err
	}
	if from < 1 || from > c.Size {
		return Consistency{}, fault.New(fault.NotFound)
	}
	hashes, err := tlog.ProveTree(c.Size, from, l.repo.reader(ctx, c.tree()))
	return Consistency{From: from, To: c.Size, Hashes: hashes, Checkpoint: c}, err
}

// Tile is a part of the log as c2sp.org/tlog-tiles serves it.
type Tile struct {
	Content []byte
	// Whole ones never change; the others are there until they are whole.
	Whole bool
}

// Tile returns the part at a path such as tile/0/x001/234.p/5 or tile/entries/000. It returns
// fault.NotFound for one that is not there.
func (l *Log) Tile(ctx context.Context, path string) (Tile, error) {
	none := fault.New(fault.NotFound)
	rest, ours := strings.CutPrefix(path, "tile/")
	if !ours {
		return Tile{}, none
	}
	if bundle, leaves := strings.CutPrefix(rest, "entries/"); leaves {
		rest = "data/" + bundle
	} else if strings.HasPrefix(rest, "data/") {
		return Tile{}, none
	}
	// The library has the height in the path as well.
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	if err != nil {
		return Tile{}, none
	}
	found := Tile{Whole: t.W == tileWidth}
	found.Content, err = l.content(ctx, t)
	if err == nil && found.Content == nil {
		err = none
	}
	return found, err
}

// content returns what a tile has, and nil where the log does not have so much.
func (l *Log) content(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if t.L < 0 {
		return l.bundle(ctx, t)
	}
	return l.repo.tile(ctx, t)
}

// bundle returns leaves, each behind its length.
func (l *Log) bundle(ctx context.Context, t tlog.Tile) ([]byte, error) {
	entries, err := l.repo.between(ctx, t.N*tileWidth, t.N*tileWidth+int64(t.W))
	if err != nil || len(entries) < t.W {
		return nil, err
	}
	var content, leaf []byte
	for _, e := range entries {
		leaf = appendLeaf(leaf[:0], kind(e.Kind), digestOf(e.Digest))
		content = append(binary.BigEndian.AppendUint16(content, uint16(len(leaf))), leaf...) //nolint:gosec // some 100 bytes
	}
	return content, nil
}
