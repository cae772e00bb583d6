package translog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/internal/platform/job"
)

// checkpointName is the name of the newest checkpoint among the files of a log.
const checkpointName = "checkpoint"

// leavesLevel is that of leaves, where tiles of hashes have their own.
const leavesLevel = -1

// ErrOther means that a mirror has another log than the beginning of the database's. Nothing is
// written to it then.
var ErrOther = errors.New("the mirror has what the database's log does not have")

// Mirror is a copy of a log outside of its database, as c2sp.org/tlog-tiles has it.
type Mirror struct {
	log    *Log
	bucket *blob.Bucket
	// copied is the checkpoint that was written last.
	copied string
	size   atomic.Int64
}

// NewMirror returns the copy of a log in a bucket. Nothing is copied yet: call Run or Copy.
func NewMirror(l *Log, bucket *blob.Bucket) *Mirror { return &Mirror{log: l, bucket: bucket} }

// Run copies each new checkpoint, and what is under it, until the context ends. Any number of
// processes may do so: what one writes another would write as well.
func (m *Mirror) Run(ctx context.Context) {
	step := func(ctx context.Context) (bool, error) { return false, m.Copy(ctx) }
	job.NewWorker(job.Options{Step: step, Every: lookEvery, Log: m.log.log, Failure: "trail not mirrored"}).Run(ctx)
}

// Observe has the mirror appear in the metrics.
func (m *Mirror) Observe(meter metric.Meter) error {
	size, err := meter.Int64ObservableGauge(
		"audit.mirror.size", metric.WithDescription("Number of rows that this process knows to be mirrored."),
	)
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(size, m.size.Load())
		return nil
	}, size)
	return err
}

// Copy brings the mirror to the newest checkpoint. What it needs is written before the checkpoint,
// and what was written by a copy that was interrupted is not written again. It returns ErrOther for
// a mirror that has another log, or one that is ahead of the database.
func (m *Mirror) Copy(ctx context.Context) error {
	c, err := m.log.newest(ctx)
	if none(err) {
		return nil
	}
	if err != nil || c.Text == m.copied {
		return err
	}
	old, err := m.mirrored(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range allTiles(old, c.Size) {
		if err := m.copyTile(ctx, t); err != nil {
			return err
		}
	}
	if err := m.bucket.WriteAll(ctx, checkpointName, []byte(c.Text), nil); err != nil {
		return err
	}
	m.copied = c.Text
	m.size.Store(c.Size)
	return m.tidy(ctx, old, c.Size)
}

// mirrored returns the size of the log that the mirror has, 0 for none.
func (m *Mirror) mirrored(ctx context.Context, c Checkpoint) (int64, error) {
	text, err := m.bucket.ReadAll(ctx, checkpointName)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	name, size, root, err := read(string(text))
	if err != nil {
		return 0, fmt.Errorf("%w: its checkpoint cannot be read", ErrOther)
	}
	if name != c.Name || size > c.Size {
		return 0, fmt.Errorf("%w: it is that of %s with %d leaves", ErrOther, name, size)
	}
	ours, err := tlog.TreeHash(size, m.log.repo.reader(ctx, c.tree()))
	if err == nil && ours != root {
		err = fmt.Errorf("%w: its first %d leaves are others", ErrOther, size)
	}
	return size, err
}

// copyTile writes a tile. One that is whole may be there already, and is then the same.
func (m *Mirror) copyTile(ctx context.Context, t tlog.Tile) error {
	content, err := m.log.content(ctx, t)
	if err != nil {
		return err
	}
	if content == nil {
		return fmt.Errorf("%w: %s", errTileMissing, nameOf(t))
	}
	if t.W == tileWidth {
		there, err := m.bucket.ReadAll(ctx, nameOf(t))
		switch {
		case gcerrors.Code(err) == gcerrors.NotFound:
		case err != nil:
			return err
		case !bytes.Equal(there, content):
			return fmt.Errorf("%w: %s", ErrOther, nameOf(t))
		default:
			return nil
		}
	}
	return m.bucket.WriteAll(ctx, nameOf(t), content, nil)
}

// tidy deletes what stood there of tiles before they were whole. Until then it stays: somebody may
// hold one of the checkpoints that needed it.
func (m *Mirror) tidy(ctx context.Context, old, size int64) error {
	for _, t := range partTiles(old) {
		t.W = tileWidth
		if whole := size >> (height * max(t.L, 0)); whole < (t.N+1)*tileWidth {
			continue
		}
		for parts := m.bucket.List(&blob.ListOptions{Prefix: nameOf(t) + ".p/"}); ; {
			part, err := parts.Next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = m.bucket.Delete(ctx, part.Key)
			}
			if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
				return err
			}
		}
	}
	return nil
}

