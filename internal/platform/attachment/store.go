package attachment

import (
	"context"
	"errors"
	"io"
	"path"
	"strconv"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"diresco/internal/platform/fault"
)

// Store keeps files in a bucket.
type Store struct{ bucket *blob.Bucket }

// NewStore returns the store in a bucket.
func NewStore(b *blob.Bucket) *Store { return &Store{bucket: b} }

// key is where a file lies, by what it belongs to and its number. The name that its sender gave it
// never counts.
func key(owner string, number int) string { return path.Join(owner, strconv.Itoa(number)) }

// Keys are where the files of an owner lie.
func Keys(owner string, files []File) []string {
	keys := make([]string, len(files))
	for i, f := range files {
		keys[i] = key(owner, f.Number)
	}
	return keys
}

// Put stores the files of an owner, a path of our own ids that nothing was stored under before.
// It returns fault.Unavailable where one cannot be stored; then none is.
func (s *Store) Put(ctx context.Context, owner string, files []File, uploads []*Upload) error {
	for i, f := range files {
		err := s.bucket.Upload(ctx, key(owner, f.Number), uploads[i].Open(), &blob.WriterOptions{
			ContentType: string(f.MediaType), IfNotExist: true,
		})
		if err != nil {
			return errors.Join(fault.Wrap(fault.Unavailable, err), s.Remove(context.WithoutCancel(ctx), owner, files[:i]))
		}
	}
	return nil
}

// Remove removes files of an owner; one that is not there is removed already.
func (s *Store) Remove(ctx context.Context, owner string, files []File) error {
	var failed error
	for _, f := range files {
		if err := s.bucket.Delete(ctx, key(owner, f.Number)); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// Open returns the content of a file, to be closed, and fault.NotFound where there is none.
func (s *Store) Open(ctx context.Context, owner string, number int) (io.ReadCloser, error) {
	r, err := s.bucket.NewReader(ctx, key(owner, number), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fault.New(fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}
