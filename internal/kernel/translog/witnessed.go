package translog

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
	"diresco/internal/platform/witness"
)

// AskWitness has a witness cosign each new checkpoint, until the context ends. Nothing waits for it:
// one that does not answer is asked again, for the newest checkpoint there is by then.
func (l *Log) AskWitness(ctx context.Context, w *witness.Witness) {
	step := func(ctx context.Context) (bool, error) { return false, l.Cosign(ctx, w) }
	job.NewWorker(job.Options{Step: step, Every: lookEvery, Log: l.log, Failure: "checkpoint not cosigned by " + w.Name()}).Run(ctx)
}

// Cosign has a witness cosign the newest checkpoint, where it has not yet.
func (l *Log) Cosign(ctx context.Context, w *witness.Witness) error {
	s, err := l.repo.state(ctx)
	if err != nil || s.Checkpoint == "" {
		return err
	}
	kept, err := l.repo.cosignatures(ctx)
	if err != nil {
		return err
	}
	var seen int64
	for _, c := range kept {
		if c.Witness != w.Name() {
			continue
		}
		if body(c.Checkpoint) == body(s.Checkpoint) {
			return nil
		}
		seen = c.Size
	}
	line, err := l.ask(ctx, w, s.Checkpoint, seen)
	if behind := (*witness.Conflict)(nil); errors.As(err, &behind) {
		// It knows better than we what it has seen.
		line, err = l.ask(ctx, w, s.Checkpoint, behind.Size)
	}
	if err != nil {
		return err
	}
	return l.repo.keepCosignature(ctx, cosignature{Witness: w.Name(), Size: s.Size, Checkpoint: s.Checkpoint + line})
}

// ask sends a checkpoint with the proof that it begins with what the witness has seen.
func (l *Log) ask(ctx context.Context, w *witness.Witness, checkpoint string, seen int64) (line string, err error) {
	_, size, root, err := read(checkpoint)
	if err != nil {
		return "", err
	}
	var proof tlog.TreeProof
	switch {
	case seen > size:
		return "", fmt.Errorf("it has seen %d leaves, and the database has %d: what was signed is gone", seen, size)
	case seen > 0 && seen < size:
		if proof, err = tlog.ProveTree(size, seen, l.repo.reader(ctx, tlog.Tree{N: size, Hash: root})); err != nil {
			return "", err
		}
	}
	line, err = w.Cosign(ctx, checkpoint, seen, proof)
	if behind := (*witness.Conflict)(nil); errors.As(err, &behind) && behind.Size == seen {
		return "", fmt.Errorf("it has cosigned another tree of %d leaves", seen)
	}
	return line, err
}

// none reports whether there is no checkpoint yet.
func none(err error) bool { return fault.Is(err, fault.NotFound) }