// allTiles lists what is to be published when a log grows: hashes, and leaves.
func allTiles(old, size int64) []tlog.Tile {
	tiles := tlog.NewTiles(height, old, size)
	for _, t := range tiles {
		if t.L == 0 {
			t.L = leavesLevel
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// partTiles lists the last tiles of a log that are not whole.
func partTiles(size int64) []tlog.Tile {
	var tiles []tlog.Tile
	for level, n := 0, size; n > 0; level, n = level+1, n/tileWidth {
		if width := int(n % tileWidth); width > 0 {
			tiles = append(tiles, tlog.Tile{H: height, L: level, N: n / tileWidth, W: width})
			if level == 0 {
				tiles = append(tiles, tlog.Tile{H: height, L: leavesLevel, N: n / tileWidth, W: width})
			}
		}
	}
	return tiles
}

// nameOf returns the name of a tile as c2sp.org/tlog-tiles has it. The library's has the height in
// it, and another word for leaves.
func nameOf(t tlog.Tile) string {
	name := strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", height))
	if rest, leaves := strings.CutPrefix(name, "data/"); leaves {
		name = "entries/" + rest
	}
	return "tile/" + name
}

// readMirror is a mirror that is verified.
type readMirror struct {
	ctx    context.Context //nolint:containedctx // the library's interface has none
	bucket *blob.Bucket
}

// Height implements tlog.TileReader.
func (readMirror) Height() int { return height }

// SaveTiles implements tlog.TileReader.
func (readMirror) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles implements tlog.TileReader.
func (m readMirror) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	for i, t := range wanted {
		var err error
		data[i], err = m.bucket.ReadAll(m.ctx, nameOf(t))
		if gcerrors.Code(err) == gcerrors.NotFound && t.W < tileWidth {
			data[i], err = m.beginning(t)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", nameOf(t), err)
		}
	}
	return data, nil
}

// beginning reads a tile that became whole after its checkpoint was read, as far as that goes.
func (m readMirror) beginning(t tlog.Tile) ([]byte, error) {
	whole := t
	whole.W = tileWidth
	content, err := m.bucket.ReadAll(m.ctx, nameOf(whole))
	if err != nil {
		return nil, err
	}
	end := t.W * tlog.HashSize
	if t.L == leavesLevel {
		end = 0
		for range t.W {
			if end+2 <= len(content) {
				end += 2 + int(binary.BigEndian.Uint16(content[end:]))
			}
		}
	}
	return content[:min(end, len(content))], nil
}

// CheckpointOf returns the checkpoint of a mirror.
func CheckpointOf(ctx context.Context, bucket *blob.Bucket) (string, error) {
	text, err := bucket.ReadAll(ctx, checkpointName)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return "", errors.New("the mirror has no checkpoint")
	}
	return string(text), err
}

// leavesIn returns the hashes of the leaves in a file of them, and nil where it does not have so
// many, or more.
func leavesIn(content []byte, width int) []tlog.Hash {
	hashes := make([]tlog.Hash, 0, width)
	for len(content) >= 2 {
		n := 2 + int(binary.BigEndian.Uint16(content))
		if n > len(content) || len(hashes) == width {
			return nil
		}
		hashes = append(hashes, tlog.RecordHash(content[2:n]))
		content = content[n:]
	}
	if len(content) > 0 || len(hashes) < width {
		return nil
	}
	return hashes
}
