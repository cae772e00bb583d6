package s3bucket

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"hash"
	"io"
)

// partSize is how much of an object is kept in memory: what is not longer goes in one request, what
// is longer in parts of that size, the least that S3 takes.
const partSize = 5 << 20

// errDigest says that what was written is not what its writer said.
var errDigest = errors.New("what was written has another MD5 than it should")

// writer writes one object. It is there when Close returns without an error, and not at all if the
// context ended before.
type writer struct {
	ctx context.Context //nolint:containedctx // that of the one write
	// put writes what is short, with its MD5; putParts what is long.
	put      func(content []byte, digest string) error
	putParts func(content io.Reader) error
	// whole is the MD5 so far, want what it must become; empty is whatever comes.
	whole hash.Hash
	want  []byte
	// begun is the first part, as far as it has come.
	begun bytes.Buffer
	// rest leads on to what is longer; nil until then.
	rest *io.PipeWriter
	done chan error
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	_, _ = w.whole.Write(p) // never fails
	if w.rest == nil {
		if w.begun.Len()+len(p) <= partSize {
			return w.begun.Write(p)
		}
		from, to := io.Pipe()
		w.rest, w.done = to, make(chan error, 1)
		go func() {
			err := w.putParts(io.MultiReader(&w.begun, from))
			// Whoever still writes is not left waiting.
			_ = from.CloseWithError(err) // never fails
			w.done <- err
		}()
	}
	return w.rest.Write(p)
}

// Close implements io.Closer.
func (w *writer) Close() error {
	digest := w.whole.Sum(nil)
	wrong := w.ctx.Err()
	if wrong == nil && len(w.want) > 0 && !bytes.Equal(digest, w.want) {
		wrong = errDigest
	}
	switch {
	case w.rest != nil:
		_ = w.rest.CloseWithError(wrong) // never fails
		return <-w.done
	case wrong != nil:
		return wrong
	default:
		return w.put(w.begun.Bytes(), base64.StdEncoding.EncodeToString(digest))
	}
}
