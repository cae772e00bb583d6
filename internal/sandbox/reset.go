package sandbox

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/google/uuid"
	"gocloud.dev/blob"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/installation"
)

// Reset deletes everything in one transaction, goes back to real time and makes the first test data
// again. All sessions end with the data. The keys that signed receipts stay published. It returns
// fault.Forbidden in a public sandbox.
func (s *Service) Reset(ctx context.Context) error {
	if s.public {
		return fault.New(fault.Forbidden)
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	before, committed := s.clock.Offset(), false
	defer func() {
		if !committed {
			s.clock.Set(before)
		}
	}()
	var owners []uuid.UUID
	_, err := operation.Do(ctx, s.run, access.Actor{}, "sandbox", func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.SubjectKind = "sandbox"
		var err error
		if owners, err = s.repo.owners(ctx); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.startAfresh(ctx)
	}, func(context.Context, string) (struct{}, error) { return struct{}{}, nil })
	if err != nil {
		return err
	}
	committed = true
	s.types.Forget()
	s.forget()
	return discard(ctx, s.blobs, owners)
}

// startAfresh empties the database and fills it again, in the context's transaction.
func (s *Service) startAfresh(ctx context.Context) error {
	if _, err := installation.Lock(ctx, s.db); err != nil {
		return err
	}
	if err := s.repo.clear(ctx); err != nil {
		return err
	}
	s.clock.Set(0)
	if err := installation.SetClock(ctx, s.db, 0); err != nil {
		return err
	}
	if err := s.due.Begin(ctx); err != nil {
		return err
	}
	// The request's own key went with the rest.
	if err := s.claimAgain(ctx, "sandbox", s.clock); err != nil {
		return err
	}
	return s.plant(ctx)
}

// discard deletes the files that are named after one of the ids, or lie in a folder that is. The
// bucket may hold more than this sandbox's.
func discard(ctx context.Context, bucket *blob.Bucket, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	ours := make(map[string]bool, len(ids))
	for _, id := range ids {
		ours[id.String()] = true
	}
	list := bucket.List(nil)
	for {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		folder, name := path.Split(object.Key)
		if ours[strings.TrimSuffix(name, path.Ext(name))] || ours[path.Base(folder)] {
			if err := bucket.Delete(ctx, object.Key); err != nil {
				return err
			}
		}
	}
}
